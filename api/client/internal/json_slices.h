// Splits JSON text into the raw text of its members or items, without building values: lists and
// watch events are envelopes around objects that the typed decoder then reads.
//
// It finds where values begin and end; that they are well-formed is for their decoder to say.
//
// Thread-safe: functions.
#ifndef ASSAY_API_CLIENT_INTERNAL_JSON_SLICES_H_
#define ASSAY_API_CLIENT_INTERNAL_JSON_SLICES_H_

#include <functional>
#include <string_view>

#include "base/result.h"

namespace assay::api::client::internal {

// Calls `visit` with each member's key (as written, without quotes) and value. Ends with the first
// error that `visit` returns. kInvalidArgument if `text` is no object.
Status ForEachMember(
    std::string_view text,
    const std::function<Status(std::string_view key, std::string_view value)>& visit);

// The same for the items of an array; null has none.
Status ForEachItem(std::string_view text,
                   const std::function<Status(std::string_view value)>& visit);

}  // namespace assay::api::client::internal

#endif  // ASSAY_API_CLIENT_INTERNAL_JSON_SLICES_H_
