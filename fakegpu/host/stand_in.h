// Stand-ins for the driver's other libraries: shared objects that have a SONAME and nothing else.
// Container tools find, mount and link them; the dynamic loader loads them.
//
// Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_HOST_STAND_IN_H_
#define ASSAY_FAKEGPU_HOST_STAND_IN_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace assay::fakegpu::host {

// The bytes of a 64-bit shared object for an ELF machine (EM_X86_64, EM_AARCH64).
std::string StandInLibrary(std::string_view soname, std::uint16_t machine);

}  // namespace assay::fakegpu::host

#endif  // ASSAY_FAKEGPU_HOST_STAND_IN_H_
