// What is refused (refused.def): with the code that a real board gives, after the same checks of
// the call as everywhere.

#include <type_traits>

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

template <typename T>
constexpr bool kIsPointerArgument = std::is_pointer_v<T> && !std::is_same_v<T, nvmlDevice_t>;

template <typename T>
bool IsNullPointer(T argument) {
  if constexpr (kIsPointerArgument<T>) {
    return argument == nullptr;
  } else {
    return false;
  }
}

// Boards without a feature say so before they look at each pointer (nvidia-smi asks with some of
// them null); a call with no pointer at all is wrong.
template <typename... Argument>
bool IsAnyGiven(Argument... arguments) {
  constexpr bool kHasPointers = (... || kIsPointerArgument<Argument>);
  const bool any_given = (... || (kIsPointerArgument<Argument> && !IsNullPointer(arguments)));
  return !kHasPointers || any_given;
}

// The version word of these is a result.
template <typename T>
constexpr bool kTellsVersion =
    std::is_same_v<T, nvmlVgpuMetadata_t*> || std::is_same_v<T, nvmlVgpuPgpuMetadata_t*>;

// A struct with a version word must name a version.
template <typename T>
bool HasVersion(T argument) {
  if constexpr (kIsPointerArgument<T> && !kTellsVersion<T>) {
    if (argument == nullptr) {
      return true;
    }
    if constexpr (requires { argument->version; }) {
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(argument->version)>,
                                   unsigned int>) {
        return argument->version != 0;
      }
    }
  }
  return true;
}

template <typename... Argument>
nvmlReturn_t RefuseArguments(Argument... arguments) {
  return (... && HasVersion(arguments)) ? NVML_ERROR_NOT_SUPPORTED
                                        : NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
}

// A call on a device.
template <typename... Argument>
nvmlReturn_t Refuse(const char* function, nvmlDevice_t device, Argument... arguments) {
  return ReadDevice(DeviceCall{function, device, IsAnyGiven(arguments...)}.OrMig(),
                    [&](const Gpu&) { return RefuseArguments(arguments...); });
}

// Any other.
template <typename... Argument>
nvmlReturn_t Refuse(const char* function, Argument... arguments) {
  return ReadNode(function, IsAnyGiven(arguments...),
                  [&](const layout::Copy&) { return RefuseArguments(arguments...); });
}

// A question about a thing of which the node has none.
template <typename Thing, typename... Argument>
nvmlReturn_t Absent(const char* function, nvmlReturn_t code, Thing thing, Argument... arguments) {
  return ReadNode(function, thing != Thing{} && IsAnyGiven(arguments...), [&](const layout::Copy&) {
    return HasVersion(thing) && (... && HasVersion(arguments))
               ? code
               : NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  });
}

}  // namespace

#define ASSAY_EXPAND(...) __VA_ARGS__
#define NVML_REFUSED(name, parameters, arguments, reason) \
  NVML_EXPORT nvmlReturn_t name parameters { return Refuse(__func__, ASSAY_EXPAND arguments); }
#define NVML_ABSENT(name, parameters, arguments, code, reason) \
  NVML_EXPORT nvmlReturn_t name parameters {                   \
    return Absent(__func__, code, ASSAY_EXPAND arguments);     \
  }
#include "fakegpu/nvml/refused.def"
#undef NVML_ABSENT
#undef NVML_REFUSED
// Their parameters are not of this interface, so none is touched.
#define NVML_NEWER(name)                             \
  NVML_EXPORT nvmlReturn_t name() NVML_SYMBOL(name); \
  NVML_EXPORT nvmlReturn_t name() { return Refuse(__func__); }
#define NVML_UNDECLARED(name)
#include "fakegpu/abi/unlisted_functions.def"
#undef NVML_NEWER
#undef NVML_UNDECLARED

}  // namespace assay::fakegpu::nvml
