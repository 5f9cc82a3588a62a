#include "cel/dra/selector.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "cel/library/opaque_values.h"
#include "cel/messages.h"
#include "cel/program.h"
#include "cel/value.h"

namespace assay::cel::dra {
namespace {

// k8s.io/api/resource/v1: what the API allows, and so what estimates reckon with.
constexpr std::uint64_t kMaxDomainLength = 63;
constexpr std::uint64_t kMaxIdLength = 32;
constexpr std::uint64_t kMaxDriverLength = 63;
constexpr std::uint64_t kMaxAttributeLength = 64;
constexpr std::size_t kMaxAttributes = 32;
constexpr std::size_t kMaxAttributeValues = 48;

enum Variable : std::size_t { kDevice, kVariableCount };

// target.includes(value): value is the target or in it.
Value Includes(const CallContext&, std::span<const Value> args) {
  if (!args[0].Is(ValueKind::kList)) {
    return Value::Bool(Equal(args[0], args[1]));
  }
  const List& list = args[0].list();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i >= kMaxAttributeValues) {
      return Value::Error("'includes' function cannot be applied to lists longer than 48 values");
    }
    if (Equal(list.At(i), args[1])) {
      return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}

// The sizes of the parts of `device`. `path` starts with it.
std::optional<CostRange> EstimateSize(std::span<const std::string> path) {
  const auto upto = [](std::uint64_t max) { return CostRange{0, max}; };
  if (path.front() != "device") {
    return std::nullopt;
  }
  if (path.size() == 1) {
    return upto(0);  // an object has no elements
  }
  const std::string& field = path[1];
  if (field == "driver" || field == "allowMultipleAllocations") {
    if (path.size() > 2) {
      return std::nullopt;
    }
    return upto(field == "driver" ? kMaxDriverLength : 1);
  }
  if (field != "attributes" && field != "capacity") {
    return std::nullopt;
  }
  std::size_t depth = 2;
  for (; depth < path.size() && depth < 4; ++depth) {
    const bool inner = depth == 3;
    if (path[depth] == "@keys") {
      return depth + 1 == path.size() ? std::optional(upto(inner ? kMaxIdLength : kMaxDomainLength))
                                      : std::nullopt;
    }
    if (path[depth] != "@items" && path[depth] != "@values") {
      // Only the values of an inner attributes map are alike whatever their names.
      if (!inner || field != "attributes") {
        return std::nullopt;
      }
    }
  }
  if (path.size() > 4) {
    return std::nullopt;
  }
  if (path.size() < 4) {
    return upto(kMaxAttributes);
  }
  return upto(field == "attributes" ? kMaxAttributeLength : 0);
}

std::unique_ptr<const Environment> MakeEnvironment(const Features& features, EnvironmentType type) {
  auto environment = std::make_unique<Environment>();
  Arena& arena = environment->arena();
  const Type* attribute = features.list_type_attributes ? Type::Dyn() : Type::Any();
  const Type* attributes =
      Type::Map(arena, Type::String(), Type::Map(arena, Type::String(), attribute));
  const Type* quantity = Type::Struct(arena, "kubernetes.Quantity");
  const Type* capacity =
      Type::Map(arena, Type::String(), Type::Map(arena, Type::String(), quantity));
  std::vector<Environment::Field> fields = {
      {"driver", Type::String()}, {"attributes", attributes}, {"capacity", capacity}};
  // The gates hold for new expressions alone: stored ones may use what a gate has ever allowed.
  const bool stored = type == EnvironmentType::kStoredExpressions;
  if (features.consumable_capacity || stored) {
    fields.push_back({"allowMultipleAllocations", Type::Bool()});
  }
  environment->AddStruct("kubernetes.DRADevice", std::move(fields));
  environment->AddVariable("device", Type::Struct(arena, "kubernetes.DRADevice"));
  if (features.list_type_attributes || stored) {
    environment->functions().Add("includes",
                                 {{"dra_includes_dyn_dyn", "dyn.(dyn) -> bool", &Includes}});
  }
  environment->set_size_estimator(&EstimateSize);
  return environment;
}

// A map with few entries and constant memory.
class SmallMap final : public Map {
 public:
  struct NamedValue {
    std::string_view name;
    Value value;
  };
  // `otherwise`: what an absent key gives, if anything.
  SmallMap(std::vector<NamedValue> entries, const Map* otherwise)
      : entries_(std::move(entries)), otherwise_(otherwise) {}
  ~SmallMap() = default;

  std::size_t size() const override { return entries_.size(); }
  Entry At(std::size_t i) const override {
    return {Value::String(entries_[i].name), entries_[i].value};
  }
  bool Find(const Value& key, Value* value) const override {
    const NamedValue* entry = Get(key);
    if (entry != nullptr) {
      *value = entry->value;
      return true;
    }
    if (otherwise_ != nullptr) {
      *value = Value::Of(otherwise_);
      return true;
    }
    return false;
  }
  bool Contains(const Value& key) const override { return Get(key) != nullptr; }

 private:
  const NamedValue* Get(const Value& key) const {
    if (!key.Is(ValueKind::kString)) {
      return nullptr;
    }
    const std::string_view name = key.text();
    for (const NamedValue& entry : entries_) {
      if (entry.name == name) {
        return &entry;
      }
    }
    return nullptr;
  }

  std::vector<NamedValue> entries_;
  const Map* otherwise_;
};

}  // namespace

struct Device::Impl {
  Arena arena;
  std::vector<std::unique_ptr<SmallMap>> maps;
  std::string error;  // why no expression can be evaluated; empty if none
  Value device;

  const Map* NewMap(std::vector<SmallMap::NamedValue> entries, const Map* otherwise = nullptr) {
    maps.push_back(std::make_unique<SmallMap>(std::move(entries), otherwise));
    return maps.back().get();
  }

  Value ListOf(const std::vector<Value>& values) {
    return Value::Of(static_cast<const List*>(arena.New<ArrayList>(arena.Copy(values))));
  }

  Result<Value> ToValue(const Version& version) {
    const Result<Semver> semver = Semver::Parse(arena.Copy(version.text));
    if (!semver.ok()) {
      return semver.status().WithContext("parse semantic version");
    }
    return Value::Of(static_cast<const Opaque*>(arena.New<library::SemverValue>(*semver)));
  }
  Result<Value> ToValue(bool value) { return Value::Bool(value); }
  Result<Value> ToValue(std::int64_t value) { return Value::Int(value); }
  Result<Value> ToValue(const std::string& value) { return Value::String(arena.Copy(value)); }
  Result<Value> ToValue(std::monostate) {
    return InvalidArgumentError("unsupported attribute value");
  }
  template <typename T>
  Result<Value> ToValue(const std::vector<T>& values) {
    if (!lists) {
      return InvalidArgumentError("unsupported attribute value");
    }
    std::vector<Value> list;
    for (const auto& value : values) {
      ASSAY_ASSIGN_OR_RETURN(Value element, ToValue(T(value)));
      list.push_back(element);
    }
    return ListOf(list);
  }

  // Groups by domain; bare names are in the driver's.
  void Add(std::string_view driver, std::string_view name, const Value& value,
           std::map<std::string_view, std::vector<SmallMap::NamedValue>>& domains) {
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos) {
      domains[driver].push_back({arena.Copy(name), value});
    } else {
      domains[arena.Copy(name.substr(0, slash))].push_back(
          {arena.Copy(name.substr(slash + 1)), value});
    }
  }

  Value ToMap(std::map<std::string_view, std::vector<SmallMap::NamedValue>>& domains,
              const Map* empty) {
    std::vector<SmallMap::NamedValue> entries;
    for (auto& [domain, values] : domains) {
      entries.push_back({domain, Value::Of(NewMap(std::move(values)))});
    }
    return Value::Of(NewMap(std::move(entries), empty));
  }

  bool lists = false;
};

Device::Device(const DeviceContent& content, Features features) {
  auto impl = std::make_unique<Impl>();
  impl->lists = features.list_type_attributes;
  const std::string_view driver = impl->arena.Copy(content.driver);
  std::map<std::string_view, std::vector<SmallMap::NamedValue>> attributes;
  for (const DeviceContent::Attribute& attribute : content.attributes) {
    const Result<Value> value =
        std::visit([&impl](const auto& v) { return impl->ToValue(v); }, attribute.value);
    if (!value.ok()) {
      impl->error = "attribute " + attribute.name + ": " + value.status().message();
      break;
    }
    impl->Add(driver, attribute.name, *value, attributes);
  }
  std::map<std::string_view, std::vector<SmallMap::NamedValue>> capacity;
  for (const DeviceContent::Capacity& entry : content.capacity) {
    // What the API accepted parses.
    const Quantity quantity = Quantity::Parse(entry.quantity).value_or(Quantity());
    const Value value =
        Value::Of(static_cast<const Opaque*>(impl->arena.New<library::QuantityValue>(quantity)));
    impl->Add(driver, entry.name, value, capacity);
  }
  const Map* empty = impl->NewMap({});
  impl->device = Value::Of(impl->NewMap(
      {{"driver", Value::String(driver)},
       {"attributes", impl->ToMap(attributes, empty)},
       {"capacity", impl->ToMap(capacity, empty)},
       {"allowMultipleAllocations", Value::Bool(content.allow_multiple_allocations)}}));
  impl_ = std::move(impl);
}

Device::~Device() = default;
Device::Device(Device&&) noexcept = default;
Device& Device::operator=(Device&&) noexcept = default;

Result<Value> Device::AsValue() const {
  if (!impl_->error.empty()) {
    return InvalidArgumentError(impl_->error);
  }
  return impl_->device;
}

const Environment& SelectorEnvironment(const Features& features, EnvironmentType type) {
  static const std::array<std::unique_ptr<const Environment>, 8> kEnvironments = [] {
    std::array<std::unique_ptr<const Environment>, 8> environments;
    for (unsigned i = 0; i < environments.size(); ++i) {
      environments[i] =
          MakeEnvironment({(i & 1) != 0, (i & 2) != 0}, static_cast<EnvironmentType>(i >> 2));
    }
    return environments;
  }();
  return *kEnvironments[(features.consumable_capacity ? 1U : 0U) |
                        (features.list_type_attributes ? 2U : 0U) |
                        static_cast<unsigned>(type) << 2];
}

CompiledSelector CompileSelector(std::string_view expression, const CompileOptions& options) {
  const bool lists = options.features.list_type_attributes;
  cel::CompileOptions compile_options;
  compile_options.cost_limit = options.cost_limit;
  compile_options.estimate_cost = options.estimate_cost;
  compile_options.accepts = [lists](const Type& type) {
    return (type.kind() == TypeKind::kBool && !type.is_wrapper()) ||
           type.kind() == TypeKind::kAny || (lists && type.kind() == TypeKind::kDyn);
  };
  Compilation compilation = Compile(SelectorEnvironment(options.features, options.environment),
                                    expression, compile_options);
  CompiledSelector selector;
  selector.program = std::move(compilation.program);
  selector.max_cost = compilation.max_cost;
  selector.output_type = std::move(compilation.output_type);
  if (compilation.failure.has_value()) {
    std::string& message = compilation.failure->message;
    switch (compilation.failure->phase) {
      case CompilePhase::kParse:
      case CompilePhase::kCheck:
        selector.error = {StatusCode::kInvalidArgument, "compilation failed: " + message};
        break;
      case CompilePhase::kType:
        selector.error = {StatusCode::kInvalidArgument,
                          "must evaluate to bool or the unknown type, not " + message};
        break;
      case CompilePhase::kPlan:
        selector.error = {StatusCode::kInternal, "program instantiation failed: " + message};
        break;
    }
  }
  return selector;
}

namespace {

// A result that is no bool as one, as cel-go has it: an optional counts as what it holds.
Result<bool> AsBool(const CallContext& context, const Value& result) {
  const Value value = ConvertTo(context, FieldKind::kBool, result);
  if (!value.IsError()) {
    return value.bool_value();
  }
  return InvalidArgumentError("CEL result of type " + std::string(TypeName(result)) +
                              " could not be converted to bool: " + std::string(value.text()));
}

}  // namespace

MatchResult CompiledSelector::MatchesWithCost(const Device& device) const {
  ASSAY_CHECK(ok()) << "a selector that did not compile";
  if (!device.impl_->error.empty()) {
    return {InvalidArgumentError(device.impl_->error), 0};
  }
  std::array<std::byte, 2048> memory;
  Arena arena(memory);
  const Value variables[kVariableCount] = {device.impl_->device};
  const Evaluation evaluation = program->Evaluate(variables, arena);
  if (evaluation.value.IsError()) {
    return {InvalidArgumentError(std::string(evaluation.value.text())), evaluation.cost};
  }
  if (!evaluation.value.Is(ValueKind::kBool)) {
    return {AsBool({arena}, evaluation.value), evaluation.cost};
  }
  return {evaluation.value.bool_value(), evaluation.cost};
}

Result<bool> CompiledSelector::Matches(const Device& device) const {
  return MatchesWithCost(device).matches;
}

}  // namespace assay::cel::dra
