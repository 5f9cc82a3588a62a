// ManagedFields: metadata.managedFields as a map from manager to what it owns, and back.
//
// Source: apimachinery, util/managedfields/internal/managedfields.go, capmanagers.go.
//
// Thread-safe: values.
#ifndef ASSAY_API_PATCH_MANAGED_FIELDS_H_
#define ASSAY_API_PATCH_MANAGED_FIELDS_H_

#include <compare>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "api/meta/time.h"
#include "api/patch/field_set.h"
#include "base/result.h"

namespace assay::api::patch {

// One entry's identity. Appliers are the same in every version; updaters are one per version.
struct ManagerId {
  std::string manager;
  bool applied = false;
  std::string api_version;  // Empty for appliers.
  std::string subresource;

  // `"kubectl" with subresource "status" using v1`, as conflicts name it.
  std::string ToString() const;
  friend auto operator<=>(const ManagerId&, const ManagerId&) = default;
};

struct ManagerFields {
  FieldSet set;
  std::string api_version;
  std::optional<meta::Time> time;
};

using ManagedFields = std::map<ManagerId, ManagerFields>;

// From the JSON array (null is an empty one). kInvalidArgument for what is not an entry.
Result<ManagedFields> DecodeManagedFields(const nlohmann::json& entries);
// In upstream's order: operation, time, manager, version, subresource.
nlohmann::json EncodeManagedFields(const ManagedFields& managed);

// Merges the oldest updaters into "ancient-changes" while there are more than upstream allows (10).
void CapUpdateManagers(ManagedFields& managed);

}  // namespace assay::api::patch

#endif  // ASSAY_API_PATCH_MANAGED_FIELDS_H_
