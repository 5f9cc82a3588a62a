// Extended resources served by devices: which DeviceClass stands for a resource of a container, and
// the device requests that a pod's containers add up to.
//
// Source: KEP-5004; kube-scheduler, dynamicresources/extendeddynamicresources.go and
// dynamic-resource-allocation/deviceclass/extendedresourcecache. Thread-safe: functions.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_EXTENDED_RESOURCES_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_EXTENDED_RESOURCES_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/core/types.h"
#include "api/resource/types.h"

namespace assay::controlplane::scheduler {

// The claim of a pod for its extended resources, until it is created under a generated name. No
// object can have this name.
inline constexpr char kExtendedClaimDraftName[] = "<extended-resources>";

// Whether devices could stand for this resource: "example.com/gpu", or a class' implicit name
// "deviceclass.resource.kubernetes.io/<class>".
bool IsExtendedResource(const std::string& resource);

// The class that stands for `resource`, or null: of those that name it explicitly the newest (of
// equally old ones the first by name), else the one that it names implicitly.
std::shared_ptr<const api::resource::DeviceClass> ClassForResource(
    const std::vector<std::shared_ptr<const api::resource::DeviceClass>>& classes,
    const std::string& resource);

struct ExtendedRequests {
  std::vector<api::resource::DeviceRequest> requests;                 // Sorted by name.
  std::vector<api::core::ContainerExtendedResourceRequest> mappings;  // For the pod's status.
};

// The requests for `resources`, all of which have a class. A container's request is named
// container-<index>-request-<index of the resource among all it asks for>; init containers that end
// before the others start use the later ones' devices.
ExtendedRequests MakeExtendedRequests(
    const api::core::Pod& pod, const std::set<std::string>& resources,
    const std::function<std::string(const std::string& resource)>& class_of);

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_EXTENDED_RESOURCES_H_
