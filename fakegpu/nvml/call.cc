#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {

nvmlReturn_t InjectedReturn(const layout::NodeState& node, const char* function,
                            std::uint32_t slot) {
  const std::uint64_t hash = layout::HashName(function);
  for (std::uint32_t i = 0; i < layout::kMaxReturnFaults; ++i) {
    const layout::ReturnFault& fault = node.return_faults[i];
    if (fault.function_hash == hash &&
        (fault.gpu == slot || fault.gpu == layout::kAnyGpu || slot == layout::kAnyGpu)) {
      return static_cast<nvmlReturn_t>(fault.code);
    }
  }
  return NVML_SUCCESS;
}

nvmlReturn_t FindMig(const layout::GpuState& gpu, const Handle& handle, MigPlace* place) {
  if (handle.gpu_instance >= layout::kMaxGpuInstances ||
      handle.compute_instance >= layout::kMaxComputeInstances) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  const layout::GpuInstance& gpu_instance = gpu.gpu_instances[handle.gpu_instance];
  const layout::ComputeInstance& compute_instance =
      gpu_instance.compute_instances[handle.compute_instance];
  const bool of_gpu_instance = handle.kind == HandleKind::kGpuInstance;
  const std::uint32_t generation =
      of_gpu_instance ? gpu_instance.generation : compute_instance.generation;
  if (gpu_instance.used == 0 || (!of_gpu_instance && compute_instance.used == 0) ||
      (generation & kGenerationMask) != handle.generation) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  place->gpu_instance = &gpu_instance;
  place->compute_instance = of_gpu_instance ? nullptr : &compute_instance;
  return NVML_SUCCESS;
}

nvmlReturn_t CopyString(const char* text, std::size_t capacity, char* buffer, std::size_t size) {
  const std::size_t length = strnlen(text, capacity);
  if (length + 1 > size) {
    return NVML_ERROR_INSUFFICIENT_SIZE;
  }
  std::memcpy(buffer, text, length);
  buffer[length] = '\0';
  return NVML_SUCCESS;
}

nvmlReturn_t BeginChange(layout::Transaction& transaction) {
  if (geteuid() != 0) {
    return NVML_ERROR_NO_PERMISSION;
  }
  const layout::Region* region = Library::Get().region();
  if (region == nullptr) {
    return NVML_ERROR_UNINITIALIZED;
  }
  switch (transaction.Begin(Library::Get().state_path())) {
    case layout::OpenError::kNone:
      break;
    case layout::OpenError::kNoPermission:
      return NVML_ERROR_NO_PERMISSION;
    default:
      return NVML_ERROR_OPERATING_SYSTEM;
  }
  // The node has been made anew since this process opened it.
  return transaction.instance_id() == region->instance_id() ? NVML_SUCCESS
                                                            : NVML_ERROR_DRIVER_NOT_LOADED;
}

}  // namespace assay::fakegpu::nvml
