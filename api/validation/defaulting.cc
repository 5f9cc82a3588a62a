#include "api/validation/defaulting.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/coordination/types.h"
#include "api/core/types.h"
#include "api/meta/quantity.h"
#include "api/rbac/types.h"
#include "api/resource/types.h"

namespace assay::api::validation {
namespace {

constexpr std::int32_t kPoolRequestDefaultLimit = 100;
constexpr std::int64_t kDefaultGracePeriodSeconds = 30;
constexpr std::int32_t kDefaultVolumeMode = 0644;

template <typename T>
void SetIfEmpty(T& field, T value) {
  if (field == T()) {
    field = std::move(value);
  }
}
template <typename T>
void SetIfUnset(std::optional<T>& field, T value) {
  if (!field.has_value()) {
    field = std::move(value);
  }
}

template <typename Request>
void DefaultRequest(Request& request) {
  SetIfEmpty(request.allocation_mode, std::string("ExactCount"));
  if (request.allocation_mode == "ExactCount" && request.count == 0) {
    request.count = 1;
  }
  for (resource::DeviceToleration& toleration : request.tolerations) {
    SetIfEmpty(toleration.operator_, std::string("Equal"));
  }
}

void DefaultClaimSpec(resource::ResourceClaimSpec& spec) {
  for (resource::DeviceRequest& request : spec.devices.requests) {
    if (request.exactly.has_value()) {
      DefaultRequest(*request.exactly);
    }
    for (resource::DeviceSubRequest& subrequest : request.first_available) {
      DefaultRequest(subrequest);
    }
  }
}

void Default(resource::ResourceClaim& claim, WallTime /*now*/) {
  DefaultClaimSpec(claim.spec);
  if (claim.status.allocation.has_value()) {
    for (auto& result : claim.status.allocation->devices.results) {
      for (resource::DeviceToleration& toleration : result.tolerations) {
        SetIfEmpty(toleration.operator_, std::string("Equal"));
      }
    }
  }
}

void Default(resource::ResourceClaimTemplate& object, WallTime /*now*/) {
  DefaultClaimSpec(object.spec.spec);
}

void Default(resource::ResourceSlice& slice, WallTime now) {
  for (resource::Device& device : slice.spec.devices) {
    for (resource::DeviceTaint& taint : device.taints) {
      SetIfUnset(taint.time_added, meta::Time::From(now));
    }
    for (auto& [name, mapping] : device.node_allocatable_resource_mappings) {
      SetIfUnset(mapping.allocation_multiplier, meta::Quantity::Of("1"));
    }
  }
}

void Default(resource::DeviceTaintRule& rule, WallTime now) {
  SetIfUnset(rule.spec.taint.time_added, meta::Time::From(now));
}

void Default(resource::ResourcePoolStatusRequest& request, WallTime /*now*/) {
  SetIfUnset(request.spec.limit, kPoolRequestDefaultLimit);
}

// Whether an image reference without a policy means the newest image: no tag and no digest, or the
// tag "latest".
bool IsLatestImage(std::string_view image) {
  if (image.empty() || image.find('@') != std::string_view::npos) {
    // An image that does not parse has no tag at all.
    return false;
  }
  const std::size_t slash = image.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? image : image.substr(slash + 1);
  const std::size_t colon = last.find(':');
  return colon == std::string_view::npos || last.substr(colon + 1) == "latest";
}

void DefaultResourceList(std::map<std::string, meta::Quantity>& list) {
  for (auto& [name, quantity] : list) {
    // False where digits were lost: Kubernetes keeps no more than thousandths.
    static_cast<void>(quantity.RoundUp(meta::Quantity::kMilli));
  }
}

void DefaultHttpGet(std::optional<core::HTTPGetAction>& action) {
  if (action.has_value()) {
    SetIfEmpty(action->path, std::string("/"));
    SetIfEmpty(action->scheme, std::string("HTTP"));
  }
}

void DefaultProbe(std::optional<core::Probe>& probe) {
  if (!probe.has_value()) {
    return;
  }
  SetIfEmpty(probe->timeout_seconds, std::int32_t{1});
  SetIfEmpty(probe->period_seconds, std::int32_t{10});
  SetIfEmpty(probe->success_threshold, std::int32_t{1});
  SetIfEmpty(probe->failure_threshold, std::int32_t{3});
  DefaultHttpGet(probe->http_get);
  if (probe->grpc.has_value()) {
    SetIfUnset(probe->grpc->service, std::string());
  }
}

template <typename Container>
void DefaultContainer(Container& container) {
  SetIfEmpty(container.image_pull_policy,
             std::string(IsLatestImage(container.image) ? "Always" : "IfNotPresent"));
  SetIfEmpty(container.termination_message_path, std::string("/dev/termination-log"));
  SetIfEmpty(container.termination_message_policy, std::string("File"));
  for (core::ContainerPort& port : container.ports) {
    SetIfEmpty(port.protocol, std::string("TCP"));
  }
  for (core::EnvVar& variable : container.env) {
    if (variable.value_from.has_value() && variable.value_from->field_ref.has_value()) {
      SetIfEmpty(variable.value_from->field_ref->api_version, std::string("v1"));
    }
  }
  DefaultResourceList(container.resources.limits);
  DefaultResourceList(container.resources.requests);
  for (std::optional<core::Probe>* probe :
       {&container.liveness_probe, &container.readiness_probe, &container.startup_probe}) {
    DefaultProbe(*probe);
  }
  if (container.lifecycle.has_value()) {
    for (std::optional<core::LifecycleHandler>* hook :
         {&container.lifecycle->post_start, &container.lifecycle->pre_stop}) {
      if (hook->has_value()) {
        DefaultHttpGet((*hook)->http_get);
      }
    }
  }
}

void DefaultVolume(core::Volume& volume) {
  auto& source = static_cast<core::VolumeSource&>(volume);
  if (source == core::VolumeSource()) {
    source.empty_dir.emplace();
  }
  const auto default_field_refs = [](std::vector<core::DownwardAPIVolumeFile>& items) {
    for (core::DownwardAPIVolumeFile& item : items) {
      if (item.field_ref.has_value()) {
        SetIfEmpty(item.field_ref->api_version, std::string("v1"));
      }
    }
  };
  if (source.secret.has_value()) {
    SetIfUnset(source.secret->default_mode, kDefaultVolumeMode);
  }
  if (source.config_map.has_value()) {
    SetIfUnset(source.config_map->default_mode, kDefaultVolumeMode);
  }
  if (source.downward_api.has_value()) {
    SetIfUnset(source.downward_api->default_mode, kDefaultVolumeMode);
    default_field_refs(source.downward_api->items);
  }
  if (source.projected.has_value()) {
    SetIfUnset(source.projected->default_mode, kDefaultVolumeMode);
    for (core::VolumeProjection& projection : source.projected->sources) {
      if (projection.service_account_token.has_value()) {
        SetIfUnset(projection.service_account_token->expiration_seconds, std::int64_t{3600});
      }
      if (projection.downward_api.has_value()) {
        default_field_refs(projection.downward_api->items);
      }
    }
  }
  if (source.host_path.has_value()) {
    SetIfUnset(source.host_path->type, std::string());
  }
  if (source.image.has_value()) {
    SetIfEmpty(source.image->pull_policy,
               std::string(IsLatestImage(source.image->reference) ? "Always" : "IfNotPresent"));
  }
}

void DefaultPodSpec(core::PodSpec& spec) {
  SetIfEmpty(spec.dns_policy, std::string("ClusterFirst"));
  SetIfEmpty(spec.restart_policy, std::string("Always"));
  SetIfUnset(spec.security_context, core::PodSecurityContext());
  SetIfUnset(spec.termination_grace_period_seconds, kDefaultGracePeriodSeconds);
  SetIfEmpty(spec.scheduler_name, std::string("default-scheduler"));
  for (core::Volume& volume : spec.volumes) {
    DefaultVolume(volume);
  }
  for (core::Container& container : spec.init_containers) {
    DefaultContainer(container);
  }
  for (core::Container& container : spec.containers) {
    DefaultContainer(container);
  }
  for (core::EphemeralContainer& container : spec.ephemeral_containers) {
    DefaultContainer(container);
  }
  DefaultResourceList(spec.overhead);
}

void Default(core::Pod& pod, WallTime /*now*/) {
  DefaultPodSpec(pod.spec);
  for (std::vector<core::Container>* containers :
       {&pod.spec.init_containers, &pod.spec.containers}) {
    for (core::Container& container : *containers) {
      // Limits without requests request what they allow.
      container.resources.requests.insert(container.resources.limits.begin(),
                                          container.resources.limits.end());
      if (pod.spec.host_network) {
        for (core::ContainerPort& port : container.ports) {
          SetIfEmpty(port.host_port, port.container_port);
        }
      }
    }
  }
  SetIfUnset(pod.spec.enable_service_links, true);
}

void Default(core::Namespace& object, WallTime /*now*/) {
  if (!object.metadata.name.empty()) {
    object.metadata.labels["kubernetes.io/metadata.name"] = object.metadata.name;
  }
  SetIfEmpty(object.status.phase, std::string("Active"));
}

void Default(core::Node& node, WallTime /*now*/) {
  DefaultResourceList(node.status.capacity);
  DefaultResourceList(node.status.allocatable);
  if (node.status.allocatable.empty()) {
    node.status.allocatable = node.status.capacity;
  }
}

void Default(core::Secret& secret, WallTime /*now*/) {
  SetIfEmpty(secret.type, std::string("Opaque"));
}

// Of both kinds of binding. Source: pkg/apis/rbac/v1/defaults.go.
template <typename Binding>
void DefaultBinding(Binding& binding) {
  const std::string group = "rbac.authorization.k8s.io";
  SetIfEmpty(binding.role_ref.api_group, group);
  for (rbac::Subject& subject : binding.subjects) {
    if (subject.kind == "User" || subject.kind == "Group") {
      SetIfEmpty(subject.api_group, group);
    }
  }
}
void Default(rbac::RoleBinding& binding, WallTime /*now*/) { DefaultBinding(binding); }
void Default(rbac::ClusterRoleBinding& binding, WallTime /*now*/) { DefaultBinding(binding); }

template <typename T>
Object DefaultAs(const Object& object, WallTime now) {
  T value = object.As<T>();
  Default(value, now);
  return Object::Of(std::move(value));
}

}  // namespace

Object ApplyDefaults(const Object& object, WallTime now) {
  using Function = Object (*)(const Object&, WallTime);
  static const std::map<const Kind*, Function> functions = {
      {&KindOf<resource::ResourceClaim>(), DefaultAs<resource::ResourceClaim>},
      {&KindOf<resource::ResourceClaimTemplate>(), DefaultAs<resource::ResourceClaimTemplate>},
      {&KindOf<resource::ResourceSlice>(), DefaultAs<resource::ResourceSlice>},
      {&KindOf<resource::DeviceTaintRule>(), DefaultAs<resource::DeviceTaintRule>},
      {&KindOf<resource::ResourcePoolStatusRequest>(),
       DefaultAs<resource::ResourcePoolStatusRequest>},
      {&KindOf<core::Pod>(), DefaultAs<core::Pod>},
      {&KindOf<core::Namespace>(), DefaultAs<core::Namespace>},
      {&KindOf<core::Node>(), DefaultAs<core::Node>},
      {&KindOf<core::Secret>(), DefaultAs<core::Secret>},
      {&KindOf<rbac::RoleBinding>(), DefaultAs<rbac::RoleBinding>},
      {&KindOf<rbac::ClusterRoleBinding>(), DefaultAs<rbac::ClusterRoleBinding>},
  };
  const auto found = functions.find(&object.kind());
  return found == functions.end() ? object : found->second(object, now);
}

}  // namespace assay::api::validation
