// Type: what the checker knows of an expression's value.
//
// Types are immutable and handled by `const Type*`. The simple ones are singletons (Type::Int());
// those with parameters live in an Arena. Compare with Same(), never by address.
//
// Thread-safe: immutable.
#ifndef ASSAY_CEL_TYPE_H_
#define ASSAY_CEL_TYPE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cel/arena.h"

namespace assay::cel {

enum class TypeKind : std::uint8_t {
  kError,
  kDyn,
  kAny,
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kDuration,
  kTimestamp,
  kList,
  kMap,
  kStruct,     // has fields, or is opaque to selection but of Kubernetes' object kind
  kOpaque,     // an abstract type of a library, maybe with parameters: optional_type(T)
  kTypeParam,  // <A> of a declaration, or a type that the checker still has to find
  kType,       // the type of a type
};

class Type {
 public:
  // For singletons and the arena; use the functions below.
  constexpr Type(TypeKind kind, std::string_view name, std::span<const Type* const> parameters = {},
                 int variable = -1)
      : kind_(kind), variable_(variable), name_(name), parameters_(parameters) {}
  // What Wrapper() gives.
  static constexpr Type MakeWrapper(const Type& basic) {
    Type type = basic;
    type.is_wrapper_ = true;
    return type;
  }

  static const Type* Error();
  static const Type* Dyn();
  static const Type* Any();
  static const Type* Null();
  static const Type* Bool();
  static const Type* Int();
  static const Type* Uint();
  static const Type* Double();
  static const Type* String();
  static const Type* Bytes();
  static const Type* Duration();
  static const Type* Timestamp();
  // The type of all types, without saying of which.
  static const Type* TypeType();
  // Of google.protobuf.Int64Value and its like: the basic type, or null.
  static const Type* Wrapper(TypeKind basic);

  static const Type* List(Arena& arena, const Type* element);
  static const Type* Map(Arena& arena, const Type* key, const Type* value);
  static const Type* Optional(Arena& arena, const Type* value);
  static const Type* TypeOf(Arena& arena, const Type* type);
  static const Type* Struct(Arena& arena, std::string_view name);
  static const Type* Opaque(Arena& arena, std::string_view name,
                            std::span<const Type* const> parameters);
  // Number `index` of a declaration's or a check's type variables; -1: never bound.
  static const Type* Param(Arena& arena, std::string_view name, int index);

  TypeKind kind() const { return kind_; }
  // "int", "list", "optional_type", "kubernetes.Quantity".
  std::string_view name() const { return name_; }
  std::span<const Type* const> parameters() const { return parameters_; }
  const Type* parameter(std::size_t i) const { return parameters_[i]; }
  // For kTypeParam: its number.
  int variable() const { return variable_; }

  // Else the same as the basic type.
  bool is_wrapper() const { return is_wrapper_; }

  bool IsDyn() const { return kind_ == TypeKind::kDyn || kind_ == TypeKind::kAny; }
  bool IsOptional() const {
    return kind_ == TypeKind::kOpaque && !parameters_.empty() && name_ == "optional_type";
  }

  // As error messages name it: "list(int)", "any", "timestamp".
  std::string ToString() const;
  // As a result's type is named: "google.protobuf.Any", "google.protobuf.Timestamp".
  std::string DeclaredName() const;

 private:
  std::string BareName() const;

  TypeKind kind_;
  bool is_wrapper_ = false;
  int variable_;
  std::string_view name_;
  std::span<const Type* const> parameters_;
};

// Structural equality; a wrapper is the same as its basic type.
bool Same(const Type* a, const Type* b);

}  // namespace assay::cel

#endif  // ASSAY_CEL_TYPE_H_
