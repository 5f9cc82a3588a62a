// Operations on JSON documents of which the schema is known: which fields they have, how two of
// them differ, how one is merged into the other, and removing fields.
//
// Source: structured-merge-diff, typed/. The types come from descriptors: a list without a list
// type is atomic, a struct or map without one is granular; raw JSON is atomic.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_PATCH_TYPED_VALUE_H_
#define ASSAY_API_PATCH_TYPED_VALUE_H_

#include <nlohmann/json.hpp>

#include "api/patch/field_set.h"
#include "api/schema/descriptor.h"
#include "base/result.h"

namespace assay::api::patch {

// The type of a value within a document.
class TypeRef {
 public:
  enum class Shape { kScalar, kList, kMap };

  // An object: what `message` describes, with apiVersion and kind.
  static TypeRef Root(const schema::MessageDescriptor& message);

  Shape shape() const { return shape_; }
  bool atomic() const { return atomic_; }
  // Lists that are not atomic: by these fields, or by value where there are none.
  std::span<const std::string_view> keys() const;
  // The type of a list's items.
  TypeRef Item() const;
  // Of a map: the type of the value at `name`. `*declared` is whether the schema names it, which
  // it does for a struct's fields and not for the keys of a free-form map. Nothing for a field that
  // the struct does not have.
  std::optional<TypeRef> Field(std::string_view name, bool* declared) const;
  // The default of an item's key field, null where it has none.
  nlohmann::json KeyDefault(std::string_view key) const;

 private:
  static TypeRef OfField(const schema::FieldDescriptor& field);
  static TypeRef OfValue(const schema::FieldDescriptor& field);

  Shape shape_ = Shape::kScalar;
  bool atomic_ = false;
  bool is_root_ = false;
  bool untyped_ = false;                                // any JSON
  const schema::FieldDescriptor* field_ = nullptr;      // of a list or a free-form map
  const schema::MessageDescriptor* message_ = nullptr;  // of a struct
  friend Status Validate(const TypeRef&, const nlohmann::json&, bool);
};

// Whether the document has only declared fields of the right types, and (unless duplicates are
// allowed) no two items of a list with one key.
Status Validate(const TypeRef& type, const nlohmann::json& value, bool allow_duplicates);

// The leaves of the document: scalars, atomic lists and maps, items of lists, keys of maps.
FieldSet ToFieldSet(const TypeRef& type, const nlohmann::json& value);

struct Comparison {
  FieldSet removed;
  FieldSet modified;
  FieldSet added;
};
Comparison Compare(const TypeRef& type, const nlohmann::json& before, const nlohmann::json& after);

// `base` with everything that `patch` says; nothing is removed. Items come in the order of `patch`
// where it has them.
Result<nlohmann::json> Merge(const TypeRef& type, const nlohmann::json& base,
                             const nlohmann::json& patch);

// `value` without the fields and items in `fields`.
nlohmann::json RemoveItems(const TypeRef& type, const nlohmann::json& value,
                           const FieldSet& fields);

// The set with the parents of its members, as far as they are fields that the schema names.
FieldSet EnsureNamedFieldsAreMembers(const TypeRef& type, const FieldSet& set);

}  // namespace assay::api::patch

#endif  // ASSAY_API_PATCH_TYPED_VALUE_H_
