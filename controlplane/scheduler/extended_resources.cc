#include "controlplane/scheduler/extended_resources.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace assay::controlplane::scheduler {
namespace {

using api::core::Container;
using api::core::ContainerExtendedResourceRequest;
using api::resource::DeviceClass;
using api::resource::DeviceRequest;

constexpr std::string_view kImplicitPrefix = "deviceclass.resource.kubernetes.io/";

std::string RequestName(std::size_t container_index, const Container& container,
                        const std::string& resource) {
  const auto& requests = container.resources.requests;
  const auto index = std::distance(requests.begin(), requests.find(resource));
  return "container-" + std::to_string(container_index) + "-request-" + std::to_string(index);
}

struct ContainerRequest {
  std::optional<DeviceRequest> request;  // What it needs beyond what it can use of others.
  std::vector<ContainerExtendedResourceRequest> mappings;
};

ContainerRequest RequestOf(std::size_t index, const Container& container,
                           const std::string& resource, const std::string& device_class,
                           const std::vector<const DeviceRequest*>& reusable) {
  ContainerRequest result;
  const auto quantity = container.resources.requests.find(resource);
  if (quantity == container.resources.requests.end()) {
    return result;
  }
  const std::int64_t wanted = quantity->second.AsInt64().value_or(0);
  if (wanted == 0) {
    return result;
  }
  const auto map_to = [&](const std::string& request) {
    ContainerExtendedResourceRequest mapping;
    mapping.container_name = container.name;
    mapping.resource_name = resource;
    mapping.request_name = request;
    result.mappings.push_back(std::move(mapping));
  };
  std::int64_t reused = 0;
  for (const DeviceRequest* request : reusable) {
    reused += request->exactly->count;
    map_to(request->name);
    if (reused >= wanted) {
      return result;
    }
  }
  DeviceRequest request;
  request.name = RequestName(index, container, resource);
  request.exactly.emplace();
  request.exactly->device_class_name = device_class;
  request.exactly->allocation_mode = "ExactCount";
  request.exactly->count = wanted - reused;
  map_to(request.name);
  result.request = std::move(request);
  return result;
}

// The requests of all containers for one resource.
void AddRequests(const std::vector<const Container*>& containers, std::size_t init_containers,
                 const std::string& resource, const std::string& device_class,
                 ExtendedRequests& result) {
  const auto ends_early = [&](std::size_t i) {
    return i < init_containers && containers[i]->restart_policy.value_or("") != "Always";
  };
  std::vector<std::optional<DeviceRequest>> long_lived(containers.size());
  for (std::size_t i = 0; i < containers.size(); ++i) {
    if (!ends_early(i)) {
      ContainerRequest made = RequestOf(i, *containers[i], resource, device_class, {});
      long_lived[i] = std::move(made.request);
      std::move(made.mappings.begin(), made.mappings.end(), std::back_inserter(result.mappings));
    }
  }
  // Init containers run one after the other: the largest of their requests serves them all.
  std::optional<DeviceRequest> largest;
  std::set<std::string> replaced;
  std::vector<ContainerExtendedResourceRequest> mappings;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    if (!ends_early(i)) {
      continue;
    }
    std::vector<const DeviceRequest*> reusable;
    for (std::size_t later = i; later < containers.size(); ++later) {
      if (long_lived[later]) {
        reusable.push_back(&*long_lived[later]);
      }
    }
    ContainerRequest made = RequestOf(i, *containers[i], resource, device_class, reusable);
    if (made.request) {
      replaced.insert(made.request->name);
      if (!largest || largest->exactly->count < made.request->exactly->count) {
        largest = std::move(made.request);
      }
    }
    std::move(made.mappings.begin(), made.mappings.end(), std::back_inserter(mappings));
  }
  for (ContainerExtendedResourceRequest& mapping : mappings) {
    if (replaced.contains(mapping.request_name)) {
      mapping.request_name = largest->name;
    }
  }
  std::move(mappings.begin(), mappings.end(), std::back_inserter(result.mappings));
  if (largest) {
    result.requests.push_back(*std::move(largest));
  }
  for (std::optional<DeviceRequest>& request : long_lived) {
    if (request) {
      result.requests.push_back(*std::move(request));
    }
  }
}

}  // namespace

bool IsExtendedResource(const std::string& resource) {
  if (resource.starts_with(kImplicitPrefix)) {
    return true;
  }
  return resource.find('/') != std::string::npos &&
         resource.find("kubernetes.io/") == std::string::npos && !resource.starts_with("requests.");
}

std::shared_ptr<const DeviceClass> ClassForResource(
    const std::vector<std::shared_ptr<const DeviceClass>>& classes, const std::string& resource) {
  std::shared_ptr<const DeviceClass> best;
  std::shared_ptr<const DeviceClass> implicit;
  for (const auto& candidate : classes) {  // Sorted by name: of equals the first stays.
    if (candidate->spec.extended_resource_name.value_or("") == resource &&
        (!best || candidate->metadata.creation_timestamp > best->metadata.creation_timestamp)) {
      best = candidate;
    }
    if (resource.size() == kImplicitPrefix.size() + candidate->metadata.name.size() &&
        resource.starts_with(kImplicitPrefix) && resource.ends_with(candidate->metadata.name)) {
      implicit = candidate;
    }
  }
  return best ? best : implicit;
}

ExtendedRequests MakeExtendedRequests(
    const api::core::Pod& pod, const std::set<std::string>& resources,
    const std::function<std::string(const std::string& resource)>& class_of) {
  std::vector<const Container*> containers;
  for (const Container& container : pod.spec.init_containers) {
    containers.push_back(&container);
  }
  for (const Container& container : pod.spec.containers) {
    containers.push_back(&container);
  }
  ExtendedRequests result;
  for (const std::string& resource : resources) {
    AddRequests(containers, pod.spec.init_containers.size(), resource, class_of(resource), result);
  }
  std::sort(result.requests.begin(), result.requests.end(),
            [](const DeviceRequest& a, const DeviceRequest& b) { return a.name < b.name; });
  return result;
}

}  // namespace assay::controlplane::scheduler
