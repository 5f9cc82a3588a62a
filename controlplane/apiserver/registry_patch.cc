// Patches: JSON, merge, strategic merge and apply. Source: apiserver,
// pkg/endpoints/handlers/patch.go.

#include <nlohmann/json.hpp>
#include <utility>

#include "api/codec/codec.h"
#include "api/meta/status.h"
#include "api/patch/field_manager.h"
#include "api/patch/patch.h"
#include "api/registry.h"
#include "api/validation/defaulting.h"
#include "controlplane/apiserver/event_view.h"
#include "controlplane/apiserver/registry.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;
namespace validation = api::validation;
using nlohmann::json;

// Answers of 422 that upstream makes with NewGenericServerResponse.
meta::Status DoesNotFit(const std::string& why) {
  meta::Status status;
  status.status = "Failure";
  status.code = 422;
  status.reason = meta::reason::kInvalid;
  status.message = "the server rejected our request due to an error in our request";
  status.details.emplace();
  status.details->causes.push_back({.reason = "UnexpectedServerResponse", .message = why});
  return status;
}

meta::Status InvalidPatch(const std::string& document, const std::string& why) {
  validation::FieldError error =
      validation::Invalid(validation::FieldPath("patch"), std::string_view(document), why);
  return meta::Invalid({"", ""}, "",
                       {{.reason = std::string(validation::FieldErrorReason(error.type)),
                         .message = error.Body(),
                         .field = error.field}},
                       validation::InvalidMessage("", "", {error}));
}

meta::Status FromPatchError(const Status& status) {
  switch (status.code()) {
    case StatusCode::kFailedPrecondition:
      return DoesNotFit(status.message());
    case StatusCode::kResourceExhausted:
      return meta::RequestEntityTooLarge(status.message());
    default:
      return meta::BadRequest(status.message());
  }
}

meta::Status ServerError(const std::string& message) {
  meta::Status status = meta::InternalError(message);
  status.reason.clear();
  status.details.reset();
  status.message = message;
  return status;
}

meta::Status Conflicted(const std::vector<api::patch::ApplyConflict>& conflicts) {
  std::vector<meta::StatusCause> causes;
  for (const api::patch::ApplyConflict& conflict : conflicts) {
    causes.push_back(
        {.reason = "FieldManagerConflict", .message = conflict.message, .field = conflict.field});
  }
  return meta::ApplyConflict(std::move(causes), api::patch::ConflictMessage(conflicts));
}

}  // namespace

// The document after an apply onto `live` (null: nothing is there yet).
ApiResult<json> Registry::Applied(const api::Kind& kind, const PatchQuery& query,
                                  const api::KindVersion& version, const store::Version* live,
                                  const RequestContext& context) const {
  if (context.field_manager.empty()) {
    return meta::Invalid(
        {"meta.k8s.io", "PatchOptions"}, "",
        {{.reason = "FieldValueRequired",
          .message = "Required value: is required for apply patch",
          .field = "fieldManager"}},
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for "
        "apply patch");
  }
  json applied = json::parse(query.body, nullptr, /*allow_exceptions=*/false);
  if (!applied.is_object()) {
    return meta::BadRequest("error decoding YAML: the patch is no object");
  }
  api::patch::WriteIdentity identity{
      .kind = &kind,
      .version = version.version,
      .manager = context.field_manager,
      .subresource = query.subresource,
      .now = clock().Now(),
      .reset_fields = validation::StrategyFor(kind).ResetFields(query.subresource)};
  json live_document = live == nullptr ? json() : json::parse(live->Json(version));
  json merged;
  Result<api::patch::ApplyOutcome> outcome =
      api::patch::Apply(identity, live_document, applied, query.force, merged);
  if (!outcome.ok()) {
    return outcome.status().code() == StatusCode::kInternal
               ? ServerError(outcome.status().message())
               : FromPatchError(outcome.status());
  }
  if (!outcome->conflicts.empty()) {
    return Conflicted(outcome->conflicts);
  }
  return merged;
}

ApiResult<api::Object> Registry::Patched(const api::Kind& kind, const PatchQuery& query,
                                         const api::KindVersion& version, const VersionPtr& current,
                                         RequestContext& context) const {
  using api::client::PatchType;
  json document;
  if (query.type == PatchType::kApply) {
    ASSAY_API_ASSIGN_OR_RETURN(document, Applied(kind, query, version, current.get(), context));
  } else {
    json live = json::parse(current->Json(version));
    json patch = json::parse(query.body, nullptr, /*allow_exceptions=*/false);
    if (patch.is_discarded()) {
      return meta::BadRequest("error decoding patch: the patch is no JSON");
    }
    Result<json> patched =
        query.type == PatchType::kJson ? api::patch::ApplyJsonPatch(live, patch)
        : query.type == PatchType::kMerge
            ? Result<json>(api::patch::ApplyMergePatch(live, patch))
            : api::patch::ApplyStrategicMergePatch(live, patch, *version.message);
    if (!patched.ok()) {
      return FromPatchError(patched.status());
    }
    document = *std::move(patched);
  }
  const std::string text = document.dump();
  Result<api::json::Decoded> decoded = api::codec::DecodeJson(
      kind, version, text,
      {.field_validation = context.field_validation, .level = options_.compatibility.level()});
  if (!decoded.ok()) {
    return InvalidPatch(text, decoded.status().message());
  }
  for (std::string& warning : decoded->warnings) {
    context.warnings.push_back(std::move(warning));
  }
  return validation::ApplyDefaults(decoded->object, clock().Now());
}

ApiResult<UpdateAnswer> Registry::Patch(const api::Kind& kind, const Key& key,
                                        const PatchQuery& query, RequestContext& context) {
  const api::KindVersion* version =
      query.version.empty() ? &kind.versions.front() : api::FindVersion(kind, query.version);
  ASSAY_CHECK(version != nullptr) << kind.kind << " has no version " << query.version;
  const bool is_apply = query.type == api::client::PatchType::kApply;
  if (is_apply && query.subresource.empty() && store_.Get(StoredKind(kind), key) == nullptr) {
    ApiResult<VersionPtr> created = CreateByApply(kind, key, query, *version, context);
    if (created.ok() || created.error().reason != meta::reason::kAlreadyExists) {
      ASSAY_API_ASSIGN_OR_RETURN(VersionPtr object, std::move(created));
      return UpdateAnswer{.object = std::move(object), .created = true};
    }
  }
  const api::Kind& stored = StoredKind(kind);
  ChangeOptions options{.kind = &stored,
                        .key = key,
                        .subresource = query.subresource,
                        .is_apply = is_apply,
                        .verb = "patch"};
  auto change = [&](const VersionPtr& current) -> ApiResult<api::Object> {
    ASSAY_API_ASSIGN_OR_RETURN(
        api::Object patched,
        Patched(kind, query, *version, ShownAs(kind, current, store_.encoder()), context));
    if (patched.name() != key.name) {
      return meta::BadRequest("the name of the object (" + patched.name() +
                              ") does not match the name on the URL (" + key.name + ")");
    }
    return ToStored(patched);
  };
  ASSAY_API_ASSIGN_OR_RETURN(UpdateAnswer answer, ChangeStored(options, change, context));
  answer.object = ShownAs(kind, answer.object, store_.encoder());
  return answer;
}

ApiResult<VersionPtr> Registry::CreateByApply(const api::Kind& kind, const Key& key,
                                              const PatchQuery& query,
                                              const api::KindVersion& version,
                                              RequestContext& context) {
  ASSAY_API_ASSIGN_OR_RETURN(json document, Applied(kind, query, version, nullptr, context));
  json& metadata = document["metadata"];
  if (metadata.value("resourceVersion", "") != "" || metadata.value("uid", "") != "") {
    // An apply of something that was there and is not any more.
    return meta::Conflict({kind.group, kind.resource}, key.name,
                          "uid or resourceVersion of an object that does not exist");
  }
  if (metadata.value("name", key.name) != key.name) {
    return meta::BadRequest("the name of the object (" + metadata["name"].get<std::string>() +
                            ") does not match the name on the URL (" + key.name + ")");
  }
  metadata["name"] = key.name;
  if (kind.namespaced) {
    metadata["namespace"] = key.namespace_;
  }
  ASSAY_API_ASSIGN_OR_RETURN(api::Object object,
                             Decode(kind, version.version, document.dump(), context));
  ASSAY_API_ASSIGN_OR_RETURN(VersionPtr created,
                             CreateOnce(ToStored(object), context, /*is_apply=*/true));
  return ShownAs(kind, created, store_.encoder());
}

}  // namespace assay::controlplane::apiserver
