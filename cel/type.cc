#include "cel/type.h"

#include <algorithm>

namespace assay::cel {
namespace {

constexpr Type kErrorType(TypeKind::kError, "*error*");
constexpr Type kDynType(TypeKind::kDyn, "dyn");
constexpr Type kAnyType(TypeKind::kAny, "google.protobuf.Any");
constexpr Type kNullType(TypeKind::kNull, "null_type");
constexpr Type kBoolType(TypeKind::kBool, "bool");
constexpr Type kIntType(TypeKind::kInt, "int");
constexpr Type kUintType(TypeKind::kUint, "uint");
constexpr Type kDoubleType(TypeKind::kDouble, "double");
constexpr Type kStringType(TypeKind::kString, "string");
constexpr Type kBytesType(TypeKind::kBytes, "bytes");
constexpr Type kDurationType(TypeKind::kDuration, "google.protobuf.Duration");
constexpr Type kTimestampType(TypeKind::kTimestamp, "google.protobuf.Timestamp");
constexpr Type kTypeType(TypeKind::kType, "type");
constexpr Type kBoolWrapper = Type::MakeWrapper(kBoolType);
constexpr Type kIntWrapper = Type::MakeWrapper(kIntType);
constexpr Type kUintWrapper = Type::MakeWrapper(kUintType);
constexpr Type kDoubleWrapper = Type::MakeWrapper(kDoubleType);
constexpr Type kStringWrapper = Type::MakeWrapper(kStringType);
constexpr Type kBytesWrapper = Type::MakeWrapper(kBytesType);

std::span<const Type* const> Parameters(Arena& arena, std::initializer_list<const Type*> types) {
  std::span<const Type*> copy = arena.NewArray<const Type*>(types.size());
  std::copy(types.begin(), types.end(), copy.begin());
  return copy;
}

std::string WithParameters(const Type& type, std::string (Type::*name)() const) {
  std::string text(type.name());
  text += '(';
  for (std::size_t i = 0; i < type.parameters().size(); ++i) {
    text += i == 0 ? "" : ", ";
    text += (type.parameter(i)->*name)();
  }
  text += ')';
  return text;
}

}  // namespace

const Type* Type::Error() { return &kErrorType; }
const Type* Type::Dyn() { return &kDynType; }
const Type* Type::Any() { return &kAnyType; }
const Type* Type::Null() { return &kNullType; }
const Type* Type::Bool() { return &kBoolType; }
const Type* Type::Int() { return &kIntType; }
const Type* Type::Uint() { return &kUintType; }
const Type* Type::Double() { return &kDoubleType; }
const Type* Type::String() { return &kStringType; }
const Type* Type::Bytes() { return &kBytesType; }
const Type* Type::Duration() { return &kDurationType; }
const Type* Type::Timestamp() { return &kTimestampType; }
const Type* Type::TypeType() { return &kTypeType; }

const Type* Type::Wrapper(TypeKind basic) {
  switch (basic) {
    case TypeKind::kBool:
      return &kBoolWrapper;
    case TypeKind::kInt:
      return &kIntWrapper;
    case TypeKind::kUint:
      return &kUintWrapper;
    case TypeKind::kDouble:
      return &kDoubleWrapper;
    case TypeKind::kString:
      return &kStringWrapper;
    case TypeKind::kBytes:
      return &kBytesWrapper;
    default:
      return Error();
  }
}

const Type* Type::List(Arena& arena, const Type* element) {
  return arena.New<Type>(TypeKind::kList, "list", Parameters(arena, {element}));
}

const Type* Type::Map(Arena& arena, const Type* key, const Type* value) {
  return arena.New<Type>(TypeKind::kMap, "map", Parameters(arena, {key, value}));
}

const Type* Type::Optional(Arena& arena, const Type* value) {
  return arena.New<Type>(TypeKind::kOpaque, "optional_type", Parameters(arena, {value}));
}

const Type* Type::TypeOf(Arena& arena, const Type* type) {
  return arena.New<Type>(TypeKind::kType, "type", Parameters(arena, {type}));
}

const Type* Type::Struct(Arena& arena, std::string_view name) {
  return arena.New<Type>(TypeKind::kStruct, name);
}

const Type* Type::Opaque(Arena& arena, std::string_view name,
                         std::span<const Type* const> parameters) {
  return arena.New<Type>(TypeKind::kOpaque, name, parameters);
}

const Type* Type::Param(Arena& arena, std::string_view name, int index) {
  return arena.New<Type>(TypeKind::kTypeParam, name, std::span<const Type* const>(), index);
}

std::string Type::ToString() const {
  switch (kind_) {
    case TypeKind::kAny:
      return "any";
    case TypeKind::kDuration:
      return "duration";
    case TypeKind::kError:
      return "!error!";
    case TypeKind::kNull:
      return "null";
    case TypeKind::kTimestamp:
      return "timestamp";
    default:
      return parameters_.empty() ? BareName() : WithParameters(*this, &Type::ToString);
  }
}

std::string Type::BareName() const {
  return is_wrapper_ ? "wrapper(" + std::string(name_) + ")" : std::string(name_);
}

std::string Type::DeclaredName() const {
  return parameters_.empty() ? BareName() : WithParameters(*this, &Type::DeclaredName);
}

bool Same(const Type* a, const Type* b) {
  if (a == b) {
    return true;
  }
  if (a->kind() != b->kind() || a->variable() != b->variable() || a->name() != b->name() ||
      a->parameters().size() != b->parameters().size()) {
    return false;
  }
  return std::equal(a->parameters().begin(), a->parameters().end(), b->parameters().begin(), &Same);
}

}  // namespace assay::cel
