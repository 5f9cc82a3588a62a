#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/patch/patch.h"
#include "api/schema/descriptor.h"

namespace assay::api::patch {
namespace {

using nlohmann::json;
using schema::FieldDescriptor;
using schema::MessageDescriptor;
using Items = std::vector<json>;

constexpr const char* kDirective = "$patch";
constexpr const char* kRetainKeys = "$retainKeys";
constexpr std::string_view kDeleteFromPrimitiveList = "$deleteFromPrimitiveList";
constexpr std::string_view kSetElementOrder = "$setElementOrder";

// The code 500 stands behind kInternal: what upstream does not translate either.
Status NoMergeKey(const json& item, const std::string& key) {
  return InternalError("map: " + item.dump() + " does not contain declared merge key: " + key);
}
Status BadSetElementOrder() {
  return InvalidArgumentError("invalid patch format of setElementOrder list");
}
Status BadRetainKeys() { return InvalidArgumentError("invalid patch format of retainKeys"); }

// What Go would call the type of a decoded value: values of unlike types are replaced, not merged.
enum class GoType { kNull, kBool, kInt, kFloat, kString, kList, kMap };
GoType TypeOf(const json& value) {
  if (value.is_boolean()) {
    return GoType::kBool;
  }
  if (value.is_number_float()) {
    return GoType::kFloat;
  }
  if (value.is_number()) {
    return GoType::kInt;
  }
  if (value.is_string()) {
    return GoType::kString;
  }
  if (value.is_array()) {
    return GoType::kList;
  }
  return value.is_object() ? GoType::kMap : GoType::kNull;
}

// What the schema says of a field: how it merges, and the type of what is in it.
struct FieldSchema;

// The type of an object: a struct, a map of `map_value`, or neither (raw JSON: nothing is known).
struct Schema {
  const MessageDescriptor* message = nullptr;
  const FieldDescriptor* map_value = nullptr;
  std::string_view name;

  Result<FieldSchema> Lookup(const std::string& key) const;
};

struct FieldSchema {
  Schema schema;
  bool merge = false;    // patchStrategy "merge"
  bool replace = false;  // patchStrategy "replace"
  std::string merge_key;
};

Schema SchemaOfValue(const FieldDescriptor& field) {
  if (field.type == schema::Type::kMessage) {
    return {.message = field.message, .map_value = nullptr, .name = field.message->name};
  }
  return {.message = nullptr, .map_value = nullptr, .name = schema::TypeName(field.type)};
}

Result<FieldSchema> Schema::Lookup(const std::string& key) const {
  if (map_value != nullptr) {
    return FieldSchema{.schema = SchemaOfValue(*map_value)};
  }
  const FieldDescriptor* field = message == nullptr ? nullptr : message->Find(key);
  if (field == nullptr) {
    return InternalError("unable to find api field in struct " + std::string(name) +
                         " for the json field \"" + key + "\"");
  }
  FieldSchema result;
  result.schema = field->shape == schema::Shape::kMap
                      ? Schema{.message = nullptr, .map_value = field, .name = "map"}
                      : SchemaOfValue(*field);
  result.merge = (field->patch_strategy & schema::kPatchMerge) != 0;
  result.replace = (field->patch_strategy & schema::kPatchReplace) != 0;
  result.merge_key = std::string(field->patch_merge_key);
  return result;
}

Result<json> MergeMap(json original, json patch, const Schema& schema);

// Whether `value` stays; directives within it do not.
bool RemoveDirectives(json& value) {
  if (value.is_object()) {
    if (value.contains(kDirective)) {
      return false;
    }
    for (auto it = value.begin(); it != value.end();) {
      it = RemoveDirectives(*it) ? std::next(it) : value.erase(it);
    }
  } else if (value.is_array()) {
    json kept = json::array();
    for (json& item : value) {
      if (RemoveDirectives(item)) {
        kept.push_back(std::move(item));
      }
    }
    value = std::move(kept);
  }
  return true;
}

void DiscardNulls(json& value) {
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end();) {
      if (it->is_null()) {
        it = value.erase(it);
      } else {
        DiscardNulls(*it);
        ++it;
      }
    }
  } else if (value.is_array()) {
    for (json& item : value) {
      DiscardNulls(item);
    }
  }
}

// `original[key]` becomes the patch's value, which has nothing to merge with.
void Take(json& original, const std::string& key, json value) {
  DiscardNulls(value);
  if (RemoveDirectives(value)) {
    original[key] = std::move(value);
  } else {
    original.erase(key);
  }
}

// The one type of all items; an error for lists of lists, unlike items, or no items.
Result<GoType> ElementType(const Items& a, const Items& b) {
  std::optional<GoType> type;
  for (const Items* items : {&a, &b}) {
    for (const json& item : *items) {
      if (!type.has_value()) {
        type = TypeOf(item);
        if (*type == GoType::kList) {
          return FailedPreconditionError("lists of lists are not supported");
        }
      } else if (*type != TypeOf(item)) {
        return InternalError("list element types are not identical: " + json(a).dump() + " " +
                             json(b).dump());
      }
    }
  }
  if (!type.has_value()) {
    return InternalError("no elements in any of the given slices");
  }
  return *type;
}

json KeyOf(const json& item, const std::string& key) {
  if (!item.is_object()) {
    return nullptr;
  }
  const auto found = item.find(key);
  return found == item.end() ? json() : *found;
}

// Where `item` stands in `order`: by the merge key for maps, by value for scalars.
std::optional<std::size_t> IndexOf(const Items& order, const json& item, const std::string& key,
                                   GoType type) {
  const auto value = [&](const json& v) { return type == GoType::kMap ? KeyOf(v, key) : v; };
  const json wanted = value(item);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (value(order[i]) == wanted) {
      return i;
    }
  }
  return std::nullopt;
}

Result<std::optional<std::size_t>> FindByKey(const Items& items, const std::string& key,
                                             const json& value) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_object()) {
      return InternalError("value for key " + std::to_string(i) + " is not a map");
    }
    if (const auto found = items[i].find(key); found != items[i].end() && *found == value) {
      return std::optional(i);
    }
  }
  return std::optional<std::size_t>();
}

struct Partition {
  Items patch;
  Items server_only;
};

Result<Partition> PartitionItems(const Items& items, const Items& by, const std::string& key) {
  Partition result;
  for (const json& item : items) {
    bool found = false;
    if (key.empty()) {
      found = std::find(by.begin(), by.end(), item) != by.end();
    } else {
      if (!item.is_object()) {
        return InternalError("expected a map[string]interface {}, but received another type");
      }
      const auto value = item.find(key);
      if (value == item.end()) {
        return NoMergeKey(item, key);
      }
      ASSAY_ASSIGN_OR_RETURN(const auto index, FindByKey(by, key, *value));
      found = index.has_value();
    }
    (found ? result.patch : result.server_only).push_back(item);
  }
  return result;
}

// Sorts as Go's stable sort does for short lists, which tells the order of what has no place in
// `order`.
Result<Items> SortByOrder(Items items, const Items& order, const std::string& key, GoType type) {
  Items deleted;
  if (type == GoType::kMap) {
    for (const Items* list : std::initializer_list<const Items*>{&items, &order}) {
      for (const json& item : *list) {
        if (!item.is_object() || !item.contains(key)) {
          return NoMergeKey(item, key);
        }
      }
    }
    const auto is_delete = [](const json& item) {
      return item.value(kDirective, json()) == "delete";
    };
    std::copy_if(items.begin(), items.end(), std::back_inserter(deleted), is_delete);
    std::erase_if(items, is_delete);
  }
  const auto less = [&](const json& a, const json& b) {
    const auto left = IndexOf(order, a, key, type);
    const auto right = IndexOf(order, b, key, type);
    return !left.has_value() || !right.has_value() || *left < *right;
  };
  for (std::size_t i = 1; i < items.size(); ++i) {
    for (std::size_t j = i; j > 0 && less(items[j], items[j - 1]); --j) {
      std::swap(items[j], items[j - 1]);
    }
  }
  items.insert(items.end(), deleted.begin(), deleted.end());
  return items;
}

// Both parts in one list: each in its own order, and between them as the server had it.
Result<Items> NormalizeOrder(Partition parts, const Items& patch_order, const Items& server_order,
                             const std::string& key, GoType type) {
  ASSAY_ASSIGN_OR_RETURN(const Items right,
                         SortByOrder(std::move(parts.patch), patch_order, key, type));
  ASSAY_ASSIGN_OR_RETURN(const Items left,
                         SortByOrder(std::move(parts.server_only), server_order, key, type));
  Items merged;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < left.size() || j < right.size()) {
    bool take_left = j >= right.size();
    if (i < left.size() && j < right.size()) {
      const auto l = IndexOf(server_order, left[i], key, type);
      const auto r = IndexOf(server_order, right[j], key, type);
      take_left = l.has_value() && r.has_value() && *l < *r;
    }
    merged.push_back(take_left ? left[i++] : right[j++]);
  }
  return merged;
}

// Upstream's way to drop repetitions, which also moves the last item into their place.
Items Deduplicate(Items items) {
  for (std::size_t i = 0; i + 1 < items.size(); ++i) {
    for (std::size_t j = i + 1; j < items.size(); ++j) {
      if (items[i] == items[j]) {
        items[j] = items.back();
        items.pop_back();
        --j;
      }
    }
  }
  return items;
}

// Carries out the items of `patch` that are directives, and removes them from it.
Status ApplyListDirectives(Items& original, Items& patch, const std::string& key) {
  bool replace = false;
  Items plain;
  for (json& item : patch) {
    const auto directive = item.find(kDirective);
    if (directive == item.end()) {
      plain.push_back(std::move(item));
    } else if (*directive == "delete") {
      const auto value = item.find(key);
      if (value == item.end()) {
        return NoMergeKey(item, key);
      }
      std::erase_if(original, [&](const json& other) {
        return other.is_object() && other.contains(key) && other[key] == *value;
      });
    } else if (*directive == "replace") {
      replace = true;
    } else if (*directive == "merge") {
      return InternalError("merging lists cannot yet be specified in the patch");
    } else {
      return InternalError("unknown patch type: " + directive->dump() + " in map: " + item.dump());
    }
  }
  if (replace) {
    original = std::move(plain);
    patch.clear();
  } else {
    patch = std::move(plain);
  }
  return OkStatus();
}

Result<Items> MergeList(Items original, Items patch, const FieldSchema& field,
                        bool is_delete_list) {
  if (original.empty() && patch.empty()) {
    return original;
  }
  ASSAY_ASSIGN_OR_RETURN(const GoType type, ElementType(original, patch));
  Items merged;
  if (type != GoType::kMap) {
    if (is_delete_list) {
      std::erase_if(original, [&](const json& item) {
        return std::find(patch.begin(), patch.end(), item) != patch.end();
      });
      merged = original;
    } else {
      merged = original;
      merged.insert(merged.end(), patch.begin(), patch.end());
      merged = Deduplicate(std::move(merged));
    }
  } else {
    if (field.merge_key.empty()) {
      return InternalError("cannot merge lists without merge key for " +
                           std::string(field.schema.name));
    }
    ASSAY_RETURN_IF_ERROR(ApplyListDirectives(original, patch, field.merge_key));
    merged = original;
    for (const json& item : patch) {
      const auto value = item.find(field.merge_key);
      if (value == item.end()) {
        return NoMergeKey(item, field.merge_key);
      }
      ASSAY_ASSIGN_OR_RETURN(const auto index, FindByKey(merged, field.merge_key, *value));
      if (index.has_value()) {
        ASSAY_ASSIGN_OR_RETURN(merged[*index], MergeMap(merged[*index], item, field.schema));
      } else {
        merged.push_back(item);
      }
    }
  }
  ASSAY_ASSIGN_OR_RETURN(Partition parts, PartitionItems(merged, patch, field.merge_key));
  return NormalizeOrder(std::move(parts), patch, original, field.merge_key, type);
}

Result<Items> MergeListField(const json& original, const json& patch, const FieldSchema& field,
                             bool is_delete_list) {
  Items items = patch.get<Items>();
  if (!field.merge && !is_delete_list) {
    return items;
  }
  return MergeList(original.get<Items>(), std::move(items), field, is_delete_list);
}

Status ApplyRetainKeys(json& original, json& patch) {
  const auto directive = patch.find(kRetainKeys);
  if (directive == patch.end()) {
    return OkStatus();
  }
  const json retained = std::move(*directive);
  patch.erase(kRetainKeys);
  if (!retained.is_array()) {
    return BadRetainKeys();
  }
  const auto is_retained = [&](const std::string& key) {
    return std::find(retained.begin(), retained.end(), json(key)) != retained.end();
  };
  for (const auto& [key, value] : patch.items()) {
    if (!value.is_null() && !key.starts_with(kDeleteFromPrimitiveList) &&
        !key.starts_with(kSetElementOrder) && !is_retained(key)) {
      return BadRetainKeys();
    }
  }
  for (auto it = original.begin(); it != original.end();) {
    it = is_retained(it.key()) ? std::next(it) : original.erase(it);
  }
  return OkStatus();
}

// "$setElementOrder/containers" -> "containers"
Result<std::string> ListName(const std::string& key, std::string_view prefix, Status error) {
  const std::size_t slash = key.find('/');
  if (slash == std::string::npos || key.substr(0, slash) != prefix) {
    return error;
  }
  return key.substr(slash + 1);
}

// Whether the items of `patch` come in `order`'s order. Items to delete have no place in it; other
// directives are passed over, but not behind the last item, where upstream takes them for one.
Status CheckOrder(const Items& patch, const Items& order, const std::string& key) {
  if (patch.empty() || order.empty()) {
    return OkStatus();
  }
  Items kept = patch;
  if (!key.empty()) {
    std::erase_if(kept, [](const json& item) {
      return item.is_object() && item.value(kDirective, json()) == "delete";
    });
  }
  std::size_t at = 0;
  for (std::size_t i = 0; i < order.size() && at < kept.size();) {
    if (kept[at].is_object() && kept[at].contains(kDirective)) {
      ++at;
      continue;
    }
    if (!key.empty()) {
      for (const json* item : std::initializer_list<const json*>{&kept[at], &order[i]}) {
        if (!item->is_object()) {
          return InternalError("expected a map[string]interface {}, but received another type");
        }
        if (!item->contains(key)) {
          return NoMergeKey(*item, key);
        }
      }
    }
    const bool same = key.empty() ? kept[at] == order[i] : kept[at][key] == order[i][key];
    if (same) {
      ++at;
    }
    ++i;
  }
  if (at < kept.size()) {
    return InternalError("The order in patch list:\n" + json(patch).dump() +
                         "\n doesn't match $setElementOrder list:\n" + json(order).dump() + "\n");
  }
  return OkStatus();
}

// Merges every list that has a $setElementOrder, and takes it out of the patch.
Status MergeOrderedLists(json& original, json& patch, const Schema& schema) {
  std::vector<std::string> directives;
  for (const auto& [key, value] : patch.items()) {
    if (key.starts_with(kSetElementOrder)) {
      directives.push_back(key);
    }
  }
  for (const std::string& directive : directives) {
    const json order_value = std::move(patch[directive]);
    patch.erase(directive);
    if (!order_value.is_array()) {
      return BadSetElementOrder();
    }
    const Items order = order_value.get<Items>();
    ASSAY_ASSIGN_OR_RETURN(const std::string name,
                           ListName(directive, kSetElementOrder, BadSetElementOrder()));
    const bool in_original = original.contains(name);
    const bool in_patch = patch.contains(name);
    Items original_list;
    Items patch_list;
    for (const auto& [document, present, list] :
         {std::tuple(&original, in_original, &original_list),
          std::tuple(&patch, in_patch, &patch_list)}) {
      if (!present) {
        continue;
      }
      if (!(*document)[name].is_array()) {
        return InternalError("expected a []interface {}, but received another type");
      }
      *list = (*document)[name].get<Items>();
    }
    ASSAY_ASSIGN_OR_RETURN(const FieldSchema field, schema.Lookup(name));
    ASSAY_RETURN_IF_ERROR(CheckOrder(patch_list, order, field.merge_key));
    Items merged;
    if (in_original && in_patch) {
      ASSAY_ASSIGN_OR_RETURN(merged, MergeListField(original[name], patch[name], field, false));
    } else if (in_original) {
      merged = original_list;
    } else if (in_patch) {
      json value = patch[name];
      RemoveDirectives(value);
      merged = value.get<Items>();
    } else {
      continue;
    }
    ASSAY_ASSIGN_OR_RETURN(Partition parts, PartitionItems(merged, order, field.merge_key));
    ASSAY_ASSIGN_OR_RETURN(const GoType type, ElementType(original_list, patch_list));
    ASSAY_ASSIGN_OR_RETURN(
        const Items ordered,
        NormalizeOrder(std::move(parts), order, original_list, field.merge_key, type));
    original[name] = ordered;
    patch.erase(name);
  }
  return OkStatus();
}

Result<json> MergeMap(json original, json patch, const Schema& schema) {
  if (const auto directive = patch.find(kDirective); directive != patch.end()) {
    if (*directive == "replace") {
      patch.erase(kDirective);
      return patch;
    }
    if (*directive == "delete") {
      return json::object();
    }
    return InternalError("unknown patch type: " + directive->dump() + " in map: " + patch.dump());
  }
  ASSAY_RETURN_IF_ERROR(ApplyRetainKeys(original, patch));
  ASSAY_RETURN_IF_ERROR(MergeOrderedLists(original, patch, schema));
  for (auto& [patch_key, value] : patch.items()) {
    const bool is_delete_list = patch_key.starts_with(kDeleteFromPrimitiveList);
    std::string key = patch_key;
    if (is_delete_list) {
      ASSAY_ASSIGN_OR_RETURN(
          key, ListName(patch_key, kDeleteFromPrimitiveList,
                        InvalidArgumentError("invalid patch format of primitive list")));
    }
    if (value.is_null()) {
      original.erase(key);
      continue;
    }
    const auto current = original.find(key);
    if (current == original.end() || TypeOf(*current) != TypeOf(value)) {
      if (!is_delete_list) {
        Take(original, key, std::move(value));
      }
      continue;
    }
    if (value.is_object()) {
      ASSAY_ASSIGN_OR_RETURN(const FieldSchema field, schema.Lookup(key));
      if (field.replace) {
        *current = std::move(value);
      } else {
        ASSAY_ASSIGN_OR_RETURN(*current,
                               MergeMap(std::move(*current), std::move(value), field.schema));
      }
    } else if (value.is_array()) {
      ASSAY_ASSIGN_OR_RETURN(const FieldSchema field, schema.Lookup(key));
      ASSAY_ASSIGN_OR_RETURN(const Items merged,
                             MergeListField(*current, value, field, is_delete_list));
      *current = merged;
    } else {
      *current = std::move(value);
    }
  }
  return original;
}

}  // namespace

Result<json> ApplyStrategicMergePatch(const json& document, const json& patch,
                                      const schema::MessageDescriptor& type) {
  if (!document.is_object() || !patch.is_object()) {
    return InvalidArgumentError("invalid JSON document");
  }
  return MergeMap(document, patch, {.message = &type, .map_value = nullptr, .name = type.name});
}

}  // namespace assay::api::patch
