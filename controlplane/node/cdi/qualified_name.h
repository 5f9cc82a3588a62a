// CDI's device names: "vendor/class=name" (CDI v1.1, pkg/parser).
//
// Thread-safe: no state.
#ifndef ASSAY_CONTROLPLANE_NODE_CDI_QUALIFIED_NAME_H_
#define ASSAY_CONTROLPLANE_NODE_CDI_QUALIFIED_NAME_H_

#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::controlplane::node::cdi {

struct QualifiedName {
  std::string vendor;
  std::string class_;
  std::string name;

  std::string ToString() const { return vendor + "/" + class_ + "=" + name; }
  friend auto operator<=>(const QualifiedName&, const QualifiedName&) = default;
};

// kInvalidArgument names the part that is missing or wrong.
Result<QualifiedName> ParseQualifiedName(std::string_view text);

// Letters, digits, '_', '-' and '.'; the first a letter, the last a letter or digit.
Status ValidateVendorName(std::string_view vendor);
Status ValidateClassName(std::string_view class_name);
// Letters, digits, '_', '-', '.' and ':'; the first and last a letter or digit.
Status ValidateDeviceName(std::string_view name);

}  // namespace assay::controlplane::node::cdi

#endif  // ASSAY_CONTROLPLANE_NODE_CDI_QUALIFIED_NAME_H_
