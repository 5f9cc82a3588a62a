// From the inventory to the devices of a ResourceSlice: names, attributes, capacity, counters and
// taints. Pure.
//
// A GPU that can be divided is a set of counters (KEP-4815): one for each memory slice, and what
// the profiles take of its memory, multiprocessors and engines. Its devices are the whole of it and
// a partition for every profile and placement; each consumes its counters, so that partitions
// exclude each other and the whole. The smallest come first, as a scheduler takes the first that
// fits. So it is with the sub-slices of a torus (torus.h).
//
// A value that the API server would refuse is shortened or left out: one odd string from the
// hardware must not suppress a whole slice.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_DISCOVERY_DEVICES_H_
#define ASSAY_DRIVER_REF_DISCOVERY_DEVICES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/resource/types.h"
#include "driver-ref/discovery/backend.h"
#include "driver-ref/discovery/partitioner.h"

namespace assay::driver_ref::discovery {

struct DeviceOptions {
  std::string driver_name;
  // "NoSchedule", "NoExecute" or "None", for GPUs that need attention.
  std::string taint_effect = "NoSchedule";
  // The PCIe root ("pci0000:17") of a bus id, or "". KEP-4381's standard attribute.
  std::function<std::string(const std::string& pci_bus_id)> pcie_root;
  // Claims share a GPU by its memory (KEP-5075), in steps of 1 GiB; one that asks for no amount
  // gets all of it.
  bool share = false;
  // A whole GPU that belongs to an NVLink fabric is bound to its node first (KEP-5007): pods wait
  // until it is part of the fabric, and one that cannot become part of it is tainted.
  bool bind_to_fabric = false;
};

// The conditions in a claim's status that say how that goes.
std::string FabricReadyCondition(const std::string& driver_name);
std::string FabricFailedCondition(const std::string& driver_name);

// A device of the node: a GPU, a partition of one, another device, or several of a torus.
struct NodeDevice {
  std::string name;
  const Gpu* gpu = nullptr;
  const MigProfile* profile = nullptr;  // Null: the whole.
  std::uint32_t start = 0;
  // What it is made of where it is no GPU.
  std::vector<const PlainDevice*> parts = {};

  // What it, or one of its parts, needs before it can be used; empty: nothing.
  const std::string& needs() const;
  // Of a partition.
  PartitionPlace place() const {
    return {.gpu = gpu->uuid, .profile = profile->id, .start = start, .size = profile->size};
  }
};

// The name of the whole GPU: its UUID in lower case, so that it stays when other GPUs come and go.
std::string DeviceName(const std::string& gpu_uuid);
// Of the NVLink domain with that `fabric_clique`: "nvlink-0e6d2f4c-...-1".
std::string DomainName(const std::string& fabric_clique);
// Refers to `gpu`. None of a GPU whose UUID is missing or makes no DNS label.
std::vector<NodeDevice> DevicesOf(const Gpu& gpu);
// All of the node's, in the order of the inventory, which they refer to.
std::vector<NodeDevice> DevicesOf(const Inventory& inventory);

// As it is published; `device` is of `inventory`.
api::resource::Device ToDevice(const NodeDevice& device, const Inventory& inventory,
                               const DeviceOptions& options);
// In that order.
std::vector<api::resource::Device> ToDevices(const Inventory& inventory,
                                             const DeviceOptions& options);
// What those devices consume: one set for each GPU that can be divided, and for each torus.
std::vector<api::resource::CounterSet> ToCounterSets(const Inventory& inventory);

// Where sysfs has the device's PCIe root: the first "pci<domain>:<bus>" of its real path; "" where
// there is none.
std::string PcieRootFromSysfs(const std::string& sysfs_root, const std::string& pci_bus_id);

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_DEVICES_H_
