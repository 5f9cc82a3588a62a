#include "driver-ref/nvml/session.h"

#include <dlfcn.h>

namespace assay::driver_ref::nvml {
namespace {

template <typename F>
Status Find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(::dlsym(library, name));
  return function != nullptr ? OkStatus()
                             : FailedPreconditionError(std::string("it has no function ") + name);
}

}  // namespace

Status FindAll(void* library, Functions& f) {
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlInit_v2", f.init));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlShutdown", f.shutdown));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlErrorString", f.error_string));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlSystemGetDriverVersion", f.driver_version));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlSystemGetCudaDriverVersion", f.cuda_version));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetCount_v2", f.count));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetHandleByIndex_v2", f.handle_by_index));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetUUID", f.uuid));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetMinorNumber", f.minor_number));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetName", f.name));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetBrand", f.brand));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetArchitecture", f.architecture));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetCudaComputeCapability", f.compute_capability));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetPciInfo_v3", f.pci_info));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetMemoryInfo", f.memory_info));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetFieldValues", f.field_values));
  (void)Find(library, "nvmlDeviceGetGpuFabricInfo", f.fabric_info);
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlEventSetCreate", f.event_set_create));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlEventSetFree", f.event_set_free));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceRegisterEvents", f.register_events));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlEventSetWait_v2", f.event_set_wait));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetHandleByUUID", f.handle_by_uuid));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetVirtualizationMode", f.virtualization_mode));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetMigMode", f.mig_mode));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceSetMigMode", f.set_mig_mode));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetGpuInstanceProfileInfoV", f.profile_info));
  ASSAY_RETURN_IF_ERROR(
      Find(library, "nvmlDeviceGetGpuInstancePossiblePlacements_v2", f.possible_placements));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetGpuInstances", f.gpu_instances));
  ASSAY_RETURN_IF_ERROR(
      Find(library, "nvmlDeviceCreateGpuInstanceWithPlacement", f.create_gpu_instance));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlGpuInstanceGetInfo", f.gpu_instance_info));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlGpuInstanceDestroy", f.destroy_gpu_instance));
  ASSAY_RETURN_IF_ERROR(
      Find(library, "nvmlGpuInstanceGetComputeInstanceProfileInfo", f.compute_profile_info));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlGpuInstanceGetComputeInstances", f.compute_instances));
  ASSAY_RETURN_IF_ERROR(
      Find(library, "nvmlGpuInstanceCreateComputeInstance", f.create_compute_instance));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlComputeInstanceGetInfo_v2", f.compute_instance_info));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlComputeInstanceDestroy", f.destroy_compute_instance));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetMaxMigDeviceCount", f.max_mig_devices));
  ASSAY_RETURN_IF_ERROR(
      Find(library, "nvmlDeviceGetMigDeviceHandleByIndex", f.mig_device_by_index));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetGpuInstanceId", f.gpu_instance_id));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetComputeInstanceId", f.compute_instance_id));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetPowerManagementLimit", f.power_limit));
  ASSAY_RETURN_IF_ERROR(
      Find(library, "nvmlDeviceGetPowerManagementLimitConstraints", f.power_limit_range));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceSetPowerManagementLimit", f.set_power_limit));
  ASSAY_RETURN_IF_ERROR(Find(library, "nvmlDeviceGetComputeMode", f.compute_mode));
  return Find(library, "nvmlDeviceSetComputeMode", f.set_compute_mode);
}

Status Session::Error(nvmlReturn_t code, const char* function) const {
  const std::string text = std::string(function) + ": " + f.error_string(code);
  switch (code) {
    case NVML_SUCCESS:
      return OkStatus();
    case NVML_ERROR_NOT_SUPPORTED:
      return UnimplementedError(text);
    case NVML_ERROR_GPU_IS_LOST:
      return DataLossError(text);
    case NVML_ERROR_NOT_FOUND:
      return NotFoundError(text);
    case NVML_ERROR_IN_USE:
      return FailedPreconditionError(text);
    case NVML_ERROR_INSUFFICIENT_RESOURCES:
      return ResourceExhaustedError(text);
    case NVML_ERROR_TIMEOUT:
      return DeadlineExceededError(text);
    case NVML_ERROR_NO_PERMISSION:
      return PermissionDeniedError(text);
    case NVML_ERROR_DRIVER_NOT_LOADED:
    case NVML_ERROR_UNINITIALIZED:
    case NVML_ERROR_LIBRARY_NOT_FOUND:
      return UnavailableError(text);
    default:
      return InternalError(text);
  }
}

Status Session::Initialize() {
  if (gone) {
    return UnavailableError("NVML's driver went; it is not initialised again yet");
  }
  if (initialized) {
    return OkStatus();
  }
  ASSAY_RETURN_IF_ERROR(Error(f.init(), "nvmlInit_v2"));
  initialized = true;
  return OkStatus();
}

Result<nvmlDevice_t> Session::FindGpu(const std::string& uuid) {
  {
    const std::lock_guard<std::mutex> lock(mu);
    ASSAY_RETURN_IF_ERROR(Initialize());
  }
  nvmlDevice_t device = nullptr;
  ASSAY_RETURN_IF_ERROR(Error(f.handle_by_uuid(uuid.c_str(), &device), "nvmlDeviceGetHandleByUUID")
                            .WithContext(uuid));
  return device;
}

}  // namespace assay::driver_ref::nvml
