#include "bench/fixed_work/large_slice.h"

#include <string>

#include "api/meta/quantity.h"

namespace assay::bench {

api::resource::ResourceSlice MakeLargeSlice() {
  api::resource::ResourceSlice slice;
  slice.metadata.name = "node-0-gpu.example.com";
  slice.spec.driver = "gpu.example.com";
  slice.spec.node_name = "node-0";
  slice.spec.pool = {.name = "node-0", .generation = 1, .resource_slice_count = 1};
  for (int i = 0; i < 128; ++i) {
    api::resource::Device& device = slice.spec.devices.emplace_back();
    device.name = "gpu-" + std::to_string(i);
    device.attributes["type"].string = "gpu";
    device.attributes["uuid"].string = "GPU-00000000-0000-4000-8000-" + std::to_string(i);
    device.attributes["driverVersion"].version = "580.65.6";
    device.attributes["resource.kubernetes.io/numaNode"].int_ = i % 2;
    device.capacity["memory"].value = *api::meta::Quantity::Parse("81079Mi");
  }
  return slice;
}

}  // namespace assay::bench
