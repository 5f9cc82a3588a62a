// VersionCodec: objects to and from the JSON of each version that their kind is served in.
//
// Each version is decoded strictly in its own schema, then converted (api/conversion/conversion.h).
//
// Thread-safe: functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_VERSION_CODEC_H_
#define ASSAY_CONTROLPLANE_APISERVER_VERSION_CODEC_H_

#include <string>
#include <string_view>

#include "api/compatibility.h"
#include "api/json/json.h"
#include "api/object.h"
#include "base/result.h"

namespace assay::controlplane::apiserver {

std::string EncodeVersion(const api::Object& object, const api::KindVersion& version,
                          api::Level level);

// kInvalidArgument with Go's text.
Result<api::json::Decoded> DecodeVersion(const api::Kind& kind, const api::KindVersion& version,
                                         std::string_view json,
                                         const api::json::DecodeOptions& options);

// From protobuf: the bytes within the envelope.
Result<api::Object> DecodeProtoVersion(const api::Kind& kind, const api::KindVersion& version,
                                       std::string_view bytes, api::Level level);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_VERSION_CODEC_H_
