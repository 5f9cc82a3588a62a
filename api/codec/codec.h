// Codec: objects to and from the JSON and protobuf of each version that their kind is served in.
//
// Each version is decoded in its own schema, then converted (api/conversion/conversion.h).
//
//   ASSAY_ASSIGN_OR_RETURN(Decoded decoded, codec::DecodeJson(kind, v1beta1, text, {}));
//   std::string text = codec::EncodeJson(decoded.object, v1beta1);
//
// Thread-safe: functions.
#ifndef ASSAY_API_CODEC_CODEC_H_
#define ASSAY_API_CODEC_CODEC_H_

#include <string>
#include <string_view>

#include "api/compatibility.h"
#include "api/json/json.h"
#include "api/object.h"
#include "base/result.h"

namespace assay::api::codec {

enum class Format { kJson, kProtobuf };

// "application/json", "application/vnd.kubernetes.protobuf"
std::string_view MediaTypeOf(Format format);

// A message that is no stored object (Status, a list's metadata, discovery): JSON, or protobuf with
// its envelope.
std::string EncodeMessage(const schema::MessageDescriptor& message, const void* message_data,
                          const json::TypeMeta& type_meta, Format format);
template <typename T>
std::string EncodeAs(const T& value, const json::TypeMeta& type_meta, Format format) {
  return EncodeMessage(schema::DescriptorOf<T>(), &value, type_meta, format);
}

// "resource.k8s.io/v1beta1"
std::string ApiVersionOf(const Kind& kind, const KindVersion& version);

// JSON, or the protobuf bytes of the object alone, without an envelope (api/proto/proto.h). Fields
// that `level` does not have are left out.
std::string Encode(const Object& object, const KindVersion& version, Format format,
                   Level level = Level::k1_37);
inline std::string EncodeJson(const Object& object, const KindVersion& version,
                              Level level = Level::k1_37) {
  return Encode(object, version, Format::kJson, level);
}

// kInvalidArgument with Go's text; also for an apiVersion or kind that is another.
Result<json::Decoded> DecodeJson(const Kind& kind, const KindVersion& version,
                                 std::string_view text, const json::DecodeOptions& options);

// From protobuf: the bytes within the envelope.
Result<Object> DecodeProto(const Kind& kind, const KindVersion& version, std::string_view bytes,
                           Level level = Level::k1_37);

}  // namespace assay::api::codec

#endif  // ASSAY_API_CODEC_CODEC_H_
