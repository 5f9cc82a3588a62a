#include "api/validation/cel_selector.h"

#include "cel/dra/selector.h"

namespace assay::api::validation {

SelectorChecker CelSelectorChecker(const Compatibility& compatibility) {
  cel::dra::CompileOptions options;
  options.features.consumable_capacity = compatibility.Enabled("DRAConsumableCapacity");
  options.features.list_type_attributes = compatibility.Enabled("DRAListTypeAttributes");
  return [options](std::string_view expression, bool stored) -> SelectorVerdict {
    cel::dra::CompileOptions with_environment = options;
    with_environment.environment = stored ? cel::dra::EnvironmentType::kStoredExpressions
                                          : cel::dra::EnvironmentType::kNewExpressions;
    const cel::dra::CompiledSelector selector =
        cel::dra::CompileSelector(expression, with_environment);
    if (selector.error.has_value()) {
      return {selector.error->code == StatusCode::kInternal ? SelectorVerdict::Outcome::kInternal
                                                            : SelectorVerdict::Outcome::kInvalid,
              selector.error->detail};
    }
    if (selector.max_cost > cel::dra::kSelectorCostLimit) {
      return {SelectorVerdict::Outcome::kTooCostly, ""};
    }
    return {};
  };
}

}  // namespace assay::api::validation
