#include "fakegpu/nvml/call.h"

#include <errno.h>
#include <time.h>

#include <atomic>

namespace assay::fakegpu::nvml {
namespace {

// The calls of this process that a fault was asked about.
struct CallCount {
  std::atomic<std::uint64_t> fault;  // Of which node: a new fault in the place counts anew.
  std::atomic<std::uint64_t> calls;
};
constinit CallCount call_counts[layout::kMaxReturnFaults] = {};

std::uint64_t CountCall(std::uint32_t place, std::uint64_t fault) {
  CallCount& count = call_counts[place];
  if (count.fault.exchange(fault) != fault) {
    count.calls = 0;
  }
  return count.calls.fetch_add(1);
}

// Whether the fault plays in this call, the next of its process. Nodes number their faults alike.
bool Plays(const layout::ReturnFault& fault, std::uint32_t place, std::uint64_t seed,
           std::uint64_t node) {
  if (fault.pid != 0 && fault.pid != static_cast<std::uint32_t>(getpid())) {
    return false;
  }
  const std::uint64_t call = CountCall(place, layout::internal::Mix(node) ^ fault.id);
  if (call < fault.skip || (fault.times != 0 && call - fault.skip >= fault.times)) {
    return false;
  }
  return layout::internal::Mix(seed ^ layout::internal::Mix(fault.id << 32 ^ call)) % 100 <
         fault.percent;
}

bool IsOf(const layout::ReturnFault& fault, std::uint64_t function, const Handle& handle,
          const MigPlace& place) {
  const auto is_instance = [](std::uint32_t wanted, const auto* instance) {
    return wanted == layout::kNoInstance || (instance != nullptr && instance->id == wanted);
  };
  return (fault.function_hash == function || fault.function_hash == layout::HashName("*")) &&
         (handle.kind == HandleKind::kInvalid || fault.gpu == handle.slot ||
          fault.gpu == layout::kAnyGpu) &&
         is_instance(fault.gpu_instance, place.gpu_instance) &&
         is_instance(fault.compute_instance, place.compute_instance);
}

void Wait(std::uint64_t microseconds) {
  timespec left{};
  left.tv_sec = static_cast<time_t>(microseconds / 1'000'000);
  left.tv_nsec = static_cast<long>(microseconds % 1'000'000 * 1000);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

}  // namespace

nvmlReturn_t PlayFaults(const layout::Region& region, const char* function, const Handle& handle) {
  const std::uint64_t hash = layout::HashName(function);
  // Those of this call, looked for at one moment and played afterwards.
  layout::ReturnFault faults[layout::kMaxReturnFaults];
  std::uint32_t places[layout::kMaxReturnFaults];
  std::uint32_t found = 0;
  const std::uint64_t seed = region.Read([&](const layout::Copy& copy) {
    MigPlace place;
    if (handle.kind != HandleKind::kInvalid && handle.kind != HandleKind::kDevice &&
        handle.slot < copy.gpu_count()) {
      (void)FindMig(copy.gpu(handle.slot), handle, &place);
    }
    found = 0;
    for (std::uint32_t i = 0; i < layout::kMaxReturnFaults; ++i) {
      if (IsOf(copy.node().return_faults[i], hash, handle, place)) {
        faults[found] = copy.node().return_faults[i];
        places[found++] = i;
      }
    }
    return copy.node().seed;
  });
  nvmlReturn_t code = NVML_SUCCESS;
  for (std::uint32_t i = 0; i < found && code == NVML_SUCCESS; ++i) {
    if (Plays(faults[i], places[i], seed, region.instance_id())) {
      Wait(layout::internal::Min(faults[i].delay_us, layout::kMaxDelayUs));
      code = static_cast<nvmlReturn_t>(faults[i].code);
    }
  }
  return code;
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
