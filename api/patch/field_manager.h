// FieldManager: server-side apply, and who owns which field (metadata.managedFields).
//
// Every write goes through here. An API server calls, in this order:
//
//   an apply:        Apply, then defaulting and validation::BeforeUpdate, then the store;
//   any other write: the request's own change and defaulting, TrackUpdate, then
//                    validation::BeforeCreate or BeforeUpdate, then the store;
//
// and drops the write if nothing but times in managedFields changed.
// Documents are JSON objects in the version of the request.
//
// Source: structured-merge-diff/v6, merge/update.go; apimachinery, util/managedfields. The rules
// for lists (atomic, set, map with keys) and for granular structs come from the schema.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_PATCH_FIELD_MANAGER_H_
#define ASSAY_API_PATCH_FIELD_MANAGER_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "base/clock.h"
#include "base/result.h"

namespace assay::api::patch {

struct WriteIdentity {
  const Kind* kind = nullptr;  // Not null.
  std::string version;         // Of the documents: "v1", "v1beta2".
  std::string manager;         // fieldManager, or ManagerFromUserAgent; empty is "unknown".
  std::string subresource;     // "" or "status"
  WallTime now;
  // validation::Strategy::ResetFields of the subresource: never owned. Dots descend.
  std::vector<std::string> reset_fields;
};

// One field that somebody else owns with another value.
struct ApplyConflict {
  // `conflict with "kubectl" using v1`, the message of a cause.
  std::string message;
  std::string field;  // ".spec.containers[name=\"a\"].image"
};

// The message of the 409 answer: `Apply failed with 1 conflict: conflict with "a": .spec.x`, or a
// list by manager.
std::string ConflictMessage(const std::vector<ApplyConflict>& conflicts);

struct ApplyOutcome {
  // Empty if `merged` was written.
  std::vector<ApplyConflict> conflicts;
};

// Merges `applied` (what the manager wants) into `live` (what is stored; null or {} to create) and
// writes the result, with its new managedFields, to `merged`. With `force` there are no conflicts:
// fields change their owner.
//
// kInvalidArgument (a 400): `applied` is of another kind or version, or carries managedFields.
// kInternal (a 500, as upstream): it does not fit the schema:
// `failed to create typed patch object (ns/name; v1, Kind=Pod): .spec.foo: field not declared in
// schema`.
Result<ApplyOutcome> Apply(const WriteIdentity& identity, const nlohmann::json& live,
                           const nlohmann::json& applied, bool force, nlohmann::json& merged);

// Writes metadata.managedFields of `updated`, which replaces `live` (null or {} on create) and was
// not made by an apply: changed and new fields go to the manager's Update entry. If `updated` has
// managedFields that make sense, those are the starting point (a client may edit them), unless this
// is a subresource; a list with one empty entry, or an empty list, gives up all ownership.
Status TrackUpdate(const WriteIdentity& identity, const nlohmann::json& live,
                   nlohmann::json& updated);

// Whether two documents differ in nothing but times of managedFields (and resourceVersion).
bool EqualButForTimes(const nlohmann::json& a, const nlohmann::json& b);

// The default field manager of a User-Agent: "kubectl/v1.36.3 (linux/amd64) ..." is "kubectl".
std::string ManagerFromUserAgent(std::string_view user_agent);

}  // namespace assay::api::patch

#endif  // ASSAY_API_PATCH_FIELD_MANAGER_H_
