// DerivedAttribute: an attribute that a request makes of every device with an expression
// (DRADerivedAttributes, level 1.37), for its claim's constraints to compare.
//
//   DerivedAttribute numa("device.attributes['gpu.example.com'].socket * 2", features);
//   ASSAY_ASSIGN_OR_RETURN(const auto attribute, numa.Evaluate(device));
//
// Source: k8s.io/dynamic-resource-allocation v0.37.2, cel/compile.go (EvaluateDerivedAttribute).
//
// Thread-safe: immutable.
#ifndef ASSAY_ALLOCATOR_SELECTOR_DERIVED_ATTRIBUTE_H_
#define ASSAY_ALLOCATOR_SELECTOR_DERIVED_ATTRIBUTE_H_

#include <memory>
#include <string>
#include <string_view>

#include "api/resource/types.h"
#include "base/result.h"
#include "cel/dra/selector.h"

namespace assay::allocator::selector {

class DerivedAttribute {
 public:
  DerivedAttribute(std::string_view expression, const cel::dra::Features& features);

  // Why it does not compile, in Kubernetes' words; empty: it does.
  const std::string& error() const { return error_; }

  // Its value on the device; it must have compiled. An empty list is an attribute without a value.
  // Errors are in Kubernetes' words.
  Result<api::resource::DeviceAttribute> Evaluate(const cel::dra::Device& device) const;

 private:
  std::shared_ptr<const cel::Program> program_;
  std::string error_;
};

}  // namespace assay::allocator::selector

#endif  // ASSAY_ALLOCATOR_SELECTOR_DERIVED_ATTRIBUTE_H_
