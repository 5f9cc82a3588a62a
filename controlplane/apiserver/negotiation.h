// Negotiation: in which form a client wants its answer (Accept), and how a body's bytes become an
// object (Content-Type).
//
// Thread-safe: pure functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_NEGOTIATION_H_
#define ASSAY_CONTROLPLANE_APISERVER_NEGOTIATION_H_

#include <optional>
#include <string>
#include <string_view>

#include "api/codec/codec.h"

namespace assay::controlplane::apiserver {

enum class OutputForm {
  kObject,
  kTable,                // as=Table;v=v1;g=meta.k8s.io
  kPartialMetadata,      // as=PartialObjectMetadata or PartialObjectMetadataList
  kAggregatedDiscovery,  // as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io
};

struct Output {
  OutputForm form = OutputForm::kObject;
  api::codec::Format format = api::codec::Format::kJson;
  friend bool operator==(const Output&, const Output&) = default;
};

// What of `accept` can be served and is wanted most; nothing: 406. Tables are JSON only.
// `discovery`: the path is /api or /apis, where aggregated discovery can be had.
std::optional<Output> NegotiateOutput(std::string_view accept, bool discovery);

enum class BodyFormat {
  kJson,
  kYaml,
  kProtobuf,
  kJsonPatch,
  kMergePatch,
  kStrategicMergePatch,
  kApplyYaml,
  kUnsupported
};

// Of a Content-Type; none: JSON.
BodyFormat FormatOf(std::string_view content_type);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_NEGOTIATION_H_
