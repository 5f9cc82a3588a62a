// The frame of every call of the C interface: what is checked before its body runs, in NVML's
// order: initialised, driver there, handle, arguments, faults, a lost GPU.
//
//   nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int* minorNumber) {
//     return Get(DeviceCall{__func__, device}.EvenIfLost(), minorNumber,
//                [](const Gpu& gpu) { return gpu.state.identity.minor; });
//   }
//
// Freestanding. Thread-safe.
#ifndef ASSAY_FAKEGPU_NVML_CALL_H_
#define ASSAY_FAKEGPU_NVML_CALL_H_

#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "fakegpu/layout/metrics.h"
#include "fakegpu/layout/region.h"
#include "fakegpu/layout/state.h"
#include "fakegpu/layout/transaction.h"
#include "fakegpu/nvml/handles.h"
#include "fakegpu/nvml/library.h"

// A function of NVML's. Clients come through entry_points.cc, which logs the call.
#define NVML_EXPORT extern "C"

// What clients look up beyond NVML's header.
NVML_EXPORT nvmlReturn_t nvmlInternalGetExportTable(const void** exportTable, const void* tableId)
    NVML_SYMBOL(nvmlInternalGetExportTable);
NVML_EXPORT nvmlReturn_t nvmlGetBlacklistDeviceCount(unsigned int* deviceCount)
    NVML_SYMBOL(nvmlGetBlacklistDeviceCount);
NVML_EXPORT nvmlReturn_t nvmlGetBlacklistDeviceInfoByIndex(unsigned int index,
                                                           nvmlExcludedDeviceInfo_t* info)
    NVML_SYMBOL(nvmlGetBlacklistDeviceInfoByIndex);

namespace assay::fakegpu::nvml {

// Whether all of a call's required pointers are given.
template <typename... Pointer>
constexpr bool NotNull(Pointer... pointers) {
  return (... && (pointers != nullptr));
}

// A GPU, or a MIG device of it, as a call's body sees it: for as long as the body runs.
struct Gpu {
  const layout::NodeState& node;
  const layout::GpuState& state;
  Handle handle;
  // Of a MIG device; null otherwise.
  const layout::GpuInstance* gpu_instance = nullptr;
  const layout::ComputeInstance* compute_instance = nullptr;

  std::int64_t Now() const { return layout::NodeTime(node.clock, layout::CoarseMonotonic()); }
  // A time of the node as NVML's timestamps have it: microseconds since 1970.
  unsigned long long StampUs(std::int64_t node_ns) const {
    return static_cast<unsigned long long>(std::uint64_t{node.clock.epoch_s} * 1'000'000 +
                                           static_cast<std::uint64_t>(node_ns / 1000));
  }
  // Inline, so that what the caller does not use of it is not computed.
  [[gnu::always_inline]] layout::Readings Measure() const { return layout::Measure(state, Now()); }
};

// What a call asks for.
struct DeviceCall {
  const char* function;
  nvmlDevice_t device;
  bool arguments_ok = true;
  bool even_if_lost = false;
  bool or_mig = false;

  // The driver keeps the answer itself, so a GPU that has fallen off the bus still "answers".
  constexpr DeviceCall EvenIfLost() const {
    DeviceCall call = *this;
    call.even_if_lost = true;
    return call;
  }
  // A MIG device's handle will do.
  constexpr DeviceCall OrMig() const {
    DeviceCall call = *this;
    call.or_mig = true;
    return call;
  }
  constexpr DeviceCall With(bool arguments) const {
    DeviceCall call = *this;
    call.arguments_ok = arguments;
    return call;
  }
};

// What a check of a call answers where some function is faulted: ask PlayFaults, then check again.
inline constexpr auto kAskFaults = static_cast<nvmlReturn_t>(1000);
// Plays the faults of this call for what `handle` stands for (kInvalid: of any GPU): waits, and
// answers the code that it is to answer; NVML_SUCCESS: its result. Once for each call.
nvmlReturn_t PlayFaults(const layout::Region& region, const char* function, const Handle& handle);

// For a call that reads the state again: its faults were played by the first time.
inline constexpr const char* kReadAgain = nullptr;

// region.Read() of check(copy, played) -> nvmlReturn_t, with the faults of the call.
template <typename Check>
nvmlReturn_t ReadFaulted(const layout::Region& region, const char* function, const Handle& handle,
                         Check&& check) {
  bool played = function == kReadAgain;
  for (;;) {
    const nvmlReturn_t result =
        region.Read([&](const layout::Copy& copy) { return check(copy, played); });
    if (result != kAskFaults) [[likely]] {
      return result;
    }
    const nvmlReturn_t injected = PlayFaults(region, function, handle);
    if (injected != NVML_SUCCESS) {
      return injected;
    }
    played = true;
  }
}

// Finds what `handle` stands for; NVML_SUCCESS, or why there is no such thing now.
struct MigPlace {
  const layout::GpuInstance* gpu_instance = nullptr;
  const layout::ComputeInstance* compute_instance = nullptr;
};
nvmlReturn_t FindMig(const layout::GpuState& gpu, const Handle& handle, MigPlace* place);

// The checks of a device call against one commit; `played`: its faults were.
inline nvmlReturn_t CheckDevice(const DeviceCall& call, const Handle& handle,
                                const layout::Copy& copy, bool played, MigPlace* place) {
  const layout::NodeState& node = copy.node();
  if (node.driver_loaded == 0) [[unlikely]] {
    return NVML_ERROR_DRIVER_NOT_LOADED;
  }
  if (handle.slot >= copy.gpu_count() || !Library::Get().IsVisible(handle.slot)) [[unlikely]] {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  if (node.return_fault_count != 0 && !played) [[unlikely]] {
    return kAskFaults;
  }
  const layout::GpuState& gpu = copy.gpu(handle.slot);
  if (gpu.health.plugged == 0 || (gpu.health.lost != 0 && !call.even_if_lost)) [[unlikely]] {
    return NVML_ERROR_GPU_IS_LOST;
  }
  if (handle.kind != HandleKind::kDevice) {
    if (!call.or_mig) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    return FindMig(gpu, handle, place);
  }
  return NVML_SUCCESS;
}

// Runs body(const Gpu&) -> nvmlReturn_t on a consistent view. It may run twice, so it must only
// write to its results.
template <typename Body>
nvmlReturn_t ReadDevice(const DeviceCall& call, Body&& body) {
  const layout::Region* region = Library::Get().region();
  if (region == nullptr) [[unlikely]] {
    return NVML_ERROR_UNINITIALIZED;
  }
  const Handle handle = FromPointer(call.device);
  if ((handle.kind != HandleKind::kDevice && handle.kind != HandleKind::kMigDevice) ||
      !call.arguments_ok) [[unlikely]] {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  return ReadFaulted(*region, call.function, handle, [&](const layout::Copy& copy, bool played) {
    MigPlace place;
    const nvmlReturn_t checked = CheckDevice(call, handle, copy, played, &place);
    if (checked != NVML_SUCCESS) [[unlikely]] {
      return checked;
    }
    return body(Gpu{copy.node(), copy.gpu(handle.slot), handle, place.gpu_instance,
                    place.compute_instance});
  });
}

// A call with one result, which value(const Gpu&) computes.
template <typename T, typename Value>
nvmlReturn_t Get(const DeviceCall& call, T* result, Value&& value) {
  return ReadDevice(call.With(call.arguments_ok && result != nullptr), [&](const Gpu& gpu) {
    *result = static_cast<T>(value(gpu));
    return NVML_SUCCESS;
  });
}

// A call whose result is a string: INSUFFICIENT_SIZE where it does not fit with its NUL.
nvmlReturn_t CopyString(const char* text, std::size_t capacity, char* buffer, std::size_t size);
template <std::size_t N>
nvmlReturn_t CopyString(const char (&text)[N], char* buffer, std::size_t size) {
  return CopyString(text, N, buffer, size);
}
template <typename Text>
nvmlReturn_t GetString(const DeviceCall& call, char* buffer, unsigned int size, Text&& text) {
  return ReadDevice(call.With(call.arguments_ok && buffer != nullptr),
                    [&](const Gpu& gpu) { return CopyString(text(gpu), buffer, size); });
}

// A call without a device: body(const layout::Copy&) -> nvmlReturn_t. `handle` is for faults: what
// the call is of.
template <typename Body>
nvmlReturn_t ReadNode(const char* function, bool arguments_ok, Body&& body,
                      const Handle& handle = {}) {
  const layout::Region* region = Library::Get().region();
  if (region == nullptr) [[unlikely]] {
    return NVML_ERROR_UNINITIALIZED;
  }
  if (!arguments_ok) [[unlikely]] {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  return ReadFaulted(*region, function, handle, [&](const layout::Copy& copy, bool played) {
    const layout::NodeState& node = copy.node();
    if (node.driver_loaded == 0) [[unlikely]] {
      return NVML_ERROR_DRIVER_NOT_LOADED;
    }
    if (node.return_fault_count != 0 && !played) [[unlikely]] {
      return kAskFaults;
    }
    return body(copy);
  });
}

// Opens a change of the node that this process reads, for callers that may make one.
nvmlReturn_t BeginChange(layout::Transaction& transaction);

// A setter: body(layout::Transaction&, layout::GpuState&, const Gpu&) -> nvmlReturn_t; what it
// changed is committed if it answers NVML_SUCCESS. Root's alone, as with NVML.
template <typename Body>
nvmlReturn_t ChangeDevice(const DeviceCall& call, Body&& body) {
  const nvmlReturn_t readable = ReadDevice(call, [](const Gpu&) { return NVML_SUCCESS; });
  if (readable != NVML_SUCCESS) {
    return readable;
  }
  layout::Transaction transaction;
  const nvmlReturn_t begun = BeginChange(transaction);
  if (begun != NVML_SUCCESS) {
    return begun;
  }
  const std::uint32_t slot = FromPointer(call.device).slot;
  layout::GpuState& gpu = transaction.gpu(slot);
  // Another process may have taken the GPU away since the check.
  if (gpu.health.plugged == 0 || gpu.health.lost != 0) {
    return NVML_ERROR_GPU_IS_LOST;
  }
  layout::SettleTrail(gpu, layout::NodeTime(transaction.node().clock, layout::CoarseMonotonic()));
  const nvmlReturn_t result = body(transaction, gpu);
  if (result == NVML_SUCCESS) {
    transaction.Commit();
  }
  return result;
}

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_CALL_H_
