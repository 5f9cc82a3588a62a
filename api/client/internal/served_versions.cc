#include "api/client/internal/served_versions.h"

#include <algorithm>
#include <utility>

#include "api/codec/codec.h"
#include "api/json/json.h"
#include "api/meta/types.h"

namespace assay::api::client::internal {
namespace {

constexpr json::DecodeOptions kLenient = {.field_validation = json::FieldValidation::kIgnore};

bool Lists(std::string_view resource_list, const std::string& resource) {
  const Result<meta::APIResourceList> list =
      json::DecodeAs<meta::APIResourceList>(resource_list, kLenient);
  return list.ok() && std::any_of(list->resources.begin(), list->resources.end(),
                                  [&](const auto& served) { return served.name == resource; });
}

}  // namespace

bool IsUnknownPath(int http_code, std::string_view body) {
  if (http_code != 404) {
    return false;
  }
  // kube-apiserver answers unknown paths in plain text.
  const Result<meta::Status> status = json::DecodeAs<meta::Status>(body, kLenient);
  return !status.ok() || !status->details ||
         (status->details->name.empty() && status->details->kind.empty());
}

std::string GroupVersionPath(const Kind& kind, const KindVersion& version) {
  return (kind.group.empty() ? "/api/" : "/apis/") + codec::ApiVersionOf(kind, version);
}

const KindVersion& ServedVersions::Of(const Kind& kind) const {
  const auto found = chosen_.find(&kind);
  return found == chosen_.end() ? kind.versions.front() : *found->second;
}

void ServedVersions::Rediscover(const Kind& kind, const KindVersion& refused,
                                std::function<void(bool)> done) {
  if (&Of(kind) != &refused) {
    done(true);  // Another request has found it meanwhile.
  } else if (kind.versions.size() == 1) {
    done(false);
  } else {
    TryNext(kind, refused, 0, std::move(done));
  }
}

void ServedVersions::TryNext(const Kind& kind, const KindVersion& refused, std::size_t index,
                             std::function<void(bool)> done) {
  if (index == kind.versions.size()) {
    done(false);
    return;
  }
  const KindVersion& candidate = kind.versions[index];
  fetch_(GroupVersionPath(kind, candidate),
         [this, &kind, &refused, &candidate, index,
          done = std::move(done)](std::string_view body) mutable {
           if (!Lists(body, kind.resource)) {
             TryNext(kind, refused, index + 1, std::move(done));
             return;
           }
           chosen_[&kind] = &candidate;
           done(&candidate != &refused);
         });
}

}  // namespace assay::api::client::internal
