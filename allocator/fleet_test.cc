// What is known of one node must hold for those that are like it: attempts that ask many nodes, and
// fleets, answer as an attempt does that knows of no other node.
#include "allocator/fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/json/json.h"
#include "base/random.h"
#include "base/testing/status_matchers.h"

namespace assay::allocator {
namespace {

using api::core::Node;
using api::resource::AllocationResult;
using api::resource::DeviceClass;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using assay::testing::StatusIs;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr char kDriver[] = "gpu.example.com";

template <typename T>
T Decode(const json& object) {
  auto value = api::json::DecodeAs<T>(object.dump());
  EXPECT_TRUE(value.ok()) << value.status() << "\n" << object.dump();
  return *value;
}

json Object(const std::string& kind, const std::string& name, json more = json::object()) {
  more["kind"] = kind;
  more["apiVersion"] = kind == "Node" ? "v1" : "resource.k8s.io/v1";
  more["metadata"]["name"] = name;
  return more;
}

std::string NameOf(std::size_t node) { return "node-" + std::to_string(node); }

// A fleet of nodes of which many are alike, some nearly, and some like no other.
class World {
 public:
  World(std::uint64_t seed, std::size_t count)
      : random_(seed), inventory_({.max_shared_values = Below(3)}) {
    inventory_.SetClass(
        Decode<DeviceClass>(Object("DeviceClass", "gpu", {{"spec", json::object()}})));
    for (std::size_t i = 0; i < count; ++i) {
      const json labels = {{"zone", Below(2) == 0 ? "east" : "west"}};
      nodes_.push_back(
          Decode<Node>(Object("Node", NameOf(i), {{"metadata", {{"labels", labels}}}})));
      SetPool(i);
    }
    if (Below(2) == 0) {
      SetCommonPool();
    }
  }

  std::size_t Below(std::size_t bound) { return random_.Below(bound); }
  Inventory& inventory() { return inventory_; }
  const std::deque<Node>& nodes() const { return nodes_; }

  std::vector<const Node*> NodePointers() const {
    std::vector<const Node*> pointers;
    for (const Node& node : nodes_) {
      pointers.push_back(&node);
    }
    return pointers;
  }

  // Offers devices of one of a few forms on the node, or none.
  void SetPool(std::size_t node) {
    const std::string name = NameOf(node);
    for (const char* part : {"-counters", "-devices"}) {
      inventory_.RemoveSlice(name + part);
    }
    const std::size_t form = Below(8) == 0 ? 4 + Below(3) : Below(3);
    if (form == 6) {
      return;
    }
    json devices = json::array();
    for (std::size_t i = 0; i < 4; ++i) {
      // Two devices of each parent, but for one form, where a device is of another.
      const std::size_t parent = form == 4 && i == 1 ? 1 : i / 2;
      json device = {{"name", "gpu-" + std::to_string(i)},
                     {"attributes",
                      {{"uuid", {{"string", name + "-" + std::to_string(i)}}},
                       {"parent", {{"string", name + "-" + std::to_string(parent)}}},
                       {"numa", {{"int", i / 2}}}}}};
      if (form == 1) {
        device["consumesCounters"] = {
            {{"counterSet", "set"}, {"counters", {{"memory", {{"value", i == 0 ? "3" : "2"}}}}}}};
      }
      if (form == 5 && i == 3) {
        device["allowMultipleAllocations"] = true;
        device["capacity"] = {{"memory", {{"value", "4"}}}};
      }
      devices.push_back(device);
    }
    const auto set_slice = [&](const std::string& part, json spec) {
      spec["driver"] = kDriver;
      spec["nodeName"] = name;
      spec["pool"] = {{"name", name}, {"generation", 1}, {"resourceSliceCount", form == 1 ? 2 : 1}};
      inventory_.SetSlice(
          Decode<ResourceSlice>(Object("ResourceSlice", name + part, {{"spec", spec}})));
    };
    set_slice("-devices", {{"devices", devices}});
    if (form == 1) {
      set_slice("-counters", {{"sharedCounters",
                               {{{"name", "set"}, {"counters", {{"memory", {{"value", "6"}}}}}}}}});
    }
  }

  // Devices that nodes of a zone see, all of them, with a parent like those of one node.
  void SetCommonPool() {
    const json in_zone = {{"key", "zone"}, {"operator", "In"}, {"values", {"east"}}};
    const json parent = {{"parent", {{"string", NameOf(0) + "-0"}}}};
    const json devices = {{{"name", "far"}, {"attributes", parent}},
                          {{"name", "farther"}, {"attributes", parent}}};
    inventory_.SetSlice(Decode<ResourceSlice>(
        Object("ResourceSlice", "common",
               {{"spec",
                 {{"driver", kDriver},
                  {"nodeSelector",
                   {{"nodeSelectorTerms", {{{"matchExpressions", json::array({in_zone})}}}}}},
                  {"pool", {{"name", "common"}, {"generation", 1}, {"resourceSliceCount", 1}}},
                  {"devices", devices}}}})));
  }

  ResourceClaim MakeClaim(const std::string& name) {
    json requests = json::array();
    for (std::size_t i = 0, count = 1 + Below(3); i < count; ++i) {
      json exactly = {{"deviceClassName", Below(40) == 0 ? "absent" : "gpu"},
                      {"allocationMode", "ExactCount"},
                      {"count", 1 + Below(2)}};
      if (Below(12) == 0) {
        exactly["allocationMode"] = "All";
        exactly.erase("count");
      }
      const std::string of = std::string("device.attributes['") + kDriver + "']";
      const std::vector<std::string> expressions = {
          of + ".numa == 1", "device.driver == 'gpu.example.com'",
          of + ".uuid.endsWith('" + std::to_string(Below(12)) + "-2')", of + ".absent == 1"};
      if (Below(2) == 0) {
        const std::string& expression = expressions[Below(16) == 0 ? 3 : Below(3)];
        exactly["selectors"] = {{{"cel", {{"expression", expression}}}}};
      }
      const std::string request = "r" + std::to_string(i);
      if (Below(6) == 0) {
        json other = exactly;
        other["name"] = "other";
        other["count"] = 1;
        other["allocationMode"] = "ExactCount";
        exactly["name"] = "first";
        requests.push_back({{"name", request}, {"firstAvailable", {exactly, other}}});
      } else {
        requests.push_back({{"name", request}, {"exactly", exactly}});
      }
    }
    json devices = {{"requests", requests}};
    if (Below(2) == 0) {
      const char* attributes[] = {"uuid", "parent", "numa"};
      devices["constraints"] = {{{Below(3) == 0 ? "distinctAttribute" : "matchAttribute",
                                  std::string(kDriver) + "/" + attributes[Below(3)]}}};
    }
    return Decode<ResourceClaim>(
        Object("ResourceClaim", name,
               {{"metadata", {{"namespace", "default"}}}, {"spec", {{"devices", devices}}}}));
  }

 private:
  Random random_;
  Inventory inventory_;
  std::deque<Node> nodes_;
};

AllocateOptions Options() {
  AllocateOptions options;
  options.new_share_id = [] { return std::string("share"); };
  options.max_steps = 1000;
  return options;
}

std::string Text(const Result<std::optional<std::vector<AllocationResult>>>& allocated) {
  if (!allocated.ok()) {
    return allocated.status().ToString();
  }
  std::string text = allocated->has_value() ? "" : "no";
  for (const AllocationResult& allocation : allocated->value_or(std::vector<AllocationResult>())) {
    text += api::json::EncodeAs(allocation);
  }
  return text;
}

// What the claims get on each node, each asked by an attempt of its own; and where they fit first.
struct OneByOne {
  std::vector<std::string> answers;
  std::vector<std::uint64_t> steps;
  std::string first;

  OneByOne(World& world, std::span<const ResourceClaim* const> claims) {
    Status error;
    bool done = false;
    for (const Node& node : world.nodes()) {
      Attempt attempt(world.inventory().TakeSnapshot(), claims, Options());
      const auto allocated = attempt.Allocate(node);
      answers.push_back(Text(allocated));
      steps.push_back(attempt.steps());
      if (done) {
        continue;
      }
      if (allocated.ok() && allocated->has_value()) {
        first = node.metadata.name;
        done = true;
      } else if (allocated.status().code() == StatusCode::kInvalidArgument) {
        first = allocated.status().ToString();
        done = true;
      }
      error = error.ok() ? allocated.status() : error;
    }
    if (!done) {
      first = error.ok() ? "nowhere" : error.ToString();
    }
  }
};

class FleetPropertyTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(FleetPropertyTest, WhatIsKnownOfANodeHoldsForThoseLikeIt) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  World world(GetParam(), 24);
  Fleet fleet(world.NodePointers());
  std::deque<ResourceClaim> in_use;
  for (int round = 0; round < 12; ++round) {
    std::vector<ResourceClaim> claims = {world.MakeClaim("claim-" + std::to_string(round))};
    if (world.Below(5) == 0) {
      claims.push_back(world.MakeClaim("other-" + std::to_string(round)));
    }
    std::vector<const ResourceClaim*> pointers;
    for (const ResourceClaim& claim : claims) {
      pointers.push_back(&claim);
    }
    const OneByOne expected(world, pointers);

    Attempt fits(world.inventory().TakeSnapshot(), pointers, Options());
    Attempt attempt(world.inventory().TakeSnapshot(), pointers, Options());
    for (std::size_t i = 0; i < world.nodes().size(); ++i) {
      const Node& node = world.nodes()[i];
      const Result<bool> fits_here = fits.Fits(node);
      EXPECT_EQ(fits.steps(), expected.steps[i]) << node.metadata.name;
      EXPECT_EQ(fits_here.ok() && *fits_here, expected.answers[i].starts_with("{"));
      EXPECT_EQ(Text(attempt.Allocate(node)), expected.answers[i]) << node.metadata.name;
    }

    Attempt first_fit(world.inventory().TakeSnapshot(), pointers, Options());
    const Result<std::optional<std::size_t>> first = fleet.FirstFit(first_fit);
    EXPECT_EQ(!first.ok()          ? first.status().ToString()
              : first->has_value() ? NameOf(**first)
                                   : "nowhere",
              expected.first);
    if (first.ok() && first->has_value()) {
      const auto allocated = first_fit.Allocate(world.nodes()[**first]);
      EXPECT_EQ(Text(allocated), expected.answers[**first]);
      for (std::size_t i = 0; i < claims.size(); ++i) {
        claims[i].status.allocation = (**allocated)[i];
        world.inventory().SetClaim(claims[i]);
        in_use.push_back(claims[i]);
      }
    }
    if (in_use.size() > 4 && world.Below(3) == 0) {
      world.inventory().RemoveClaim("default", in_use.front().metadata.name);
      in_use.pop_front();
    }
    if (world.Below(4) == 0) {
      world.SetPool(world.Below(world.nodes().size()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FleetPropertyTest, ::testing::Range<std::uint64_t>(0, 40));

// Nodes whose own pools are alike are not if another pool has the value of one of them.
TEST(AttemptTest, ValuesOfSeveralPoolsTellNodesApart) {
  Inventory inventory({.max_shared_values = 0});
  inventory.SetClass(Decode<DeviceClass>(Object("DeviceClass", "gpu", {{"spec", json::object()}})));
  const auto offer = [&](const std::string& name, json spec, const std::string& parent, int count) {
    spec["driver"] = kDriver;
    spec["pool"] = {{"name", name}, {"generation", 1}, {"resourceSliceCount", 1}};
    for (int i = 0; i < count; ++i) {
      const json attributes = {{"parent", {{"string", parent}}}};
      spec["devices"].push_back({{"name", "gpu-" + std::to_string(i)}, {"attributes", attributes}});
    }
    inventory.SetSlice(Decode<ResourceSlice>(Object("ResourceSlice", name, {{"spec", spec}})));
  };
  std::vector<Node> nodes(3);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].metadata.name = NameOf(i);
    offer(NameOf(i), {{"nodeName", NameOf(i)}}, "parent-" + std::to_string(i), 2);
  }
  offer("common", {{"allNodes", true}}, "parent-1", 1);

  const json exactly = {{"deviceClassName", "gpu"}, {"allocationMode", "ExactCount"}, {"count", 3}};
  const json same = {{"matchAttribute", std::string(kDriver) + "/parent"}};
  const json devices = {{"requests", {{{"name", "r"}, {"exactly", exactly}}}},
                        {"constraints", json::array({same})}};
  const auto claim =
      Decode<ResourceClaim>(Object("ResourceClaim", "c", {{"spec", {{"devices", devices}}}}));
  const ResourceClaim* claims[] = {&claim};
  Attempt attempt(inventory.TakeSnapshot(), claims);
  EXPECT_FALSE(*attempt.Fits(nodes[0]));
  EXPECT_TRUE(*attempt.Fits(nodes[1]));
  EXPECT_FALSE(*attempt.Fits(nodes[2]));
  Fleet fleet({&nodes[0], &nodes[1], &nodes[2]});
  EXPECT_THAT(*fleet.FirstFit(attempt), Optional(1));
}

class FleetTest : public ::testing::Test {
 protected:
  FleetTest() : world_(1, 0) {
    nodes_.resize(40);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].metadata.name = NameOf(i);
      pointers_.push_back(&nodes_[i]);
    }
  }

  void Offer(std::size_t node) {
    const json spec = {
        {"driver", kDriver},
        {"nodeName", NameOf(node)},
        {"pool", {{"name", NameOf(node)}, {"generation", 1}, {"resourceSliceCount", 1}}},
        {"devices", {{{"name", "gpu"}}}}};
    world_.inventory().SetSlice(
        Decode<ResourceSlice>(Object("ResourceSlice", NameOf(node), {{"spec", spec}})));
  }

  Result<std::optional<std::size_t>> FirstFit(Fleet& fleet,
                                              const std::string& device_class = "gpu") {
    claim_ = Decode<ResourceClaim>(Object("ResourceClaim", "c",
                                          {{"spec",
                                            {{"devices",
                                              {{"requests",
                                                {{{"name", "r"},
                                                  {"exactly",
                                                   {{"deviceClassName", device_class},
                                                    {"allocationMode", "ExactCount"},
                                                    {"count", 1}}}}}}}}}}}));
    const ResourceClaim* claims[] = {&claim_};
    Attempt attempt(world_.inventory().TakeSnapshot(), claims, Options());
    return fleet.FirstFit(attempt);
  }

  World world_;
  std::vector<Node> nodes_;
  std::vector<const Node*> pointers_;
  ResourceClaim claim_;
};

TEST_F(FleetTest, FollowsSlicesAndClaims) {
  Fleet fleet(pointers_);
  EXPECT_THAT(*FirstFit(fleet), std::optional<std::size_t>());
  for (const std::size_t node : {30, 17, 39}) {
    Offer(node);
  }
  EXPECT_THAT(*FirstFit(fleet), Optional(17));

  ResourceClaim used = claim_;
  used.metadata.name = "used";
  used.status.allocation.emplace().devices.results.push_back(
      {.request = "r", .driver = kDriver, .pool = NameOf(17), .device = "gpu"});
  world_.inventory().SetClaim(used);
  EXPECT_THAT(*FirstFit(fleet), Optional(30));
  world_.inventory().RemoveSlice(NameOf(30));
  EXPECT_THAT(*FirstFit(fleet), Optional(39));
  world_.inventory().RemoveClaim("", "used");
  EXPECT_THAT(*FirstFit(fleet), Optional(17));
}

TEST_F(FleetTest, TheFirstIsInTheOrderGiven) {
  std::swap(pointers_[3], pointers_[20]);
  Offer(3);
  Offer(25);
  Fleet fleet(pointers_);
  EXPECT_THAT(*FirstFit(fleet), Optional(20));
}

TEST_F(FleetTest, PassesOverNodesInTroubleUnlessItFitsNowhere) {
  Offer(5);
  Offer(9);
  const json twice = {{"driver", kDriver},
                      {"nodeName", NameOf(5)},
                      {"pool", {{"name", NameOf(5)}, {"generation", 1}, {"resourceSliceCount", 1}}},
                      {"devices", {{{"name", "gpu"}}, {{"name", "gpu"}}}}};
  world_.inventory().SetSlice(
      Decode<ResourceSlice>(Object("ResourceSlice", NameOf(5), {{"spec", twice}})));
  Fleet fleet(pointers_);
  EXPECT_THAT(*FirstFit(fleet), Optional(9));
  world_.inventory().RemoveSlice(NameOf(9));
  EXPECT_THAT(FirstFit(fleet), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("invalid")));
  EXPECT_THAT(FirstFit(fleet, "absent"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("absent")));
}

}  // namespace
}  // namespace assay::allocator
