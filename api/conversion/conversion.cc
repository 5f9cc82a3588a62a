#include "api/conversion/conversion.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace assay::api::conversion {
namespace {

using schema::FieldDescriptor;
using schema::MessageDescriptor;
using schema::Shape;
using schema::Type;

// A struct within which one version keeps what the other has beside it.
struct Nesting {
  std::string_view message;
  std::string_view field;
  bool always;  // Set even when nothing is in it.
};
constexpr Nesting kNestings[] = {
    {"DeviceRequest", "exactly", false},
    {"Device", "basic", true},
};

// The nesting field that `type` has and `other` lacks, or null.
const FieldDescriptor* NestingField(const MessageDescriptor& type, const MessageDescriptor& other,
                                    bool* always) {
  for (const Nesting& nesting : kNestings) {
    if (type.name != nesting.message) {
      continue;
    }
    const FieldDescriptor* field = type.Find(nesting.field);
    if (field != nullptr && other.Find(nesting.field) == nullptr) {
      *always = nesting.always;
      return field;
    }
  }
  return nullptr;
}

// scheduling v1alpha2's words for what is one member of a struct later.
constexpr std::pair<std::string_view, std::string_view> kDisruptionModes[] = {{"Pod", "single"},
                                                                              {"PodGroup", "all"}};

void CopyDisruptionMode(const FieldDescriptor& from_field, const void* from,
                        const FieldDescriptor& to_field, void* to) {
  for (const auto& [word, member] : kDisruptionModes) {
    if (to_field.type == Type::kMessage) {
      if (*static_cast<const std::string*>(from) == word) {
        to_field.message->Find(member)->Mutable(to);
      }
    } else if (from_field.message->Find(member)->Has(from)) {
      *static_cast<std::string*>(to) = word;
    }
  }
}

// The field at the end of `path`; `*value` becomes the struct that has it. Structs that are absent
// on the way are made if `make`; else there is no such field (null).
const FieldDescriptor* Descend(const MessageDescriptor* type, void** value, bool make,
                               std::initializer_list<std::string_view> path) {
  const FieldDescriptor* field = nullptr;
  for (const std::string_view name : path) {
    if (field != nullptr) {
      type = field->message;
      *value = make ? field->Mutable(*value) : const_cast<void*>(field->Get(*value));
      if (*value == nullptr) {
        return nullptr;
      }
    }
    field = type->Find(name);
    if (field == nullptr) {
      return nullptr;
    }
  }
  return field;
}

// podGroupTemplateRef.workload{workloadName,podGroupTemplateName} and workloadRef
// {workloadName,templateName}.
void CopyWorkloadReference(const MessageDescriptor& from_type, const void* from,
                           const MessageDescriptor& to_type, void* to) {
  const bool from_nested = from_type.Find("podGroupTemplateRef") != nullptr;
  if (from_nested == (to_type.Find("podGroupTemplateRef") != nullptr)) {
    return;
  }
  for (const bool is_template : {false, true}) {
    const auto at = [&](const MessageDescriptor& type, bool nested, void** value, bool make) {
      return nested ? Descend(&type, value, make,
                              {"podGroupTemplateRef", "workload",
                               is_template ? "podGroupTemplateName" : "workloadName"})
                    : Descend(&type, value, make,
                              {"workloadRef", is_template ? "templateName" : "workloadName"});
    };
    void* source = const_cast<void*>(from);
    const FieldDescriptor* from_field = at(from_type, from_nested, &source, /*make=*/false);
    if (from_field == nullptr) {
      return;
    }
    void* target = to;
    const FieldDescriptor* to_field = at(to_type, !from_nested, &target, /*make=*/true);
    schema::CopyScalar(Type::kString, from_field->Get(source), to_field->Mutable(target));
  }
}

void CopyValue(const FieldDescriptor& from_field, const void* from, const FieldDescriptor& to_field,
               void* to) {
  if (from_field.type != to_field.type && from_field.name == "disruptionMode") {
    CopyDisruptionMode(from_field, from, to_field, to);
    return;
  }
  ASSAY_CHECK(from_field.type == to_field.type)
      << from_field.name << " has another type in another version";
  if (from_field.type == Type::kMessage) {
    ConvertMessage(*from_field.message, from, *to_field.message, to);
  } else {
    schema::CopyScalar(from_field.type, from, to);
  }
}

void CopyField(const FieldDescriptor& from_field, const void* from, const FieldDescriptor& to_field,
               void* to) {
  if (from_field.list_ops != nullptr && from_field.list_ops->is_specified != nullptr &&
      from_field.list_ops->is_specified(from_field.Raw(from))) {
    to_field.list_ops->specify(to_field.Raw(to));
  }
  if (!from_field.Has(from)) {
    return;
  }
  ASSAY_CHECK(from_field.IsContainer() == to_field.IsContainer())
      << from_field.name << " is a container in one version only";
  switch (from_field.shape) {
    case Shape::kValue:
    case Shape::kOptional:
      CopyValue(from_field, from_field.Get(from), to_field, to_field.Mutable(to));
      break;
    case Shape::kList:
      for (std::size_t i = 0; i < from_field.Size(from); ++i) {
        CopyValue(from_field, from_field.At(from, i), to_field, to_field.Append(to));
      }
      break;
    case Shape::kMap:
      from_field.VisitMap(from, [&](const std::string& key, const void* value) {
        CopyValue(from_field, value, to_field, to_field.Insert(to, key));
      });
      break;
  }
}

using Pairs = std::set<std::pair<const MessageDescriptor*, const MessageDescriptor*>>;

// `seen`: the pairs that are being compared, for types that contain themselves.
bool HaveSameFields(const MessageDescriptor& a, const MessageDescriptor& b, Pairs& seen) {
  if (&a == &b || !seen.emplace(&a, &b).second) {
    return true;
  }
  return std::equal(
      a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(),
      [&](const FieldDescriptor& left, const FieldDescriptor& right) {
        return left.name == right.name && left.type == right.type && left.shape == right.shape &&
               (left.type != Type::kMessage || HaveSameFields(*left.message, *right.message, seen));
      });
}

}  // namespace

bool SameFields(const MessageDescriptor& a, const MessageDescriptor& b) {
  Pairs seen;
  return HaveSameFields(a, b, seen);
}

void ConvertMessage(const MessageDescriptor& from_type, const void* from,
                    const MessageDescriptor& to_type, void* to) {
  if (&from_type == &to_type) {
    to_type.destroy(to);
    to_type.copy_construct(to, from);
    return;
  }
  if (from_type.name == "PodGroupSpec") {
    CopyWorkloadReference(from_type, from, to_type, to);
  }
  bool always = false;
  const FieldDescriptor* unnest = NestingField(from_type, to_type, &always);
  const FieldDescriptor* nest = NestingField(to_type, from_type, &always);
  if (nest != nullptr && always) {
    nest->Mutable(to);
  }
  for (const FieldDescriptor& field : from_type.fields) {
    if (field.is_inline) {
      // The struct is a base class in both, or its fields are the parent's own.
      ConvertMessage(*field.message, field.Raw(from), to_type, to);
      continue;
    }
    void* target = to;
    if (const FieldDescriptor* to_field = to_type.FindIn(field.name, &target)) {
      CopyField(field, from, *to_field, target);
    } else if (&field == unnest && field.Get(from) != nullptr) {
      ConvertMessage(*field.message, field.Get(from), to_type, to);
    } else if (nest != nullptr && field.Has(from)) {
      void* nested = nest->Mutable(to);
      if (const FieldDescriptor* nested_field = nest->message->FindIn(field.name, &nested)) {
        CopyField(field, from, *nested_field, nested);
      }
    }
  }
}

Object ToHub(const Kind& kind, const KindVersion& version, const void* value) {
  std::shared_ptr<void> hub = kind.hub().New();
  ConvertMessage(*version.message, value, kind.hub(), hub.get());
  return Object::Of(kind, std::move(hub));
}

std::shared_ptr<const void> FromHub(const Object& object, const KindVersion& version) {
  if (version.message == &object.kind().hub()) {
    // Keeps the object, and with it the value, alive.
    return {std::make_shared<Object>(object), object.data()};
  }
  std::shared_ptr<void> value = version.message->New();
  ConvertMessage(object.kind().hub(), object.data(), *version.message, value.get());
  return value;
}

}  // namespace assay::api::conversion
