// From GPUs to the devices of a ResourceSlice: names, attributes, capacity and taints. Pure.
//
// A value that the API server would refuse is shortened or left out: one odd string from the
// hardware must not suppress a whole slice.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_DISCOVERY_DEVICES_H_
#define ASSAY_DRIVER_REF_DISCOVERY_DEVICES_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/resource/types.h"
#include "driver-ref/discovery/backend.h"

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
};

// The device's name: the UUID in lower case, so that it stays when other GPUs come and go.
std::string DeviceName(const Gpu& gpu);

// In the order of the inventory. GPUs without a UUID, or with one that makes no DNS label, are left
// out.
std::vector<api::resource::Device> ToDevices(const Inventory& inventory,
                                             const DeviceOptions& options);

// A dotted version as semantic version 2.0 ("580.95.05" is "580.95.5", "13.0" is "13.0.0"), or ""
// if it is none.
std::string ToSemanticVersion(std::string_view version);

// Where sysfs has the device's PCIe root: the first "pci<domain>:<bus>" of its real path; "" where
// there is none.
std::string PcieRootFromSysfs(const std::string& sysfs_root, const std::string& pci_bus_id);

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_DEVICES_H_
