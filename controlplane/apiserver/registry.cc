#include "controlplane/apiserver/registry.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "api/codec/codec.h"
#include "api/core/types.h"
#include "api/meta/status.h"
#include "api/patch/field_manager.h"
#include "api/proto/proto.h"
#include "api/registry.h"
#include "api/validation/defaulting.h"
#include "controlplane/apiserver/event_view.h"
#include "controlplane/apiserver/node_restriction.h"
#include "controlplane/apiserver/webhook_admission.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;
namespace validation = api::validation;
using nlohmann::json;

// apiserver: maxNameGenerationCreateAttempts.
constexpr int kMaxNameAttempts = 8;
// apiserver, storage/names: 63 minus the random suffix.
constexpr std::size_t kMaxGeneratedNameBase = 58;
constexpr std::size_t kNameSuffix = 5;

constexpr std::string_view kModified =
    "the object has been modified; please apply your changes to the latest version and try again";

meta::GroupResource ResourceOf(const api::Kind& kind) { return {kind.group, kind.resource}; }

meta::Status InvalidStatus(const api::Kind& kind, const std::string& name,
                           const validation::FieldErrors& errors) {
  std::vector<meta::StatusCause> causes;
  for (const validation::FieldError& error : errors) {
    causes.push_back({.reason = std::string(validation::FieldErrorReason(error.type)),
                      .message = error.Body(),
                      .field = error.field});
  }
  meta::GroupResource qualified{kind.group, kind.kind};
  return meta::Invalid(
      qualified, name, std::move(causes),
      validation::InvalidMessage(kind.group.empty() ? kind.kind : kind.kind + "." + kind.group,
                                 name, errors));
}

// An error that upstream answers with as it is: 500 without a reason.
meta::Status PlainError(std::string message) {
  meta::Status status = meta::InternalError(message);
  status.reason.clear();
  status.details.reset();
  status.message = std::move(message);
  return status;
}

// `wanted` with the version of `current`, if what it says of UID and version permits to replace
// that.
ApiResult<api::Object> WithVersionOf(const api::Object& current, const api::Object& wanted) {
  const api::Kind& kind = current.kind();
  const meta::ObjectMeta& old = current.metadata();
  Draft draft = Draft::CopyOf(wanted);
  meta::ObjectMeta& metadata = draft.metadata();
  if (!metadata.uid.empty() && metadata.uid != old.uid) {
    return meta::Conflict(ResourceOf(kind), old.name,
                          "Precondition failed: UID in precondition: " + metadata.uid +
                              ", UID in object meta: " + old.uid);
  }
  bool conditional = !metadata.resource_version.empty() && metadata.resource_version != "0";
  if (conditional && metadata.resource_version != old.resource_version) {
    return meta::Conflict(ResourceOf(kind), old.name, kModified);
  }
  if (!conditional && !validation::StrategyFor(kind).AllowsUnconditionalUpdate()) {
    return InvalidStatus(
        kind, old.name,
        {validation::Invalid(validation::FieldPath("metadata").Child("resourceVersion"),
                             std::int64_t{0}, "must be specified for an update")});
  }
  metadata.resource_version = old.resource_version;
  return std::move(draft).Freeze();
}

bool IsNamespace(const api::Kind& kind) { return &kind == &api::KindOf<api::core::Namespace>(); }

// `updated` with the times of `current`'s managedFields, where these differ in nothing else: a
// write that changes only such times is none. Source:
// fieldmanager.IgnoreManagedFieldsTimestampsTransformer.
api::Object WithoutTimeChanges(const api::Object& updated, const api::Object& current) {
  const auto& old = current.metadata().managed_fields;
  Draft draft = Draft::CopyOf(updated);
  auto& fields = draft.metadata().managed_fields;
  if (fields.size() != old.size()) {
    return updated;
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    meta::ManagedFieldsEntry entry = fields[i];
    entry.time = old[i].time;
    if (entry != old[i]) {
      return updated;
    }
    fields[i].time = old[i].time;
  }
  return std::move(draft).Freeze();
}

// Whether to store `updated` in place of `current` would store the same bytes (etcd3's store.go
// compares them). What is equal to Kubernetes may still be written in another way: 1Gi, 1073741824.
bool ChangesNothing(const api::Object& updated, const store::Version& current) {
  const api::Kind& kind = updated.kind();
  const api::Object timeless = WithoutTimeChanges(updated, current.object());
  return api::schema::Equal(kind.hub(), timeless.data(), current.object().data()) &&
         api::json::Encode(timeless) == api::json::Encode(current.object());
}

// Whether an update that leaves no finalizers is what an object being deleted has waited for.
// Source: store.go, ShouldDeleteDuringUpdate; for namespaces registry/core/namespace/storage.
bool IsDeletedByUpdate(const api::Object& updated, const api::Object& current) {
  const meta::ObjectMeta& old = current.metadata();
  if (!updated.metadata().finalizers.empty() || !old.deletion_timestamp ||
      old.deletion_grace_period_seconds.value_or(0) != 0) {
    return false;
  }
  return !IsNamespace(updated.kind()) || updated.As<api::core::Namespace>().spec.finalizers.empty();
}

}  // namespace

Registry::Registry(RegistryOptions options)
    : options_(std::move(options)),
      store_({.encoder =
                  [level = options_.compatibility.level()](const api::Object& object,
                                                           const api::KindVersion& version,
                                                           api::codec::Format format) {
                    return api::codec::Encode(object, version, format, level);
                  },
              .history_limit = options_.history_limit}),
      webhooks_(options_.webhooks
                    ? std::make_unique<WebhookAdmission>(store_, options_.compatibility)
                    : nullptr),
      random_(options_.seed == 0 ? Random::FromSystem() : Random(options_.seed)) {}

Registry::~Registry() = default;

std::string Registry::Uuid() {
  std::lock_guard lock(random_mu_);
  return random_.Uuid();
}

std::string Registry::NameSuffix() {
  std::lock_guard lock(random_mu_);
  return random_.NameSuffix(kNameSuffix);
}

ApiResult<VersionPtr> Registry::Get(const api::Kind& kind, const Key& key) const {
  VersionPtr found = ShownAs(kind, store_.Get(StoredKind(kind), key), store_.encoder());
  if (found == nullptr) {
    return meta::NotFound(ResourceOf(kind), key.name);
  }
  return found;
}

validation::Context Registry::ValidationContext(const RequestContext& context,
                                                std::string_view verb) const {
  validation::Context result;
  result.compatibility = &options_.compatibility;
  result.now = clock().Now();
  result.verb = std::string(verb);
  result.user = {
      .name = context.user.name, .groups = context.user.groups, .extra = context.user.extra};
  result.selector_checker = options_.selector_checker;
  result.namespace_labels =
      [this](std::string_view name) -> Result<std::map<std::string, std::string>> {
    VersionPtr found = store_.Get(api::KindOf<api::core::Namespace>(), {"", std::string(name)});
    if (found == nullptr) {
      return NotFoundError("namespaces \"" + std::string(name) + "\" not found");
    }
    return found->object().metadata().labels;
  };
  result.refused =
      [this, &context](const validation::AccessRequest& access) -> std::optional<std::string> {
    RequestInfo info{.is_resource = true,
                     .verb = access.verb,
                     .group = access.group,
                     .resource = access.resource,
                     .subresource = access.subresource,
                     .namespace_ = access.namespace_,
                     .name = access.name};
    if (authorizer_.Allows(context.user, info)) {
      return std::nullopt;
    }
    return "";
  };
  return result;
}

// Source: plugin/pkg/admission/namespace/lifecycle.
ApiError Registry::CheckNamespace(const api::Object& object) const {
  if (!object.kind().namespaced) {
    return std::nullopt;
  }
  const std::string& name = object.namespace_();
  VersionPtr found = store_.Get(api::KindOf<api::core::Namespace>(), {"", name});
  if (found == nullptr) {
    return meta::NotFound({"", "namespaces"}, name);
  }
  if (!found->object().metadata().deletion_timestamp) {
    return std::nullopt;
  }
  meta::Status status = meta::Forbidden(
      ResourceOf(object.kind()), object.name(),
      "unable to create new content in namespace " + name + " because it is being terminated");
  status.details->causes.push_back({.reason = "NamespaceTerminating",
                                    .message = "namespace " + name + " is being terminated",
                                    .field = "metadata.namespace"});
  return status;
}

ApiError Registry::AskWebhooks(const api::Object& object, const api::Object* old_object,
                               const std::string& subresource, RequestContext& context) {
  if (webhooks_ == nullptr) {
    return std::nullopt;
  }
  return webhooks_->Admit({.operation = old_object == nullptr ? "CREATE" : "UPDATE",
                           .object = &object,
                           .old_object = old_object,
                           .subresource = subresource,
                           .version = context.version,
                           .user = context.user,
                           .dry_run = context.dry_run},
                          context.warnings);
}

ApiResult<VersionPtr> Registry::Create(const api::Object& object, RequestContext& context) {
  if (&StoredKind(object.kind()) != &object.kind()) {
    ASSAY_API_ASSIGN_OR_RETURN(VersionPtr created, Create(ToStored(object), context));
    return ShownAs(object.kind(), created, store_.encoder());
  }
  bool generated = object.name().empty() && !object.metadata().generate_name.empty();
  for (int attempt = 1;; ++attempt) {
    ApiResult<VersionPtr> created = CreateOnce(object, context, /*is_apply=*/false);
    if (created.ok() || !generated || created.error().reason != meta::reason::kAlreadyExists) {
      return created;
    }
    if (attempt == kMaxNameAttempts) {
      return meta::GenerateNameConflict(ResourceOf(object.kind()), created.error().details->name,
                                        1);
    }
  }
}

ApiResult<VersionPtr> Registry::CreateOnce(const api::Object& object, RequestContext& context,
                                           bool is_apply) {
  const api::Kind& kind = object.kind();
  Draft draft = Draft::CopyOf(object);
  meta::ObjectMeta& metadata = draft.metadata();
  if (!metadata.resource_version.empty()) {
    return PlainError("resourceVersion should not be set on objects to be created");
  }
  if (metadata.name.empty() && !metadata.generate_name.empty()) {
    metadata.name = metadata.generate_name.substr(0, kMaxGeneratedNameBase) + NameSuffix();
  }
  metadata.uid = Uuid();
  metadata.creation_timestamp = meta::Time::From(clock().Now());
  metadata.deletion_timestamp.reset();
  metadata.deletion_grace_period_seconds.reset();
  metadata.self_link.clear();
  if (IsNamespace(kind)) {
    // Source: pkg/apis/core/v1, SetDefaults_Namespace.
    draft.As<api::core::Namespace>().metadata.labels["kubernetes.io/metadata.name"] = metadata.name;
  }
  if (!is_apply) {
    // The fields are those that the client sent, with defaults, before the strategy has its say.
    // Source: handlers/create.go.
    api::Object sent = std::move(draft).Freeze();
    ASSAY_API_ASSIGN_OR_RETURN(sent, TrackFields(sent, nullptr, "", context));
    draft = Draft::CopyOf(sent);
  }
  if (IsNamespace(kind)) {
    // Source: registry/core/namespace, PrepareForCreate.
    auto& ns = draft.As<api::core::Namespace>();
    ns.status.phase = "Active";
    if (std::find(ns.spec.finalizers.begin(), ns.spec.finalizers.end(), "kubernetes") ==
        ns.spec.finalizers.end()) {
      ns.spec.finalizers.push_back("kubernetes");
    }
  }
  api::Object prepared = std::move(draft).Freeze();
  ASSAY_API_RETURN_IF_ERROR(CheckNamespace(prepared));
  ASSAY_API_RETURN_IF_ERROR(RestrictNodeCreate(context.user, prepared));
  ASSAY_API_RETURN_IF_ERROR(authorizer_.RefuseEscalation(context.user, prepared, nullptr,
                                                         is_apply ? prepared.name() : ""));

  validation::Outcome outcome =
      validation::BeforeCreate(prepared, ValidationContext(context, "create"));
  for (std::string& warning : outcome.warnings) {
    context.warnings.push_back(std::move(warning));
  }
  if (!outcome.errors.empty()) {
    return InvalidStatus(kind, prepared.name(), outcome.errors);
  }
  ASSAY_API_RETURN_IF_ERROR(AskWebhooks(outcome.object, nullptr, "", context));
  const Key key{prepared.namespace_(), prepared.name()};
  VersionPtr existing = store_.Get(kind, key);
  if (existing == nullptr) {
    if (context.dry_run) {
      return std::make_shared<const store::Version>(outcome.object, 0, &store_.encoder());
    }
    Result<VersionPtr> created = store_.Create(Draft::CopyOf(outcome.object));
    if (created.ok()) {
      return *created;
    }
    existing = store_.Get(kind, key);
  }
  meta::Status status = meta::AlreadyExists(ResourceOf(kind), key.name);
  if (existing != nullptr && existing->object().metadata().deletion_timestamp) {
    status.message = "object is being deleted: " + status.message;
  }
  return status;
}

ApiResult<UpdateAnswer> Registry::Update(const api::Object& object, std::string_view subresource,
                                         RequestContext& context) {
  if (&StoredKind(object.kind()) != &object.kind()) {
    ASSAY_API_ASSIGN_OR_RETURN(UpdateAnswer updated,
                               Update(ToStored(object), subresource, context));
    updated.object = ShownAs(object.kind(), updated.object, store_.encoder());
    return updated;
  }
  ChangeOptions options{.kind = &object.kind(),
                        .key = {object.namespace_(), object.name()},
                        .subresource = std::string(subresource)};
  const bool finalize = subresource == "finalize";
  auto change = [&](const VersionPtr& current) -> ApiResult<api::Object> {
    if (!finalize) {
      return object;
    }
    // Source: registry/core/namespace, namespaceFinalizeStrategy.
    api::core::Namespace finalized = current->object().As<api::core::Namespace>();
    finalized.spec.finalizers = object.As<api::core::Namespace>().spec.finalizers;
    finalized.metadata.resource_version = object.metadata().resource_version;
    return api::Object::Of(std::move(finalized));
  };
  return ChangeStored(options, change, context);
}

ApiResult<UpdateAnswer> Registry::ChangeStored(const ChangeOptions& options, const Change& change,
                                               RequestContext& context) {
  const api::Kind& kind = *options.kind;
  const meta::GroupResource resource = ResourceOf(kind);
  for (int attempt = 0; attempt < kMaxWriteAttempts; ++attempt) {
    VersionPtr current = store_.Get(kind, options.key);
    if (current == nullptr) {
      return meta::NotFound(resource, options.key.name);
    }
    ASSAY_API_ASSIGN_OR_RETURN(api::Object wanted, change(current));
    ASSAY_API_ASSIGN_OR_RETURN(wanted, WithVersionOf(current->object(), wanted));
    ASSAY_API_RETURN_IF_ERROR(
        RestrictNodeUpdate(context.user, wanted, current->object(), options.subresource));
    ASSAY_API_RETURN_IF_ERROR(
        authorizer_.RefuseEscalation(context.user, wanted, &current->object(), options.key.name));
    if (!options.is_apply) {
      // Of what the client sent, before the strategy has its say. Source: handlers/update.go.
      ASSAY_API_ASSIGN_OR_RETURN(wanted,
                                 TrackFields(wanted, current.get(), options.subresource, context));
    }
    // A binding has checks of its own; the strategy of pods would not let spec.nodeName change, nor
    // that of namespaces their finalizers.
    validation::Outcome outcome{.object = wanted};
    if (options.subresource != "binding" && options.subresource != "finalize") {
      outcome = validation::BeforeUpdate(wanted, current->object(), options.subresource,
                                         ValidationContext(context, options.verb));
    }
    if (!outcome.errors.empty()) {
      return InvalidStatus(kind, options.key.name, outcome.errors);
    }
    ASSAY_API_RETURN_IF_ERROR(
        AskWebhooks(outcome.object, &current->object(), options.subresource, context));
    if (IsDeletedByUpdate(outcome.object, current->object())) {
      if (!context.dry_run) {
        Result<VersionPtr> deleted = store_.Delete(kind, options.key, current->resource_version());
        if (!deleted.ok()) {
          continue;
        }
      }
      // Clients expect what they have sent, not a Status.
      return UpdateAnswer{std::make_shared<const store::Version>(
          outcome.object, current->resource_version(), &store_.encoder())};
    }
    for (const std::string& warning : outcome.warnings) {
      context.warnings.push_back(warning);
    }
    if (ChangesNothing(outcome.object, *current)) {
      return UpdateAnswer{current};
    }
    if (context.dry_run) {
      return UpdateAnswer{std::make_shared<const store::Version>(
          outcome.object, current->resource_version(), &store_.encoder())};
    }
    Result<VersionPtr> updated =
        store_.Update(Draft::CopyOf(outcome.object), current->resource_version());
    if (updated.ok()) {
      return UpdateAnswer{*updated};
    }
  }
  return meta::Conflict(resource, options.key.name, kModified);
}

ApiResult<api::Object> Registry::TrackFields(const api::Object& object, const store::Version* live,
                                             std::string_view subresource,
                                             const RequestContext& context) const {
  const api::Kind& kind = object.kind();
  const api::KindVersion* version =
      context.version.empty() ? api::PreferredVersion(kind, options_.compatibility.level())
                              : api::FindVersion(kind, context.version);
  ASSAY_CHECK(version != nullptr) << kind.kind << " has no version " << context.version;
  api::patch::WriteIdentity identity{
      .kind = &kind,
      .version = version->version,
      .manager = context.field_manager.empty()
                     ? api::patch::ManagerFromUserAgent(context.user_agent)
                     : context.field_manager,
      .subresource = std::string(subresource),
      .now = clock().Now(),
      .reset_fields = validation::StrategyFor(kind).ResetFields(subresource)};
  json live_document = live == nullptr ? json() : json::parse(live->Json(*version));
  json document =
      json::parse(api::codec::EncodeJson(object, *version, options_.compatibility.level()));
  Status status = api::patch::TrackUpdate(identity, live_document, document);
  if (!status.ok()) {
    return PlainError(status.message());
  }
  json managed = json::object();
  if (auto found = document.at("metadata").find("managedFields");
      found != document.at("metadata").end()) {
    managed["managedFields"] = std::move(*found);
  }
  Result<meta::ObjectMeta> decoded = api::json::DecodeAs<meta::ObjectMeta>(managed.dump());
  if (!decoded.ok()) {
    return PlainError(decoded.status().message());
  }
  Draft draft = Draft::CopyOf(object);
  draft.metadata().managed_fields = std::move(decoded->managed_fields);
  return std::move(draft).Freeze();
}

ApiResult<api::Object> Registry::Decode(const api::Kind& kind, std::string_view version_name,
                                        std::string_view text, RequestContext& context) const {
  const api::KindVersion* version = api::FindVersion(kind, version_name);
  ASSAY_CHECK(version != nullptr) << kind.kind << " has no version " << version_name;
  Result<api::json::Decoded> decoded = api::codec::DecodeJson(
      kind, *version, text,
      {.field_validation = context.field_validation, .level = options_.compatibility.level()});
  if (!decoded.ok()) {
    return meta::BadRequest(kind.kind + " in version \"" + std::string(version_name) +
                            "\" cannot be handled as a " + kind.kind + ": " +
                            decoded.status().message());
  }
  for (std::string& warning : decoded->warnings) {
    context.warnings.push_back(std::move(warning));
  }
  return validation::ApplyDefaults(decoded->object, clock().Now());
}

ApiResult<api::Object> Registry::DecodeProto(const api::Kind& kind, std::string_view version_name,
                                             std::string_view bytes) const {
  const api::KindVersion* version = api::FindVersion(kind, version_name);
  ASSAY_CHECK(version != nullptr) << kind.kind << " has no version " << version_name;
  Result<api::proto::Envelope> envelope = api::proto::DecodeEnvelope(bytes);
  if (!envelope.ok()) {
    return meta::BadRequest(envelope.status().message());
  }
  const std::string expected =
      api::GroupVersionKind{kind.group, version->version, kind.kind}.ApiVersion();
  if (envelope->type_meta.kind != kind.kind || envelope->type_meta.api_version != expected) {
    return meta::BadRequest(envelope->type_meta.kind + " in version \"" +
                            envelope->type_meta.api_version + "\" cannot be handled as a " +
                            kind.kind);
  }
  Result<api::Object> object =
      api::codec::DecodeProto(kind, *version, envelope->raw, options_.compatibility.level());
  if (!object.ok()) {
    return meta::BadRequest(kind.kind + " in version \"" + std::string(version_name) +
                            "\" cannot be handled as a " + kind.kind + ": " +
                            object.status().message());
  }
  return validation::ApplyDefaults(*object, clock().Now());
}

ApiResult<VersionPtr> Registry::BindPod(const Key& key, const std::string& node_name,
                                        const std::map<std::string, std::string>& annotations,
                                        std::optional<std::string> uid, RequestContext& context) {
  const api::Kind& kind = api::KindOf<api::core::Pod>();
  // Source: registry/core/pod/storage, assignPod.
  auto change = [&](const VersionPtr& current) -> ApiResult<api::Object> {
    api::core::Pod pod = current->object().As<api::core::Pod>();
    if (uid && *uid != pod.metadata.uid) {
      return meta::Conflict(ResourceOf(kind), key.name,
                            "Precondition failed: UID in precondition: " + *uid +
                                ", UID in object meta: " + pod.metadata.uid);
    }
    if (pod.metadata.deletion_timestamp) {
      return meta::Conflict({"", "pods/binding"}, key.name,
                            "pod " + key.name + " is being deleted, cannot be assigned to a host");
    }
    if (!pod.spec.node_name.empty()) {
      return meta::Conflict(
          {"", "pods/binding"}, key.name,
          "pod " + key.name + " is already assigned to node \"" + pod.spec.node_name + "\"");
    }
    pod.spec.node_name = node_name;
    for (const auto& [name, value] : annotations) {
      pod.metadata.annotations[name] = value;
    }
    meta::Time now = meta::Time::From(clock().Now());
    auto scheduled =
        std::find_if(pod.status.conditions.begin(), pod.status.conditions.end(),
                     [](const auto& condition) { return condition.type == "PodScheduled"; });
    if (scheduled == pod.status.conditions.end()) {
      scheduled = pod.status.conditions.insert(scheduled, {.type = "PodScheduled"});
    }
    if (scheduled->status != "True") {
      scheduled->last_transition_time = now;
    }
    scheduled->status = "True";
    scheduled->reason.clear();
    scheduled->message.clear();
    return api::Object::Of(std::move(pod));
  };
  ASSAY_API_ASSIGN_OR_RETURN(
      UpdateAnswer answer,
      ChangeStored({.kind = &kind, .key = key, .subresource = "binding"}, change, context));
  return answer.object;
}

}  // namespace assay::controlplane::apiserver
