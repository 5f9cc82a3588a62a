// The query parameters of requests: ListOptions and the options of writes, checked as upstream
// checks them.
//
// Source: apimachinery, pkg/apis/meta/internalversion/validation. Thread-safe: pure functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_REQUEST_OPTIONS_H_
#define ASSAY_CONTROLPLANE_APISERVER_REQUEST_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/http/message.h"
#include "controlplane/apiserver/api_result.h"

namespace assay::controlplane::apiserver {

// resourceVersionMatch, sendInitialEvents, continue: which go together.
ApiError CheckListOptions(const http::Query& query, bool watch);

// Absent: nothing. BadRequest if it is no integer.
ApiResult<std::optional<std::int64_t>> IntegerParameter(const http::Query& query,
                                                        std::string_view name);
// As apimachinery converts booleans: "false", "0" and absence are false, all else is true.
bool BooleanParameter(const http::Query& query, std::string_view name);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_REQUEST_OPTIONS_H_
