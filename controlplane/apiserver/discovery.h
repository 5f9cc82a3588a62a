// Discovery: which groups, versions and resources the server has: the documents at /api, /apis,
// /api/v1, /apis/<group> and /apis/<group>/<version>, and their aggregated form.
//
// Thread-safe: pure functions. The documents come as JSON or protobuf.
#ifndef ASSAY_CONTROLPLANE_APISERVER_DISCOVERY_H_
#define ASSAY_CONTROLPLANE_APISERVER_DISCOVERY_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/codec/codec.h"
#include "api/compatibility.h"
#include "api/object.h"

namespace assay::controlplane::apiserver {

// The kinds that are served at `level`, in the order of discovery.
std::vector<const api::Kind*> ServedKinds(api::Level level);

// The subresources of a kind, but its status: "binding", "eviction", "finalize".
std::vector<std::string_view> ExtraSubresources(const api::Kind& kind);

// /api
std::string CoreVersionsDocument(std::string_view server_address, api::codec::Format format);
// /apis
std::string GroupListDocument(api::Level level, api::codec::Format format);
// /apis/<group>, or nothing if it is not served.
std::optional<std::string> GroupDocument(std::string_view group, api::Level level,
                                         api::codec::Format format);
// /api/v1 and /apis/<group>/<version>, or nothing.
std::optional<std::string> ResourceListDocument(std::string_view group, std::string_view version,
                                                api::Level level, api::codec::Format format);
// APIGroupDiscoveryList (apidiscovery.k8s.io/v2): at /api of the core group, at /apis of all
// others.
std::string AggregatedDocument(bool core, api::Level level, api::codec::Format format);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_DISCOVERY_H_
