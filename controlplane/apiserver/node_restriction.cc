#include "controlplane/apiserver/node_restriction.h"

#include <optional>
#include <string>

#include "api/coordination/types.h"
#include "api/core/types.h"
#include "api/meta/status.h"
#include "api/resource/types.h"

namespace assay::controlplane::apiserver {
namespace {

namespace core = api::core;
namespace meta = api::meta;

constexpr std::string_view kNodeUser = "system:node:";
constexpr std::string_view kNodeLeases = "kube-node-lease";

// The node that the user is; nothing for everybody else.
std::optional<std::string> NodeOf(const User& user) {
  if (!user.name.starts_with(kNodeUser) || !user.InGroup("system:nodes")) {
    return std::nullopt;
  }
  return user.name.substr(kNodeUser.size());
}

meta::Status Refused(const api::Object& object, const std::string& why) {
  return meta::Forbidden({object.kind().group, object.kind().resource}, object.name(), why);
}

const std::string& SliceNode(const api::Object& object) {
  static const std::string* none = new std::string();
  const auto& node = object.As<api::resource::ResourceSlice>().spec.node_name;
  return node ? *node : *none;
}

ApiError RestrictLease(const std::string& node, const api::Object& object) {
  if (object.namespace_() == kNodeLeases && object.name() != node) {
    return Refused(object, "can only access node lease with the same name as the requesting node");
  }
  return std::nullopt;
}

}  // namespace

ApiError RestrictNodeCreate(const User& user, const api::Object& object) {
  std::optional<std::string> node = NodeOf(user);
  if (!node) {
    return std::nullopt;
  }
  if (object.Is<api::resource::ResourceSlice>() && SliceNode(object) != *node) {
    return Refused(object,
                   "can only create ResourceSlice with the same NodeName as the requesting node");
  }
  if (object.Is<core::Node>() && object.name() != *node) {
    return Refused(
        object, "node \"" + *node + "\" is not allowed to modify node \"" + object.name() + "\"");
  }
  if (object.Is<core::Pod>()) {
    const core::Pod& pod = object.As<core::Pod>();
    if (!pod.metadata.annotations.contains("kubernetes.io/config.mirror")) {
      return Refused(
          object, "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"" + *node +
                      "\" can only create mirror pods");
    }
    if (pod.spec.node_name != *node) {
      return Refused(
          object, "node \"" + *node + "\" can only create pods with spec.nodeName set to itself");
    }
  }
  if (object.Is<api::coordination::Lease>()) {
    return RestrictLease(*node, object);
  }
  return std::nullopt;
}

ApiError RestrictNodeUpdate(const User& user, const api::Object& object, const api::Object& old,
                            std::string_view subresource) {
  std::optional<std::string> node = NodeOf(user);
  if (!node) {
    return std::nullopt;
  }
  if (object.Is<api::resource::ResourceSlice>() && SliceNode(old) != *node) {
    return Refused(object,
                   "can only update ResourceSlice with the same NodeName as the requesting node");
  }
  if (object.Is<core::Node>() && object.name() != *node) {
    return Refused(
        object, "node \"" + *node + "\" is not allowed to modify node \"" + object.name() + "\"");
  }
  if (object.Is<core::Pod>() && subresource == "status" &&
      old.As<core::Pod>().spec.node_name != *node) {
    return Refused(object, "node \"" + *node +
                               "\" can only update pod status for pods with spec.nodeName set to "
                               "itself");
  }
  if (object.Is<api::coordination::Lease>()) {
    return RestrictLease(*node, object);
  }
  return std::nullopt;
}

ApiError RestrictNodeDelete(const User& user, const api::Object& object) {
  std::optional<std::string> node = NodeOf(user);
  if (!node) {
    return std::nullopt;
  }
  if (object.Is<api::resource::ResourceSlice>() && SliceNode(object) != *node) {
    return Refused(object,
                   "can only delete ResourceSlice with the same NodeName as the requesting node");
  }
  if (object.Is<core::Pod>() && object.As<core::Pod>().spec.node_name != *node) {
    return Refused(object,
                   "node \"" + *node + "\" can only delete pods with spec.nodeName set to itself");
  }
  if (object.Is<api::coordination::Lease>()) {
    return RestrictLease(*node, object);
  }
  return std::nullopt;
}

}  // namespace assay::controlplane::apiserver
