#include "api/patch/typed_value.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace assay::api::patch {
namespace {

using nlohmann::json;
using schema::FieldDescriptor;
using schema::Merge;
using schema::MessageDescriptor;
using schema::Type;

bool IsNullOrEmpty(const json* value) {
  return value == nullptr || value->is_null() ||
         ((value->is_array() || value->is_object()) && value->empty());
}

const json* Member(const json* object, const std::string& key) {
  if (object == nullptr || !object->is_object()) {
    return nullptr;
  }
  const auto found = object->find(key);
  return found == object->end() ? nullptr : &*found;
}

// The path element of an item of a list that is not atomic.
Result<PathElement> ElementOf(const TypeRef& list, const json& item) {
  const auto keys = list.keys();
  if (keys.empty()) {
    if (item.is_object()) {
      return InvalidArgumentError("associative list without keys has an element that's a map type");
    }
    if (item.is_array()) {
      return InvalidArgumentError("not supported: associative list with lists as elements");
    }
    if (item.is_null()) {
      return InvalidArgumentError(
          "associative list without keys has an element that's an explicit null");
    }
    return PathElement::Value(item);
  }
  if (item.is_null()) {
    return InvalidArgumentError("associative list with keys may not have a null element");
  }
  if (!item.is_object()) {
    return InvalidArgumentError("associative list with keys may not have non-map elements");
  }
  json fields = json::object();
  for (const std::string_view key : keys) {
    const std::string name(key);
    if (const auto found = item.find(name); found != item.end()) {
      fields[name] = *found;
    } else if (json value = list.KeyDefault(key); !value.is_null()) {
      fields[name] = std::move(value);
    }
  }
  if (fields.empty()) {
    std::string names;
    for (const std::string_view key : keys) {
      names += (names.empty() ? "\"" : " \"") + std::string(key) + "\"";
    }
    return InvalidArgumentError(
        "associative list with keys has an element that omits all key "
        "fields [" +
        names + "] (and doesn't have default values for any key fields)");
  }
  return PathElement::Key(std::move(fields));
}

std::string TypeText(const json& value) {
  return value.is_string() ? value.dump() : "&value.valueUnstructured{Value:" + value.dump() + "}";
}

}  // namespace

TypeRef TypeRef::Root(const MessageDescriptor& message) {
  TypeRef type;
  type.shape_ = Shape::kMap;
  type.is_root_ = true;
  type.message_ = &message;
  return type;
}

TypeRef TypeRef::OfValue(const FieldDescriptor& field) {
  TypeRef type;
  if (field.type == Type::kRawExtension || field.type == Type::kFieldsV1) {
    type.untyped_ = true;
    type.atomic_ = true;
  } else if (field.type == Type::kMessage) {
    if (field.message->is_list_wrapper) {
      return OfField(field.message->fields.front());
    }
    type.shape_ = Shape::kMap;
    type.message_ = field.message;
    type.atomic_ = field.message->merge == Merge::kAtomic;
  }
  return type;
}

TypeRef TypeRef::OfField(const FieldDescriptor& field) {
  if (field.shape == schema::Shape::kList) {
    TypeRef type;
    type.shape_ = Shape::kList;
    type.field_ = &field;
    type.atomic_ = field.merge != Merge::kSet && field.merge != Merge::kMap;
    return type;
  }
  if (field.shape == schema::Shape::kMap) {
    TypeRef type;
    type.shape_ = Shape::kMap;
    type.field_ = &field;
    type.atomic_ = field.merge == Merge::kAtomic;
    return type;
  }
  TypeRef type = OfValue(field);
  type.atomic_ = type.atomic_ || field.merge == Merge::kAtomic;
  return type;
}

std::span<const std::string_view> TypeRef::keys() const {
  return field_ != nullptr && field_->merge == Merge::kMap ? field_->list_map_keys
                                                           : std::span<const std::string_view>();
}

TypeRef TypeRef::Item() const { return OfValue(*field_); }

std::optional<TypeRef> TypeRef::Field(std::string_view name, bool* declared) const {
  if (message_ == nullptr) {
    *declared = false;
    return OfValue(*field_);
  }
  *declared = true;
  if (is_root_ && (name == "apiVersion" || name == "kind")) {
    return TypeRef();
  }
  const FieldDescriptor* field = message_->Find(name);
  return field == nullptr ? std::nullopt : std::optional(OfField(*field));
}

json TypeRef::KeyDefault(std::string_view key) const {
  const FieldDescriptor* field = field_->message == nullptr ? nullptr : field_->message->Find(key);
  if (field == nullptr || field->default_json.empty()) {
    return nullptr;
  }
  return json::parse(field->default_json, nullptr, false);
}

Status Validate(const TypeRef& type, const json& value, bool allow_duplicates) {
  if (type.untyped_ || value.is_null()) {
    return OkStatus();
  }
  switch (type.shape()) {
    case TypeRef::Shape::kScalar:
      if (value.is_array() || value.is_object()) {
        return InvalidArgumentError(": expected any scalar, got " + TypeText(value));
      }
      return OkStatus();
    case TypeRef::Shape::kList: {
      if (!value.is_array()) {
        return InvalidArgumentError(": expected list, got " + TypeText(value));
      }
      std::set<PathElement> seen;
      const TypeRef item_type = type.Item();
      for (std::size_t i = 0; i < value.size(); ++i) {
        std::string step = "[" + std::to_string(i) + "]";
        if (!type.atomic()) {
          Result<PathElement> element = ElementOf(type, value[i]);
          if (!element.ok()) {
            return InvalidArgumentError(": element " + std::to_string(i) + ": " +
                                        element.status().message());
          }
          step = element->ToString();
          if (!seen.insert(*element).second && !allow_duplicates) {
            return InvalidArgumentError(": duplicate entries for key " + step);
          }
        }
        if (Status status = Validate(item_type, value[i], allow_duplicates); !status.ok()) {
          return InvalidArgumentError(step + status.message());
        }
      }
      return OkStatus();
    }
    case TypeRef::Shape::kMap:
      if (!value.is_object()) {
        return InvalidArgumentError(": expected map, got " + TypeText(value));
      }
      for (const auto& [key, child] : value.items()) {
        bool declared = false;
        const std::optional<TypeRef> field = type.Field(key, &declared);
        if (!field.has_value()) {
          return InvalidArgumentError("." + key + ": field not declared in schema");
        }
        if (Status status = Validate(*field, child, allow_duplicates); !status.ok()) {
          return InvalidArgumentError("." + key + status.message());
        }
      }
      return OkStatus();
  }
  return OkStatus();
}

namespace {

// Fills `set`, the set of the fields below `value`; true if `value` itself is a leaf.
bool CollectFields(const TypeRef& type, const json& value, FieldSet& set) {
  if (type.atomic() || type.shape() == TypeRef::Shape::kScalar) {
    return true;
  }
  if (type.shape() == TypeRef::Shape::kList) {
    if (!value.is_array()) {
      return false;
    }
    std::map<PathElement, int> counts;
    std::vector<std::optional<PathElement>> elements;
    for (const json& item : value) {
      Result<PathElement> element = ElementOf(type, item);
      elements.push_back(element.ok() ? std::optional(*element) : std::nullopt);
      if (element.ok()) {
        ++counts[*element];
      }
    }
    const TypeRef item_type = type.Item();
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!elements[i].has_value()) {
        continue;
      }
      set.InsertMember(*elements[i]);
      // Of items that share a key nothing is known but the key.
      if (counts[*elements[i]] == 1) {
        FieldSet below;
        CollectFields(item_type, value[i], below);
        if (!below.Empty()) {
          set.Descend(*elements[i]) = std::move(below);
        }
      }
    }
    return false;
  }
  if (!value.is_object()) {
    return false;
  }
  for (const auto& [key, child] : value.items()) {
    bool declared = false;
    const std::optional<TypeRef> field = type.Field(key, &declared);
    if (!field.has_value()) {
      continue;
    }
    const PathElement element = PathElement::Field(key);
    FieldSet below;
    const bool leaf = CollectFields(*field, child, below);
    if (leaf || child.is_null() || (child.is_object() && child.empty()) || !declared) {
      set.InsertMember(element);
    }
    if (!below.Empty()) {
      set.Descend(element) = std::move(below);
    }
  }
  return false;
}

class Comparer {
 public:
  Comparison comparison;

  // At most one of the two is null.
  void Compare(const TypeRef& type, const json* before, const json* after) {
    if (CompareBelow(type, before, after)) {
      return;
    }
    if (before == nullptr) {
      comparison.added.Insert(path_);
    } else if (after == nullptr) {
      comparison.removed.Insert(path_);
    }
  }

 private:
  // True if the value is a leaf, which has then been compared as a whole.
  bool CompareBelow(const TypeRef& type, const json* before, const json* after) {
    const bool leaf = type.atomic() || type.shape() == TypeRef::Shape::kScalar ||
                      (IsNullOrEmpty(before) && IsNullOrEmpty(after));
    if (leaf) {
      if (before == nullptr) {
        comparison.added.Insert(path_);
      } else if (after == nullptr) {
        comparison.removed.Insert(path_);
      } else if (*before != *after) {
        comparison.modified.Insert(path_);
      }
      return true;
    }
    if (type.shape() == TypeRef::Shape::kList) {
      CompareItems(type, before, after);
    } else {
      CompareMembers(type, before, after);
    }
    return false;
  }

  void CompareMembers(const TypeRef& type, const json* before, const json* after) {
    std::set<std::string> keys;
    for (const json* side : {before, after}) {
      if (side != nullptr && side->is_object()) {
        for (const auto& [key, child] : side->items()) {
          keys.insert(key);
        }
      }
    }
    for (const std::string& key : keys) {
      bool declared = false;
      if (const std::optional<TypeRef> field = type.Field(key, &declared)) {
        path_.push_back(PathElement::Field(key));
        Compare(*field, Member(before, key), Member(after, key));
        path_.pop_back();
      }
    }
  }

  using Items = std::map<PathElement, std::vector<const json*>>;
  static Items Index(const TypeRef& type, const json* list) {
    Items items;
    if (list != nullptr && list->is_array()) {
      for (const json& item : *list) {
        if (Result<PathElement> element = ElementOf(type, item); element.ok()) {
          items[*element].push_back(&item);
        }
      }
    }
    return items;
  }

  void CompareItems(const TypeRef& type, const json* before, const json* after) {
    const Items left = Index(type, before);
    const Items right = Index(type, after);
    std::set<PathElement> elements;
    for (const Items* side : {&left, &right}) {
      for (const auto& [element, items] : *side) {
        elements.insert(element);
      }
    }
    const TypeRef item_type = type.Item();
    static const std::vector<const json*> kNone;
    for (const PathElement& element : elements) {
      const auto found_left = left.find(element);
      const auto found_right = right.find(element);
      const auto& old_items = found_left == left.end() ? kNone : found_left->second;
      const auto& new_items = found_right == right.end() ? kNone : found_right->second;
      path_.push_back(element);
      if (old_items.size() <= 1 && new_items.size() <= 1) {
        Compare(item_type, old_items.empty() ? nullptr : old_items[0],
                new_items.empty() ? nullptr : new_items[0]);
      } else if (old_items.size() >= 2 && new_items.size() >= 2) {
        const bool equal =
            std::equal(old_items.begin(), old_items.end(), new_items.begin(), new_items.end(),
                       [](const json* a, const json* b) { return *a == *b; });
        if (!equal) {
          comparison.modified.Insert(path_);
        }
      } else if (old_items.size() >= 2) {
        if (!new_items.empty()) {
          Compare(item_type, nullptr, new_items[0]);
        }
        comparison.removed.Insert(path_);
      } else {
        if (!old_items.empty()) {
          Compare(item_type, old_items[0], nullptr);
        }
        comparison.added.Insert(path_);
      }
      path_.pop_back();
    }
  }

  Path path_;
};

// The items of one list with their path elements. Items whose element occurs twice have no value
// of their own.
struct IndexedList {
  std::vector<PathElement> elements;
  std::map<PathElement, const json*> values;
};

Result<IndexedList> IndexForMerge(const TypeRef& type, const json* list, bool allow_duplicates) {
  IndexedList index;
  if (list == nullptr || !list->is_array()) {
    return index;
  }
  static const json kNull;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Result<PathElement> element = ElementOf(type, (*list)[i]);
    if (!element.ok()) {
      return element.status().WithContext("element " + std::to_string(i));
    }
    const auto [place, inserted] = index.values.try_emplace(*element, &(*list)[i]);
    if (!inserted) {
      if (!allow_duplicates) {
        return InvalidArgumentError("duplicate entries for key " + element->ToString());
      }
      place->second = &kNull;
    }
    index.elements.push_back(*element);
  }
  return index;
}

Result<std::optional<json>> MergeValues(const TypeRef& type, const json* base, const json* patch);

Result<std::optional<json>> MergeItems(const TypeRef& type, const json* base, const json* patch) {
  ASSAY_ASSIGN_OR_RETURN(const IndexedList right, IndexForMerge(type, patch, false));
  ASSAY_ASSIGN_OR_RETURN(const IndexedList left, IndexForMerge(type, base, true));
  const TypeRef item_type = type.Item();
  json out = json::array();
  const auto merge = [&](const json* left_item, const json* right_item) -> Status {
    ASSAY_ASSIGN_OR_RETURN(std::optional<json> merged,
                           MergeValues(item_type, left_item, right_item));
    if (merged.has_value()) {
      out.push_back(*std::move(merged));
    }
    return OkStatus();
  };
  const auto find = [](const IndexedList& list, const PathElement& element) -> const json* {
    const auto found = list.values.find(element);
    return found == list.values.end() ? nullptr : found->second;
  };

  // Items of both, in the order of the patch: the walk below takes them in that order.
  std::vector<PathElement> shared;
  for (const PathElement& element : right.elements) {
    if (left.values.contains(element)) {
      shared.push_back(element);
    }
  }
  std::size_t next_shared = 0;
  std::set<PathElement> merged;
  std::size_t l = 0;
  std::size_t r = 0;
  while (l < left.elements.size() || r < right.elements.size()) {
    if (l < left.elements.size() && r < right.elements.size()) {
      const PathElement& element = left.elements[l];
      if (element == right.elements[r]) {
        merged.insert(element);
        ASSAY_RETURN_IF_ERROR(merge(find(left, element), find(right, element)));
        ++l;
        ++r;
        ++next_shared;
        continue;
      }
      if (right.values.contains(element) && next_shared < shared.size() &&
          shared[next_shared] != element) {
        // Shared, but not the one whose turn it is.
        ++l;
        continue;
      }
    }
    if (l < left.elements.size()) {
      const PathElement& element = left.elements[l];
      if (!right.values.contains(element)) {
        ASSAY_RETURN_IF_ERROR(merge(&(*base)[l], nullptr));
        ++l;
        continue;
      }
      if (merged.contains(element)) {
        ++l;
      }
    }
    if (r < right.elements.size()) {
      const PathElement& element = right.elements[r];
      merged.insert(element);
      ASSAY_RETURN_IF_ERROR(merge(find(left, element), find(right, element)));
      ++r;
      if (next_shared < shared.size() && shared[next_shared] == element) {
        ++next_shared;
      }
    }
  }
  return out.empty() ? std::optional<json>() : std::optional(std::move(out));
}

// Nothing where there is nothing left to say, as when a map has no members.
Result<std::optional<json>> MergeValues(const TypeRef& type, const json* base, const json* patch) {
  const bool leaf = type.atomic() || type.shape() == TypeRef::Shape::kScalar ||
                    (IsNullOrEmpty(base) && IsNullOrEmpty(patch));
  if (leaf) {
    const json* kept = patch != nullptr ? patch : base;
    return kept == nullptr ? std::optional<json>() : std::optional(*kept);
  }
  if (type.shape() == TypeRef::Shape::kList) {
    return MergeItems(type, base, patch);
  }
  json out = json::object();
  std::set<std::string> keys;
  for (const json* side : {base, patch}) {
    if (side != nullptr && side->is_object()) {
      for (const auto& [key, child] : side->items()) {
        keys.insert(key);
      }
    }
  }
  for (const std::string& key : keys) {
    bool declared = false;
    const std::optional<TypeRef> field = type.Field(key, &declared);
    if (!field.has_value()) {
      continue;
    }
    ASSAY_ASSIGN_OR_RETURN(std::optional<json> merged,
                           MergeValues(*field, Member(base, key), Member(patch, key)));
    if (merged.has_value()) {
      out[key] = *std::move(merged);
    }
  }
  return out.empty() ? std::optional<json>() : std::optional(std::move(out));
}

}  // namespace

FieldSet ToFieldSet(const TypeRef& type, const json& value) {
  FieldSet set;
  CollectFields(type, value, set);
  return set;
}

Comparison Compare(const TypeRef& type, const json& before, const json& after) {
  Comparer comparer;
  comparer.Compare(type, &before, &after);
  return std::move(comparer.comparison);
}

Result<json> Merge(const TypeRef& type, const json& base, const json& patch) {
  ASSAY_ASSIGN_OR_RETURN(std::optional<json> merged, MergeValues(type, &base, &patch));
  return merged.has_value() ? *std::move(merged) : json();
}

json RemoveItems(const TypeRef& type, const json& value, const FieldSet& fields) {
  if (type.shape() == TypeRef::Shape::kScalar && !type.atomic()) {
    return value;
  }
  if (type.atomic()) {
    // What is atomic goes as a whole, also where only a part of it is named.
    return nullptr;
  }
  if (IsNullOrEmpty(&value)) {
    return nullptr;
  }
  if (type.shape() == TypeRef::Shape::kList) {
    const TypeRef item_type = type.Item();
    json out = json::array();
    for (const json& item : value) {
      Result<PathElement> element = ElementOf(type, item);
      if (element.ok() && fields.Has(*element)) {
        continue;
      }
      const FieldSet* below = element.ok() ? fields.Child(*element) : nullptr;
      out.push_back(below != nullptr && !below->Empty() ? RemoveItems(item_type, item, *below)
                                                        : item);
    }
    return out.empty() ? json() : out;
  }
  json out = json::object();
  for (const auto& [key, child] : value.items()) {
    const PathElement element = PathElement::Field(key);
    if (fields.Has(element)) {
      continue;
    }
    bool declared = false;
    const std::optional<TypeRef> field = type.Field(key, &declared);
    const FieldSet* below = fields.Child(element);
    out[key] = field.has_value() && below != nullptr && !below->Empty()
                   ? RemoveItems(*field, child, *below)
                   : child;
  }
  return out.empty() ? json() : out;
}

FieldSet EnsureNamedFieldsAreMembers(const TypeRef& type, const FieldSet& set) {
  FieldSet result;
  for (const PathElement& element : set.members()) {
    result.InsertMember(element);
  }
  for (const auto& [element, child] : set.children()) {
    std::optional<TypeRef> child_type;
    if (element.type == PathElement::Type::kField && type.shape() == TypeRef::Shape::kMap) {
      bool declared = false;
      child_type = type.Field(element.name, &declared);
      if (declared && child_type.has_value()) {
        result.InsertMember(element);
      }
    } else if (element.type == PathElement::Type::kKey && type.shape() == TypeRef::Shape::kList) {
      child_type = type.Item();
    }
    result.Descend(element) = EnsureNamedFieldsAreMembers(child_type.value_or(TypeRef()), child);
  }
  return result;
}

}  // namespace assay::api::patch
