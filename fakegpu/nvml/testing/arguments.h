// Calls of any function of NVML's interface with arguments out of a source of numbers: random ones,
// or a fuzzer's input. Pointers are NULL, or to buffers on the heap of just the size that the call
// says, so that a sanitizer sees a byte too many; handles are those that earlier calls gave out,
// or anything; structs hold anything but wrong pointers, which no library could survive.
//
//   CallWithAny(&nvmlDeviceGetName, "nvmlDeviceGetName", source);
//
// A source has Next() and Below(end), both of std::uint64_t.
//
// Not thread-safe.
#ifndef ASSAY_FAKEGPU_NVML_TESTING_ARGUMENTS_H_
#define ASSAY_FAKEGPU_NVML_TESTING_ARGUMENTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "fakegpu/abi/nvml.h"

namespace assay::fakegpu::nvml {

template <typename T>
concept Complete = requires { sizeof(T); };

// nvmlDevice_t and the like: pointers to what no client can see.
template <typename T>
concept OpaqueHandle = std::is_pointer_v<T> && !Complete<std::remove_pointer_t<T>> &&
                       !std::is_void_v<std::remove_pointer_t<T>>;

// The handles of a type that a caller has.
template <OpaqueHandle Handle>
std::vector<Handle>& Held() {
  static std::vector<Handle> handles;
  return handles;
}

// One call: where its arguments come from, and what they point to, which lives as long as this.
template <typename Source>
struct AnyCall {
  Source& source;
  // How many elements the call says that its buffers have.
  std::size_t count;
  // A wait, which is not to wait.
  bool waits;
  std::vector<std::shared_ptr<void>> objects;

  template <typename T>
  T* Allocate(std::size_t elements) {
    auto* array = new T[elements]{};
    objects.push_back(std::shared_ptr<T[]>(array));
    return array;
  }
  // Buffers are never of no size: many a pointer is to one result, whatever the call counts.
  template <typename T>
  T* Buffer() {
    return Allocate<T>(std::max<std::size_t>(count, 1));
  }
  template <typename T>
  T* BufferOrNull() {
    return source.Below(4) == 0 ? nullptr : Buffer<T>();
  }
};

template <OpaqueHandle Handle, typename Source>
Handle AnyHandle(AnyCall<Source>& call) {
  const std::uint64_t choice = call.source.Below(16);
  if (choice == 0) {
    return nullptr;
  }
  const std::vector<Handle>& held = Held<Handle>();
  if (choice == 1 || held.empty()) {
    return reinterpret_cast<Handle>(call.source.Next());
  }
  return held[call.source.Below(held.size())];
}

// The structs that hold pointers: to buffers, of the sizes beside them.
template <typename T, typename Source>
bool FillPointers([[maybe_unused]] T& object, [[maybe_unused]] AnyCall<Source>& call) {
  [[maybe_unused]] const auto count = static_cast<unsigned int>(call.count);
  if constexpr (std::is_same_v<T, nvmlProcessDetailList_v1_t>) {
    object.mode = static_cast<unsigned int>(call.source.Below(4));
    object.numProcArrayEntries = count;
    object.procArray = call.template BufferOrNull<nvmlProcessDetail_v1_t>();
  } else if constexpr (std::is_same_v<T, nvmlProcessesUtilizationInfo_v1_t>) {
    object.processSamplesCount = count;
    object.lastSeenTimeStamp = call.source.Next();
    object.procUtilArray = call.template BufferOrNull<nvmlProcessUtilizationInfo_v1_t>();
  } else if constexpr (std::is_same_v<T, nvmlEccSramUniqueUncorrectedErrorCounts_v1_t>) {
    object.entryCount = count;
    object.entries = call.template BufferOrNull<nvmlEccSramUniqueUncorrectedErrorEntry_v1_t>();
  } else if constexpr (std::is_same_v<T, nvmlPRMCounterList_v1_t>) {
    object.numCounters = count;
    object.counters = call.template BufferOrNull<nvmlPRMCounter_v1_t>();
    if (object.counters != nullptr) {
      object.counters->counterId = static_cast<unsigned int>(call.source.Below(1024));
      object.counters->inData.localPort = static_cast<unsigned int>(call.source.Below(64));
    }
  } else if constexpr (std::is_same_v<T, nvmlSystemEventSetWaitRequest_v1_t>) {
    object.set = AnyHandle<nvmlSystemEventSet_t>(call);
    object.dataSize = count;
    object.data = call.template BufferOrNull<nvmlSystemEventData_v1_t>();
  } else if constexpr (std::is_same_v<T, nvmlGpmMetricsGet_t>) {
    object.sample1 = AnyHandle<nvmlGpmSample_t>(call);
    object.sample2 = AnyHandle<nvmlGpmSample_t>(call);
    object.numMetrics = static_cast<unsigned int>(call.count);
    for (nvmlGpmMetric_t& metric : object.metrics) {
      metric.metricId = static_cast<unsigned int>(call.source.Below(NVML_GPM_METRIC_MAX + 2));
    }
  } else {
    // What is refused before it is looked at.
    return requires { object.placementIds; } || requires { object.vgpuUtilArray; } ||
           requires { object.vgpuProcUtilArray; } || requires { object.vgpuTypeIds; } ||
           requires { object.vgpuInstances; } || requires { object.buffer; };
  }
  return true;
}

// The start of `object`, which is where structs have what they ask for, and its version.
template <typename T, typename Source>
void Fill(T& object, AnyCall<Source>& call) {
  if (!FillPointers(object, call) && call.source.Below(2) != 0) {
    constexpr std::size_t kMost = 64;
    auto* bytes = reinterpret_cast<unsigned char*>(&object);
    for (std::size_t at = 0; at < std::min(sizeof(T), kMost); at += sizeof(std::uint64_t)) {
      const std::uint64_t word = call.source.Next();
      std::memcpy(bytes + at, &word, std::min(sizeof(T) - at, sizeof(word)));
    }
  }
  if constexpr (requires { object.set; } && !requires { object.timeoutms; }) {
    object.set = AnyHandle<nvmlSystemEventSet_t>(call);
  }
  if constexpr (requires { object.version = 0U; }) {
    const std::uint64_t version = call.source.Below(6);
    object.version = static_cast<decltype(object.version)>(
        version == 5 ? call.source.Next() : sizeof(T) | version << 24);
  }
}

// An argument of type T. `kIsSize`: it says how large the buffer beside it is.
template <typename T, bool kIsSize>
struct AnyArgument {
  template <typename Source>
  explicit AnyArgument(AnyCall<Source>& call) {
    constexpr std::uint64_t kOften[] = {0, 1, 2, 3, 4, 7, 9, 14, 15, 17, 19, 36, 64, 255, ~0ULL};
    if (kIsSize) {
      value = call.count;
    } else if (!call.waits) {
      const std::uint64_t choice = call.source.Below(std::size(kOften) + 1);
      value = choice < std::size(kOften) ? kOften[choice] : call.source.Next();
    }
  }
  T get() { return static_cast<T>(value); }
  void Keep() {}

  // Not a T: NVML's callers write C and give an enumeration any number, which C++ must not hold.
  std::uint64_t value = 0;
};

template <OpaqueHandle T>
struct AnyArgument<T, false> {
  template <typename Source>
  explicit AnyArgument(AnyCall<Source>& call) : handle(AnyHandle<T>(call)) {}
  T get() { return handle; }
  void Keep() {}

  T handle;
};

template <typename T>
  requires(Complete<T> || std::is_void_v<T>)
struct AnyArgument<T*, false> {
  template <typename Source>
  explicit AnyArgument(AnyCall<Source>& call) {
    using Object = std::remove_const_t<T>;
    if (call.source.Below(8) == 0) {
      return;  // NULL.
    }
    if constexpr (std::is_same_v<T, const char>) {
      // A text, which ends.
      char* text = call.template Allocate<char>(call.count + 1);
      for (std::size_t at = 0; at < call.count; ++at) {
        text[at] = static_cast<char>(call.source.Below(256));
      }
      pointer = text;
    } else {
      Object* objects = call.template Buffer<Object>();
      pointer = objects;
      elements = std::max<std::size_t>(call.count, 1);
      if constexpr (std::is_same_v<Object, unsigned int>) {
        *objects = static_cast<unsigned int>(call.count);
      } else if constexpr (std::is_class_v<Object> || std::is_union_v<Object>) {
        Fill(*objects, call);
      }
    }
  }
  T* get() { return pointer; }
  // The handles that the call gave out.
  void Keep() {
    if constexpr (OpaqueHandle<T>) {
      for (std::size_t i = 0; i < std::min<std::size_t>(elements, 4); ++i) {
        if (pointer[i] != nullptr) {
          Held<T>().push_back(pointer[i]);
        }
      }
    } else if constexpr (std::is_same_v<T, nvmlSystemEventSetCreateRequest_v1_t>) {
      if (pointer != nullptr && pointer->set != nullptr) {
        Held<nvmlSystemEventSet_t>().push_back(pointer->set);
      }
    }
  }

  T* pointer = nullptr;
  std::size_t elements = 0;
};

// Whether the argument `at` is the size of the buffer before or after it.
template <typename... T>
constexpr bool IsSize(std::size_t at) {
  constexpr bool kBuffer[] = {
      (std::is_same_v<T, char*> || std::is_same_v<T, unsigned long*> ||
       std::is_same_v<T, nvmlFieldValue_t*> || std::is_same_v<T, nvmlPstates_t*>)...,
      false};
  constexpr bool kNumber[] = {(std::is_same_v<T, unsigned int> || std::is_same_v<T, int>)...,
                              false};
  return kNumber[at] && (kBuffer[at + 1] || (at > 0 && kBuffer[at - 1]));
}

// The functions whose buffers have a size that the interface fixes and no argument says.
inline bool HasFixedBuffers(std::string_view name) {
  return name == "nvmlDeviceGetGspFirmwareVersion" || name == "nvmlDeviceGetGpuInstances" ||
         name == "nvmlGpuInstanceGetComputeInstances" ||
         name.find("PossiblePlacements") != std::string_view::npos;
}

template <typename Source, typename R, typename... T>
void CallWithAny(R (*function)(T...), std::string_view name, Source& source) {
  constexpr std::size_t kCounts[] = {0, 1, 2, 3, 5, 8, 16, 32, 64, 80, 96, 200, 512};
  constexpr std::size_t kEnough = 256;
  AnyCall<Source> call{
      .source = source,
      .count = HasFixedBuffers(name) ? kEnough : kCounts[source.Below(std::size(kCounts))],
      .waits = name.find("EventSetWait") != std::string_view::npos,
      .objects = {}};
  [&]<std::size_t... kAt>(std::index_sequence<kAt...>) {
    // Braces: made in order, so that a source gives each argument the same at every run.
    std::tuple<AnyArgument<T, IsSize<T...>(kAt)>...> arguments{
        AnyArgument<T, IsSize<T...>(kAt)>(call)...};
    (void)function(std::get<kAt>(arguments).get()...);
    (std::get<kAt>(arguments).Keep(), ...);
  }(std::index_sequence_for<T...>{});
}

// Each function, once, in the order of functions.def.
template <typename Source>
using AnyFunction = void (*)(Source&);
template <typename Source>
inline constexpr AnyFunction<Source> kAnyFunctions[] = {
#define NVML_FUNCTION(result, name, parameters) \
  [](Source& source) { CallWithAny(&name, #name, source); },
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
};

// Lets go of what calls have given out, as a client does that ends.
inline void LetGoOfHeld() {
  for (nvmlEventSet_t set : std::exchange(Held<nvmlEventSet_t>(), {})) {
    (void)nvmlEventSetFree(set);
  }
  for (nvmlSystemEventSet_t set : std::exchange(Held<nvmlSystemEventSet_t>(), {})) {
    nvmlSystemEventSetFreeRequest_t request{.version = nvmlSystemEventSetFreeRequest_v1,
                                            .set = set};
    (void)nvmlSystemEventSetFree(&request);
  }
  for (nvmlGpmSample_t sample : std::exchange(Held<nvmlGpmSample_t>(), {})) {
    (void)nvmlGpmSampleFree(sample);
  }
}

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_TESTING_ARGUMENTS_H_
