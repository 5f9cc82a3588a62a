#include "cel/environment.h"

#include <algorithm>
#include <array>

#include "cel/library/library.h"
#include "cel/messages.h"

namespace assay::cel {
namespace {

// Names of types that Kubernetes takes for structs without fields.
bool IsNameOfScalar(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kNames = {
      "bool",   "bytes",     "double", "duration", "int", "null_type",
      "string", "timestamp", "uint",   "list",     "map"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace

const FunctionTable& Environment::KubernetesFunctions() {
  static const FunctionTable* const table = [] {
    auto* functions = new FunctionTable;
    library::AddAll(*functions);
    return functions;
  }();
  return *table;
}

Environment::Environment() {
  for (const Type* type :
       {Type::Bool(), Type::Bytes(), Type::Double(), Type::Duration(), Type::Int(), Type::Null(),
        Type::String(), Type::Timestamp(), Type::Uint()}) {
    AddTypeName(type->name(), type);
  }
  const Type* a = Type::Param(arena_, "A", -1);
  AddTypeName("list", Type::List(arena_, a));
  AddTypeName("map", Type::Map(arena_, a, Type::Param(arena_, "B", -1)));
  AddTypeName("type", Type::TypeType());
  AddTypeName("optional_type", Type::Opaque(arena_, "optional_type", {}));
  AddTypeName("duration", Type::Duration(), kOnlyTyped);
  AddTypeName("timestamp", Type::Timestamp(), kOnlyTyped);
  for (const MessageType& message : MessageTypes()) {
    if (FindVariable(message.name) == nullptr) {
      const bool is_value = message.form == MessageType::Form::kMessage;
      AddTypeName(message.name, message.type, is_value ? kConstant : kOnlyTyped);
    }
  }
  const std::string_view null_value = "google.protobuf.NullValue.NULL_VALUE";
  variables_[std::string(null_value)] = {null_value, Type::Int(), kConstant, Value::Int(0)};
  AddTypeName("net.IP", Type::Opaque(arena_, "net.IP", {}));
  AddTypeName("net.CIDR", Type::Opaque(arena_, "net.CIDR", {}));
}

void Environment::AddTypeName(std::string_view name, const Type* type, int index) {
  const std::string_view copy = arena_.Copy(name);
  variables_[std::string(name)] = {copy, Type::TypeOf(arena_, type), index, Value::Of(type)};
}

void Environment::AddVariable(std::string_view name, const Type* type) {
  variables_[std::string(name)] = {arena_.Copy(name), type, static_cast<int>(variable_count_++),
                                   Value()};
}

void Environment::AddStruct(std::string_view name, std::vector<Field> fields) {
  const std::string_view copy = arena_.Copy(name);
  AddTypeName(name, Type::Struct(arena_, copy), kOnlyTyped);
  for (const Field& field : fields) {
    if (field.type->kind() == TypeKind::kMap || field.type->kind() == TypeKind::kList) {
      AddTypeName(std::string(name) + "." + field.name, field.type, kOnlyTyped);
    }
  }
  structs_[std::string(name)] = std::move(fields);
}

const Environment::Variable* Environment::FindVariable(std::string_view name) const {
  const auto it = variables_.find(name);
  return it == variables_.end() ? nullptr : &it->second;
}

const Function* Environment::FindFunction(std::string_view name) const {
  const Function* function = functions_.Find(name);
  return function != nullptr ? function : KubernetesFunctions().Find(name);
}

bool Environment::HasStruct(std::string_view name) const {
  return structs_.contains(name) || FindMessageType(name) != nullptr || IsNameOfScalar(name);
}

const Type* Environment::FindField(std::string_view struct_name, std::string_view field) const {
  if (const MessageType* message = FindMessageType(struct_name); message != nullptr) {
    const MessageField* found = message->FindField(field);
    return found == nullptr ? nullptr : found->type();
  }
  if (struct_name == "map") {
    return Type::Any();
  }
  const auto it = structs_.find(struct_name);
  if (it == structs_.end()) {
    return nullptr;
  }
  for (const Field& candidate : it->second) {
    if (candidate.name == field) {
      return candidate.type;
    }
  }
  return nullptr;
}

std::vector<std::string> Environment::Candidates(std::string_view name) const {
  if (name.starts_with('.')) {
    return {std::string(name.substr(1))};
  }
  std::vector<std::string> candidates;
  for (std::string_view prefix = container_; !prefix.empty();
       prefix =
           prefix.substr(0, prefix.find('.') == std::string_view::npos ? 0 : prefix.rfind('.'))) {
    candidates.push_back(std::string(prefix) + "." + std::string(name));
  }
  candidates.emplace_back(name);
  return candidates;
}

}  // namespace assay::cel
