// Lists: resource versions, paging. Source: apiserver, pkg/storage/etcd3/store.go (GetList) and
// pkg/storage/continue.go.

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/meta/status.h"
#include "base/base64.h"
#include "controlplane/apiserver/event_view.h"
#include "controlplane/apiserver/registry.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;
using nlohmann::json;

constexpr std::string_view kContinueTooOld =
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list.";
// In a continue token: whatever version is there now.
constexpr std::int64_t kAnyVersion = -1;

struct ContinueToken {
  std::int64_t version = 0;
  std::string start;  // The key after which to go on.
};

std::string EncodeContinue(const ContinueToken& token) {
  json document{{"v", "meta.k8s.io/v1"}, {"rv", token.version}, {"start", token.start}};
  return EncodeBase64Url(document.dump());
}

ApiResult<ContinueToken> DecodeContinue(const std::string& text) {
  Result<std::string> decoded = DecodeBase64Url(text);
  json document = json::parse(decoded.value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || document.value("v", json()) != "meta.k8s.io/v1" ||
      !document.value("rv", json()).is_number_integer() ||
      !document.value("start", json()).is_string() || document["rv"] == 0 ||
      document["start"] == "") {
    return meta::BadRequest("continue key is not valid");
  }
  return ContinueToken{document["rv"].get<std::int64_t>(), document["start"].get<std::string>()};
}

}  // namespace

ApiResult<std::uint64_t> ParseResourceVersion(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) {
    return meta::BadRequest("resourceVersion: Invalid value: \"" + std::string(text) +
                            "\": strconv.ParseUint: parsing \"" + std::string(text) +
                            "\": invalid syntax");
  }
  return value;
}

// Source: apiserver, pkg/storage/errors.go, NewTooLargeResourceVersionError.
meta::Status TooLargeResourceVersion(std::uint64_t asked, std::uint64_t current) {
  meta::Status status = meta::Timeout("Too large resource version: " + std::to_string(asked) +
                                          ", current: " + std::to_string(current),
                                      1);
  status.details->causes = {
      {.reason = "ResourceVersionTooLarge", .message = "Too large resource version"}};
  return status;
}

ApiResult<ListAnswer> Registry::List(const api::Kind& kind, const ListQuery& query) const {
  store::Store::ListOptions options{.namespace_ = query.namespace_};
  const bool exact_asked = query.resource_version_match == "Exact";
  if (!query.continue_.empty()) {
    if (!query.resource_version.empty() && query.resource_version != "0") {
      return meta::BadRequest("specifying resource version is not allowed when using continue");
    }
    ASSAY_API_ASSIGN_OR_RETURN(ContinueToken token, DecodeContinue(query.continue_));
    options.after = token.start;
    if (token.version != kAnyVersion) {
      options.at = static_cast<std::uint64_t>(token.version);
    }
  } else if (!query.resource_version.empty() && query.resource_version != "0") {
    ASSAY_API_ASSIGN_OR_RETURN(std::uint64_t version, ParseResourceVersion(query.resource_version));
    std::uint64_t current = store_.resource_version();
    if (version > current) {
      return TooLargeResourceVersion(version, current);
    }
    // A limit with a version and no match is exact, for old clients.
    if (exact_asked || (query.resource_version_match.empty() && query.limit > 0)) {
      options.at = version;
    }
  }
  Result<store::Store::Snapshot> snapshot = store_.List(StoredKind(kind), options);
  if (!snapshot.ok()) {
    if (snapshot.status().code() != StatusCode::kOutOfRange) {
      return meta::BadRequest(snapshot.status().message());
    }
    if (query.continue_.empty()) {
      return meta::Expired(snapshot.status().message());
    }
    meta::Status status = meta::Expired(kContinueTooOld);
    status.metadata.continue_ = EncodeContinue({kAnyVersion, options.after});
    return status;
  }

  ListAnswer answer{.resource_version = snapshot->resource_version};
  const auto limit = static_cast<std::size_t>(query.limit > 0 ? query.limit : 0);
  const bool everything = query.selection.MatchesEverything();
  std::size_t scanned = 0;
  for (VersionPtr& item : snapshot->items) {
    if (limit > 0 && answer.items.size() == limit) {
      break;
    }
    ++scanned;
    if (everything || query.selection.Matches(item->object())) {
      answer.items.push_back(ShownAs(kind, item, store_.encoder()));
    }
  }
  if (scanned < snapshot->items.size()) {
    const api::Object& last = answer.items.back()->object();
    answer.continue_ = EncodeContinue({static_cast<std::int64_t>(snapshot->resource_version),
                                       Key{last.namespace_(), last.name()}.ToString()});
    if (everything) {
      answer.remaining_item_count = static_cast<std::int64_t>(snapshot->items.size() - scanned);
    }
  }
  return answer;
}

}  // namespace assay::controlplane::apiserver
