// Registry: the verbs of the Kubernetes API on typed objects: what a real API server does between
// decoding a request and storing the object. Names, UIDs, generations, finalizers, graceful
// deletion, preconditions, patches, managedFields, validation, the admission that upstream has
// built in (namespace life cycle, node restriction, admin access).
//
// It knows nothing of HTTP. The Server stands in front of it for processes, InProcessClient for
// Assay's own controllers.
//
//   Registry registry({.compatibility = compatibility});
//   RequestContext context{.user = User::Controller("scheduler")};
//   ApiResult<VersionPtr> pod = registry.Get(KindOf<core::Pod>(), {"default", "a"});
//
// Source: apiserver, pkg/registry/generic/registry/store.go and pkg/registry/rest.
//
// Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_REGISTRY_H_
#define ASSAY_CONTROLPLANE_APISERVER_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/client/client.h"
#include "api/compatibility.h"
#include "api/json/json.h"
#include "api/object.h"
#include "api/validation/strategy.h"
#include "base/clock.h"
#include "base/random.h"
#include "controlplane/apiserver/api_result.h"
#include "controlplane/apiserver/authorizer.h"
#include "controlplane/apiserver/selection.h"
#include "controlplane/apiserver/user.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

class WebhookAdmission;

using store::Draft;
using store::Key;
using store::VersionPtr;

struct RegistryOptions {
  api::Compatibility compatibility;
  const Clock* clock = &Clock::Real();  // Not null; outlives the Registry.
  std::uint64_t seed = 0;               // Of names and UIDs; 0: from the system.
  std::size_t history_limit = 20'000;   // Events of each kind that watches can resume from.
  // Asks the webhooks of ValidatingWebhookConfigurations; such a write blocks its thread.
  bool webhooks = false;
  // Compiles CEL selectors on create and update; not set: they are taken as they are.
  api::validation::SelectorChecker selector_checker;
};

// What accompanies a write.
struct RequestContext {
  User user;
  std::string field_manager;  // Empty: from the user agent.
  std::string user_agent;
  bool dry_run = false;
  api::json::FieldValidation field_validation = api::json::FieldValidation::kWarn;
  // In which version of the kind managedFields are recorded; empty: the preferred one.
  std::string version;
  // Filled: for Warning headers.
  std::vector<std::string> warnings;
};

struct ListQuery {
  std::string namespace_;
  Selection selection;
  std::string resource_version;
  std::string resource_version_match;  // "", "Exact", "NotOlderThan"
  std::int64_t limit = 0;
  std::string continue_;
};

struct ListAnswer {
  std::vector<VersionPtr> items;
  std::uint64_t resource_version = 0;
  std::string continue_;
  std::optional<std::int64_t> remaining_item_count;
};

struct DeleteQuery {
  std::optional<std::string> uid;
  std::optional<std::string> resource_version;
  std::optional<std::int64_t> grace_period_seconds;
  std::optional<std::string> propagation_policy;
  std::optional<bool> orphan_dependents;  // The older form of the policy.
};

struct DeleteAnswer {
  VersionPtr object;     // As it was last, or as it is now.
  bool deleted = false;  // Else it waits for finalizers or its grace period.
};

struct UpdateAnswer {
  VersionPtr object;
  bool created = false;
};

struct PatchQuery {
  api::client::PatchType type = api::client::PatchType::kMerge;
  std::string body;     // JSON, in `version` of the kind
  std::string version;  // Empty: the hub.
  std::string subresource;
  bool force = false;
};

class Registry {
 public:
  explicit Registry(RegistryOptions options);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  const api::Compatibility& compatibility() const { return options_.compatibility; }
  const Clock& clock() const { return *options_.clock; }
  store::Store& objects() { return store_; }
  // Consulted by the Server for every request, and here for the permissions that claims' status
  // needs (resourceclaims/binding, resourceclaims/driver) and for what roles and bindings grant.
  const Authorizer& authorizer() const { return authorizer_; }

  ApiResult<VersionPtr> Get(const api::Kind& kind, const Key& key) const;
  ApiResult<ListAnswer> List(const api::Kind& kind, const ListQuery& query) const;

  ApiResult<VersionPtr> Create(const api::Object& object, RequestContext& context);
  // `subresource`: "" or "status". metadata.resourceVersion, where set, is the precondition.
  ApiResult<UpdateAnswer> Update(const api::Object& object, std::string_view subresource,
                                 RequestContext& context);
  ApiResult<UpdateAnswer> Patch(const api::Kind& kind, const Key& key, const PatchQuery& query,
                                RequestContext& context);
  ApiResult<DeleteAnswer> Delete(const api::Kind& kind, const Key& key, DeleteQuery query,
                                 RequestContext& context);
  // Returns what was deleted or marked.
  ApiResult<ListAnswer> DeleteCollection(const api::Kind& kind, const ListQuery& which,
                                         const DeleteQuery& query, RequestContext& context);

  // pods/binding: sets spec.nodeName, annotations and labels of `binding`, and the condition
  // PodScheduled.
  ApiResult<VersionPtr> BindPod(const Key& pod, const std::string& node_name,
                                const std::map<std::string, std::string>& annotations,
                                std::optional<std::string> uid, RequestContext& context);

  // Reads the object from the JSON of one of its kind's versions, with defaults, as a write's body
  // is read. Warnings go to `context`.
  ApiResult<api::Object> Decode(const api::Kind& kind, std::string_view version,
                                std::string_view json, RequestContext& context) const;
  // The same of protobuf with its envelope.
  ApiResult<api::Object> DecodeProto(const api::Kind& kind, std::string_view version,
                                     std::string_view bytes) const;

 private:
  // A write without a precondition is tried again when another one comes in between.
  static constexpr int kMaxWriteAttempts = 100;

  // A pure change of the stored object: what it shall become, or why not.
  using Change = std::function<ApiResult<api::Object>(const VersionPtr& current)>;
  struct ChangeOptions {
    const api::Kind* kind;
    Key key;
    std::string subresource;
    bool is_apply = false;
    std::string verb = "update";
  };

  ApiResult<VersionPtr> CreateOnce(const api::Object& object, RequestContext& context,
                                   bool is_apply);
  ApiResult<UpdateAnswer> ChangeStored(const ChangeOptions& options, const Change& change,
                                       RequestContext& context);
  ApiResult<api::Object> Patched(const api::Kind& kind, const PatchQuery& query,
                                 const api::KindVersion& version, const VersionPtr& current,
                                 RequestContext& context) const;
  ApiResult<nlohmann::json> Applied(const api::Kind& kind, const PatchQuery& query,
                                    const api::KindVersion& version, const store::Version* live,
                                    const RequestContext& context) const;
  ApiResult<VersionPtr> CreateByApply(const api::Kind& kind, const Key& key,
                                      const PatchQuery& query, const api::KindVersion& version,
                                      RequestContext& context);
  ApiResult<VersionPtr> Remove(const VersionPtr& current, const RequestContext& context);
  api::validation::Context ValidationContext(const RequestContext& context,
                                             std::string_view verb) const;
  ApiError CheckNamespace(const api::Object& object) const;
  // `old_object`: null for a new one.
  ApiError AskWebhooks(const api::Object& object, const api::Object* old_object,
                       const std::string& subresource, RequestContext& context);
  // Writes metadata.managedFields of `object`, which replaces `live` (null: it is new).
  ApiResult<api::Object> TrackFields(const api::Object& object, const store::Version* live,
                                     std::string_view subresource,
                                     const RequestContext& context) const;
  std::string Uuid();
  std::string NameSuffix();

  const RegistryOptions options_;
  store::Store store_;
  std::unique_ptr<WebhookAdmission> webhooks_;  // Null where nobody asks them.
  const Authorizer authorizer_{store_};
  std::mutex random_mu_;
  Random random_;  // Guarded by random_mu_.
};

// A resource version as a client writes it, or BadRequest.
ApiResult<std::uint64_t> ParseResourceVersion(std::string_view text);
// The answer to a version that is yet to come: 504, try again in a second.
api::meta::Status TooLargeResourceVersion(std::uint64_t asked, std::uint64_t current);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_REGISTRY_H_
