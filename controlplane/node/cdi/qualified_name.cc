#include "controlplane/node/cdi/qualified_name.h"

#include <algorithm>

namespace assay::controlplane::node::cdi {
namespace {

bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool IsAlphanumeric(char c) { return IsLetter(c) || (c >= '0' && c <= '9'); }

// `what` names the part in errors; `inner` lists what may stand besides letters and digits.
Status ValidateName(std::string_view what, std::string_view name, std::string_view inner,
                    bool starts_with_letter) {
  const std::string subject = std::string(what) + " \"" + std::string(name) + "\"";
  if (name.empty()) {
    return InvalidArgumentError(std::string(what) + " is empty");
  }
  if (starts_with_letter ? !IsLetter(name.front()) : !IsAlphanumeric(name.front())) {
    return InvalidArgumentError(subject + " must start with a letter" +
                                (starts_with_letter ? "" : " or digit"));
  }
  if (!IsAlphanumeric(name.back())) {
    return InvalidArgumentError(subject + " must end with a letter or digit");
  }
  const auto bad = std::ranges::find_if(
      name, [&](char c) { return !IsAlphanumeric(c) && inner.find(c) == std::string_view::npos; });
  if (bad != name.end()) {
    return InvalidArgumentError(subject + " contains '" + *bad +
                                "'; allowed are letters, digits and " + std::string(inner));
  }
  return OkStatus();
}

}  // namespace

Status ValidateVendorName(std::string_view vendor) {
  return ValidateName("vendor", vendor, "_-.", /*starts_with_letter=*/true);
}

Status ValidateClassName(std::string_view class_name) {
  return ValidateName("class", class_name, "_-.", /*starts_with_letter=*/true);
}

Status ValidateDeviceName(std::string_view name) {
  return ValidateName("device name", name, "_-.:", /*starts_with_letter=*/false);
}

Result<QualifiedName> ParseQualifiedName(std::string_view text) {
  const std::string subject = "CDI device \"" + std::string(text) + "\"";
  const std::size_t equals = text.find('=');
  const std::size_t slash = text.substr(0, equals).find('/');
  if (equals == std::string_view::npos || slash == std::string_view::npos) {
    return InvalidArgumentError(subject + " is not of the form vendor/class=name");
  }
  QualifiedName name{.vendor = std::string(text.substr(0, slash)),
                     .class_ = std::string(text.substr(slash + 1, equals - slash - 1)),
                     .name = std::string(text.substr(equals + 1))};
  ASSAY_RETURN_IF_ERROR(ValidateVendorName(name.vendor).WithContext(subject));
  ASSAY_RETURN_IF_ERROR(ValidateClassName(name.class_).WithContext(subject));
  ASSAY_RETURN_IF_ERROR(ValidateDeviceName(name.name).WithContext(subject));
  return name;
}

}  // namespace assay::controlplane::node::cdi
