// What the library exports: one entry point for each function, behind which the function itself
// stands. So each call of a client's is logged once, whatever functions it uses in turn, and none
// is forgotten.

#include <type_traits>

#include "fakegpu/layout/call_log.h"
#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

enum Function : std::uint32_t {
#define NVML_FUNCTION(result, name, parameters) kCallOf_##name,
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
#define NVML_NEWER(name) kCallOf_##name,
#define NVML_UNDECLARED(name) kCallOf_##name,
#include "fakegpu/abi/unlisted_functions.def"
#undef NVML_NEWER
#undef NVML_UNDECLARED
  kFunctionCount
};
static_assert(kFunctionCount == layout::kFunctions, "numbered as in the log");

// The GPU that a call's first argument is or belongs to.
template <typename Argument>
std::uint32_t GpuOf(Argument argument) {
  if constexpr (std::is_same_v<Argument, nvmlDevice_t> ||
                std::is_same_v<Argument, nvmlGpuInstance_t> ||
                std::is_same_v<Argument, nvmlComputeInstance_t>) {
    const Handle handle = FromPointer(argument);
    return handle.kind == HandleKind::kInvalid ? layout::kAnyGpu : handle.slot;
  }
  return layout::kAnyGpu;
}
template <typename First, typename Second, typename... Rest>
std::uint32_t GpuOf(First first, Second, Rest...) {
  return GpuOf(first);
}
std::uint32_t GpuOf() { return layout::kAnyGpu; }

std::int32_t CodeOf(nvmlReturn_t result) { return static_cast<std::int32_t>(result); }
std::int32_t CodeOf(const char*) { return NVML_SUCCESS; }  // nvmlErrorString's.

// Null where nothing is logged.
[[gnu::always_inline]] inline layout::CallLog* ActiveLog() {
  layout::CallLog* log = Library::call_log();
  return log != nullptr && log->IsOn() ? log : nullptr;
}

// These find the log, so a first one can know only afterwards whether there is one.
constexpr bool IsInit(Function number) {
  return number == kCallOf_nvmlInit || number == kCallOf_nvmlInit_v2 ||
         number == kCallOf_nvmlInitWithFlags;
}

// Where nothing is logged, a look at two words and a jump.
template <Function kNumber, typename Result, typename... Argument>
inline Result Call(Result (*function)(Argument...), Argument... arguments) {
  if (!IsInit(kNumber) && ActiveLog() == nullptr) [[likely]] {
    return function(arguments...);
  }
  const Result result = function(arguments...);
  if (layout::CallLog* log = ActiveLog(); log != nullptr) {
    log->Record(kNumber, GpuOf(arguments...), CodeOf(result));
  }
  return result;
}

}  // namespace

#define ASSAY_ENTRY_POINT(result, name, parameters, ...)                                      \
  extern "C"                                                                                  \
      __attribute__((visibility("default"))) result EntryOf_##name parameters __asm__(#name); \
  result EntryOf_##name parameters { return Call<kCallOf_##name>(name __VA_OPT__(, ) __VA_ARGS__); }

// Generated of abi/functions.def, with the names of each function's parameters.
#include "fakegpu/nvml/entry_points.def"

#define NVML_NEWER(name)                             \
  NVML_EXPORT nvmlReturn_t name() NVML_SYMBOL(name); \
  ASSAY_ENTRY_POINT(nvmlReturn_t, name, ())
#define NVML_UNDECLARED(name)
#include "fakegpu/abi/unlisted_functions.def"
#undef NVML_NEWER
#undef NVML_UNDECLARED

ASSAY_ENTRY_POINT(nvmlReturn_t, nvmlInternalGetExportTable,
                  (const void** exportTable, const void* tableId), exportTable, tableId)
ASSAY_ENTRY_POINT(nvmlReturn_t, nvmlGetBlacklistDeviceCount, (unsigned int* deviceCount),
                  deviceCount)
ASSAY_ENTRY_POINT(nvmlReturn_t, nvmlGetBlacklistDeviceInfoByIndex,
                  (unsigned int index, nvmlExcludedDeviceInfo_t* info), index, info)

}  // namespace assay::fakegpu::nvml
