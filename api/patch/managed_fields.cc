#include "api/patch/managed_fields.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

namespace assay::api::patch {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxUpdateManagers = 10;

std::string TextOf(const json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

std::int64_t Seconds(const ManagerFields& fields) {
  return fields.time.has_value() ? fields.time->unix_seconds() : 0;
}

}  // namespace

std::string ManagerId::ToString() const {
  std::string text = json(manager).dump();
  if (!subresource.empty()) {
    text += " with subresource " + json(subresource).dump();
  }
  return applied ? text : text + " using " + api_version;
}

Result<ManagedFields> DecodeManagedFields(const json& entries) {
  ManagedFields managed;
  if (entries.is_null()) {
    return managed;
  }
  if (!entries.is_array()) {
    return InvalidArgumentError("managedFields must be a list");
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const json& entry = entries[i];
    if (!entry.is_object()) {
      return InvalidArgumentError("a managedFields entry must be an object");
    }
    const std::string operation = TextOf(entry, "operation");
    if (operation != "Apply" && operation != "Update") {
      return InvalidArgumentError("operation must be `Apply` or `Update`");
    }
    ManagerFields fields;
    fields.api_version = TextOf(entry, "apiVersion");
    if (fields.api_version.empty()) {
      return InvalidArgumentError("apiVersion must not be empty");
    }
    if (TextOf(entry, "fieldsType") != "FieldsV1") {
      return InvalidArgumentError("missing or invalid fieldsType in managed fields entry " +
                                  std::to_string(i));
    }
    if (const std::string text = TextOf(entry, "time"); !text.empty()) {
      ASSAY_ASSIGN_OR_RETURN(fields.time, meta::Time::Parse(text));
    }
    if (const auto set = entry.find("fieldsV1"); set != entry.end() && !set->is_null()) {
      ASSAY_ASSIGN_OR_RETURN(fields.set, FieldSet::Parse(set->dump()));
    }
    ManagerId id{.manager = TextOf(entry, "manager"),
                 .applied = operation == "Apply",
                 .api_version = operation == "Apply" ? "" : fields.api_version,
                 .subresource = TextOf(entry, "subresource")};
    managed[std::move(id)] = std::move(fields);
  }
  return managed;
}

json EncodeManagedFields(const ManagedFields& managed) {
  if (managed.empty()) {
    return nullptr;
  }
  std::vector<const ManagedFields::value_type*> sorted;
  for (const auto& entry : managed) {
    sorted.push_back(&entry);
  }
  const auto rank = [](const ManagedFields::value_type* entry) {
    // "Apply" before "Update".
    return std::tuple(!entry->first.applied, Seconds(entry->second), entry->first.manager,
                      entry->second.api_version, entry->first.subresource);
  };
  std::sort(sorted.begin(), sorted.end(),
            [&](const auto* a, const auto* b) { return rank(a) < rank(b); });
  json entries = json::array();
  for (const auto* item : sorted) {
    const auto& [id, fields] = *item;
    json entry = {{"operation", id.applied ? "Apply" : "Update"},
                  {"apiVersion", fields.api_version},
                  {"fieldsType", "FieldsV1"},
                  {"fieldsV1", json::parse(fields.set.ToJson())}};
    if (!id.manager.empty()) {
      entry["manager"] = id.manager;
    }
    if (fields.time.has_value()) {
      entry["time"] = fields.time->ToString();
    }
    if (!id.subresource.empty()) {
      entry["subresource"] = id.subresource;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

void CapUpdateManagers(ManagedFields& managed) {
  std::vector<ManagerId> updaters;
  for (const auto& [id, fields] : managed) {
    if (!id.applied) {
      updaters.push_back(id);
    }
  }
  std::stable_sort(updaters.begin(), updaters.end(), [&](const ManagerId& a, const ManagerId& b) {
    return Seconds(managed.at(a)) < Seconds(managed.at(b));
  });
  std::size_t left = updaters.size();
  // A bucket per version comes to be with the second updater of that version.
  std::map<std::string, ManagerId> first_of_version;
  for (std::size_t i = 0; i < updaters.size() && left > kMaxUpdateManagers; ++i) {
    const ManagerFields fields = managed.at(updaters[i]);
    const auto [first, is_first] = first_of_version.try_emplace(fields.api_version, updaters[i]);
    if (is_first) {
      continue;
    }
    const ManagerId bucket{.manager = "ancient-changes",
                           .applied = false,
                           .api_version = fields.api_version,
                           .subresource = ""};
    if (!managed.contains(bucket)) {
      managed[bucket] = managed.at(first->second);
      managed.erase(first->second);
    }
    managed[bucket].set = managed[bucket].set.Union(fields.set);
    managed[bucket].time = fields.time;
    managed.erase(updaters[i]);
    --left;
  }
}

}  // namespace assay::api::patch
