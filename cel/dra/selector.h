// CEL selectors over DRA devices: the environment that Kubernetes declares for
// DeviceSelector.cel.expression, compiling in it, and running against a device.
//
// This part knows the variable `device`; the rest of cel/ does not. It knows no API types: api/
// validates expressions with `CompileSelector`, allocator/ evaluates them on `Device`s that it
// builds from ResourceSlices.
//
//   CompiledSelector selector = CompileSelector("device.driver == 'gpu.example.com'", {});
//   if (!selector.ok()) return Invalid(selector.error->detail);
//   if (selector.max_cost > kSelectorCostLimit) return TooExpensive();
//   ASSAY_ASSIGN_OR_RETURN(bool matches, selector.Matches(device));
//
// Source: k8s.io/dynamic-resource-allocation/cel/compile.go.
//
// Thread-safe: a CompiledSelector and a Device are immutable; any number of threads may match.
#ifndef ASSAY_CEL_DRA_SELECTOR_H_
#define ASSAY_CEL_DRA_SELECTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace assay::cel {
class Environment;
class Program;
class Value;
}  // namespace assay::cel

namespace assay::cel::dra {

class Device;

// Longest expression that the API accepts, in bytes (CELSelectorExpressionMaxLength).
inline constexpr std::size_t kSelectorMaxLength = 10 * 1024;
// Highest cost, both estimated by validation and counted at run time
// (CELSelectorExpressionMaxCost).
inline constexpr std::uint64_t kSelectorCostLimit = 1'000'000;

// The feature gates that change the environment.
struct Features {
  bool consumable_capacity = true;    // DRAConsumableCapacity: device.allowMultipleAllocations
  bool list_type_attributes = false;  // DRAListTypeAttributes: lists, includes()
};

// New expressions, those that a client writes, may use what the feature gates allow; stored ones,
// all that a gate may have allowed before (k8s.io/apiserver/pkg/cel/environment).
enum class EnvironmentType : std::uint8_t { kStoredExpressions, kNewExpressions };

struct CompileOptions {
  Features features;
  EnvironmentType environment = EnvironmentType::kNewExpressions;
  // Run-time cost at which an evaluation ends with an error.
  std::uint64_t cost_limit = kSelectorCostLimit;
  // The scheduler skips the estimate: max_cost is then 2^64-1.
  bool estimate_cost = true;
};

struct CompileError {
  // kInvalidArgument: the expression is wrong; kInternal: compiling itself failed.
  StatusCode code = StatusCode::kInvalidArgument;
  // In Kubernetes' words, with line and column:
  // "compilation failed: ERROR: <input>:1:7: undefined field 'name'\n | device.name\n | ......^".
  std::string detail;
};

// What evaluating one expression on one device gave.
struct MatchResult {
  Result<bool> matches;    // the error's message is Kubernetes': "no such key: x"
  std::uint64_t cost = 0;  // what the evaluation cost, in CEL's units
};

struct CompiledSelector {
  bool ok() const { return program != nullptr; }

  // Whether the device matches. An error is a run-time error in Kubernetes' words.
  Result<bool> Matches(const Device& device) const;
  MatchResult MatchesWithCost(const Device& device) const;

  std::shared_ptr<const Program> program;  // shared by every copy of the selector; null on error
  std::optional<CompileError> error;       // set if and only if program is null
  std::uint64_t max_cost = UINT64_MAX;     // the estimated worst case
  std::string output_type;                 // "bool", "google.protobuf.Any", "dyn"
};

// Compiles `expression` in the environment of `options.features`. Never fails otherwise than by
// CompiledSelector::error. Does not hold the expression to kSelectorMaxLength or max_cost to
// kSelectorCostLimit: those are the API's rules.
CompiledSelector CompileSelector(std::string_view expression, const CompileOptions& options = {});

// What selectors are compiled in: for those who evaluate expressions of other types on devices.
const Environment& SelectorEnvironment(const Features& features, EnvironmentType type);

// One attribute, as a ResourceSlice gives it. std::monostate: a kind of value that this version
// does not know, which makes every evaluation on that device fail, used or not.
struct Version {
  std::string text;
};
using AttributeValue =
    std::variant<std::monostate, bool, std::int64_t, std::string, Version, std::vector<bool>,
                 std::vector<std::int64_t>, std::vector<std::string>, std::vector<Version>>;

// What a Device is made of. Names are qualified ("domain/id") or bare ("id": the driver's domain).
struct DeviceContent {
  struct Attribute {
    std::string name;
    AttributeValue value;
  };
  struct Capacity {
    std::string name;
    std::string quantity;  // "80Gi"; as Kubernetes' Quantity reads it
  };
  std::string driver;
  bool allow_multiple_allocations = false;
  std::vector<Attribute> attributes;
  std::vector<Capacity> capacity;
};

// A device as selectors see it: parsed once, matched often, without allocation.
class Device {
 public:
  explicit Device(const DeviceContent& content, Features features = {});
  ~Device();
  Device(Device&&) noexcept;
  Device& operator=(Device&&) noexcept;

  // The variable `device`, valid as long as this is; an error if no expression can be evaluated.
  Result<Value> AsValue() const;

 private:
  friend struct CompiledSelector;
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace assay::cel::dra

#endif  // ASSAY_CEL_DRA_SELECTOR_H_
