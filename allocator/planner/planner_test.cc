// The policies on random fleets: valid by a checker that knows no search, there whenever
// Kubernetes' answer is, independent of the order of nodes; and on the simulated fleets of
// ../shared/reference, skipped where they are not there.
#include "allocator/planner/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "allocator/planner/diagnosis.h"
#include "allocator/policy/validity.h"
#include "allocator/replay/cases.h"
#include "api/json/json.h"
#include "api/object.h"
#include "api/validation/defaulting.h"
#include "base/random.h"
#include "base/testing/status_matchers.h"

namespace assay::allocator {
namespace {

using api::core::Node;
using api::resource::DeviceClass;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Objects {
  std::vector<Node> nodes;
  std::vector<DeviceClass> classes;
  std::vector<ResourceSlice> slices;
  std::vector<ResourceClaim> claims;
};

template <typename T>
T Decode(const std::string& line) {
  Result<T> value = api::json::DecodeAs<T>(line, {});
  EXPECT_TRUE(value.ok()) << value.status() << "\n" << line;
  return value.ok() ? *value : T();
}

void AddLine(const std::string& line, Objects& objects) {
  const Result<api::json::TypeMeta> type = api::json::PeekTypeMeta(line);
  ASSERT_TRUE(type.ok()) << line;
  if (type->kind == "Node") {
    objects.nodes.push_back(Decode<Node>(line));
  } else if (type->kind == "DeviceClass") {
    objects.classes.push_back(Decode<DeviceClass>(line));
  } else if (type->kind == "ResourceSlice") {
    objects.slices.push_back(Decode<ResourceSlice>(line));
  } else if (type->kind == "ResourceClaim") {
    const api::Object claim = api::Object::Of(Decode<ResourceClaim>(line));
    objects.claims.push_back(api::validation::ApplyDefaults(claim, {}).As<ResourceClaim>());
  }
}

// What claims hold already, without what no cluster ends up with and the differential test has on
// purpose: shares of devices that cannot be shared or have not as much, devices that two claims
// hold.
class Use {
 public:
  bool Take(const std::vector<ResourceSlice>& slices,
            const api::resource::DeviceRequestAllocationResult& result) {
    const std::string id = result.driver + "/" + result.pool + "/" + result.device;
    const api::resource::Device* device = nullptr;
    for (const ResourceSlice& slice : slices) {
      for (const auto& candidate : slice.spec.devices) {
        if (slice.spec.driver == result.driver && slice.spec.pool.name == result.pool &&
            candidate.name == result.device) {
          device = &candidate;
        }
      }
    }
    const bool shareable = device != nullptr && device->allow_multiple_allocations.value_or(false);
    if (!result.share_id.has_value()) {
      return !shareable && dedicated_.insert(id).second;
    }
    const auto asked = result.consumed_capacity.find("memory");
    if (!shareable || asked == result.consumed_capacity.end()) {
      return false;
    }
    api::meta::Quantity& consumed = consumed_[id];
    consumed.Add(asked->second);
    return consumed <= device->capacity.at("memory").value;
  }

 private:
  std::set<std::string> dedicated_;
  std::map<std::string, api::meta::Quantity> consumed_;
};

Objects RandomCase(std::uint64_t seed) {
  Objects objects;
  for (const std::string& line : replay::MakeCase(seed)) {
    AddLine(line, objects);
  }
  Use use;
  std::erase_if(objects.claims, [&](const ResourceClaim& claim) {
    return claim.status.allocation.has_value() &&
           !std::ranges::all_of(claim.status.allocation->devices.results, [&](const auto& result) {
             return use.Take(objects.slices, result);
           });
  });
  return objects;
}

std::string NameOf(const ResourceClaim& claim) {
  return claim.metadata.namespace_ + "/" + claim.metadata.name;
}

bool AsksForAll(const ResourceClaim& claim) {
  return std::ranges::any_of(claim.spec.devices.requests, [](const auto& request) {
    return (request.exactly.has_value() && request.exactly->allocation_mode == "All") ||
           std::ranges::any_of(request.first_available, [](const auto& alternative) {
             return alternative.allocation_mode == "All";
           });
  });
}

void Fill(const Objects& objects, Planner& planner) {
  for (const Node& node : objects.nodes) {
    planner.SetNode(node);
  }
  for (const DeviceClass& device_class : objects.classes) {
    planner.SetClass(device_class);
  }
  for (const ResourceSlice& slice : objects.slices) {
    planner.SetSlice(slice);
  }
  for (const ResourceClaim& claim : objects.claims) {
    planner.SetClaim(claim);
  }
}

std::vector<std::string> Violations(const Objects& objects,
                                    const std::vector<policy::Placed>& placed) {
  return policy::FindViolations(
      {objects.slices, objects.classes, objects.nodes, objects.claims, {}}, placed);
}

// The case's lines, for a message.
std::string Describe(const Objects& objects) {
  std::string text;
  for (const ResourceSlice& slice : objects.slices) {
    text += api::json::EncodeAs(slice) + "\n";
  }
  for (const ResourceClaim& claim : objects.claims) {
    text += api::json::EncodeAs(claim) + "\n";
  }
  return text;
}

TEST(PlannerTest, WhateverIsPlacedKeepsTheRules) {
  int placed = 0;
  int better = 0;
  int shares = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    Objects objects = RandomCase(seed);
    Planner planner;
    Fill(objects, planner);
    for (ResourceClaim& claim : objects.claims) {
      if (claim.status.allocation.has_value()) {
        for (const auto& result : claim.status.allocation->devices.results) {
          shares += result.share_id.has_value() ? 1 : 0;
        }
        continue;
      }
      const auto first = planner.Place({&claim}, Policy::kFirstFit);
      const auto best = planner.Place({&claim}, Policy::kBestFit);
      const std::string where = "seed " + std::to_string(seed) + ", " + NameOf(claim);
      // Best fit looks at all nodes, and so comes upon errors that first fit may not have reached.
      ASSERT_TRUE(first.ok() || !best.ok()) << where << "\n" << first.status();
      if (!best.ok()) {
        continue;
      }
      ASSERT_EQ(first->has_value(), best->has_value()) << where;
      if (!first->has_value()) {
        continue;
      }
      ++placed;
      better += (*first)->allocations[0].devices.results.size() > 0 &&
                        api::json::EncodeAs((*first)->allocations[0]) !=
                            api::json::EncodeAs((*best)->allocations[0])
                    ? 1
                    : 0;
      for (const Placement* placement : {&**first, &**best}) {
        claim.status.allocation = placement->allocations[0];
        ASSERT_THAT(Violations(objects, {{NameOf(claim), placement->node}}), IsEmpty())
            << where << (placement == &**first ? " by first fit\n" : " by best fit\n")
            << Describe(objects);
      }
      EXPECT_GE((*best)->gap(), 0) << where;
      planner.SetClaim(claim);
    }
  }
  EXPECT_GT(placed, 300);
  EXPECT_GT(better, 30);
  EXPECT_GT(shares, 50);
}

TEST(PlannerTest, TheCheckerRefusesWhatIsWrong) {
  // Each way to spoil an allocation is found.
  int spoiled = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Objects objects = RandomCase(seed);
    Planner planner;
    Fill(objects, planner);
    ResourceClaim* claim = nullptr;
    for (ResourceClaim& candidate : objects.claims) {
      claim = candidate.status.allocation.has_value() ? claim : &candidate;
    }
    const auto placement = claim == nullptr ? std::optional<Placement>() : [&] {
      auto found = planner.Place({claim}, Policy::kBestFit);
      return found.ok() ? *std::move(found) : std::optional<Placement>();
    }();
    if (!placement.has_value() || placement->allocations[0].devices.results.empty()) {
      continue;
    }
    const auto judge = [&](const std::function<void(api::resource::AllocationResult&)>& spoil) {
      ResourceClaim& spoilt = *claim;
      spoilt.status.allocation = placement->allocations[0];
      spoil(*spoilt.status.allocation);
      return Violations(objects, {{NameOf(spoilt), placement->node}});
    };
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_THAT(judge([](auto&) {}), IsEmpty());
    // Whether All has all, shares make hard to say: a device may have been too full.
    if (!AsksForAll(*claim)) {
      EXPECT_FALSE(judge([](auto& a) { a.devices.results.pop_back(); }).empty());
    }
    EXPECT_FALSE(judge([](auto& a) { a.devices.results.push_back(a.devices.results[0]); }).empty());
    EXPECT_FALSE(judge([](auto& a) { a.devices.results[0].device += "-no"; }).empty());
    EXPECT_FALSE(judge([](auto& a) { a.devices.results[0].request = "no"; }).empty());
    EXPECT_FALSE(judge([](auto& a) { a.devices.results[0].pool = "no"; }).empty());
    ++spoiled;
  }
  EXPECT_GT(spoiled, 50);
}

TEST(PlannerTest, BestFitDoesNotHangOnTheOrderOfNodes) {
  int compared = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Objects objects = RandomCase(seed);
    Objects reversed = objects;
    std::reverse(reversed.nodes.begin(), reversed.nodes.end());
    Planner planner;
    Planner other;
    Fill(objects, planner);
    Fill(reversed, other);
    for (const ResourceClaim& claim : objects.claims) {
      if (claim.status.allocation.has_value()) {
        continue;
      }
      const auto a = planner.Place({&claim}, Policy::kBestFit);
      const auto b = other.Place({&claim}, Policy::kBestFit);
      ASSERT_EQ(a.ok() && a->has_value(), b.ok() && b->has_value()) << "seed " << seed;
      if (!a.ok() || !a->has_value()) {
        continue;
      }
      ++compared;
      EXPECT_EQ((*a)->node, (*b)->node) << "seed " << seed;
      const auto devices = [](const Placement& placement) {
        std::vector<std::string> names;
        for (const auto& result : placement.allocations[0].devices.results) {
          names.push_back(result.request + " " + result.pool + "/" + result.device);
        }
        return names;
      };
      EXPECT_EQ(devices(**a), devices(**b)) << "seed " << seed;
    }
  }
  EXPECT_GT(compared, 50);
}

// ---- batches ----

ResourceSlice GpuSlice(const std::string& node, int gpus, int numa_size) {
  ResourceSlice slice;
  slice.metadata.name = node + "-gpus";
  slice.spec.driver = "gpu.example.com";
  slice.spec.node_name = node;
  slice.spec.pool = {node, 1, 1};
  for (int i = 0; i < gpus; ++i) {
    api::resource::Device& device = slice.spec.devices.emplace_back();
    device.name = "gpu-" + std::to_string(i);
    device.attributes["resource.kubernetes.io/numaNode"].int_ = i / numa_size;
  }
  return slice;
}

ResourceClaim GpuClaim(const std::string& name, int count, bool one_numa_node) {
  ResourceClaim claim;
  claim.metadata.name = name;
  claim.metadata.namespace_ = "default";
  api::resource::DeviceRequest& request = claim.spec.devices.requests.emplace_back();
  request.name = "gpus";
  request.exactly.emplace();
  request.exactly->device_class_name = "gpu";
  request.exactly->allocation_mode = "ExactCount";
  request.exactly->count = count;
  if (one_numa_node) {
    claim.spec.devices.constraints.emplace_back().match_attribute =
        "resource.kubernetes.io/numaNode";
  }
  return claim;
}

Objects Fleet(const std::vector<int>& gpus, int numa_size) {
  Objects objects;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    const std::string name = "node-" + std::to_string(i);
    objects.nodes.emplace_back().metadata.name = name;
    objects.slices.push_back(GpuSlice(name, gpus[i], numa_size));
  }
  objects.classes.emplace_back().metadata.name = "gpu";
  return objects;
}

// Whether the claims can be placed: every distribution over the nodes, and on each node every
// order of taking the first GPUs of every NUMA node.
bool CanBePlaced(std::vector<std::vector<int>> free, const std::vector<ResourceClaim>& claims,
                 std::size_t next) {
  if (next == claims.size()) {
    return true;
  }
  const int count = static_cast<int>(claims[next].spec.devices.requests[0].exactly->count);
  const bool together = !claims[next].spec.devices.constraints.empty();
  for (std::vector<int>& node : free) {
    // How many GPUs of each of the (two) NUMA nodes.
    for (int first = 0; first <= count; ++first) {
      const int second = count - first;
      if ((together && first > 0 && second > 0) || first > node[0] || second > node[1]) {
        continue;
      }
      node[0] -= first;
      node[1] -= second;
      const bool fits = CanBePlaced(free, claims, next + 1);
      node[0] += first;
      node[1] += second;
      if (fits) {
        return true;
      }
    }
  }
  return false;
}

TEST(PlannerTest, PlacesAllIfAndOnlyIfThereIsAWay) {
  int possible = 0;
  int impossible = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Random random(seed);
    const auto below = [&](std::uint64_t bound) { return static_cast<int>(random.Below(bound)); };
    std::vector<int> gpus;
    std::vector<std::vector<int>> free;
    for (int i = 1 + below(3); i > 0; --i) {
      gpus.push_back(2 + below(3));
      free.push_back({std::min(gpus.back(), 2), std::max(gpus.back() - 2, 0)});
    }
    Objects objects = Fleet(gpus, 2);
    std::vector<ResourceClaim> claims;
    for (int i = 2 + below(4); i > 0; --i) {
      claims.push_back(GpuClaim("claim-" + std::to_string(i), 1 + below(3), below(2) == 0));
    }
    Planner planner;
    Fill(objects, planner);
    std::vector<Group> groups;
    for (const ResourceClaim& claim : claims) {
      groups.push_back({&claim});
    }
    const Result<BatchPlacement> batch = planner.PlaceAll(groups);
    ASSERT_TRUE(batch.ok()) << batch.status();
    const bool expected = CanBePlaced(free, claims, 0);
    ASSERT_EQ(batch->placements.has_value(), expected) << "seed " << seed;
    EXPECT_TRUE(planner.claims().empty()) << "a trial was left behind";
    if (!expected) {
      ++impossible;
      EXPECT_TRUE(batch->proven);
      EXPECT_FALSE(batch->unplaced.empty());
      continue;
    }
    ++possible;
    std::vector<policy::Placed> placed;
    for (std::size_t i = 0; i < claims.size(); ++i) {
      claims[i].status.allocation = (*batch->placements)[i].allocations[0];
      placed.push_back({NameOf(claims[i]), (*batch->placements)[i].node});
    }
    objects.claims = claims;
    EXPECT_THAT(Violations(objects, placed), IsEmpty()) << "seed " << seed;
  }
  EXPECT_GT(possible, 30);
  EXPECT_GT(impossible, 30);
}

TEST(PlannerTest, GivesUpABatchAfterItsSteps) {
  // Nine claims of two GPUs on one NUMA node each do not fit 4 nodes with 3 + 1 GPUs; proving it
  // takes more than one step.
  Objects objects = Fleet({4, 4, 4, 4}, 3);
  std::vector<ResourceClaim> claims;
  for (int i = 0; i < 9; ++i) {
    claims.push_back(GpuClaim("claim-" + std::to_string(i), 2, true));
  }
  Planner planner({.max_batch_steps = 1});
  Fill(objects, planner);
  std::vector<Group> groups;
  for (const ResourceClaim& claim : claims) {
    groups.push_back({&claim});
  }
  const Result<BatchPlacement> batch = planner.PlaceAll(groups);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_FALSE(batch->placements.has_value());
  EXPECT_FALSE(batch->proven);
  EXPECT_EQ(batch->unplaced.size(), 5U);
}

// ---- diagnoses ----

// Everything that is in use.
std::string UseOf(const Planner& planner) {
  std::string text;
  for (const auto& [name, claim] : planner.claims()) {
    text += name + api::json::EncodeAs(claim.status) + "\n";
  }
  return text;
}

TEST(DiagnosisTest, EndingTheNamedClaimsIsEnoughAndNoneIsSuperfluous) {
  int proven = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    const auto below = [&](std::uint64_t bound) { return static_cast<int>(random.Below(bound)); };
    Objects objects = Fleet({4, 4}, 2);
    Planner planner;
    Fill(objects, planner);
    for (int i = 0; i < 4; ++i) {
      ResourceClaim claim = GpuClaim("running-" + std::to_string(i), 1 + below(3), false);
      const auto placement = planner.Place({&claim}, Policy::kFirstFit);
      ASSERT_TRUE(placement.ok());
      if (placement->has_value()) {
        claim.status.allocation = (*placement)->allocations[0];
        planner.SetClaim(claim);
      }
    }
    const ResourceClaim wanted = GpuClaim("wanted", 2 + below(3), false);
    const std::string before = UseOf(planner);
    const Result<Diagnosis> diagnosis = Diagnose(planner, {&wanted});
    ASSERT_TRUE(diagnosis.ok()) << diagnosis.status();
    EXPECT_EQ(UseOf(planner), before) << "seed " << seed;
    if (diagnosis->fits) {
      continue;
    }
    ASSERT_FALSE(diagnosis->changes.empty()) << "seed " << seed;
    const Change& change = diagnosis->changes[0];
    ASSERT_EQ(change.kind, Change::Kind::kEndClaims);
    const auto fits_without = [&](const std::vector<std::string>& names) {
      Planner other;
      Fill(objects, other);
      for (const auto& [name, claim] : planner.claims()) {
        if (std::find(names.begin(), names.end(), name) == names.end()) {
          other.SetClaim(claim);
        }
      }
      return other.Place({&wanted}, Policy::kFirstFit).value()->node == change.node;
    };
    const auto any_fit_without = [&](const std::vector<std::string>& names) {
      Planner other;
      Fill(objects, other);
      for (const auto& [name, claim] : planner.claims()) {
        if (std::find(names.begin(), names.end(), name) == names.end()) {
          other.SetClaim(claim);
        }
      }
      return other.Place({&wanted}, Policy::kFirstFit).value().has_value();
    };
    ++proven;
    ASSERT_TRUE(any_fit_without(change.claims)) << "seed " << seed;
    EXPECT_TRUE(fits_without(change.claims)) << "seed " << seed;
    for (std::size_t i = 0; i < change.claims.size(); ++i) {
      std::vector<std::string> fewer = change.claims;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_FALSE(any_fit_without(fewer)) << "seed " << seed;
    }
  }
  EXPECT_GT(proven, 20);
}

TEST(DiagnosisTest, OneMoreNodeServesWhatIsLeftOver) {
  Objects objects = Fleet({4}, 2);
  Planner planner;
  Fill(objects, planner);
  std::vector<ResourceClaim> claims;
  for (int i = 0; i < 4; ++i) {
    claims.push_back(GpuClaim("claim-" + std::to_string(i), 2, false));
  }
  std::vector<Group> groups;
  for (const ResourceClaim& claim : claims) {
    groups.push_back({&claim});
  }
  const Result<Forecast> forecast = WhatIf(planner, groups);
  ASSERT_TRUE(forecast.ok()) << forecast.status();
  EXPECT_EQ(
      std::ranges::count_if(forecast->placements, [](const auto& p) { return p.has_value(); }), 2);
  EXPECT_EQ(forecast->free, 0);
  ASSERT_EQ(forecast->remedies.size(), 1U);
  EXPECT_EQ(forecast->remedies[0].text, "one more node like node-0");
  EXPECT_EQ(forecast->remedies[0].fits, 2U);
  EXPECT_TRUE(planner.claims().empty());
  EXPECT_EQ(planner.nodes().size(), 1U);
  EXPECT_EQ(planner.slices().size(), 1U);
}

// ---- the reference's fleets ----

const std::filesystem::path kInputs = "../shared/reference/allocator-inputs";

// JSON lines, of a file that may be compressed.
std::vector<std::string> ReadLines(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  const std::string command = (path.extension() == ".gz" ? "gzip -dc " : "cat ") + path.string();
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 1 << 16> buffer;
  for (std::size_t n = 0;
       pipe != nullptr && (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer.data(), n);
  }
  if (pipe == nullptr || pclose(pipe) != 0) {
    return lines;
  }
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    if (end > from) {
      lines.push_back(text.substr(from, end - from));
    }
    from = end + 1;
  }
  return lines;
}

TEST(PlannerReferenceTest, ServesEveryClaimOfNineGibThatTheGpusCanBeCutInto) {
  if (!std::filesystem::exists(kInputs)) {
    GTEST_SKIP() << kInputs << " is not here";
  }
  Objects objects;
  for (const char* file : {"inv-mig-10.jsonl.gz", "claims-any9g-60.jsonl"}) {
    for (const std::string& line : ReadLines(kInputs / file)) {
      AddLine(line, objects);
    }
  }
  ASSERT_EQ(objects.claims.size(), 60U);
  // One node of 8 GPUs.
  objects.nodes.resize(1);
  std::erase_if(objects.slices, [&](const ResourceSlice& slice) {
    return slice.spec.node_name != objects.nodes[0].metadata.name;
  });
  for (const auto& [policy, expected] :
       {std::pair(Policy::kFirstFit, 8), std::pair(Policy::kBestFit, 56)}) {
    for (ResourceClaim& claim : objects.claims) {
      claim.status = {};
    }
    Planner planner;
    Fill(objects, planner);
    std::vector<policy::Placed> placed;
    for (ResourceClaim& claim : objects.claims) {
      const auto placement = planner.Place({&claim}, policy);
      ASSERT_TRUE(placement.ok()) << placement.status();
      if (placement->has_value()) {
        claim.status.allocation = (*placement)->allocations[0];
        planner.SetClaim(claim);
        placed.push_back({NameOf(claim), (*placement)->node});
      }
    }
    EXPECT_EQ(placed.size(), static_cast<std::size_t>(expected));
    EXPECT_THAT(Violations(objects, placed), IsEmpty());
  }
}

// How much of what was asked for was served, when claims come and end as their annotation says.
// `unit`: of a claim, what it asks for.
struct Served {
  double share = 0;
  int unplaced = 0;
};
Served Churn(const std::string& fleet, const std::string& claims, bool rotate,
             const std::function<int(const ResourceClaim&)>& unit) {
  Objects objects;
  for (const std::string& line : ReadLines(kInputs / fleet)) {
    AddLine(line, objects);
  }
  for (const std::string& line : ReadLines(kInputs / claims)) {
    AddLine(line, objects);
  }
  std::vector<ResourceClaim> arriving = std::move(objects.claims);
  objects.claims.clear();
  Planner planner;
  Fill(objects, planner);
  std::map<std::size_t, std::vector<const ResourceClaim*>> ending;
  int asked = 0;
  int served = 0;
  Served result;
  for (std::size_t i = 0; i < arriving.size(); ++i) {
    for (const ResourceClaim* claim : ending[i]) {
      planner.RemoveClaim(claim->metadata.namespace_, claim->metadata.name);
    }
    if (rotate) {
      // The first node becomes the last.
      const Node first = planner.nodes().front();
      planner.RemoveNode(first.metadata.name);
      planner.SetNode(first);
    }
    ResourceClaim& claim = arriving[i];
    const auto placement = planner.Place({&claim}, Policy::kBestFit);
    EXPECT_TRUE(placement.ok()) << placement.status();
    asked += unit(claim);
    if (!placement.ok() || !placement->has_value()) {
      ++result.unplaced;
      continue;
    }
    served += unit(claim);
    claim.status.allocation = (*placement)->allocations[0];
    planner.SetClaim(claim);
    ending[i + std::stoul(claim.metadata.annotations.at("upalloc/lifetime"))].push_back(&claim);
  }
  result.share = static_cast<double>(served) / asked;
  return result;
}

TEST(PlannerReferenceTest, ServesGpusUnderChurnWhateverTheOrderOfNodes) {
  if (!std::filesystem::exists(kInputs)) {
    GTEST_SKIP() << kInputs << " is not here";
  }
  const auto gpus = [](const ResourceClaim& claim) {
    return static_cast<int>(claim.spec.devices.requests[0].exactly->count);
  };
  for (bool rotate : {false, true}) {
    const Served served =
        Churn("inv-full-10.jsonl.gz", "churn/claims-churn-gpu80-0.9.jsonl.gz", rotate, gpus);
    EXPECT_GE(served.share, 0.875) << (rotate ? "rotating" : "file order");
    RecordProperty(rotate ? "rotating" : "file_order", std::to_string(served.share));
    std::cout << "GPUs served: " << served.share << "\n";
  }
}

TEST(PlannerReferenceTest, ServesMigSlicesUnderChurnWhateverTheOrderOfNodes) {
  if (!std::filesystem::exists(kInputs)) {
    GTEST_SKIP() << kInputs << " is not here";
  }
  // "mig-3g40gb-000000" asks for 3.
  const auto slices = [](const ResourceClaim& claim) { return claim.metadata.name.at(4) - '0'; };
  for (bool rotate : {false, true}) {
    const Served served =
        Churn("inv-mig-10.jsonl.gz", "churn/claims-churn-mig80-0.9.jsonl.gz", rotate, slices);
    EXPECT_GE(served.share, 0.944) << (rotate ? "rotating" : "file order");
    std::cout << "MIG slices served: " << served.share << "\n";
  }
}

}  // namespace
}  // namespace assay::allocator
