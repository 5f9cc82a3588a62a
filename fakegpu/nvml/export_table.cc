// nvmlInternalGetExportTable: the undocumented door that nvidia-smi goes through. It asks for one
// table; word 0 is its size in bytes, every other word a function.

#include <cstring>

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

constexpr unsigned char kTableId[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                        0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};
constexpr std::size_t kTableBytes = 0x1000;
constexpr std::size_t kSlots = kTableBytes / sizeof(void*);
constexpr std::size_t kTopologyHostCheck = 23;
constexpr std::size_t kHandleByIndex = 81;

// The arguments of most slots are not known, so none is touched.
nvmlReturn_t NotSupported() { return NVML_ERROR_NOT_SUPPORTED; }
nvmlReturn_t Success() { return NVML_SUCCESS; }
nvmlReturn_t HandleByIndex(unsigned int index, nvmlDevice_t* device) {
  return nvmlDeviceGetHandleByIndex_v2(index, device);
}

using Function = void (*)();
union Slot {
  std::size_t bytes;
  Function function;
};
Slot table[kSlots];

const Slot* Table() {
  // Filled anew each time with the same words: nothing to lock.
  table[0].bytes = kTableBytes;
  for (std::size_t i = 1; i < kSlots; ++i) {
    table[i].function = reinterpret_cast<Function>(&NotSupported);
  }
  table[kTopologyHostCheck].function = reinterpret_cast<Function>(&Success);
  table[kHandleByIndex].function = reinterpret_cast<Function>(&HandleByIndex);
  return table;
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlInternalGetExportTable(const void** exportTable, const void* tableId) {
  if (exportTable == nullptr || tableId == nullptr) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  if (std::memcmp(tableId, kTableId, sizeof(kTableId)) != 0) {
    return NVML_ERROR_NOT_FOUND;
  }
  *exportTable = Table();
  return NVML_SUCCESS;
}

}  // namespace assay::fakegpu::nvml
