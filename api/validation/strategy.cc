#include "api/validation/strategy.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "api/core/types.h"
#include "api/rbac/types.h"
#include "api/resource/types.h"
#include "api/scheduling/types.h"
#include "api/schema/descriptor.h"
#include "api/validation/access.h"
#include "api/validation/claim_rules.h"
#include "api/validation/core_rules.h"
#include "api/validation/gates.h"
#include "api/validation/group_rules.h"
#include "api/validation/metadata.h"
#include "api/validation/rbac_rules.h"
#include "api/validation/slice_rules.h"
#include "api/validation/validators.h"

namespace assay::api::validation {
namespace {

using schema::FieldDescriptor;

constexpr std::string_view kStatus = "status";

// What a status update may not change of metadata (metav1.ResetObjectMetaForStatus).
void ResetMetadataForStatus(meta::ObjectMeta& metadata, const meta::ObjectMeta& old) {
  metadata.deletion_timestamp = old.deletion_timestamp;
  metadata.generation = old.generation;
  metadata.self_link = old.self_link;
  metadata.labels = old.labels;
  metadata.annotations = old.annotations;
  metadata.finalizers = old.finalizers;
  metadata.owner_references = old.owner_references;
}

template <typename T>
void GrowGeneration(T& object, const T& old) {
  if (!SemanticEqual(object.spec, old.spec)) {
    object.metadata.generation = old.metadata.generation + 1;
  }
}

// A strategy over the struct of a kind, so that the kinds below need no casts.
template <typename T>
class TypedStrategy : public Strategy {
 public:
  Object PrepareForCreate(const Object& object, const Context& context) const final {
    T value = object.As<T>();
    PrepareNew(value, context);
    return Object::Of(std::move(value));
  }
  FieldErrors ValidateCreate(const Object& object, const Context& context) const final {
    return ValidateNew(object.As<T>(), context);
  }
  Object PrepareForUpdate(const Object& object, const Object& old, std::string_view subresource,
                          const Context& context) const final {
    T value = object.As<T>();
    if (subresource == kStatus) {
      PrepareStatus(value, old.As<T>(), context);
    } else {
      PrepareChanged(value, old.As<T>(), context);
    }
    return Object::Of(std::move(value));
  }
  FieldErrors ValidateUpdate(const Object& object, const Object& old, std::string_view subresource,
                             const Context& context) const final {
    return subresource == kStatus ? ValidateStatus(object.As<T>(), old.As<T>(), context)
                                  : ValidateChanged(object.As<T>(), old.As<T>(), context);
  }
  std::vector<std::string> Warnings(const Object& object) const override {
    static_cast<void>(object);
    return {};
  }
  std::vector<std::string> ResetFields(std::string_view subresource) const override {
    if constexpr (requires(T value) { value.status; }) {
      return subresource == kStatus ? std::vector<std::string>{"metadata", "spec"}
                                    : std::vector<std::string>{"status"};
    }
    return {};
  }

 protected:
  virtual void PrepareNew(T& object, const Context& context) const = 0;
  virtual FieldErrors ValidateNew(const T& object, const Context& context) const = 0;
  virtual void PrepareChanged(T& object, const T& old, const Context& context) const = 0;
  virtual FieldErrors ValidateChanged(const T& object, const T& old,
                                      const Context& context) const = 0;
  // Kinds without the subresource never come here.
  virtual void PrepareStatus(T& object, const T& old, const Context& /*context*/) const {
    object = old;
  }
  virtual FieldErrors ValidateStatus(const T& /*object*/, const T& /*old*/,
                                     const Context& /*context*/) const {
    return {};
  }
};

class ResourceClaimStrategy final : public TypedStrategy<resource::ResourceClaim> {
  using T = resource::ResourceClaim;

  void PrepareNew(T& claim, const Context& context) const override {
    claim.status = {};
    DropDisabledClaimSpecFields(claim.spec, nullptr, *context.compatibility);
  }
  FieldErrors ValidateNew(const T& claim, const Context& context) const override {
    FieldErrors errors =
        CheckAdminRequests(claim.spec.devices.requests, claim.metadata.namespace_, context);
    Append(errors, ValidateResourceClaim(claim, context));
    return errors;
  }
  void PrepareChanged(T& claim, const T& old, const Context& context) const override {
    claim.status = old.status;
    DropDisabledClaimSpecFields(claim.spec, &old.spec, *context.compatibility);
  }
  FieldErrors ValidateChanged(const T& claim, const T& old, const Context&) const override {
    return ValidateResourceClaimUpdate(claim, old);
  }
  void PrepareStatus(T& claim, const T& old, const Context& context) const override {
    claim.spec = old.spec;
    ResetMetadataForStatus(claim.metadata, old.metadata);
    DropDisabledClaimStatusFields(claim, old, *context.compatibility);
    // Last: there may be nothing left to drop.
    DropDeallocatedStatusDevices(claim, old, *context.compatibility);
  }
  FieldErrors ValidateStatus(const T& claim, const T& old, const Context& context) const override {
    FieldErrors errors = CheckAdminResults(claim, old, context);
    if (context.compatibility->Enabled("DRAResourceClaimGranularStatusAuthorization")) {
      Append(errors, CheckBinding(claim, old, context));
      if (context.compatibility->Enabled("DRAResourceClaimDeviceStatus") &&
          claim.status.allocation.has_value()) {
        Append(errors, CheckDeviceStatus(claim, old, context));
      }
    }
    Append(errors, ValidateResourceClaimStatusUpdate(claim, old));
    return errors;
  }
};

class ResourceClaimTemplateStrategy final : public TypedStrategy<resource::ResourceClaimTemplate> {
  using T = resource::ResourceClaimTemplate;

  void PrepareNew(T& object, const Context& context) const override {
    DropDisabledClaimSpecFields(object.spec.spec, nullptr, *context.compatibility);
  }
  FieldErrors ValidateNew(const T& object, const Context& context) const override {
    FieldErrors errors =
        CheckAdminRequests(object.spec.spec.devices.requests, object.metadata.namespace_, context);
    Append(errors, ValidateResourceClaimTemplate(object, context));
    return errors;
  }
  void PrepareChanged(T& object, const T& old, const Context& context) const override {
    DropDisabledClaimSpecFields(object.spec.spec, &old.spec.spec, *context.compatibility);
  }
  FieldErrors ValidateChanged(const T& object, const T& old,
                              const Context& context) const override {
    return ValidateResourceClaimTemplateUpdate(object, old, context);
  }
};

class DeviceClassStrategy final : public TypedStrategy<resource::DeviceClass> {
  using T = resource::DeviceClass;

  void PrepareNew(T& object, const Context& context) const override {
    object.metadata.generation = 1;
    DropDisabledDeviceClassFields(object, nullptr, *context.compatibility);
  }
  FieldErrors ValidateNew(const T& object, const Context& context) const override {
    return ValidateDeviceClass(object, context);
  }
  void PrepareChanged(T& object, const T& old, const Context& context) const override {
    DropDisabledDeviceClassFields(object, &old, *context.compatibility);
    GrowGeneration(object, old);
  }
  FieldErrors ValidateChanged(const T& object, const T& old,
                              const Context& context) const override {
    return ValidateDeviceClassUpdate(object, old, context);
  }
};

class ResourceSliceStrategy final : public TypedStrategy<resource::ResourceSlice> {
  using T = resource::ResourceSlice;

  void PrepareNew(T& slice, const Context& context) const override {
    slice.metadata.generation = 1;
    DropDisabledSliceFields(slice, nullptr, *context.compatibility);
  }
  FieldErrors ValidateNew(const T& slice, const Context& context) const override {
    FieldErrors errors = ValidateResourceSlice(slice);
    Append(errors, CheckPartitionType(slice, context));
    return errors;
  }
  void PrepareChanged(T& slice, const T& old, const Context& context) const override {
    // Upstream compares first and drops then: a change that is dropped counts.
    GrowGeneration(slice, old);
    DropDisabledSliceFields(slice, &old, *context.compatibility);
  }
  FieldErrors ValidateChanged(const T& slice, const T& old, const Context& context) const override {
    FieldErrors errors = ValidateResourceSliceUpdate(slice, old);
    if (slice.spec.partition_type_attribute != old.spec.partition_type_attribute) {
      Append(errors, CheckPartitionType(slice, context));
    }
    return errors;
  }
  // 1.37 refuses this one field where the others of a gate that is off are dropped.
  static FieldErrors CheckPartitionType(const T& slice, const Context& context) {
    if (!slice.spec.partition_type_attribute.has_value() ||
        context.compatibility->Enabled("DRAPartitionableDevicesType")) {
      return {};
    }
    return {Forbidden(FieldPath("spec").Child("partitionTypeAttribute"), "")};
  }
  std::vector<std::string> Warnings(const Object& object) const override {
    const std::string& driver = object.As<T>().spec.driver;
    if (driver == ToLower(driver)) {
      return {};
    }
    return {"spec.driver: driver names should be lowercase; " + GoQuote(driver) +
            " contains uppercase characters"};
  }
};

class DeviceTaintRuleStrategy final : public TypedStrategy<resource::DeviceTaintRule> {
  using T = resource::DeviceTaintRule;

  void PrepareNew(T& rule, const Context&) const override {
    rule.status = {};
    rule.metadata.generation = 1;
  }
  FieldErrors ValidateNew(const T& rule, const Context&) const override {
    return ValidateDeviceTaintRule(rule);
  }
  void PrepareChanged(T& rule, const T& old, const Context& context) const override {
    rule.status = old.status;
    resource::DeviceTaint& taint = rule.spec.taint;
    // The time says since when the *effect* is there: tolerations count from it.
    if (taint.effect != old.spec.taint.effect && taint.time_added == old.spec.taint.time_added) {
      taint.time_added = meta::Time::From(context.now);
    }
    GrowGeneration(rule, old);
  }
  FieldErrors ValidateChanged(const T& rule, const T& old, const Context&) const override {
    return ValidateDeviceTaintRuleUpdate(rule, old);
  }
  void PrepareStatus(T& rule, const T& old, const Context&) const override {
    rule.spec = old.spec;
    ResetMetadataForStatus(rule.metadata, old.metadata);
  }
  FieldErrors ValidateStatus(const T& rule, const T& old, const Context&) const override {
    return ValidateDeviceTaintRuleStatusUpdate(rule, old);
  }
};

class PodGroupStrategy final : public TypedStrategy<scheduling::PodGroup> {
  using T = scheduling::PodGroup;

  bool AllowsUnconditionalUpdate() const override { return true; }

  void PrepareNew(T& group, const Context& context) const override {
    group.status = {};
    DropGatedFields(schema::DescriptorOf<T>(), &group, nullptr, *context.compatibility);
  }
  FieldErrors ValidateNew(const T& group, const Context&) const override {
    return ValidatePodGroup(group);
  }
  void PrepareChanged(T& group, const T& old, const Context& context) const override {
    group.status = old.status;
    DropGatedFields(schema::DescriptorOf<T>(), &group, &old, *context.compatibility);
  }
  FieldErrors ValidateChanged(const T& group, const T& old, const Context& context) const override {
    return ValidatePodGroupUpdate(group, old, context.compatibility->level());
  }
  void PrepareStatus(T& group, const T& old, const Context& context) const override {
    group.spec = old.spec;
    ResetMetadataForStatus(group.metadata, old.metadata);
    DropGatedFields(schema::DescriptorOf<T>(), &group, &old, *context.compatibility);
  }
  FieldErrors ValidateStatus(const T& group, const T& old, const Context&) const override {
    return ValidatePodGroupStatusUpdate(group, old);
  }
};

class ResourcePoolStatusRequestStrategy final
    : public TypedStrategy<resource::ResourcePoolStatusRequest> {
  using T = resource::ResourcePoolStatusRequest;

  bool AllowsUnconditionalUpdate() const override { return false; }

  void PrepareNew(T& request, const Context&) const override { request.status.reset(); }
  FieldErrors ValidateNew(const T& request, const Context&) const override {
    return ValidateResourcePoolStatusRequest(request);
  }
  void PrepareChanged(T& request, const T& old, const Context&) const override {
    request.status = old.status;
  }
  FieldErrors ValidateChanged(const T& request, const T& old, const Context&) const override {
    return ValidateResourcePoolStatusRequestUpdate(request, old);
  }
  void PrepareStatus(T& request, const T& old, const Context&) const override {
    request.spec = old.spec;
    ResetMetadataForStatus(request.metadata, old.metadata);
  }
  FieldErrors ValidateStatus(const T& request, const T& old, const Context&) const override {
    return ValidateResourcePoolStatusRequestStatusUpdate(request, old);
  }
};

class PodStrategy final : public TypedStrategy<core::Pod> {
  using T = core::Pod;

  bool AllowsUnconditionalUpdate() const override { return true; }

  void PrepareNew(T& pod, const Context& context) const override {
    pod.metadata.generation = 1;
    pod.status = {};
    pod.status.phase = "Pending";
    pod.status.qos_class = PodQosClass(pod);
    Drop(pod, nullptr, context);
    if (!pod.spec.scheduling_gates.empty()) {
      core::PodCondition condition;
      condition.type = "PodScheduled";
      condition.status = "False";
      condition.reason = "SchedulingGated";
      condition.message = "Scheduling is blocked due to non-empty scheduling gates";
      condition.observed_generation = pod.metadata.generation;
      pod.status.conditions.push_back(std::move(condition));
    }
  }
  FieldErrors ValidateNew(const T& pod, const Context&) const override { return ValidatePod(pod); }
  void PrepareChanged(T& pod, const T& old, const Context& context) const override {
    pod.status = old.status;
    Drop(pod, &old, context);
    if (!SemanticEqual(pod.spec, old.spec)) {
      ++pod.metadata.generation;
    }
  }
  FieldErrors ValidateChanged(const T& pod, const T& old, const Context&) const override {
    return ValidatePodUpdate(pod, old);
  }
  void PrepareStatus(T& pod, const T& old, const Context& context) const override {
    pod.spec = old.spec;
    pod.metadata.deletion_timestamp.reset();
    pod.metadata.owner_references = old.metadata.owner_references;
    if (pod.status.qos_class.empty()) {
      pod.status.qos_class = old.status.qos_class;
    }
    if (pod.status.observed_generation == 0) {
      pod.status.observed_generation = old.status.observed_generation;
    }
    KeepConditionGenerations(pod, old);
    Drop(pod, &old, context);
  }
  FieldErrors ValidateStatus(const T& pod, const T& old, const Context&) const override {
    return ValidatePodStatusUpdate(pod, old);
  }
  std::vector<std::string> ResetFields(std::string_view subresource) const override {
    return subresource == kStatus ? std::vector<std::string>{"spec", "metadata.deletionTimestamp",
                                                             "metadata.ownerReferences"}
                                  : std::vector<std::string>{"status"};
  }

  static void Drop(T& pod, const T* old, const Context& context) {
    DropGatedFields(schema::DescriptorOf<T>(), &pod, old, *context.compatibility);
  }
  // Conditions that a client sends without observedGeneration keep the one that was stored.
  static void KeepConditionGenerations(T& pod, const T& old) {
    std::multimap<std::string_view, std::int64_t> before;
    for (const core::PodCondition& condition : old.status.conditions) {
      before.emplace(condition.type, condition.observed_generation);
    }
    for (core::PodCondition& condition : pod.status.conditions) {
      const auto found = before.lower_bound(condition.type);
      const bool known = found != before.end() && found->first == condition.type;
      const std::int64_t generation = known ? found->second : 0;
      if (known) {
        before.erase(found);
      }
      if (condition.observed_generation == 0) {
        condition.observed_generation = generation;
      }
    }
  }
};

class NodeStrategy final : public TypedStrategy<core::Node> {
  using T = core::Node;

  // A kubelet registers its node with status.
  void PrepareNew(T&, const Context&) const override {}
  FieldErrors ValidateNew(const T& node, const Context&) const override {
    return ValidateNode(node);
  }
  void PrepareChanged(T& node, const T& old, const Context&) const override {
    node.status = old.status;
  }
  FieldErrors ValidateChanged(const T& node, const T& old, const Context&) const override {
    return ValidateNodeUpdate(node, old);
  }
  void PrepareStatus(T& node, const T& old, const Context&) const override { node.spec = old.spec; }
  FieldErrors ValidateStatus(const T& node, const T& old, const Context&) const override {
    return ValidateNodeUpdate(node, old);
  }
  std::vector<std::string> ResetFields(std::string_view subresource) const override {
    return {subresource == kStatus ? "spec" : "status"};
  }
};

class NamespaceStrategy final : public TypedStrategy<core::Namespace> {
  using T = core::Namespace;

  static MetadataRules Rules() { return {.name_rule = NameIsDnsLabel}; }

  void PrepareNew(T& object, const Context&) const override {
    object.status = {};
    object.status.phase = "Active";
    std::vector<std::string>& finalizers = object.spec.finalizers;
    if (std::find(finalizers.begin(), finalizers.end(), "kubernetes") == finalizers.end()) {
      finalizers.emplace_back("kubernetes");
    }
    // Canonicalize; a generated name is known only now.
    object.metadata.labels["kubernetes.io/metadata.name"] = object.metadata.name;
  }
  FieldErrors ValidateNew(const T& object, const Context&) const override {
    FieldErrors errors = ValidateObjectMeta(object.metadata, Rules(), FieldPath("metadata"));
    const FieldPath finalizers = FieldPath("spec").Child("finalizers");
    for (const std::string& finalizer : object.spec.finalizers) {
      Append(errors, InvalidFor(CheckQualifiedName(finalizer), finalizer, finalizers));
      if (finalizer.find('/') == std::string::npos && finalizer != "kubernetes" &&
          finalizer != "orphan" && finalizer != "foregroundDeletion") {
        errors.push_back(
            Invalid(finalizers, finalizer,
                    "name is neither a standard finalizer name nor is it fully qualified"));
      }
    }
    return errors;
  }
  void PrepareChanged(T& object, const T& old, const Context&) const override {
    object.spec.finalizers = old.spec.finalizers;
    object.status = old.status;
  }
  FieldErrors ValidateChanged(const T& object, const T& old, const Context&) const override {
    return ValidateObjectMetaUpdate(object.metadata, old.metadata, true, FieldPath("metadata"));
  }
  void PrepareStatus(T& object, const T& old, const Context&) const override {
    object.spec = old.spec;
  }
  FieldErrors ValidateStatus(const T& object, const T& old, const Context&) const override {
    FieldErrors errors =
        ValidateObjectMetaUpdate(object.metadata, old.metadata, true, FieldPath("metadata"));
    const FieldPath phase = FieldPath("status").Child("Phase");
    const bool deleted = object.metadata.deletion_timestamp.has_value();
    if (!deleted && object.status.phase != "Active") {
      errors.push_back(Invalid(phase, object.status.phase,
                               "may only be 'Active' if `deletionTimestamp` is empty"));
    } else if (deleted && object.status.phase != "Terminating") {
      errors.push_back(Invalid(phase, object.status.phase,
                               "may only be 'Terminating' if `deletionTimestamp` is not empty"));
    }
    return errors;
  }
  std::vector<std::string> ResetFields(std::string_view subresource) const override {
    return {subresource == kStatus ? "spec" : "status"};
  }
};

// The four kinds of rbac.authorization.k8s.io: roles, and bindings to them.
template <typename T>
class RoleStrategy final : public TypedStrategy<T> {
  void PrepareNew(T& /*role*/, const Context& /*context*/) const override {}
  FieldErrors ValidateNew(const T& role, const Context& /*context*/) const override {
    return Validate(role);
  }
  void PrepareChanged(T& /*role*/, const T& /*old*/, const Context& /*context*/) const override {}
  FieldErrors ValidateChanged(const T& role, const T& old,
                              const Context& /*context*/) const override {
    FieldErrors errors = Validate(role);
    Append(errors,
           ValidateObjectMetaUpdate(role.metadata, old.metadata,
                                    /*check_standard_finalizers=*/true, FieldPath("metadata")));
    if constexpr (requires { role.role_ref; }) {
      Append(errors, ValidateRoleRefUpdate(role.role_ref, old.role_ref));
    }
    return errors;
  }
  bool AllowsCreateOnUpdate() const override { return true; }

  static FieldErrors Validate(const rbac::Role& role) { return ValidateRole(role); }
  static FieldErrors Validate(const rbac::ClusterRole& role) { return ValidateClusterRole(role); }
  static FieldErrors Validate(const rbac::RoleBinding& binding) {
    return ValidateRoleBinding(binding);
  }
  static FieldErrors Validate(const rbac::ClusterRoleBinding& binding) {
    return ValidateClusterRoleBinding(binding);
  }
};

// Every other kind: metadata is judged, spec and status are kept apart, nothing else is looked at.
class GenericStrategy final : public Strategy {
 public:
  Object PrepareForCreate(const Object& object, const Context& context) const override {
    static_cast<void>(context);
    const Kind& kind = object.kind();
    std::shared_ptr<void> value = kind.hub().Copy(object.data());
    if (kind.has_status) {
      Status(kind)->Clear(value.get());
    }
    if (HasGeneration(kind)) {
      kind.MutableMetadata(value.get()).generation = 1;
    }
    return Object::Of(kind, std::move(value));
  }
  FieldErrors ValidateCreate(const Object& object, const Context& context) const override {
    static_cast<void>(context);
    return ValidateObjectMeta(object.metadata(), Rules(object.kind()), FieldPath("metadata"));
  }
  std::vector<std::string> Warnings(const Object& object) const override {
    static_cast<void>(object);
    return {};
  }
  Object PrepareForUpdate(const Object& object, const Object& old, std::string_view subresource,
                          const Context& context) const override {
    static_cast<void>(context);
    const Kind& kind = object.kind();
    std::shared_ptr<void> value = kind.hub().Copy(object.data());
    meta::ObjectMeta& metadata = kind.MutableMetadata(value.get());
    if (subresource == kStatus) {
      // The status goes into what is stored; some metadata may come with it.
      std::shared_ptr<void> updated = kind.hub().Copy(old.data());
      CopyField(*Status(kind), value.get(), updated.get());
      if (!kind.group.empty()) {
        ResetMetadataForStatus(metadata, old.metadata());
      }
      kind.MutableMetadata(updated.get()) = metadata;
      return Object::Of(kind, std::move(updated));
    }
    if (kind.has_status) {
      CopyField(*Status(kind), old.data(), value.get());
    }
    const FieldDescriptor* spec = kind.hub().Find("spec");
    if (HasGeneration(kind) && spec != nullptr && !FieldEqual(*spec, value.get(), old.data())) {
      metadata.generation = old.metadata().generation + 1;
    }
    return Object::Of(kind, std::move(value));
  }
  FieldErrors ValidateUpdate(const Object& object, const Object& old, std::string_view subresource,
                             const Context& context) const override {
    static_cast<void>(subresource);
    static_cast<void>(context);
    return ValidateObjectMetaUpdate(object.metadata(), old.metadata(), IsCore(object.kind()),
                                    FieldPath("metadata"));
  }
  bool AllowsUnconditionalUpdate() const override { return true; }
  std::vector<std::string> ResetFields(std::string_view subresource) const override {
    return {subresource == kStatus ? "spec" : "status"};
  }

 private:
  static bool IsCore(const Kind& kind) { return kind.group.empty(); }

  static const FieldDescriptor* Status(const Kind& kind) {
    const FieldDescriptor* field = kind.hub().Find(kStatus);
    ASSAY_CHECK(field != nullptr) << kind.kind << " has no status";
    return field;
  }

  // Kinds whose registry counts changes of the spec.
  static bool HasGeneration(const Kind& kind) {
    return kind.group == "apps" || kind.group == "batch" || kind.group == "policy" ||
           kind.group == "networking.k8s.io" || kind.group == "discovery.k8s.io" ||
           kind.group == "admissionregistration.k8s.io" ||
           kind.group == "flowcontrol.apiserver.k8s.io" || kind.kind == "PriorityClass" ||
           kind.kind == "ReplicationController" || kind.kind == "PodTemplate";
  }

  static MetadataRules Rules(const Kind& kind) {
    return {.namespaced = kind.namespaced,
            .name_rule = NameIsDnsSubdomain,
            .check_standard_finalizers = IsCore(kind)};
  }

  static void CopyField(const FieldDescriptor& field, const void* from, void* to) {
    ASSAY_CHECK(field.type == schema::Type::kMessage && !field.IsContainer())
        << field.name << " is not a struct";
    field.Clear(to);
    if (!field.Has(from)) {
      return;
    }
    void* target = field.Mutable(to);
    field.message->destroy(target);
    field.message->copy_construct(target, field.Get(from));
  }

  static bool FieldEqual(const FieldDescriptor& field, const void* a, const void* b) {
    if (field.Has(a) != field.Has(b)) {
      return false;
    }
    return !field.Has(a) || schema::Equal(*field.message, field.Get(a), field.Get(b));
  }
};

}  // namespace

const Strategy& StrategyFor(const Kind& kind) {
  static const ResourceClaimStrategy claims;
  static const ResourceClaimTemplateStrategy templates;
  static const DeviceClassStrategy classes;
  static const ResourceSliceStrategy slices;
  static const DeviceTaintRuleStrategy taint_rules;
  static const ResourcePoolStatusRequestStrategy pool_requests;
  static const PodGroupStrategy groups;
  static const PodStrategy pods;
  static const NodeStrategy nodes;
  static const NamespaceStrategy namespaces;
  static const RoleStrategy<rbac::Role> roles;
  static const RoleStrategy<rbac::ClusterRole> cluster_roles;
  static const RoleStrategy<rbac::RoleBinding> role_bindings;
  static const RoleStrategy<rbac::ClusterRoleBinding> cluster_role_bindings;
  static const GenericStrategy generic;
  static const std::map<const Kind*, const Strategy*> strategies = {
      {&KindOf<resource::ResourceClaim>(), &claims},
      {&KindOf<resource::ResourceClaimTemplate>(), &templates},
      {&KindOf<resource::DeviceClass>(), &classes},
      {&KindOf<resource::ResourceSlice>(), &slices},
      {&KindOf<resource::DeviceTaintRule>(), &taint_rules},
      {&KindOf<resource::ResourcePoolStatusRequest>(), &pool_requests},
      {&KindOf<scheduling::PodGroup>(), &groups},
      {&KindOf<core::Pod>(), &pods},
      {&KindOf<core::Node>(), &nodes},
      {&KindOf<core::Namespace>(), &namespaces},
      {&KindOf<rbac::Role>(), &roles},
      {&KindOf<rbac::ClusterRole>(), &cluster_roles},
      {&KindOf<rbac::RoleBinding>(), &role_bindings},
      {&KindOf<rbac::ClusterRoleBinding>(), &cluster_role_bindings},
  };
  const auto found = strategies.find(&kind);
  return found == strategies.end() ? generic : *found->second;
}

namespace {

// `object` with its metadata changed.
template <typename Change>
Object WithMetadata(const Object& object, Change change) {
  const Kind& kind = object.kind();
  std::shared_ptr<void> value = kind.hub().Copy(object.data());
  change(kind.MutableMetadata(value.get()));
  return Object::Of(kind, std::move(value));
}

}  // namespace

Outcome BeforeCreate(const Object& object, const Context& context) {
  const Strategy& strategy = StrategyFor(object.kind());
  Outcome outcome;
  outcome.object = object;
  if (!object.kind().namespaced && !object.namespace_().empty()) {
    // A namespace does not matter to what has none.
    outcome.object = WithMetadata(object, [](meta::ObjectMeta& now) { now.namespace_.clear(); });
  }
  outcome.object = strategy.PrepareForCreate(outcome.object, context);
  outcome.errors = strategy.ValidateCreate(outcome.object, context);
  if (outcome.errors.empty()) {
    // The kind's own words come first; what every kind must fulfil is a second net.
    outcome.errors = ValidateObjectMeta(outcome.object.metadata(),
                                        {.namespaced = object.kind().namespaced,
                                         .name_rule = NameIsPathSegment,
                                         .check_standard_finalizers = false},
                                        FieldPath("metadata"));
  }
  outcome.warnings = strategy.Warnings(outcome.object);
  return outcome;
}

Outcome BeforeUpdate(const Object& object, const Object& old, std::string_view subresource,
                     const Context& context) {
  const Kind& kind = object.kind();
  const Strategy& strategy = StrategyFor(kind);
  const meta::ObjectMeta& before = old.metadata();
  Outcome outcome;
  outcome.object = WithMetadata(object, [&](meta::ObjectMeta& now) {
    now.generation = before.generation;
    if (!kind.namespaced) {
      now.namespace_.clear();
    }
  });
  outcome.object = strategy.PrepareForUpdate(outcome.object, old, subresource, context);
  outcome.object = WithMetadata(outcome.object, [&](meta::ObjectMeta& now) {
    if (now.uid.empty()) {
      now.uid = before.uid;
    }
    if (!before.creation_timestamp.empty()) {
      now.creation_timestamp = before.creation_timestamp;
    }
    if (before.deletion_timestamp.has_value()) {
      now.deletion_timestamp = before.deletion_timestamp;
    }
    if (!now.deletion_grace_period_seconds.has_value()) {
      now.deletion_grace_period_seconds = before.deletion_grace_period_seconds;
    }
  });
  outcome.errors = ValidateObjectMeta(outcome.object.metadata(),
                                      {.namespaced = kind.namespaced,
                                       .name_rule = NameIsPathSegment,
                                       .check_standard_finalizers = false},
                                      FieldPath("metadata"));
  Append(outcome.errors,
         ValidateObjectMetaUpdate(outcome.object.metadata(), before, false, FieldPath("metadata")));
  Append(outcome.errors, strategy.ValidateUpdate(outcome.object, old, subresource, context));
  outcome.warnings = strategy.Warnings(outcome.object);
  return outcome;
}

}  // namespace assay::api::validation
