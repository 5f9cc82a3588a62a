#include <charconv>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/patch/patch.h"

namespace assay::api::patch {
namespace {

using nlohmann::json;

// "a~1b" -> "a/b"
std::string Unescaped(std::string_view part) {
  std::string key;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const bool escape =
        part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1');
    key += escape ? (part[++i] == '0' ? '~' : '/') : part[i];
  }
  return key;
}

// As strconv.Atoi: "+1" and "-0" are numbers.
std::optional<long> Integer(std::string_view text) {
  const bool plus = text.starts_with('+');
  text.remove_prefix(plus ? 1 : 0);
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || (plus && text[0] == '-')) {
    return std::nullopt;
  }
  return value;
}

// The index that `text` names in an array with `limit` places; negative ones count from the end.
std::optional<std::size_t> IndexIn(std::string_view text, std::size_t limit) {
  std::optional<long> index = Integer(text);
  if (index.has_value() && *index < 0) {
    *index += static_cast<long>(limit);
  }
  if (!index.has_value() || *index < 0 || *index >= static_cast<long>(limit)) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(*index);
}

// What a path leads to: a key of an object, which need not be there, or an index of an array.
struct Place {
  json* parent = nullptr;  // An object or array.
  std::string key;
};

Status InvalidIndex(const std::string& operation, const std::string& path, const std::string& key) {
  return FailedPreconditionError("error in " + operation + " for path: '" + path +
                                 "': Unable to access invalid index: " + key +
                                 ": invalid index referenced");
}

// One patch at work on one document.
class Patcher {
 public:
  explicit Patcher(json document) : document_(std::move(document)) {}

  json Take() { return std::move(document_); }

  Status Apply(const json& operation) {
    const auto text = [&](const char* key) -> std::optional<std::string> {
      const auto found = operation.find(key);
      if (found == operation.end() || !found->is_string()) {
        return std::nullopt;
      }
      return found->get<std::string>();
    };
    const std::optional<std::string> op = text("op");
    const std::optional<std::string> path = text("path");
    if (!op.has_value() || !path.has_value()) {
      return FailedPreconditionError("an operation needs \"op\" and \"path\"");
    }
    // A value that is not there is null.
    json value = operation.value("value", json());
    if (*op == "add") {
      return Add(*op, *path, std::move(value));
    }
    if (*op == "replace") {
      return Replace(*path, std::move(value));
    }
    if (*op == "remove") {
      return Remove(*op, *path).status();
    }
    if (*op == "test") {
      return Test(*path, value);
    }
    if (*op == "move" || *op == "copy") {
      const std::optional<std::string> from = text("from");
      if (!from.has_value()) {
        return FailedPreconditionError(*op + " operation needs \"from\"");
      }
      ASSAY_ASSIGN_OR_RETURN(value, *op == "move" ? Remove(*op, *from) : Get(*op, *from));
      return Add(*op, *path, std::move(value));
    }
    return FailedPreconditionError("Unexpected kind: " + *op);
  }

 private:
  // What is before the first slash does not count. kFailedPrecondition: there is no such object or
  // array.
  Result<Place> Find(const std::string& operation, const std::string& path) {
    Place place{.parent = &document_, .key = {}};
    std::size_t slash = path.find('/');
    while (slash != std::string::npos && place.parent != nullptr) {
      const std::size_t next = path.find('/', slash + 1);
      place.key = Unescaped(std::string_view(path).substr(slash + 1, next - slash - 1));
      slash = next;
      if (slash != std::string::npos) {
        place.parent = ChildOf(*place.parent, place.key);
      }
    }
    if (path.find('/') == std::string::npos || place.parent == nullptr ||
        !place.parent->is_structured()) {
      return FailedPreconditionError(operation +
                                     " operation does not apply: doc is missing path: \"" + path +
                                     "\": missing value");
    }
    return place;
  }

  static json* ChildOf(json& value, const std::string& key) {
    if (value.is_object()) {
      const auto found = value.find(key);
      return found == value.end() ? nullptr : &*found;
    }
    if (value.is_array()) {
      const std::optional<std::size_t> index = IndexIn(key, value.size());
      return index.has_value() ? &value[*index] : nullptr;
    }
    return nullptr;
  }

  // Null for a key that an object does not have.
  Result<json> Get(const std::string& operation, const std::string& path) {
    ASSAY_ASSIGN_OR_RETURN(const Place place, Find(operation, path));
    if (const json* found = ChildOf(*place.parent, place.key)) {
      return *found;
    }
    return place.parent->is_object() ? Result<json>(json())
                                     : InvalidIndex(operation, path, place.key);
  }

  Status Add(const std::string& operation, const std::string& path, json value) {
    ASSAY_ASSIGN_OR_RETURN(const Place place, Find(operation, path));
    json& parent = *place.parent;
    if (parent.is_object()) {
      parent[place.key] = std::move(value);
      return OkStatus();
    }
    const std::optional<std::size_t> index =
        place.key == "-" ? std::optional(parent.size()) : IndexIn(place.key, parent.size() + 1);
    if (!index.has_value()) {
      return InvalidIndex(operation, path, place.key);
    }
    parent.insert(parent.begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
    return OkStatus();
  }

  Status Replace(const std::string& path, json value) {
    if (path.empty()) {
      if (!value.is_structured()) {
        return FailedPreconditionError("replace operation value must be object or array");
      }
      document_ = std::move(value);
      return OkStatus();
    }
    ASSAY_ASSIGN_OR_RETURN(const Place place, Find("replace", path));
    if (place.parent->is_object()) {
      (*place.parent)[place.key] = std::move(value);  // It need not have been there.
      return OkStatus();
    }
    json* item = ChildOf(*place.parent, place.key);
    if (item == nullptr) {
      return FailedPreconditionError(
          "replace operation does not apply: doc is missing key: " + path + ": missing value");
    }
    *item = std::move(value);
    return OkStatus();
  }

  Result<json> Remove(const std::string& operation, const std::string& path) {
    ASSAY_ASSIGN_OR_RETURN(const Place place, Find(operation, path));
    json* found = ChildOf(*place.parent, place.key);
    if (found == nullptr) {
      return place.parent->is_array()
                 ? InvalidIndex(operation, path, place.key)
                 : FailedPreconditionError("error in " + operation + " for path: '" + path +
                                           "': Unable to remove nonexistent key: " + place.key +
                                           ": missing value");
    }
    json removed = std::move(*found);
    if (place.parent->is_object()) {
      place.parent->erase(place.key);
    } else {
      place.parent->erase(*IndexIn(place.key, place.parent->size()));
    }
    return removed;
  }

  Status Test(const std::string& path, const json& expected) {
    json actual = document_;
    if (!path.empty()) {
      ASSAY_ASSIGN_OR_RETURN(actual, Get("test", path));
    }
    // Numbers are compared as they are written: 1 is not 1.0.
    if (actual.dump() == expected.dump()) {
      return OkStatus();
    }
    return FailedPreconditionError("testing value " + path + " failed: test failed");
  }

  json document_;
};

}  // namespace

Result<json> ApplyJsonPatch(const json& document, const json& patch) {
  if (!patch.is_array()) {
    return InvalidArgumentError("a JSON patch must be a list of operations");
  }
  if (patch.size() > kMaxJsonPatchOperations) {
    return ResourceExhaustedError("The allowed maximum operations in a JSON patch is " +
                                  std::to_string(kMaxJsonPatchOperations) + ", got " +
                                  std::to_string(patch.size()));
  }
  for (const json& operation : patch) {
    if (!operation.is_object()) {
      return InvalidArgumentError("an operation of a JSON patch must be an object");
    }
  }
  Patcher patcher(document);
  for (const json& operation : patch) {
    ASSAY_RETURN_IF_ERROR(patcher.Apply(operation));
  }
  return patcher.Take();
}

json ApplyMergePatch(const json& document, const json& patch) {
  if (!patch.is_object()) {
    return patch;
  }
  json result = document.is_object() ? document : json::object();
  for (const auto& [key, value] : patch.items()) {
    if (value.is_null()) {
      result.erase(key);
    } else {
      result[key] = ApplyMergePatch(result.value(key, json()), value);
    }
  }
  return result;
}

}  // namespace assay::api::patch
