// Times what the allocator does for each node, claim and slice, on fleets made here: nodes with
// eight GPUs, or with eight GPUs of fifteen partitions each.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "allocator/allocator.h"
#include "api/core/types.h"
#include "api/resource/types.h"

namespace assay::allocator {
namespace {

using api::meta::Quantity;
using api::resource::Device;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

constexpr int kGpus = 8;
constexpr int kSlicesOfGpu = 7;

struct Fleet {
  Inventory inventory;
  std::vector<api::core::Node> nodes;
};

ResourceSlice NewSlice(const std::string& node, const std::string& name, int count) {
  ResourceSlice slice;
  slice.metadata.name = node + "-" + name;
  slice.spec.driver = "gpu.example.com";
  slice.spec.node_name = node;
  slice.spec.pool = {.name = node, .generation = 1, .resource_slice_count = count};
  return slice;
}

Device NewDevice(const std::string& name, const std::string& type, const std::string& uuid,
                 const std::string& memory) {
  Device device;
  device.name = name;
  device.attributes["type"].string = type;
  device.attributes["productName"].string = "Example H100";
  device.attributes["driverVersion"].version = "580.65.6";
  device.attributes[type == "gpu" ? "uuid" : "parentUUID"].string = uuid;
  device.capacity["memory"].value = Quantity::Of(memory);
  return device;
}

std::string Uuid(std::int64_t node, int gpu) {
  return "GPU-" + std::to_string(10'000'000 + node) + "-0000-4000-8000-" + std::to_string(gpu);
}

void AddPartitions(Device device, int gpu, int first, int width, ResourceSlice& slice) {
  api::resource::DeviceCounterConsumption consumption;
  consumption.counter_set = "gpu-" + std::to_string(gpu);
  for (int i = first; i < first + width; ++i) {
    consumption.counters["memory-slice-" + std::to_string(i)].value = Quantity::FromInt64(1);
  }
  consumption.counters["engines"].value = Quantity::FromInt64(width);
  device.consumes_counters.push_back(std::move(consumption));
  slice.spec.devices.push_back(std::move(device));
}

// `partitions`: each GPU also as 7 parts of one, 4 of two, 2 of four and 1 of seven slices.
std::unique_ptr<Fleet> MakeFleet(std::int64_t nodes, bool partitions) {
  auto fleet = std::make_unique<Fleet>();
  api::resource::DeviceClass device_class;
  device_class.metadata.name = "gpu";
  fleet->inventory.SetClass(device_class);
  for (std::int64_t n = 0; n < nodes; ++n) {
    const std::string name = "node-" + std::to_string(n);
    fleet->nodes.emplace_back().metadata.name = name;
    ResourceSlice devices = NewSlice(name, "devices", partitions ? 2 : 1);
    ResourceSlice counters = NewSlice(name, "counters", 2);
    for (int g = 0; g < kGpus; ++g) {
      const std::string gpu = "gpu-" + std::to_string(g);
      Device whole = NewDevice(gpu, "gpu", Uuid(n, g), "80Gi");
      if (!partitions) {
        devices.spec.devices.push_back(std::move(whole));
        continue;
      }
      auto& set = counters.spec.shared_counters.emplace_back();
      set.name = gpu;
      set.counters["engines"].value = Quantity::FromInt64(kSlicesOfGpu);
      for (int i = 0; i <= kSlicesOfGpu; ++i) {
        set.counters["memory-slice-" + std::to_string(i)].value = Quantity::FromInt64(1);
      }
      AddPartitions(std::move(whole), g, 0, kSlicesOfGpu, devices);
      for (const int width : {1, 2, 4, 7}) {
        for (int first = 0; first + width <= kSlicesOfGpu + (width == 1 ? 0 : 1); first += width) {
          AddPartitions(NewDevice(gpu + "-" + std::to_string(width) + "-" + std::to_string(first),
                                  "part-" + std::to_string(width), Uuid(n, g), "10Gi"),
                        g, first, width, devices);
        }
      }
    }
    fleet->inventory.SetSlice(devices);
    if (partitions) {
      fleet->inventory.SetSlice(counters);
    }
  }
  return fleet;
}

void AddRequest(ResourceClaim& claim, const std::string& type) {
  auto& request = claim.spec.devices.requests.emplace_back();
  request.name = "r" + std::to_string(claim.spec.devices.requests.size());
  auto& exactly = request.exactly.emplace();
  exactly.device_class_name = "gpu";
  exactly.allocation_mode = "ExactCount";
  exactly.count = 1;
  exactly.selectors.emplace_back().cel.emplace().expression =
      "device.attributes['gpu.example.com'].type == '" + type + "'";
}

ResourceClaim NewClaim(const std::string& name, const std::vector<std::string>& types) {
  ResourceClaim claim;
  claim.metadata.namespace_ = "default";
  claim.metadata.name = name;
  for (const std::string& type : types) {
    AddRequest(claim, type);
  }
  return claim;
}

// Tries the claim on one node after the other.
void TryNodes(benchmark::State& state, Fleet& fleet, const ResourceClaim& claim, bool fits) {
  const ResourceClaim* const claims[] = {&claim};
  Attempt attempt(fleet.inventory.TakeSnapshot(), claims);
  std::size_t node = 0;
  for (auto _ : state) {
    const Result<bool> answer = attempt.Fits(fleet.nodes[node]);
    if (!answer.ok() || *answer != fits) {
      state.SkipWithError("wrong answer");
      break;
    }
    node = node + 1 == fleet.nodes.size() ? 0 : node + 1;
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_Attempt_OneGpu(benchmark::State& state) {
  TryNodes(state, *MakeFleet(state.range(0), false), NewClaim("c", {"gpu"}), true);
}
BENCHMARK(BM_Attempt_OneGpu)->Range(1, 10000);

void BM_Attempt_EightGpus(benchmark::State& state) {
  TryNodes(state, *MakeFleet(state.range(0), false),
           NewClaim("c", std::vector<std::string>(8, "gpu")), true);
}
BENCHMARK(BM_Attempt_EightGpus)->Range(1, 10000);

void BM_Attempt_NineOfEightGpus(benchmark::State& state) {
  TryNodes(state, *MakeFleet(state.range(0), false),
           NewClaim("c", std::vector<std::string>(9, "gpu")), false);
}
BENCHMARK(BM_Attempt_NineOfEightGpus)->Range(1, 1000);

void BM_Attempt_PartitionsOfOneGpu(benchmark::State& state) {
  ResourceClaim claim = NewClaim("c", {"part-4", "part-2", "part-1"});
  claim.spec.devices.constraints.emplace_back().match_attribute = "gpu.example.com/parentUUID";
  TryNodes(state, *MakeFleet(state.range(0), true), claim, true);
}
BENCHMARK(BM_Attempt_PartitionsOfOneGpu)->Range(1, 1000);

// A claim gets a device and loses it again, with a snapshot each time.
void BM_Inventory_ClaimAndSnapshot(benchmark::State& state) {
  const std::unique_ptr<Fleet> fleet = MakeFleet(state.range(0), false);
  for (std::size_t n = 0; n < fleet->nodes.size(); ++n) {
    for (int g = 1; g < kGpus; ++g) {
      ResourceClaim claim = NewClaim(std::to_string(n) + "-" + std::to_string(g), {"gpu"});
      claim.status.allocation.emplace().devices.results.push_back(
          {.driver = "gpu.example.com",
           .pool = fleet->nodes[n].metadata.name,
           .device = "gpu-" + std::to_string(g)});
      fleet->inventory.SetClaim(claim);
    }
  }
  ResourceClaim claim = NewClaim("c", {"gpu"});
  claim.status.allocation.emplace().devices.results.push_back(
      {.driver = "gpu.example.com", .pool = "node-0", .device = "gpu-0"});
  std::shared_ptr<const Snapshot> snapshot = fleet->inventory.TakeSnapshot();
  for (auto _ : state) {
    fleet->inventory.SetClaim(claim);
    snapshot = fleet->inventory.TakeSnapshot();
    fleet->inventory.RemoveClaim("default", "c");
    snapshot = fleet->inventory.TakeSnapshot();
  }
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(BM_Inventory_ClaimAndSnapshot)->Range(10, 10000);

}  // namespace
}  // namespace assay::allocator
