// Registry: every Kind that Assay knows, found by group and resource, group and kind, or the name
// that a user types.
//
//   const Kind* kind = FindByResource("resource.k8s.io", "resourceclaims");
//
// Thread-safe: immutable.
#ifndef ASSAY_API_REGISTRY_H_
#define ASSAY_API_REGISTRY_H_

#include <span>
#include <string_view>
#include <vector>

#include "api/compatibility.h"
#include "api/object.h"

namespace assay::api {

// All kinds that objects can be stored of, in the order of groups as Kubernetes' discovery lists
// them, then by resource.
std::span<const Kind* const> AllKinds();

// Null where there is none. `resource` is the plural in lower case.
const Kind* FindByResource(std::string_view group, std::string_view resource);
const Kind* FindByKind(std::string_view group, std::string_view kind);
// From `apiVersion` ("v1", "resource.k8s.io/v1beta1") and `kind`; the version must exist at some
// level.
const Kind* FindByApiVersion(std::string_view api_version, std::string_view kind);
// As kubectl resolves an argument: plural, singular, short name, each also with ".group". The first
// in the order of AllKinds.
const Kind* FindByAnyName(std::string_view name);

// The version of this name, or null; at a level only what is served there.
const KindVersion* FindVersion(const Kind& kind, std::string_view version);
const KindVersion* FindVersion(const Kind& kind, std::string_view version, Level level);
// The version that discovery prefers at `level`, or null if the kind is not served at it.
const KindVersion* PreferredVersion(const Kind& kind, Level level);

struct GroupVersion {
  std::string group;
  std::string version;
  friend bool operator==(const GroupVersion&, const GroupVersion&) = default;
};
// The groups with their served versions at `level`, in the order of discovery; of one group the
// preferred version first.
std::vector<GroupVersion> ServedGroupVersions(Level level);

// A message that is no stored kind but goes over the wire under an apiVersion and kind of its own
// (DeleteOptions, Status, Scale, TokenReview, Binding, Eviction), or null.
const schema::MessageDescriptor* FindWireMessage(std::string_view api_version,
                                                 std::string_view kind);

}  // namespace assay::api

#endif  // ASSAY_API_REGISTRY_H_
