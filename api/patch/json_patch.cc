#include <charconv>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/patch/patch.h"

namespace assay::api::patch {
namespace {

using nlohmann::json;

// "/a~1b/c" -> {"a/b", "c"}
Result<std::vector<std::string>> ParsePointer(const std::string& pointer) {
  std::vector<std::string> parts;
  if (pointer.empty()) {
    return parts;
  }
  if (pointer.front() != '/') {
    return InvalidArgumentError("a JSON pointer must begin with '/': " + pointer);
  }
  std::string part;
  for (std::size_t i = 1; i <= pointer.size(); ++i) {
    if (i == pointer.size() || pointer[i] == '/') {
      parts.push_back(std::exchange(part, {}));
    } else if (pointer[i] == '~' && i + 1 < pointer.size() && pointer[i + 1] == '0') {
      part += '~';
      ++i;
    } else if (pointer[i] == '~' && i + 1 < pointer.size() && pointer[i + 1] == '1') {
      part += '/';
      ++i;
    } else {
      part += pointer[i];
    }
  }
  return parts;
}

Status MissingPath(std::string_view operation, const std::string& path) {
  return FailedPreconditionError(std::string(operation) +
                                 " operation does not apply: doc is "
                                 "missing path: " +
                                 path + ": missing value");
}

// The index that `text` names in an array of `size` items; "-" and `size` itself only where an item
// may be added. Negative ones count from the end.
std::optional<std::size_t> ParseIndex(const std::string& text, std::size_t size, bool may_append) {
  if (text == "-") {
    return may_append ? std::optional(size) : std::nullopt;
  }
  long index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size() || text == "-0") {
    return std::nullopt;
  }
  const auto limit = static_cast<long>(size) + (may_append ? 1 : 0);
  if (index < 0) {
    index += limit;
  }
  if (index < 0 || index >= limit) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(index);
}

json* Step(json& value, const std::string& part) {
  if (value.is_object()) {
    const auto found = value.find(part);
    return found == value.end() ? nullptr : &*found;
  }
  if (value.is_array()) {
    const std::optional<std::size_t> index = ParseIndex(part, value.size(), false);
    return index.has_value() ? &value[*index] : nullptr;
  }
  return nullptr;
}

json* Walk(json& document, const std::vector<std::string>& parts, std::size_t count) {
  json* value = &document;
  for (std::size_t i = 0; value != nullptr && i < count; ++i) {
    value = Step(*value, parts[i]);
  }
  return value;
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
    const auto value = operation.find("value");
    const bool needs_value = *op == "add" || *op == "replace";
    if (needs_value && value == operation.end()) {
      return FailedPreconditionError(*op + " operation needs \"value\"");
    }
    if (*op == "add") {
      return Add(*path, *value);
    }
    if (*op == "replace") {
      return Replace(*path, *value);
    }
    if (*op == "remove") {
      return Remove(*path).status();
    }
    if (*op == "test") {
      return Test(*path, value == operation.end() ? json() : *value);
    }
    if (*op == "move" || *op == "copy") {
      const std::optional<std::string> from = text("from");
      if (!from.has_value()) {
        return FailedPreconditionError(*op + " operation needs \"from\"");
      }
      return *op == "move" ? Move(*from, *path) : Copy(*from, *path);
    }
    return FailedPreconditionError("Unexpected kind: " + *op);
  }

 private:
  Status Add(const std::string& path, json value) {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> parts, ParsePointer(path));
    if (parts.empty()) {
      document_ = std::move(value);
      return OkStatus();
    }
    json* parent = Walk(document_, parts, parts.size() - 1);
    if (parent != nullptr && parent->is_object()) {
      (*parent)[parts.back()] = std::move(value);
      return OkStatus();
    }
    if (parent != nullptr && parent->is_array()) {
      if (const auto index = ParseIndex(parts.back(), parent->size(), true)) {
        parent->insert(parent->begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
        return OkStatus();
      }
      return FailedPreconditionError("error in add for path: '" + path +
                                     "': Unable to access invalid index: " + parts.back() +
                                     ": invalid index referenced");
    }
    return FailedPreconditionError("add operation does not apply: doc is missing path: \"" + path +
                                   "\": missing value");
  }

  Status Replace(const std::string& path, json value) {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> parts, ParsePointer(path));
    json* target = Walk(document_, parts, parts.size());
    if (target == nullptr) {
      return FailedPreconditionError(
          "replace operation does not apply: doc is missing key: " + path + ": missing value");
    }
    *target = std::move(value);
    return OkStatus();
  }

  Result<json> Remove(const std::string& path) {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> parts, ParsePointer(path));
    json* target = parts.empty() ? nullptr : Walk(document_, parts, parts.size());
    if (target == nullptr) {
      return MissingPath("remove", "\"" + path + "\"");
    }
    json removed = std::move(*target);
    json* parent = Walk(document_, parts, parts.size() - 1);
    if (parent->is_object()) {
      parent->erase(parts.back());
    } else {
      parent->erase(*ParseIndex(parts.back(), parent->size(), false));
    }
    return removed;
  }

  Status Test(const std::string& path, const json& expected) {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> parts, ParsePointer(path));
    const json* actual = Walk(document_, parts, parts.size());
    static const json kNull;
    // What is absent equals null.
    if ((actual == nullptr ? kNull : *actual) == expected) {
      return OkStatus();
    }
    return FailedPreconditionError("testing value " + path + " failed: test failed");
  }

  Status Move(const std::string& from, const std::string& path) {
    ASSAY_ASSIGN_OR_RETURN(json value, Remove(from));
    return Add(path, std::move(value));
  }

  Status Copy(const std::string& from, const std::string& path) {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> parts, ParsePointer(from));
    const json* value = Walk(document_, parts, parts.size());
    if (value == nullptr) {
      return FailedPreconditionError(
          "copy operation does not apply: doc is missing from path: " + from + ": missing value");
    }
    return Add(path, *value);
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
