#include "cel/environment.h"

#include "cel/library/library.h"

namespace assay::cel {

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
  const Type* dyn = Type::Dyn();
  AddTypeName("list", Type::List(arena_, dyn));
  AddTypeName("map", Type::Map(arena_, dyn, dyn));
  AddTypeName("type", Type::TypeType());
  AddTypeName("optional_type", Type::Opaque(arena_, "optional_type", {}));
  AddTypeName("duration", Type::Duration(), kOnlyTyped);
  AddTypeName("timestamp", Type::Timestamp(), kOnlyTyped);
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

const Type* Environment::FindField(std::string_view struct_name, std::string_view field) const {
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
