// Session: NVML's functions, found in a library that was loaded by path, whether it is initialised,
// and its return codes as Status. The only translation of nvmlReturn_t.
//
// Thread-safe as its members say; NVML itself is.
#ifndef ASSAY_DRIVER_REF_NVML_SESSION_H_
#define ASSAY_DRIVER_REF_NVML_SESSION_H_

#include <mutex>
#include <string>

#include "base/result.h"
#include "fakegpu/abi/nvml.h"

namespace assay::driver_ref::nvml {

// The functions that are called, by the names that the library exports.
struct Functions {
  decltype(&::nvmlInit_v2) init = nullptr;
  decltype(&::nvmlShutdown) shutdown = nullptr;
  decltype(&::nvmlErrorString) error_string = nullptr;
  decltype(&::nvmlSystemGetDriverVersion) driver_version = nullptr;
  decltype(&::nvmlSystemGetCudaDriverVersion) cuda_version = nullptr;
  decltype(&::nvmlDeviceGetCount_v2) count = nullptr;
  decltype(&::nvmlDeviceGetHandleByIndex_v2) handle_by_index = nullptr;
  decltype(&::nvmlDeviceGetUUID) uuid = nullptr;
  decltype(&::nvmlDeviceGetMinorNumber) minor_number = nullptr;
  decltype(&::nvmlDeviceGetName) name = nullptr;
  decltype(&::nvmlDeviceGetBrand) brand = nullptr;
  decltype(&::nvmlDeviceGetArchitecture) architecture = nullptr;
  decltype(&::nvmlDeviceGetCudaComputeCapability) compute_capability = nullptr;
  decltype(&::nvmlDeviceGetPciInfo_v3) pci_info = nullptr;
  decltype(&::nvmlDeviceGetMemoryInfo) memory_info = nullptr;
  decltype(&::nvmlDeviceGetFieldValues) field_values = nullptr;
  // Not in libraries that are older than the fabric.
  decltype(&::nvmlDeviceGetGpuFabricInfo) fabric_info = nullptr;
  decltype(&::nvmlEventSetCreate) event_set_create = nullptr;
  decltype(&::nvmlEventSetFree) event_set_free = nullptr;
  decltype(&::nvmlDeviceRegisterEvents) register_events = nullptr;
  decltype(&::nvmlEventSetWait_v2) event_set_wait = nullptr;
  decltype(&::nvmlDeviceGetHandleByUUID) handle_by_uuid = nullptr;
  decltype(&::nvmlDeviceGetVirtualizationMode) virtualization_mode = nullptr;
  decltype(&::nvmlDeviceGetMigMode) mig_mode = nullptr;
  decltype(&::nvmlDeviceSetMigMode) set_mig_mode = nullptr;
  decltype(&::nvmlDeviceGetGpuInstanceProfileInfoV) profile_info = nullptr;
  decltype(&::nvmlDeviceGetGpuInstancePossiblePlacements_v2) possible_placements = nullptr;
  decltype(&::nvmlDeviceGetGpuInstances) gpu_instances = nullptr;
  decltype(&::nvmlDeviceCreateGpuInstanceWithPlacement) create_gpu_instance = nullptr;
  decltype(&::nvmlGpuInstanceGetInfo) gpu_instance_info = nullptr;
  decltype(&::nvmlGpuInstanceDestroy) destroy_gpu_instance = nullptr;
  decltype(&::nvmlGpuInstanceGetComputeInstanceProfileInfo) compute_profile_info = nullptr;
  decltype(&::nvmlGpuInstanceGetComputeInstances) compute_instances = nullptr;
  decltype(&::nvmlGpuInstanceCreateComputeInstance) create_compute_instance = nullptr;
  decltype(&::nvmlComputeInstanceGetInfo_v2) compute_instance_info = nullptr;
  decltype(&::nvmlComputeInstanceDestroy) destroy_compute_instance = nullptr;
  decltype(&::nvmlDeviceGetMaxMigDeviceCount) max_mig_devices = nullptr;
  decltype(&::nvmlDeviceGetMigDeviceHandleByIndex) mig_device_by_index = nullptr;
  decltype(&::nvmlDeviceGetGpuInstanceId) gpu_instance_id = nullptr;
  decltype(&::nvmlDeviceGetComputeInstanceId) compute_instance_id = nullptr;
  decltype(&::nvmlDeviceGetPowerManagementLimit) power_limit = nullptr;
  decltype(&::nvmlDeviceGetPowerManagementLimitConstraints) power_limit_range = nullptr;
  decltype(&::nvmlDeviceSetPowerManagementLimit) set_power_limit = nullptr;
  decltype(&::nvmlDeviceGetComputeMode) compute_mode = nullptr;
  decltype(&::nvmlDeviceSetComputeMode) set_compute_mode = nullptr;
};

// kFailedPrecondition names a function that the library lacks.
Status FindAll(void* library, Functions& functions);

struct Session {
  // OK for NVML_SUCCESS; the message names `function`.
  Status Error(nvmlReturn_t code, const char* function) const;
  // Initialises NVML unless it is. Call with mu held.
  Status Initialize();
  // Initialises NVML if need be. kNotFound: there is no such GPU. Call without mu.
  Result<nvmlDevice_t> FindGpu(const std::string& uuid);

  Functions f;
  std::mutex mu;
  bool initialized = false;  // Guarded by mu.
  bool gone = false;         // The kernel driver went. Guarded by mu.
};

}  // namespace assay::driver_ref::nvml

#endif  // ASSAY_DRIVER_REF_NVML_SESSION_H_
