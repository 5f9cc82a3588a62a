#include "bench/micro/allocator/gpu_fleet.h"

#include <utility>

namespace assay::bench {
namespace {

using api::meta::Quantity;
using api::resource::DeviceAttribute;
using api::resource::DeviceClass;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

constexpr char kDriver[] = "gpu.example.com";

std::string NameOf(std::int64_t node) { return "node-" + std::to_string(node); }

api::resource::Device Device(std::int64_t node, int gpu, int part, int partitions) {
  api::resource::Device device;
  device.name = "gpu-" + std::to_string(gpu) + (part < 0 ? "" : "-part-" + std::to_string(part));
  device.attributes["type"].string = part < 0 ? "gpu" : "part";
  device.attributes["gpu"].string = "GPU-" + std::to_string(node * kGpusPerNode + gpu);
  device.attributes["numa"].int_ = gpu / 4;
  device.capacity["memory"].value = Quantity::FromInt64(part < 0 ? partitions : 1);
  if (partitions > 0) {
    auto& consumption = device.consumes_counters.emplace_back();
    consumption.counter_set = "gpu-" + std::to_string(gpu);
    consumption.counters["memory"].value = Quantity::FromInt64(part < 0 ? partitions : 1);
  }
  return device;
}

api::resource::DeviceRequest Request(std::string name, const std::string& type) {
  api::resource::DeviceRequest request;
  request.name = std::move(name);
  auto& exactly = request.exactly.emplace();
  exactly.device_class_name = "gpu";
  exactly.allocation_mode = "ExactCount";
  exactly.count = 1;
  exactly.selectors.emplace_back().cel.emplace().expression =
      std::string("device.attributes['") + kDriver + "'].type == '" + type + "'";
  return request;
}

ResourceClaim Claim(const std::string& name) {
  ResourceClaim claim;
  claim.metadata.namespace_ = "default";
  claim.metadata.name = name;
  return claim;
}

ResourceSlice Slice(std::int64_t node, const std::string& part, std::int64_t slices) {
  ResourceSlice slice;
  slice.metadata.name = NameOf(node) + part;
  slice.spec.driver = kDriver;
  slice.spec.node_name = NameOf(node);
  slice.spec.pool = {.name = NameOf(node), .generation = 1, .resource_slice_count = slices};
  return slice;
}

}  // namespace

GpuFleet::GpuFleet(std::int64_t count, int partitions) {
  DeviceClass device_class;
  device_class.metadata.name = "gpu";
  inventory.SetClass(device_class);
  for (std::int64_t node = 0; node < count; ++node) {
    nodes.emplace_back().metadata.name = NameOf(node);
    inventory.SetSlice(GpuSlice(node, partitions));
    if (partitions > 0) {
      ResourceSlice counters = Slice(node, "-counters", 2);
      for (int gpu = 0; gpu < kGpusPerNode; ++gpu) {
        auto& set = counters.spec.shared_counters.emplace_back();
        set.name = "gpu-" + std::to_string(gpu);
        set.counters["memory"].value = Quantity::FromInt64(partitions);
      }
      inventory.SetSlice(counters);
    }
  }
}

ResourceSlice GpuFleet::GpuSlice(std::int64_t node, int partitions) {
  ResourceSlice slice = Slice(node, "", partitions > 0 ? 2 : 1);
  for (int gpu = 0; gpu < kGpusPerNode; ++gpu) {
    for (int part = -1; part < partitions; ++part) {
      slice.spec.devices.push_back(Device(node, gpu, part, partitions));
    }
  }
  return slice;
}

ResourceClaim GpuFleet::ClaimGpus(int gpus) {
  ResourceClaim claim = Claim("gpus");
  for (int i = 0; i < gpus; ++i) {
    claim.spec.devices.requests.push_back(Request("gpu-" + std::to_string(i), "gpu"));
  }
  return claim;
}

ResourceClaim GpuFleet::ClaimParts(int parts) {
  ResourceClaim claim = Claim("parts");
  for (int i = 0; i < parts; ++i) {
    claim.spec.devices.requests.push_back(Request("part-" + std::to_string(i), "part"));
  }
  claim.spec.devices.constraints.emplace_back().match_attribute = std::string(kDriver) + "/gpu";
  return claim;
}

ResourceClaim GpuFleet::UsedGpu(std::int64_t node, int gpu) {
  ResourceClaim claim = Claim("used-" + std::to_string(node) + "-" + std::to_string(gpu));
  claim.status.allocation.emplace().devices.results.push_back(
      {.request = "gpu",
       .driver = kDriver,
       .pool = NameOf(node),
       .device = "gpu-" + std::to_string(gpu)});
  return claim;
}

std::vector<const api::core::Node*> GpuFleet::NodePointers() const {
  std::vector<const api::core::Node*> pointers;
  for (const api::core::Node& node : nodes) {
    pointers.push_back(&node);
  }
  return pointers;
}

}  // namespace assay::bench
