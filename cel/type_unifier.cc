#include "cel/type_unifier.h"

#include <algorithm>
#include <string>

namespace assay::cel {
namespace {

bool IsDynOrError(const Type* type) { return type->IsDyn() || type->kind() == TypeKind::kError; }

bool IsNullable(const Type* type) {
  switch (type->kind()) {
    case TypeKind::kOpaque:
    case TypeKind::kStruct:
    case TypeKind::kAny:
    case TypeKind::kDuration:
    case TypeKind::kTimestamp:
    case TypeKind::kNull:
      return true;
    default:
      return type->is_wrapper();
  }
}

bool IsEqualOrLessSpecific(const Type* a, const Type* b) {
  if (a->IsDyn() || a->kind() == TypeKind::kTypeParam) {
    return true;
  }
  if (b->IsDyn() || b->kind() == TypeKind::kTypeParam || a->kind() != b->kind()) {
    return false;
  }
  switch (a->kind()) {
    case TypeKind::kOpaque:
    case TypeKind::kList:
    case TypeKind::kMap:
      return a->name() == b->name() && a->parameters().size() == b->parameters().size() &&
             std::equal(a->parameters().begin(), a->parameters().end(), b->parameters().begin(),
                        &IsEqualOrLessSpecific);
    case TypeKind::kType:
      return true;
    default:
      return Same(a, b);
  }
}

}  // namespace

const Type* TypeUnifier::NewVariable() {
  const int index = static_cast<int>(bindings_.size());
  bindings_.push_back(nullptr);
  return Type::Param(arena_, arena_.Copy("_var" + std::to_string(index)), index);
}

std::vector<const Type*> TypeUnifier::Instantiate(const Overload& overload) {
  std::vector<const Type*> types = {overload.result};
  types.insert(types.end(), overload.params.begin(), overload.params.end());
  if (overload.type_params == 0) {
    return types;
  }
  std::vector<const Type*> fresh;
  for (int i = 0; i < overload.type_params; ++i) {
    fresh.push_back(NewVariable());
  }
  const auto replace = [&](const auto& self, const Type* type) -> const Type* {
    if (type->kind() == TypeKind::kTypeParam) {
      return fresh[static_cast<std::size_t>(type->variable())];
    }
    if (type->parameters().empty()) {
      return type;
    }
    std::vector<const Type*> parameters;
    for (const Type* parameter : type->parameters()) {
      parameters.push_back(self(self, parameter));
    }
    return Rebuild(type, parameters);
  };
  for (const Type*& type : types) {
    type = replace(replace, type);
  }
  return types;
}

const Type* TypeUnifier::Rebuild(const Type* type, std::span<const Type* const> parameters) {
  std::span<const Type*> copy = arena_.NewArray<const Type*>(parameters.size());
  std::copy(parameters.begin(), parameters.end(), copy.begin());
  return arena_.New<Type>(type->kind(), type->name(), copy);
}

const Type* TypeUnifier::Find(const Type* type) const {
  return type->kind() == TypeKind::kTypeParam && type->variable() >= 0
             ? bindings_[static_cast<std::size_t>(type->variable())]
             : nullptr;
}

void TypeUnifier::Set(const Type* variable, const Type* type) {
  const Type*& binding = bindings_[static_cast<std::size_t>(variable->variable())];
  trail_.emplace_back(variable->variable(), binding);
  binding = type;
}

void TypeUnifier::RollBackTo(std::size_t mark) {
  while (trail_.size() > mark) {
    bindings_[static_cast<std::size_t>(trail_.back().first)] = trail_.back().second;
    trail_.pop_back();
  }
}

bool TypeUnifier::IsAssignable(const Type* a, const Type* b) {
  const std::size_t mark = trail_.size();
  if (Assignable(a, b)) {
    return true;
  }
  RollBackTo(mark);
  return false;
}

bool TypeUnifier::AreAssignable(std::span<const Type* const> a, std::span<const Type* const> b) {
  const std::size_t mark = trail_.size();
  if (AllAssignable(a, b)) {
    return true;
  }
  RollBackTo(mark);
  return false;
}

bool TypeUnifier::AllAssignable(std::span<const Type* const> a, std::span<const Type* const> b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!Assignable(a[i], b[i])) {
      return false;
    }
  }
  return true;
}

bool TypeUnifier::Assignable(const Type* a, const Type* b) {
  if (b->kind() == TypeKind::kTypeParam) {
    const auto [valid, known] = ValidSubstitution(a, b);
    if (valid) {
      return true;
    }
    if (known) {
      return false;
    }
  }
  if (a->kind() == TypeKind::kTypeParam) {
    return ValidSubstitution(b, a).first;
  }
  if (IsDynOrError(a) || IsDynOrError(b)) {
    return true;
  }
  if (a->kind() == TypeKind::kNull) {
    return IsNullable(b);
  }
  if (b->kind() == TypeKind::kNull) {
    return IsNullable(a);
  }
  switch (a->kind()) {
    case TypeKind::kType:
      return b->kind() == TypeKind::kType;
    case TypeKind::kOpaque:
    case TypeKind::kList:
    case TypeKind::kMap:
      return a->kind() == b->kind() && a->name() == b->name() &&
             AllAssignable(a->parameters(), b->parameters());
    default:
      return Same(a, b);
  }
}

// Whether the variable may stand for the type, and whether it stands for something already.
std::pair<bool, bool> TypeUnifier::ValidSubstitution(const Type* type, const Type* variable) {
  if (type->kind() == variable->kind() && Same(type, variable)) {
    return {true, true};
  }
  if (const Type* bound = Find(variable); bound != nullptr) {
    if (type->kind() == bound->kind() && Same(type, bound)) {
      return {true, true};
    }
    if (Assignable(type, bound)) {
      const Type* general = MostGeneral(type, bound);
      if (NotReferencedIn(variable, general)) {
        Set(variable, general);
      }
      return {true, true};
    }
    return {false, true};
  }
  if (NotReferencedIn(variable, type)) {
    Set(variable, type);
    return {true, false};
  }
  return {false, false};
}

bool TypeUnifier::NotReferencedIn(const Type* type, const Type* within) const {
  if (Same(type, within)) {
    return false;
  }
  if (within->kind() == TypeKind::kTypeParam) {
    const Type* bound = Find(within);
    return bound == nullptr || NotReferencedIn(type, bound);
  }
  return std::all_of(within->parameters().begin(), within->parameters().end(),
                     [&](const Type* parameter) { return NotReferencedIn(type, parameter); });
}

const Type* TypeUnifier::Substitute(const Type* type, bool free_to_dyn) {
  if (type->kind() == TypeKind::kTypeParam) {
    if (const Type* bound = Find(type); bound != nullptr) {
      return Substitute(bound, free_to_dyn);
    }
    return free_to_dyn ? Type::Dyn() : type;
  }
  if (type->parameters().empty()) {
    return type;
  }
  std::vector<const Type*> parameters;
  bool changed = false;
  for (const Type* parameter : type->parameters()) {
    parameters.push_back(Substitute(parameter, free_to_dyn));
    changed = changed || parameters.back() != parameter;
  }
  return changed ? Rebuild(type, parameters) : type;
}

const Type* TypeUnifier::MostGeneral(const Type* a, const Type* b) {
  return IsEqualOrLessSpecific(a, b) ? a : b;
}

}  // namespace assay::cel
