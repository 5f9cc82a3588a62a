// The sub-slices of a torus of chips: boxes of chips that are linked to each other, which a claim
// gets as one device (KEP-4815). Chips that tell their position, their kind and their link domain
// alike are one torus. Pure.
//
// A sub-slice's sides are powers of two, or the torus' own, and it lies at multiples of them: sub-
// slices of one shape never overlap.
//
// A torus is a set of counters with one for each chip; each chip and each sub-slice consumes those
// of its chips, so that they exclude each other.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_DISCOVERY_TORUS_H_
#define ASSAY_DRIVER_REF_DISCOVERY_TORUS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/resource/types.h"
#include "driver-ref/discovery/backend.h"

namespace assay::driver_ref::discovery {

struct Box {
  std::array<std::uint32_t, 3> at = {};
  std::array<std::uint32_t, 3> shape = {};

  std::string ShapeText() const;  // "2x2x1"
};

// Of several chips.
struct SubSlice {
  std::string name;                       // "tpu-2x2x1-0-0-0"
  std::vector<const PlainDevice*> chips;  // By position, x first.
};

// Those of more than one chip whose chips are all there, and whose neighbours all say that they are
// linked (one without `links` does not tell). Refers to `devices`.
std::vector<SubSlice> SubSlicesOf(const std::vector<PlainDevice>& devices);

// Where the chips lie; nothing where one of them has no position.
std::optional<Box> BoxOf(const std::vector<const PlainDevice*>& chips);

// Sets are there only where there are sub-slices.
std::vector<api::resource::CounterSet> CounterSetsOf(const std::vector<PlainDevice>& devices);
std::vector<api::resource::DeviceCounterConsumption> CountersOf(
    const std::vector<const PlainDevice*>& chips, const std::vector<PlainDevice>& devices);

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_TORUS_H_
