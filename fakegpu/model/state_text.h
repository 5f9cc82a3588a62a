// Values of the state as text, and why a state file could not be used as a Status.
//
// Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_MODEL_STATE_TEXT_H_
#define ASSAY_FAKEGPU_MODEL_STATE_TEXT_H_

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "fakegpu/layout/region.h"
#include "fakegpu/layout/state.h"

namespace assay::fakegpu::model {

// "0000:1b:00.0", as sysfs writes it.
std::string PciText(const layout::PciAddress& pci);

// A string of the state, which ends at its NUL.
template <std::size_t N>
std::string Text(const char (&field)[N]) {
  return std::string(field, strnlen(field, N));
}

// OK for kNone; names the file otherwise.
Status OpenStatus(layout::OpenError error, const std::filesystem::path& path);

}  // namespace assay::fakegpu::model

#endif  // ASSAY_FAKEGPU_MODEL_STATE_TEXT_H_
