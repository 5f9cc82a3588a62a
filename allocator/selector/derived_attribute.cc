#include "allocator/selector/derived_attribute.h"

#include <array>
#include <cstddef>

#include "base/check.h"
#include "cel/library/opaque_values.h"
#include "cel/program.h"
#include "cel/type.h"
#include "cel/value.h"

namespace assay::allocator::selector {
namespace {

using api::resource::DeviceAttribute;
using cel::Type;
using cel::TypeKind;
using cel::Value;
using cel::ValueKind;

constexpr std::string_view kSemver = "kubernetes.Semver";

bool IsScalar(const Type& type) {
  return type.kind() == TypeKind::kBool || type.kind() == TypeKind::kInt ||
         type.kind() == TypeKind::kString || type.IsDyn() || type.name() == kSemver;
}

bool IsVersion(const Value& value) {
  return value.Is(ValueKind::kOpaque) && cel::TypeName(value) == kSemver;
}

std::string VersionOf(const Value& value) {
  return static_cast<const cel::library::SemverValue&>(value.opaque()).version().ToString();
}

// The name of the Go type of what cel-go has in the value.
std::string_view GoTypeOf(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kInt:
      return "int64";
    case ValueKind::kUint:
      return "uint64";
    case ValueKind::kDouble:
      return "float64";
    case ValueKind::kString:
      return "string";
    case ValueKind::kBytes:
      return "[]uint8";
    case ValueKind::kDuration:
      return "time.Duration";
    case ValueKind::kTimestamp:
      return "time.Time";
    case ValueKind::kNull:
      return "structpb.NullValue";
    case ValueKind::kList:
      return "[]ref.Val";
    case ValueKind::kMap:
      return "map[string]interface {}";  // as those of `device` are
    case ValueKind::kOpaque:
      return cel::TypeName(value) == "kubernetes.Quantity" ? "*resource.Quantity"
             : IsVersion(value)                            ? "semver.Version"
                                                           : cel::GoTypeName(value);
    case ValueKind::kMessage:
    case ValueKind::kType:
    case ValueKind::kOptional:
    case ValueKind::kError:
      break;
  }
  return cel::GoTypeName(value);
}

Status UnexpectedItem(std::size_t index, std::string_view wanted, const Value& item) {
  return InvalidArgumentError("expected list element at index " + std::to_string(index) +
                              " to be " + std::string(wanted) + ", got " +
                              std::string(GoTypeOf(item)));
}

// The items of a list, which all must be of the first one's type.
Result<DeviceAttribute> FromList(const cel::List& list) {
  DeviceAttribute attribute;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Value first = list.At(0);
    const Value item = list.At(i);
    const bool alike =
        item.kind() == first.kind() && (!first.Is(ValueKind::kOpaque) || IsVersion(item));
    if (first.Is(ValueKind::kBool)) {
      if (!alike) {
        return UnexpectedItem(i, "bool", item);
      }
      attribute.bools.emplace_back(item.bool_value());
    } else if (first.Is(ValueKind::kInt)) {
      if (!alike) {
        return UnexpectedItem(i, "int", item);
      }
      attribute.ints.push_back(item.int_value());
    } else if (first.Is(ValueKind::kString)) {
      if (!alike) {
        return UnexpectedItem(i, "string", item);
      }
      attribute.strings.emplace_back(item.text());
    } else if (IsVersion(first)) {
      if (!alike) {
        return UnexpectedItem(i, "semver", item);
      }
      attribute.versions.push_back(VersionOf(item));
    } else {
      return InvalidArgumentError("unsupported list element type: " + std::string(GoTypeOf(first)));
    }
  }
  return attribute;
}

Result<DeviceAttribute> FromValue(const Value& value) {
  DeviceAttribute attribute;
  if (value.Is(ValueKind::kBool)) {
    attribute.bool_ = value.bool_value();
  } else if (value.Is(ValueKind::kInt)) {
    attribute.int_ = value.int_value();
  } else if (value.Is(ValueKind::kString)) {
    attribute.string = std::string(value.text());
  } else if (IsVersion(value)) {
    attribute.version = VersionOf(value);
  } else if (value.Is(ValueKind::kList)) {
    return FromList(value.list());
  } else {
    return InvalidArgumentError("unsupported CEL return type: " + std::string(GoTypeOf(value)));
  }
  return attribute;
}

}  // namespace

DerivedAttribute::DerivedAttribute(std::string_view expression,
                                   const cel::dra::Features& features) {
  cel::CompileOptions options;
  options.cost_limit = cel::dra::kSelectorCostLimit;
  options.estimate_cost = false;
  // Lists whatever the gate: what the API server once accepted goes on to work.
  options.accepts = [](const Type& type) {
    return IsScalar(type) || (type.kind() == TypeKind::kList && IsScalar(*type.parameter(0)));
  };
  cel::Compilation compilation = cel::Compile(
      cel::dra::SelectorEnvironment(features, cel::dra::EnvironmentType::kStoredExpressions),
      expression, options);
  program_ = std::move(compilation.program);
  if (!compilation.failure.has_value()) {
    return;
  }
  const std::string& message = compilation.failure->message;
  switch (compilation.failure->phase) {
    case cel::CompilePhase::kParse:
    case cel::CompilePhase::kCheck:
      error_ = "compilation failed: " + message;
      break;
    case cel::CompilePhase::kType:
      error_ =
          "must evaluate to a primitive scalar (string, integer, boolean, semver) or a list of "
          "these scalars, not " +
          message;
      break;
    case cel::CompilePhase::kPlan:
      error_ = "program instantiation failed: " + message;
      break;
  }
}

Result<DeviceAttribute> DerivedAttribute::Evaluate(const cel::dra::Device& device) const {
  ASSAY_CHECK(program_ != nullptr) << "an expression that did not compile";
  ASSAY_ASSIGN_OR_RETURN(const Value variable, device.AsValue());
  std::array<std::byte, 2048> memory;
  cel::Arena arena(memory);
  const Value variables[] = {variable};
  const cel::Evaluation evaluation = program_->Evaluate(variables, arena);
  if (evaluation.value.IsError()) {
    return InvalidArgumentError(std::string(evaluation.value.text()));
  }
  return FromValue(evaluation.value);
}

}  // namespace assay::allocator::selector
