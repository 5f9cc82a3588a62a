// Questions to NVML, and their answers as YAML.
//
// Thread-safe: functions of their arguments.
#ifndef ASSAY_FAKEGPU_CAPTURE_ASK_H_
#define ASSAY_FAKEGPU_CAPTURE_ASK_H_

#include <string>
#include <string_view>

#include "fakegpu/capture/nvml_library.h"

// What a function of the library answers: NVML_ERROR_FUNCTION_NOT_FOUND where it has none such.
#define ASSAY_ASK(library, function, ...)                                    \
  ((library).functions().function == nullptr ? NVML_ERROR_FUNCTION_NOT_FOUND \
                                             : (library).functions().function(__VA_ARGS__))
// The same as a Status that names the function.
#define ASSAY_REQUIRE(library, function, ...) \
  (library).ToStatus(ASSAY_ASK(library, function, __VA_ARGS__), #function)

namespace assay::fakegpu::capture {

// Text in quotes.
inline std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  return quoted + "\"";
}

}  // namespace assay::fakegpu::capture

#endif  // ASSAY_FAKEGPU_CAPTURE_ASK_H_
