// Protobuf's wire format, for what a google.protobuf.Any holds.
//
// Thread-safe: pure function.
#ifndef ASSAY_CEL_MESSAGE_DECODER_H_
#define ASSAY_CEL_MESSAGE_DECODER_H_

#include <optional>
#include <string_view>

#include "cel/function.h"
#include "cel/value.h"

namespace assay::cel {

// The message of the type that `type_url` ends with; nullopt if the type is none of MessageTypes()
// or the bytes are no such message.
std::optional<Value> DecodeAny(const CallContext& context, std::string_view type_url,
                               std::string_view bytes);

}  // namespace assay::cel

#endif  // ASSAY_CEL_MESSAGE_DECODER_H_
