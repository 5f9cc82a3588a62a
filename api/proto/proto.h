// Protobuf as Kubernetes puts it on the wire (application/vnd.kubernetes.protobuf): the four bytes
// "k8s\0", then runtime.Unknown, whose `raw` is the object. Built from the same schema as JSON.
//
// The bytes are those of Kubernetes' gogo-generated code: fields in the order of their numbers,
// scalars that are no pointers always written, maps sorted.
//
// Thread-safe: functions.
#ifndef ASSAY_API_PROTO_PROTO_H_
#define ASSAY_API_PROTO_PROTO_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/compatibility.h"
#include "api/json/json.h"
#include "api/object.h"
#include "api/schema/descriptor.h"
#include "base/result.h"

namespace assay::api::proto {

inline constexpr std::string_view kContentType = "application/vnd.kubernetes.protobuf";

struct DecodeOptions {
  // Fields that this level does not have are skipped, as all unknown fields are.
  Level level = Level::k1_37;
  std::size_t max_bytes = std::size_t{3} << 20;
  int max_depth = 100;
};

// runtime.Unknown without its content encoding (always empty).
struct Envelope {
  json::TypeMeta type_meta;
  std::string_view raw;      // Points into the input.
  std::string content_type;  // Of `raw`; empty: protobuf.
};

// kInvalidArgument: the magic bytes are missing, or what follows is malformed.
Result<Envelope> DecodeEnvelope(std::string_view bytes);
std::string EncodeEnvelope(const json::TypeMeta& type_meta, std::string_view raw);
// Appends one field of a message: an embedded message (a list's item) or a string.
void AppendField(std::uint32_t number, std::string_view bytes, std::string* out);

// Decodes into a fresh value of `message`. kInvalidArgument names the field whose bytes are
// malformed: "spec.pool: length 7 past the end".
Status DecodeMessage(const schema::MessageDescriptor& message, std::string_view bytes,
                     const DecodeOptions& options, void* message_data);
std::string EncodeMessage(const schema::MessageDescriptor& message, const void* message_data,
                          Level level = Level::k1_37);

// The whole of an object in its hub version, with the envelope.
Result<Object> Decode(const Kind& kind, std::string_view bytes, const DecodeOptions& options);
std::string Encode(const Object& object, Level level = Level::k1_37);

}  // namespace assay::api::proto

#endif  // ASSAY_API_PROTO_PROTO_H_
