#include "api/patch/field_manager.h"

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "api/conversion/conversion.h"
#include "api/json/json.h"
#include "api/patch/field_set.h"
#include "api/patch/managed_fields.h"
#include "api/patch/typed_value.h"
#include "api/registry.h"

namespace assay::api::patch {
namespace {

using nlohmann::json;

constexpr std::string_view kConflictWith = "conflict with ";
constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

std::string ApiVersion(const Kind& kind, const std::string& version) {
  return GroupVersionKind{kind.group, version, kind.kind}.ApiVersion();
}

// "v1beta2" of "resource.k8s.io/v1beta2".
std::string VersionOf(const std::string& api_version) {
  const std::size_t slash = api_version.find('/');
  return slash == std::string::npos ? api_version : api_version.substr(slash + 1);
}

json Parse(const std::string& text) { return json::parse(text, nullptr, false); }

const json* Find(const json& document, const char* outer, const char* inner) {
  const auto found = document.find(outer);
  if (found == document.end() || !found->is_object()) {
    return nullptr;
  }
  const auto within = found->find(inner);
  return within == found->end() ? nullptr : &*within;
}

std::string TextOf(const json& document, const char* outer, const char* inner) {
  const json* value = Find(document, outer, inner);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

json ManagedFieldsOf(const json& document) {
  const json* value = Find(document, "metadata", "managedFields");
  return value == nullptr ? json() : *value;
}

void RemoveManagedFields(json& document) {
  if (const auto metadata = document.find("metadata");
      metadata != document.end() && metadata->is_object()) {
    metadata->erase("managedFields");
  }
}

void SetManagedFields(json& document, const ManagedFields& managed) {
  RemoveManagedFields(document);
  if (json entries = EncodeManagedFields(managed); !entries.is_null()) {
    document["metadata"]["managedFields"] = std::move(entries);
  }
}

// What no manager owns: the identity of the object and what the server writes.
FieldSet StripSet() {
  FieldSet set;
  for (const char* name : {"apiVersion", "kind", "metadata"}) {
    set.InsertMember(PathElement::Field(name));
  }
  for (const char* name : {"name", "namespace", "creationTimestamp", "selfLink", "uid",
                           "clusterName", "generation", "managedFields", "resourceVersion"}) {
    set.Insert({PathElement::Field("metadata"), PathElement::Field(name)});
  }
  return set;
}

// One object seen in every version that a manager may have written it in.
class Updater {
 public:
  explicit Updater(const WriteIdentity& identity)
      : identity_(identity),
        version_(*FindVersion(*identity.kind, identity.version)),
        type_(TypeRef::Root(*version_.message)),
        api_version_(ApiVersion(*identity.kind, identity.version)) {
    for (const std::string& field : identity.reset_fields) {
      Path path;
      std::size_t begin = 0;
      for (std::size_t dot = 0; dot != std::string::npos; begin = dot + 1) {
        dot = field.find('.', begin);
        path.push_back(PathElement::Field(field.substr(begin, dot - begin)));
      }
      reset_.Insert(path);
    }
  }

  const TypeRef& type() const { return type_; }
  const std::string& api_version() const { return api_version_; }

  // An object of the kind before anything is said of it, as Go's zero value reads.
  json Empty() const {
    const std::shared_ptr<void> zero = version_.message->New();
    return Parse(api::json::EncodeMessage(*version_.message, zero.get(),
                                          {api_version_, identity_.kind->kind}));
  }

  ManagerId Id(const std::string& manager, bool applied) const {
    return {.manager = manager.empty() ? "unknown" : manager,
            .applied = applied,
            .api_version = applied ? "" : api_version_,
            .subresource = identity_.subresource};
  }

  // Takes from the others what `after` changes, and gives it to `manager`'s Update entry.
  void Update(const json& before, const json& after, const std::string& manager,
              ManagedFields& managed) const {
    DropMissingVersions(managed);
    const Comparison changes = Disown(before, after, nullptr, managed).comparison;
    FieldSet set =
        changes.modified.Union(changes.added).RecursiveDifference(reset_).Difference(StripSet());
    if (set.Empty()) {
      return;
    }
    ManagerFields& fields = managed[Id(manager, false)];
    fields.set = fields.set.Union(set);
    fields.api_version = api_version_;
    fields.time = meta::Time::From(identity_.now);
    CapUpdateManagers(managed);
  }

  struct Applied {
    std::optional<json> object;  // Nothing if it is as before.
    std::vector<std::pair<ManagerId, Path>> conflicts;
  };

  // Merges `config` into `live` for `manager`. `managed` is valid only without conflicts.
  Result<Applied> Apply(const json& live, const json& config, const std::string& manager,
                        bool force, ManagedFields& managed) const {
    DropMissingVersions(managed);
    const ManagerId self = Id(manager, true);
    ASSAY_ASSIGN_OR_RETURN(json merged, Merge(type_, live, config));
    std::optional<ManagerFields> last;
    if (const auto found = managed.find(self); found != managed.end()) {
      last = found->second;
    }
    ManagerFields& own = managed[self];
    own.set = ToFieldSet(type_, config).RecursiveDifference(reset_);
    own.api_version = api_version_;
    if (last.has_value() && !last->set.Empty()) {
      merged = Prune(merged, managed, *last);
    }
    Disowned disowned = Disown(live, merged, &self, managed);
    Applied result;
    if (!force && !disowned.conflicts.empty()) {
      result.conflicts = std::move(disowned.conflicts);
      return result;
    }
    if (const auto found = managed.find(self); found != managed.end()) {
      found->second.set = found->second.set.Difference(StripSet());
      if (found->second.set.Empty()) {
        managed.erase(found);
      }
    }
    if (merged != live) {
      if (const auto found = managed.find(self); found != managed.end()) {
        found->second.time = meta::Time::From(identity_.now);
      }
      result.object = std::move(merged);
    }
    return result;
  }

  // The fields of the client-side apply that still are as they were applied: kubectl may take those
  // over when it turns to server-side apply.
  FieldSet AllowedFromLastApplied(const json& live) const {
    const json* annotations = Find(live, "metadata", "annotations");
    if (annotations == nullptr || !annotations->is_object()) {
      return {};
    }
    const auto text = annotations->find(kLastApplied);
    if (text == annotations->end() || !text->is_string()) {
      return {};
    }
    const json last = Parse(text->get<std::string>());
    if (!last.is_object() || last.value("apiVersion", json()) != api_version_ ||
        !Validate(type_, last, false).ok()) {
      return {};
    }
    const Comparison changes = patch::Compare(type_, last, live);
    return ToFieldSet(type_, last)
        .Difference(changes.modified)
        .Difference(changes.added)
        .Difference(changes.removed);
  }

 private:
  struct Disowned {
    Comparison comparison;  // in the version of the request
    std::vector<std::pair<ManagerId, Path>> conflicts;
  };

  bool Knows(const std::string& api_version) const {
    const std::string version = VersionOf(api_version);
    return FindVersion(*identity_.kind, version) != nullptr &&
           ApiVersion(*identity_.kind, version) == api_version;
  }

  // What was owned in a version that is no more cannot be told any more.
  void DropMissingVersions(ManagedFields& managed) const {
    std::erase_if(managed, [&](const auto& entry) { return !Knows(entry.second.api_version); });
  }

  TypeRef TypeOf(const std::string& api_version) const {
    return TypeRef::Root(*FindVersion(*identity_.kind, VersionOf(api_version))->message);
  }

  // The document, which is of version `from`, in version `to`.
  json Convert(const json& document, const std::string& from, const std::string& to) const {
    if (from == to) {
      return document;
    }
    const KindVersion& from_version = *FindVersion(*identity_.kind, VersionOf(from));
    const KindVersion& to_version = *FindVersion(*identity_.kind, VersionOf(to));
    const std::shared_ptr<void> value = from_version.message->New();
    const auto decoded = api::json::DecodeMessage(
        *from_version.message, document.dump(),
        {.field_validation = api::json::FieldValidation::kIgnore}, value.get());
    if (!decoded.ok()) {
      // It was decoded before: only what a prune made of it may not fit.
      return document;
    }
    const Object hub = conversion::ToHub(*identity_.kind, from_version, value.get());
    const std::shared_ptr<const void> converted = conversion::FromHub(hub, to_version);
    return Parse(
        api::json::EncodeMessage(*to_version.message, converted.get(), {to, identity_.kind->kind}));
  }

  // Removes what `after` changed from every manager but `self` (null: from all), and lists it.
  Disowned Disown(const json& before, const json& after, const ManagerId* self,
                  ManagedFields& managed) const {
    std::map<std::string, Comparison> by_version;
    const auto compare = [&](const std::string& version) -> const Comparison& {
      const auto found = by_version.find(version);
      if (found != by_version.end()) {
        return found->second;
      }
      Comparison changes = patch::Compare(TypeOf(version), Convert(before, api_version_, version),
                                          Convert(after, api_version_, version));
      changes.added = changes.added.RecursiveDifference(reset_);
      changes.modified = changes.modified.RecursiveDifference(reset_);
      changes.removed = changes.removed.RecursiveDifference(reset_);
      return by_version.emplace(version, std::move(changes)).first->second;
    };
    Disowned result;
    for (auto& [id, fields] : managed) {
      if (self != nullptr && id == *self) {
        continue;
      }
      const Comparison& changes = compare(fields.api_version);
      const FieldSet taken = fields.set.Intersection(changes.modified.Union(changes.added));
      for (Path& path : taken.Paths()) {
        result.conflicts.emplace_back(id, std::move(path));
      }
      fields.set = fields.set.Difference(taken).Difference(changes.removed);
    }
    std::erase_if(managed, [](const auto& entry) { return entry.second.set.Empty(); });
    result.comparison = compare(api_version_);
    return result;
  }

  // `merged` without what the manager applied the last time, does not apply now, and nobody else
  // owns.
  json Prune(const json& merged, const ManagedFields& managed, const ManagerFields& last) const {
    const std::string& version = last.api_version;
    const TypeRef type = TypeOf(version);
    const json converted = Convert(merged, api_version_, version);
    const FieldSet last_named = EnsureNamedFieldsAreMembers(type, last.set);
    json pruned = RemoveItems(type, converted, last_named);
    pruned = AddBackOwned(converted, pruned, version, managed);
    // What is nobody's, or an updater's, stays.
    const FieldSet pruned_set = EnsureNamedFieldsAreMembers(type, ToFieldSet(type, pruned));
    const FieldSet merged_set = EnsureNamedFieldsAreMembers(type, ToFieldSet(type, converted));
    pruned =
        RemoveItems(type, converted, merged_set.Difference(pruned_set).Intersection(last_named));
    return Convert(pruned, version, api_version_);
  }

  json AddBackOwned(json merged, json pruned, const std::string& pruned_version,
                    const ManagedFields& managed) const {
    std::map<std::string, FieldSet> by_version;
    for (const auto& [id, fields] : managed) {
      FieldSet& set = by_version[fields.api_version];
      set = set.Union(fields.set);
    }
    std::string version = pruned_version;
    const auto add_back = [&](const std::string& next, const FieldSet& owned) {
      merged = Convert(merged, version, next);
      pruned = Convert(pruned, version, next);
      version = next;
      const TypeRef type = TypeOf(version);
      const FieldSet merged_set = EnsureNamedFieldsAreMembers(type, ToFieldSet(type, merged));
      const FieldSet pruned_set = EnsureNamedFieldsAreMembers(type, ToFieldSet(type, pruned));
      const FieldSet kept = pruned_set.Union(EnsureNamedFieldsAreMembers(type, owned));
      pruned = RemoveItems(type, merged, merged_set.Difference(kept));
    };
    // The pruned version first: fields that a conversion needs may just have been pruned.
    if (const auto found = by_version.find(pruned_version); found != by_version.end()) {
      add_back(pruned_version, found->second);
      by_version.erase(found);
    }
    for (const auto& [next, owned] : by_version) {
      add_back(next, owned);
    }
    return Convert(pruned, version, pruned_version);
  }

  const WriteIdentity& identity_;
  const KindVersion& version_;
  TypeRef type_;
  std::string api_version_;
  FieldSet reset_;
};

bool IsReset(const json& entries) {
  if (!entries.is_array()) {
    return false;
  }
  return entries.empty() || (entries.size() == 1 && entries[0].is_object() && entries[0].empty());
}

// "namespace/name; v1, Kind=Pod": how upstream names the object at fault.
std::string Describe(const WriteIdentity& identity, const std::string& api_version,
                     const json& document) {
  const std::string group_version =
      api_version.find('/') == std::string::npos ? "/" + api_version : api_version;
  return "(" + TextOf(document, "metadata", "namespace") + "/" +
         TextOf(document, "metadata", "name") + "; " + group_version +
         ", Kind=" + identity.kind->kind + ")";
}

json OrEmpty(const Updater& updater, const json& live) {
  return live.is_object() && !live.empty() ? live : updater.Empty();
}

}  // namespace

std::string ConflictMessage(const std::vector<ApplyConflict>& conflicts) {
  if (conflicts.size() == 1) {
    return "Apply failed with 1 conflict: " + conflicts[0].message + ": " + conflicts[0].field;
  }
  std::map<std::string, std::vector<std::string>> by_manager;
  for (const ApplyConflict& conflict : conflicts) {
    by_manager[conflict.message.substr(kConflictWith.size())].push_back(conflict.field);
  }
  std::string message = "Apply failed with " + std::to_string(conflicts.size()) + " conflicts: ";
  bool first = true;
  for (const auto& [manager, fields] : by_manager) {
    message += (first ? "" : "\n") + std::string("conflicts with ") + manager + ":";
    first = false;
    for (const std::string& field : fields) {
      message += "\n- " + field;
    }
  }
  return message;
}

Result<ApplyOutcome> Apply(const WriteIdentity& identity, const json& live, const json& applied,
                           bool force, json& merged) {
  const Updater updater(identity);
  if (!applied.is_object()) {
    return InvalidArgumentError("an apply patch must be an object");
  }
  if (applied.value("apiVersion", json()) != updater.api_version() ||
      applied.value("kind", json()) != identity.kind->kind) {
    return InvalidArgumentError(
        "invalid object type: " + applied.value("apiVersion", json("")).dump() +
        ", Kind=" + applied.value("kind", json("")).dump());
  }
  if (!ManagedFieldsOf(applied).is_null()) {
    return InvalidArgumentError("metadata.managedFields must be nil");
  }
  if (Status status = Validate(updater.type(), applied, false); !status.ok()) {
    return InternalError("failed to create typed patch object " +
                         Describe(identity, updater.api_version(), applied) + ": " +
                         status.message());
  }
  json before = OrEmpty(updater, live);
  Result<ManagedFields> decoded = DecodeManagedFields(ManagedFieldsOf(before));
  if (!decoded.ok()) {
    return InternalError("failed to decode managed fields: " + decoded.status().message());
  }
  ManagedFields managed = *std::move(decoded);
  RemoveManagedFields(before);
  if (managed.empty()) {
    updater.Update(updater.Empty(), before, "before-first-apply", managed);
  }
  const auto attempt = [&](bool forced, ManagedFields& fields) -> Result<Updater::Applied> {
    fields = managed;
    return updater.Apply(before, applied, identity.manager, forced, fields);
  };
  ManagedFields fields;
  ASSAY_ASSIGN_OR_RETURN(Updater::Applied result, attempt(force, fields));
  ApplyOutcome outcome;
  if (!result.conflicts.empty() && identity.manager == "kubectl") {
    const FieldSet allowed = updater.AllowedFromLastApplied(before);
    if (!allowed.Empty()) {
      std::erase_if(result.conflicts,
                    [&](const auto& conflict) { return allowed.Has(conflict.second); });
      if (result.conflicts.empty()) {
        ASSAY_ASSIGN_OR_RETURN(result, attempt(true, fields));
      }
    }
  }
  if (!result.conflicts.empty()) {
    for (const auto& [id, path] : result.conflicts) {
      outcome.conflicts.push_back({std::string(kConflictWith) + id.ToString(), PathToString(path)});
    }
    return outcome;
  }
  merged = result.object.has_value() ? *std::move(result.object) : before;
  if (identity.manager == "kubectl") {
    // Keeps the annotation of client-side apply true, so that users can go back to it.
    if (const json* annotations = Find(merged, "metadata", "annotations");
        annotations != nullptr && annotations->is_object() && annotations->contains(kLastApplied)) {
      json last = applied;
      if (const auto metadata = last.find("metadata"); metadata != last.end()) {
        if (const auto own = metadata->find("annotations"); own != metadata->end()) {
          own->erase(kLastApplied);
        }
      }
      merged["metadata"]["annotations"][kLastApplied] = last.dump() + "\n";
    }
  }
  SetManagedFields(merged, fields);
  return outcome;
}

Status TrackUpdate(const WriteIdentity& identity, const json& live, json& updated) {
  const Updater updater(identity);
  // What has no uid was never stored.
  const bool is_create = !live.is_object() || TextOf(live, "metadata", "uid").empty();
  json before = OrEmpty(updater, live);
  const json own_entries = ManagedFieldsOf(updated);
  ManagedFields managed;
  bool is_reset = false;
  const auto from_live = [&]() -> ManagedFields {
    Result<ManagedFields> decoded = DecodeManagedFields(ManagedFieldsOf(before));
    return decoded.ok() ? *std::move(decoded) : ManagedFields();
  };
  if (!identity.subresource.empty()) {
    managed = from_live();
  } else if (IsReset(own_entries)) {
    is_reset = true;
  } else {
    Result<ManagedFields> decoded = DecodeManagedFields(own_entries);
    managed = decoded.ok() && !decoded->empty() ? *std::move(decoded) : from_live();
  }
  RemoveManagedFields(before);
  RemoveManagedFields(updated);
  if ((managed.empty() && !is_create) || (is_reset && !is_create)) {
    // Nobody tracked this object so far, or it shall be forgotten who did.
    return OkStatus();
  }
  if (Status status = Validate(updater.type(), updated, /*allow_duplicates=*/true); !status.ok()) {
    return status.WithContext("failed to convert new object " +
                              Describe(identity, updater.api_version(), updated) + " to smd typed");
  }
  updater.Update(before, updated, identity.manager, managed);
  SetManagedFields(updated, managed);
  return OkStatus();
}

bool EqualButForTimes(const json& a, const json& b) {
  const auto without_times = [](json document) {
    if (const auto metadata = document.find("metadata"); metadata != document.end()) {
      metadata->erase("resourceVersion");
      if (const auto entries = metadata->find("managedFields"); entries != metadata->end()) {
        std::set<std::string> texts;
        for (json& entry : *entries) {
          entry.erase("time");
          texts.insert(entry.dump());
        }
        // Their order follows from the times.
        *entries = json(texts);
      }
    }
    return document;
  };
  return without_times(a) == without_times(b);
}

std::string ManagerFromUserAgent(std::string_view user_agent) {
  constexpr std::size_t kMaxLength = 128;
  return std::string(user_agent.substr(0, user_agent.find('/')).substr(0, kMaxLength));
}

}  // namespace assay::api::patch
