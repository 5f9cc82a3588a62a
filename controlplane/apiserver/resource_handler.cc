#include "controlplane/apiserver/resource_handler.h"

#include <charconv>
#include <utility>

#include "api/authentication/types.h"
#include "api/core/types.h"
#include "api/json/json.h"
#include "api/meta/status.h"
#include "api/policy/types.h"
#include "api/proto/proto.h"
#include "base/yaml/yaml.h"
#include "controlplane/apiserver/request_options.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;

// Of a service account's token. Source: registry/core/serviceaccount/storage/token.go.
constexpr std::int64_t kTokenSeconds = 3600;
constexpr std::int64_t kMinTokenSeconds = 600;

meta::Status UnsupportedBody() {
  return meta::UnsupportedMediaType(
      "the body of the request was in an unknown format - accepted media types include: "
      "application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

meta::GroupResource ResourceOf(const ApiCall& call) {
  return {call.kind().group, call.kind().resource};
}

// Kinds whose deletion is answered with the object instead of a Status (ReturnDeletedObject in
// pkg/registry).
bool ReturnsDeletedObject(const api::Kind& kind) {
  static const auto* kinds = new std::set<std::pair<std::string, std::string>>{
      {"", "namespaces"},
      {"", "persistentvolumeclaims"},
      {"", "persistentvolumes"},
      {"", "pods"},
      {"", "podtemplates"},
      {"", "resourcequotas"},
      {"", "serviceaccounts"},
      {"", "services"},
      {"resource.k8s.io", "deviceclasses"},
      {"resource.k8s.io", "devicetaintrules"},
      {"resource.k8s.io", "resourceclaims"},
      {"resource.k8s.io", "resourceclaimtemplates"},
      {"resource.k8s.io", "resourcepoolstatusrequests"},
      {"resource.k8s.io", "resourceslices"},
      {"storage.k8s.io", "csidrivers"},
      {"storage.k8s.io", "csinodes"},
      {"storage.k8s.io", "storageclasses"},
      {"storage.k8s.io", "volumeattachments"},
      {"storage.k8s.io", "volumeattributesclasses"}};
  return kinds->contains({kind.group, kind.resource});
}

Result<std::string> YamlToJson(const std::string& text) {
  ASSAY_ASSIGN_OR_RETURN(yaml::Node node, yaml::Parse(text, "body"));
  return yaml::ToJson(node);
}

// Adds to `user` what a token says that is bound to an object. Source:
// registry/core/serviceaccount/storage/token.go. Of what a token may be bound to, a pod tells on
// which node it is; the others tell nothing that matters here.
ApiError BindToken(const Registry& registry, const api::authentication::BoundObjectReference& bound,
                   const Key& account, User& user) {
  if (bound.kind != "Pod") {
    return std::nullopt;
  }
  ApiResult<VersionPtr> found =
      registry.Get(api::KindOf<api::core::Pod>(), {account.namespace_, bound.name});
  if (!found.ok()) {
    return found.error();
  }
  const auto& pod = (*found)->object().As<api::core::Pod>();
  const meta::GroupResource pods{"", "pods"};
  if (!bound.uid.empty() && bound.uid != pod.metadata.uid) {
    return meta::Conflict(pods, bound.name,
                          "the UID in the bound object reference (" + bound.uid +
                              ") does not match the UID in record. The object might have been "
                              "deleted and then recreated");
  }
  const std::string& its_account = pod.spec.service_account_name;
  if ((its_account.empty() ? "default" : its_account) != account.name) {
    return meta::BadRequest("cannot bind token for serviceaccount \"" + account.name +
                            "\" to pod running with different serviceaccount name.");
  }
  user.extra["authentication.kubernetes.io/pod-name"] = {pod.metadata.name};
  user.extra["authentication.kubernetes.io/pod-uid"] = {pod.metadata.uid};
  if (!pod.spec.node_name.empty()) {
    user.extra["authentication.kubernetes.io/node-name"] = {pod.spec.node_name};
  }
  return std::nullopt;
}

}  // namespace

ApiError DecodeWireMessage(const ApiCall& call, const api::MessageDescriptor& message,
                           void* message_data) {
  const std::string& body = call.request.body;
  Status status;
  switch (FormatOf(call.request.headers.Get("Content-Type"))) {
    case BodyFormat::kJson: {
      auto decoded = api::json::DecodeMessage(
          message, body, {.field_validation = api::json::FieldValidation::kIgnore}, message_data);
      status = decoded.status();
      break;
    }
    case BodyFormat::kProtobuf: {
      Result<api::proto::Envelope> envelope = api::proto::DecodeEnvelope(body);
      status = envelope.ok() ? api::proto::DecodeMessage(message, envelope->raw, {}, message_data)
                             : envelope.status();
      break;
    }
    default:
      return UnsupportedBody();
  }
  if (!status.ok()) {
    return meta::BadRequest(status.message());
  }
  return std::nullopt;
}

Answer ResourceHandler::Handle(ApiCall& call) {
  const RequestInfo& info = call.route.info;
  const std::string& sub = info.subresource;
  const api::Kind& kind = call.kind();
  if (ApiError error = ReadWriteOptions(call)) {
    return StatusAnswer(*error);
  }
  if (info.verb == "create" && !sub.empty()) {
    if (sub == "binding" && &kind == &api::KindOf<api::core::Pod>()) {
      return Bind(call);
    }
    if (sub == "eviction" && &kind == &api::KindOf<api::core::Pod>()) {
      return Evict(call);
    }
    if (sub == "token" && &kind == &api::KindOf<api::core::ServiceAccount>()) {
      return RequestToken(call);
    }
  }
  bool finalize = sub == "finalize" && &kind == &api::KindOf<api::core::Namespace>();
  bool status = sub == "status" && kind.has_status;
  if (!sub.empty() && !finalize && !status) {
    return StatusAnswer(meta::PathNotFound());
  }
  if (kind.namespaced && info.namespace_.empty() && info.verb != "list") {
    return StatusAnswer(meta::MethodNotAllowed(ResourceOf(call), info.verb));
  }
  if (info.verb == "get") {
    return Get(call);
  }
  if (info.verb == "list" && sub.empty()) {
    return List(call);
  }
  if (info.verb == "create" && info.name.empty()) {
    return Create(call);
  }
  if (info.verb == "update" && !info.name.empty()) {
    return Update(call);
  }
  if (info.verb == "patch" && !info.name.empty()) {
    return Patch(call);
  }
  if (info.verb == "delete" && sub.empty()) {
    return Delete(call);
  }
  if (info.verb == "deletecollection") {
    return DeleteCollection(call);
  }
  return StatusAnswer(meta::MethodNotAllowed(ResourceOf(call), info.verb));
}

WriteForm ResourceHandler::FormOf(const ApiCall& call) const {
  WriteForm form{.version = &call.version(), .output = call.output, .now = registry_.clock().Now()};
  std::string_view include = call.query().Get("includeObject");
  form.include_object = include == "None"     ? api::table::IncludeObject::kNone
                        : include == "Object" ? api::table::IncludeObject::kObject
                                              : api::table::IncludeObject::kMetadata;
  return form;
}

Answer ResourceHandler::ObjectAnswer(const ApiCall& call, int code,
                                     const VersionPtr& object) const {
  return {.code = code,
          .body = WriteObject(*object, FormOf(call)),
          .content_type = std::string(api::codec::MediaTypeOf(call.output.format))};
}

Answer ResourceHandler::ListAnswerOf(const ApiCall& call, const ListAnswer& list) const {
  return {.body = WriteList(call.kind(), list, FormOf(call)),
          .content_type = std::string(api::codec::MediaTypeOf(call.output.format))};
}

Answer ResourceHandler::Get(ApiCall& call) {
  ApiResult<VersionPtr> found = registry_.Get(call.kind(), call.key());
  return found.ok() ? ObjectAnswer(call, 200, *found) : StatusAnswer(found.error());
}

ApiResult<ListQuery> ResourceHandler::ListQueryOf(const ApiCall& call) const {
  const http::Query& query = call.query();
  ASSAY_API_RETURN_IF_ERROR(CheckListOptions(query, /*watch=*/false));
  Result<Selection> selection =
      Selection::Parse(call.kind(), registry_.compatibility().level(), query.Get("labelSelector"),
                       query.Get("fieldSelector"));
  if (!selection.ok()) {
    return meta::BadRequest(selection.status().message());
  }
  ASSAY_API_ASSIGN_OR_RETURN(std::optional<std::int64_t> limit, IntegerParameter(query, "limit"));
  return ListQuery{.namespace_ = call.kind().namespaced ? call.route.info.namespace_ : "",
                   .selection = *std::move(selection),
                   .resource_version = std::string(query.Get("resourceVersion")),
                   .resource_version_match = std::string(query.Get("resourceVersionMatch")),
                   .limit = limit.value_or(0),
                   .continue_ = std::string(query.Get("continue"))};
}

Answer ResourceHandler::List(ApiCall& call) {
  ApiResult<ListQuery> query = ListQueryOf(call);
  if (!query.ok()) {
    return StatusAnswer(query.error());
  }
  ApiResult<ListAnswer> list = registry_.List(call.kind(), *query);
  if (!list.ok()) {
    return StatusAnswer(list.error());
  }
  return ListAnswerOf(call, *list);
}

ApiResult<ResourceHandler::WatchPlan> ResourceHandler::PlanWatch(const ApiCall& call) const {
  const http::Query& query = call.query();
  ASSAY_API_RETURN_IF_ERROR(CheckListOptions(query, /*watch=*/true));
  Result<Selection> selection =
      Selection::Parse(call.kind(), registry_.compatibility().level(), query.Get("labelSelector"),
                       query.Get("fieldSelector"));
  if (!selection.ok()) {
    return meta::BadRequest(selection.status().message());
  }
  WatchPlan plan;
  plan.query = {.namespace_ = call.kind().namespaced ? call.route.info.namespace_ : "",
                .selection = *std::move(selection),
                .resource_version = std::string(query.Get("resourceVersion"))};
  if (query.Find("sendInitialEvents") != nullptr) {
    plan.query.send_initial_events = BooleanParameter(query, "sendInitialEvents");
  }
  plan.bookmarks = BooleanParameter(query, "allowWatchBookmarks");
  ASSAY_API_ASSIGN_OR_RETURN(plan.timeout_seconds, IntegerParameter(query, "timeoutSeconds"));
  return plan;
}

ApiResult<api::Object> ResourceHandler::DecodeBody(ApiCall& call) const {
  const std::string& body = call.request.body;
  ApiResult<api::Object> decoded = UnsupportedBody();
  switch (FormatOf(call.request.headers.Get("Content-Type"))) {
    case BodyFormat::kJson:
      decoded = registry_.Decode(call.kind(), call.version().version, body, call.context);
      break;
    case BodyFormat::kYaml: {
      Result<std::string> json = YamlToJson(body);
      decoded = json.ok()
                    ? registry_.Decode(call.kind(), call.version().version, *json, call.context)
                    : ApiResult<api::Object>(meta::BadRequest(json.status().message()));
      break;
    }
    case BodyFormat::kProtobuf:
      decoded = registry_.DecodeProto(call.kind(), call.version().version, body);
      break;
    default:
      break;
  }
  if (!decoded.ok()) {
    return decoded;
  }
  // Source: handlers/rest.go: the object must be the one that the URL names.
  Draft draft = Draft::CopyOf(*decoded);
  meta::ObjectMeta& metadata = draft.metadata();
  const Key key = call.key();
  if (metadata.namespace_.empty()) {
    metadata.namespace_ = key.namespace_;
  } else if (metadata.namespace_ != key.namespace_) {
    return meta::BadRequest(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  if (!key.name.empty() && metadata.name != key.name) {
    return meta::BadRequest(metadata.name.empty()
                                ? "name must be provided"
                                : "the name of the object (" + metadata.name +
                                      ") does not match the name on the URL (" + key.name + ")");
  }
  return std::move(draft).Freeze();
}

Answer ResourceHandler::Create(ApiCall& call) {
  ApiResult<api::Object> object = DecodeBody(call);
  if (!object.ok()) {
    return StatusAnswer(object.error());
  }
  ApiResult<VersionPtr> created = registry_.Create(*object, call.context);
  return created.ok() ? ObjectAnswer(call, 201, *created) : StatusAnswer(created.error());
}

Answer ResourceHandler::Update(ApiCall& call) {
  ApiResult<api::Object> object = DecodeBody(call);
  if (!object.ok()) {
    return StatusAnswer(object.error());
  }
  ApiResult<UpdateAnswer> updated =
      registry_.Update(*object, call.route.info.subresource, call.context);
  if (!updated.ok()) {
    return StatusAnswer(updated.error());
  }
  return ObjectAnswer(call, updated->created ? 201 : 200, updated->object);
}

Answer ResourceHandler::Patch(ApiCall& call) {
  using api::client::PatchType;
  PatchQuery query{.body = call.request.body,
                   .version = call.version().version,
                   .subresource = call.route.info.subresource,
                   .force = BooleanParameter(call.query(), "force")};
  switch (FormatOf(call.request.headers.Get("Content-Type"))) {
    case BodyFormat::kJsonPatch:
      query.type = PatchType::kJson;
      break;
    case BodyFormat::kMergePatch:
      query.type = PatchType::kMerge;
      break;
    case BodyFormat::kStrategicMergePatch:
      query.type = PatchType::kStrategicMerge;
      break;
    case BodyFormat::kApplyYaml: {
      query.type = PatchType::kApply;
      Result<std::string> json = YamlToJson(query.body);
      if (!json.ok()) {
        return StatusAnswer(meta::BadRequest("error decoding YAML: " + json.status().message()));
      }
      query.body = *std::move(json);
      break;
    }
    default:
      return StatusAnswer(meta::UnsupportedMediaType(
          "the body of the request was in an unknown format - accepted media types include: "
          "application/json-patch+json, application/merge-patch+json, "
          "application/strategic-merge-patch+json, application/apply-patch+yaml"));
  }
  ApiResult<UpdateAnswer> patched = registry_.Patch(call.kind(), call.key(), query, call.context);
  if (!patched.ok()) {
    return StatusAnswer(patched.error());
  }
  return ObjectAnswer(call, patched->created ? 201 : 200, patched->object);
}

ApiResult<DeleteQuery> ResourceHandler::DeleteQueryOf(ApiCall& call) const {
  DeleteQuery query;
  const http::Query& parameters = call.query();
  if (call.request.body.empty()) {
    ASSAY_API_ASSIGN_OR_RETURN(query.grace_period_seconds,
                               IntegerParameter(parameters, "gracePeriodSeconds"));
    if (const std::string* policy = parameters.Find("propagationPolicy")) {
      query.propagation_policy = *policy;
    }
    if (parameters.Find("orphanDependents") != nullptr) {
      query.orphan_dependents = BooleanParameter(parameters, "orphanDependents");
    }
    return query;
  }
  meta::DeleteOptions options;
  ASSAY_API_RETURN_IF_ERROR(
      DecodeWireMessage(call, api::schema::DescriptorOf<meta::DeleteOptions>(), &options));
  query.grace_period_seconds = options.grace_period_seconds;
  query.propagation_policy = std::move(options.propagation_policy);
  query.orphan_dependents = options.orphan_dependents;
  if (options.preconditions) {
    query.uid = std::move(options.preconditions->uid);
    query.resource_version = std::move(options.preconditions->resource_version);
  }
  if (!options.dry_run.empty()) {
    call.context.dry_run = true;
  }
  return query;
}

Answer ResourceHandler::Delete(ApiCall& call) {
  ApiResult<DeleteQuery> query = DeleteQueryOf(call);
  if (!query.ok()) {
    return StatusAnswer(query.error());
  }
  bool cascade = query->orphan_dependents && !*query->orphan_dependents;
  ApiResult<DeleteAnswer> deleted = registry_.Delete(call.kind(), call.key(), *query, call.context);
  if (!deleted.ok()) {
    return StatusAnswer(deleted.error());
  }
  if (!deleted->deleted || ReturnsDeletedObject(call.kind())) {
    return ObjectAnswer(call, !deleted->deleted && cascade ? 202 : 200, deleted->object);
  }
  const meta::ObjectMeta& metadata = deleted->object->object().metadata();
  meta::Status status = meta::SuccessStatus();
  status.details = meta::StatusDetails{.name = metadata.name,
                                       .group = call.kind().group,
                                       .kind = call.kind().resource,  // Upstream's choice.
                                       .uid = metadata.uid};
  return StatusAnswer(status);
}

Answer ResourceHandler::DeleteCollection(ApiCall& call) {
  ApiResult<ListQuery> which = ListQueryOf(call);
  if (!which.ok()) {
    return StatusAnswer(which.error());
  }
  ApiResult<DeleteQuery> query = DeleteQueryOf(call);
  if (!query.ok()) {
    return StatusAnswer(query.error());
  }
  ApiResult<ListAnswer> deleted =
      registry_.DeleteCollection(call.kind(), *which, *query, call.context);
  if (!deleted.ok()) {
    return StatusAnswer(deleted.error());
  }
  return ListAnswerOf(call, *deleted);
}

Answer ResourceHandler::Bind(ApiCall& call) {
  api::core::Binding binding;
  if (ApiError error =
          DecodeWireMessage(call, api::schema::DescriptorOf<api::core::Binding>(), &binding)) {
    return StatusAnswer(*error);
  }
  if (binding.target.name.empty()) {
    return StatusAnswer(meta::BadRequest("target.name: Required value"));
  }
  std::optional<std::string> uid;
  if (!binding.metadata.uid.empty()) {
    uid = binding.metadata.uid;
  }
  ApiResult<VersionPtr> bound = registry_.BindPod(
      call.key(), binding.target.name, binding.metadata.annotations, std::move(uid), call.context);
  if (!bound.ok()) {
    return StatusAnswer(bound.error());
  }
  meta::Status status = meta::SuccessStatus();
  status.code = 201;
  return StatusAnswer(status);
}

Answer ResourceHandler::Evict(ApiCall& call) {
  api::policy::Eviction eviction;
  if (ApiError error =
          DecodeWireMessage(call, api::schema::DescriptorOf<api::policy::Eviction>(), &eviction)) {
    return StatusAnswer(*error);
  }
  DeleteQuery query;
  if (eviction.delete_options) {
    query.grace_period_seconds = eviction.delete_options->grace_period_seconds;
    query.propagation_policy = eviction.delete_options->propagation_policy;
    if (eviction.delete_options->preconditions) {
      query.uid = eviction.delete_options->preconditions->uid;
      query.resource_version = eviction.delete_options->preconditions->resource_version;
    }
    call.context.dry_run = call.context.dry_run || !eviction.delete_options->dry_run.empty();
  }
  ApiResult<DeleteAnswer> deleted = registry_.Delete(call.kind(), call.key(), query, call.context);
  if (!deleted.ok()) {
    return StatusAnswer(deleted.error());
  }
  meta::Status status = meta::SuccessStatus();
  status.code = 201;
  return StatusAnswer(status);
}

Answer ResourceHandler::RequestToken(ApiCall& call) {
  api::authentication::TokenRequest request;
  if (ApiError error = DecodeWireMessage(
          call, api::schema::DescriptorOf<api::authentication::TokenRequest>(), &request)) {
    return StatusAnswer(*error);
  }
  ApiResult<VersionPtr> account = registry_.Get(call.kind(), call.key());
  if (!account.ok()) {
    return StatusAnswer(account.error());
  }
  User user = User::ServiceAccount(call.key().namespace_, call.key().name);
  user.uid = (*account)->object().metadata().uid;
  if (request.spec.bound_object_ref) {
    if (ApiError error = BindToken(registry_, *request.spec.bound_object_ref, call.key(), user)) {
      return StatusAnswer(*error);
    }
  }
  const std::int64_t seconds = request.spec.expiration_seconds.value_or(kTokenSeconds);
  if (seconds < kMinTokenSeconds) {
    const std::string why = "may not specify a duration less than 10 minutes";
    return StatusAnswer(meta::Invalid(
        {"authentication.k8s.io", "TokenRequest"}, "",
        {{.reason = "FieldValueInvalid",
          .message = "Invalid value: " + std::to_string(seconds) + ": " + why,
          .field = "spec.expirationSeconds"}},
        "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid "
        "value: " +
            std::to_string(seconds) + ": " + why));
  }
  request.metadata.name = call.key().name;
  request.metadata.namespace_ = call.key().namespace_;
  request.spec.expiration_seconds = seconds;
  request.status.token = issue_token_(std::move(user), std::chrono::seconds(seconds));
  request.status.expiration_timestamp =
      meta::Time::From(registry_.clock().Now() + std::chrono::seconds(seconds));
  return MessageAnswer(call, 201, request,
                       {.api_version = "authentication.k8s.io/v1", .kind = "TokenRequest"});
}

}  // namespace assay::controlplane::apiserver
