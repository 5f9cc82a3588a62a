// Handles: what clients hold of a device, a MIG device, a GPU instance or a compute instance.
//
// A handle is a number in a pointer's clothes and is never followed: kind, slot and, of a MIG
// instance, its places and its generation. So a handle stays the same over re-initialisation and in
// every process, any other value is told apart from one, and a handle to a destroyed instance does
// not reach its successor in the same place.
//
// Freestanding. Thread-safe: values.
#ifndef ASSAY_FAKEGPU_NVML_HANDLES_H_
#define ASSAY_FAKEGPU_NVML_HANDLES_H_

#include <cstdint>

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::nvml {

enum class HandleKind : std::uint32_t {
  kInvalid = 0,
  kDevice = 1,
  kMigDevice = 2,
  kGpuInstance = 3,
  kComputeInstance = 4,
};

struct Handle {
  HandleKind kind = HandleKind::kInvalid;
  std::uint32_t slot = 0;          // Of the GPU.
  std::uint32_t gpu_instance = 0;  // Places in the state's arrays, not ids.
  std::uint32_t compute_instance = 0;
  std::uint32_t generation = 0;  // 28 bits.
};

// From the top: tag, kind, slot, GPU instance, compute instance, generation.
inline constexpr std::uint64_t kHandleTag = 0x4e56;
inline constexpr std::uint32_t kGenerationMask = 0x0fff'ffff;
static_assert(layout::kMaxGpus <= 4096 && layout::kMaxGpuInstances <= 16 &&
              layout::kMaxComputeInstances <= 16);

constexpr std::uint64_t EncodeHandle(const Handle& handle) {
  return (kHandleTag + static_cast<std::uint64_t>(handle.kind)) << 48 |
         std::uint64_t{handle.slot} << 36 | std::uint64_t{handle.gpu_instance} << 32 |
         std::uint64_t{handle.compute_instance} << 28 | (handle.generation & kGenerationMask);
}

constexpr Handle DecodeHandle(std::uint64_t value) {
  const std::uint64_t kind = (value >> 48) - kHandleTag;
  if (kind < 1 || kind > 4) {
    return {};
  }
  return {.kind = static_cast<HandleKind>(kind),
          .slot = static_cast<std::uint32_t>(value >> 36) & 0xfff,
          .gpu_instance = static_cast<std::uint32_t>(value >> 32) & 0xf,
          .compute_instance = static_cast<std::uint32_t>(value >> 28) & 0xf,
          .generation = static_cast<std::uint32_t>(value) & kGenerationMask};
}

// As the pointer type that the C interface gives out.
template <typename Pointer>
Pointer ToPointer(const Handle& handle) {
  return reinterpret_cast<Pointer>(EncodeHandle(handle));
}
template <typename Pointer>
Handle FromPointer(Pointer pointer) {
  return DecodeHandle(reinterpret_cast<std::uintptr_t>(pointer));
}

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_HANDLES_H_
