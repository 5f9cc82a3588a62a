// PCI addresses in the structs of the C interface, and the speed of PCIe.
//
// Freestanding. Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_NVML_PCI_H_
#define ASSAY_FAKEGPU_NVML_PCI_H_

#include "fakegpu/abi/nvml.h"
#include "fakegpu/layout/state.h"

namespace assay::fakegpu::nvml {

// The address alone, in both of its spellings.
void FillPciAddress(const layout::PciAddress& address, nvmlPciInfo_t* pci);
void FillPciInfo(const layout::Identity& identity, nvmlPciInfo_t* pci);

// MB/s of one lane and direction, by PCIe generation, less the encoding.
unsigned int LaneMegabytes(std::uint32_t generation);

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_PCI_H_
