#include "driver-ref/discovery/torus.h"

#include <algorithm>
#include <map>
#include <set>

#include "driver-ref/discovery/attributes.h"

namespace assay::driver_ref::discovery {
namespace {

using Position = std::array<std::uint32_t, 3>;

// resource.k8s.io/v1: ResourceSliceMaxCountersPerCounterSet, and far more than a node has.
constexpr std::size_t kMaxChips = 32;

// The chips of a torus by position.
struct Torus {
  std::map<Position, const PlainDevice*> chips;
  Position sides = {};
};

// Of the counter set, and the start of sub-slices' names: "tpu", "tpu-pod7".
std::string TorusName(const PlainDevice& chip) {
  return chip.link_domain.empty() ? chip.kind : chip.kind + "-" + chip.link_domain;
}

// Those that can be divided, by name.
std::map<std::string, Torus> ToriOf(const std::vector<PlainDevice>& devices) {
  std::map<std::string, Torus> tori;
  std::set<std::string> ambiguous;  // Two chips in one place: nobody knows which is where.
  for (const PlainDevice& device : devices) {
    if (!device.position) {
      continue;
    }
    Torus& torus = tori[TorusName(device)];
    if (!torus.chips.emplace(*device.position, &device).second) {
      ambiguous.insert(TorusName(device));
    }
    for (std::size_t axis = 0; axis < 3; ++axis) {
      torus.sides[axis] = std::max(torus.sides[axis], (*device.position)[axis] + 1);
    }
  }
  std::erase_if(tori, [&](const auto& each) {
    const auto& [name, torus] = each;
    return ambiguous.contains(name) || !IsLabel(name) || torus.chips.size() > kMaxChips ||
           std::ranges::any_of(torus.sides, [](std::uint32_t side) { return side > kMaxChips; });
  });
  return tori;
}

// 1, 2, 4, ... and the whole side.
std::vector<std::uint32_t> Lengths(std::uint32_t side) {
  std::vector<std::uint32_t> lengths;
  for (std::uint32_t length = 1; length < side; length *= 2) {
    lengths.push_back(length);
  }
  lengths.push_back(side);
  return lengths;
}

std::vector<Box> BoxesOf(const Position& sides) {
  std::vector<Box> boxes;
  for (const std::uint32_t x : Lengths(sides[0])) {
    for (const std::uint32_t y : Lengths(sides[1])) {
      for (const std::uint32_t z : Lengths(sides[2])) {
        for (std::uint32_t i = 0; i + x <= sides[0]; i += x) {
          for (std::uint32_t j = 0; j + y <= sides[1]; j += y) {
            for (std::uint32_t k = 0; k + z <= sides[2]; k += z) {
              boxes.push_back({.at = {i, j, k}, .shape = {x, y, z}});
            }
          }
        }
      }
    }
  }
  return boxes;
}

// Those of the box; empty where one is missing.
std::vector<const PlainDevice*> ChipsIn(const Torus& torus, const Box& box) {
  std::vector<const PlainDevice*> chips;
  for (std::uint32_t i = 0; i < box.shape[0]; ++i) {
    for (std::uint32_t j = 0; j < box.shape[1]; ++j) {
      for (std::uint32_t k = 0; k < box.shape[2]; ++k) {
        const auto chip = torus.chips.find({box.at[0] + i, box.at[1] + j, box.at[2] + k});
        if (chip == torus.chips.end()) {
          return {};
        }
        chips.push_back(chip->second);
      }
    }
  }
  return chips;
}

bool AreNeighbours(const PlainDevice& a, const PlainDevice& b) {
  std::uint32_t distance = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::uint32_t p = (*a.position)[axis];
    const std::uint32_t q = (*b.position)[axis];
    distance += p > q ? p - q : q - p;
  }
  return distance == 1;
}

bool DeniesLink(const PlainDevice& chip, const PlainDevice& neighbour) {
  return !chip.links.empty() && std::ranges::count(chip.links, neighbour.name) == 0;
}

bool AreLinked(const std::vector<const PlainDevice*>& chips) {
  return std::ranges::all_of(chips, [&](const PlainDevice* a) {
    return std::ranges::none_of(
        chips, [&](const PlainDevice* b) { return AreNeighbours(*a, *b) && DeniesLink(*a, *b); });
  });
}

}  // namespace

std::string Box::ShapeText() const {
  return std::to_string(shape[0]) + "x" + std::to_string(shape[1]) + "x" + std::to_string(shape[2]);
}

std::vector<SubSlice> SubSlicesOf(const std::vector<PlainDevice>& devices) {
  std::vector<SubSlice> slices;
  for (const auto& [name, torus] : ToriOf(devices)) {
    for (const Box& box : BoxesOf(torus.sides)) {
      SubSlice slice{.name = name + "-" + box.ShapeText() + "-" + std::to_string(box.at[0]) + "-" +
                             std::to_string(box.at[1]) + "-" + std::to_string(box.at[2]),
                     .chips = ChipsIn(torus, box)};
      if (slice.chips.size() > 1 && AreLinked(slice.chips) && IsLabel(slice.name)) {
        slices.push_back(std::move(slice));
      }
    }
  }
  // The smallest first: a scheduler takes the first that fits.
  std::ranges::stable_sort(slices, {}, [](const SubSlice& slice) { return slice.chips.size(); });
  return slices;
}

std::optional<Box> BoxOf(const std::vector<const PlainDevice*>& chips) {
  Position low;
  low.fill(UINT32_MAX);
  Position high = {};
  for (const PlainDevice* chip : chips) {
    if (!chip->position) {
      return std::nullopt;
    }
    for (std::size_t axis = 0; axis < 3; ++axis) {
      low[axis] = std::min(low[axis], (*chip->position)[axis]);
      high[axis] = std::max(high[axis], (*chip->position)[axis]);
    }
  }
  Box box{.at = low, .shape = {}};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    box.shape[axis] = high[axis] - low[axis] + 1;
  }
  return box;
}

std::vector<api::resource::CounterSet> CounterSetsOf(const std::vector<PlainDevice>& devices) {
  std::vector<api::resource::CounterSet> sets;
  for (const auto& [name, torus] : ToriOf(devices)) {
    api::resource::CounterSet& set = sets.emplace_back();
    set.name = name;
    for (const auto& [position, chip] : torus.chips) {
      set.counters[chip->name].value = api::meta::Quantity::FromInt64(1);
    }
  }
  return sets;
}

std::vector<api::resource::DeviceCounterConsumption> CountersOf(
    const std::vector<const PlainDevice*>& chips, const std::vector<PlainDevice>& devices) {
  const std::string name = TorusName(*chips.front());
  if (!chips.front()->position || !ToriOf(devices).contains(name)) {
    return {};
  }
  api::resource::DeviceCounterConsumption consumption;
  consumption.counter_set = name;
  for (const PlainDevice* chip : chips) {
    consumption.counters[chip->name].value = api::meta::Quantity::FromInt64(1);
  }
  return {consumption};
}

}  // namespace assay::driver_ref::discovery
