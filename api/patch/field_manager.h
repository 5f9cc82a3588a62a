// FieldManager: server-side apply, and who owns which field (metadata.managedFields).
//
// Every write goes through here, in the order: Apply or the request's own change, then
// validation::BeforeUpdate, then TrackUpdate for all but applies. Documents are JSON objects in the
// version of the request.
//
// Source: structured-merge-diff/v6 and apimachinery, util/managedfields. The rules for lists
// (atomic, set, map with keys) and for granular structs come from the schema
// (api/schema/descriptor.h).
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_PATCH_FIELD_MANAGER_H_
#define ASSAY_API_PATCH_FIELD_MANAGER_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/clock.h"
#include "base/result.h"

namespace assay::api::patch {

struct WriteIdentity {
  const Kind* kind = nullptr;  // Not null.
  std::string version;         // Of the documents: "v1", "v1beta2".
  std::string manager;         // fieldManager, or the first part of the User-Agent
  std::string subresource;     // "" or "status"
  WallTime now;
  // validation::Strategy::ResetFields of the subresource: never owned.
  std::vector<std::string> reset_fields;
};

// One field that somebody else owns with another value.
struct ApplyConflict {
  // `conflict with "kubectl" using v1: .spec.x`, as upstream words it.
  std::string message;
  std::string field;  // ".spec.containers[name=\"a\"].image"
};

// The text of the 409 answer: `Apply failed with 1 conflict: conflict with "a": .spec.x`.
std::string ConflictMessage(const std::vector<ApplyConflict>& conflicts);

struct ApplyOutcome {
  // The merged object with its new metadata.managedFields, if there are no conflicts.
  // Same object as `live` byte for byte if nothing changed, so that an apply without effect writes
  // nothing.
  std::vector<ApplyConflict> conflicts;
};

// Merges `applied` (what the manager wants) into `live` (what is stored; null or {} to create) and
// writes the result to `merged`. kInvalidArgument: `applied` does not fit the schema, or carries
// managedFields. With `force` there are no conflicts: fields change their owner.
Result<ApplyOutcome> Apply(const WriteIdentity& identity, const nlohmann::json& live,
                           const nlohmann::json& applied, bool force, nlohmann::json& merged);

// Writes metadata.managedFields of `updated`, which replaces `live` (null or {} on create) and was
// not made by an apply: changed and new fields go to the manager's Update entry. An `updated` whose
// managedFields are an empty list resets them, as upstream does.
Status TrackUpdate(const WriteIdentity& identity, const nlohmann::json& live,
                   nlohmann::json& updated);

// The default field manager of a User-Agent: "kubectl/v1.36.3 (linux/amd64) ..." is "kubectl".
std::string ManagerFromUserAgent(std::string_view user_agent);

}  // namespace assay::api::patch

#endif  // ASSAY_API_PATCH_FIELD_MANAGER_H_
