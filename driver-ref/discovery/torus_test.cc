// Which sub-slices a torus of chips has, and what they consume.
#include "driver-ref/discovery/torus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace assay::driver_ref::discovery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// tpu-0, tpu-1, ...: x first, then y, then z; linked as a grid is.
std::vector<PlainDevice> Chips(std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  std::vector<PlainDevice> chips;
  for (std::uint32_t k = 0; k < z; ++k) {
    for (std::uint32_t j = 0; j < y; ++j) {
      for (std::uint32_t i = 0; i < x; ++i) {
        PlainDevice& chip = chips.emplace_back();
        chip.name = "tpu-" + std::to_string(chips.size() - 1);
        chip.kind = "tpu";
        chip.position = {i, j, k};
      }
    }
  }
  return chips;
}

std::vector<std::string> Names(const std::vector<PlainDevice>& devices) {
  std::vector<std::string> names;
  for (const SubSlice& slice : SubSlicesOf(devices)) {
    names.push_back(slice.name);
  }
  return names;
}

std::set<std::string> ChipsOf(const SubSlice& slice) {
  std::set<std::string> names;
  for (const PlainDevice* chip : slice.chips) {
    names.insert(chip->name);
  }
  return names;
}

TEST(TorusTest, HasEveryBoxThatLiesAtMultiplesOfItsSides) {
  EXPECT_THAT(Names(Chips(2, 2, 1)),
              UnorderedElementsAre("tpu-1x2x1-0-0-0", "tpu-1x2x1-1-0-0", "tpu-2x1x1-0-0-0",
                                   "tpu-2x1x1-0-1-0", "tpu-2x2x1-0-0-0"));
  // 2x2x2: 12 edges, 6 sides, the whole.
  EXPECT_THAT(Names(Chips(2, 2, 2)), SizeIs(19));
  // A side that is no power of two is there as a whole.
  EXPECT_THAT(Names(Chips(3, 1, 1)), ElementsAre("tpu-2x1x1-0-0-0", "tpu-3x1x1-0-0-0"));
  EXPECT_THAT(Names(Chips(1, 1, 1)), IsEmpty());
}

TEST(TorusTest, TheSmallestComeFirst) {
  const std::vector<PlainDevice> chips = Chips(4, 2, 1);
  const std::vector<SubSlice> slices = SubSlicesOf(chips);
  EXPECT_TRUE(
      std::ranges::is_sorted(slices, {}, [](const SubSlice& slice) { return slice.chips.size(); }));
  EXPECT_EQ(slices.back().name, "tpu-4x2x1-0-0-0");
  EXPECT_THAT(slices.back().chips, SizeIs(8));
}

TEST(TorusTest, ASubSliceNeedsAllOfItsChipsAndTheirLinks) {
  std::vector<PlainDevice> chips = Chips(2, 2, 1);
  // tpu-0 has lost its link to tpu-1; tpu-1 does not tell.
  chips[0].links = {"tpu-2"};
  EXPECT_THAT(Names(chips),
              UnorderedElementsAre("tpu-1x2x1-0-0-0", "tpu-1x2x1-1-0-0", "tpu-2x1x1-0-1-0"));
  chips = Chips(2, 2, 1);
  chips.erase(chips.begin());
  EXPECT_THAT(Names(chips), UnorderedElementsAre("tpu-1x2x1-1-0-0", "tpu-2x1x1-0-1-0"));
}

TEST(TorusTest, ChipsOfOtherDomainsAndOfUnknownPlacesAreNoPartOfIt) {
  std::vector<PlainDevice> chips = Chips(2, 1, 1);
  chips[1].link_domain = "other";
  EXPECT_THAT(Names(chips), IsEmpty());
  chips = Chips(2, 1, 1);
  chips[1].position.reset();
  EXPECT_THAT(Names(chips), IsEmpty());
  // Two in one place: nobody knows which is whose neighbour.
  chips = Chips(2, 1, 1);
  chips.push_back(chips[1]);
  chips.back().name = "tpu-2";
  EXPECT_THAT(Names(chips), IsEmpty());
  EXPECT_THAT(CounterSetsOf(chips), IsEmpty());
  EXPECT_THAT(CountersOf({&chips[0]}, chips), IsEmpty());
}

TEST(TorusTest, WhatHasAChipInCommonConsumesACounterInCommon) {
  const std::vector<PlainDevice> chips = Chips(2, 2, 2);
  const auto sets = CounterSetsOf(chips);
  ASSERT_THAT(sets, SizeIs(1));
  EXPECT_EQ(sets[0].name, "tpu");
  EXPECT_THAT(sets[0].counters, SizeIs(8));
  for (const SubSlice& a : SubSlicesOf(chips)) {
    const auto consumed = CountersOf(a.chips, chips);
    ASSERT_THAT(consumed, SizeIs(1));
    EXPECT_EQ(consumed[0].counter_set, "tpu");
    std::set<std::string> counters;
    for (const auto& [name, counter] : consumed[0].counters) {
      EXPECT_EQ(counter.value.ToString(), sets[0].counters.at(name).value.ToString());
      counters.insert(name);
    }
    EXPECT_EQ(counters, ChipsOf(a));
  }
}

TEST(TorusTest, TellsWhereChipsLie) {
  const std::vector<PlainDevice> chips = Chips(2, 2, 2);
  const std::vector<SubSlice> slices = SubSlicesOf(chips);
  const auto found = std::ranges::find(slices, "tpu-2x1x2-0-1-0", &SubSlice::name);
  ASSERT_NE(found, slices.end());
  const std::optional<Box> box = BoxOf(found->chips);
  ASSERT_TRUE(box);
  EXPECT_THAT(box->at, ElementsAre(0, 1, 0));
  EXPECT_EQ(box->ShapeText(), "2x1x2");
  PlainDevice nic;
  EXPECT_FALSE(BoxOf({&nic}));
}

}  // namespace
}  // namespace assay::driver_ref::discovery
