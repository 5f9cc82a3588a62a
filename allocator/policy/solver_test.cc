// The solver against trying every combination; what quality says of GPUs and their partitions.
#include "allocator/policy/solver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/random.h"

namespace assay::allocator::policy {
namespace {

using ::testing::ElementsAre;

struct Instance {
  QualityNode node;
  Problem problem;
  std::vector<std::vector<std::uint32_t>> in_use;  // by claim
};

Instance MakeInstance(std::uint64_t seed) {
  Random random(seed);
  const auto below = [&](std::uint64_t bound) {
    return static_cast<std::uint32_t>(random.Below(bound));
  };
  Instance instance;
  const std::uint32_t devices = 2 + below(7);
  const std::uint32_t counters = below(4);
  for (std::uint32_t i = 0; i < counters; ++i) {
    instance.node.counters.push_back(2 + below(4));
  }
  instance.problem.counters = instance.node.counters;
  for (std::uint32_t i = 0; i < devices; ++i) {
    QualityDevice device;
    device.size = 0.25 * (1 + below(4));
    for (std::uint32_t counter = 0; counter < counters; ++counter) {
      if (below(2) == 0) {
        device.takes.push_back({counter, static_cast<Amount>(below(3))});
      }
    }
    Problem::Device searched;
    searched.takes = device.takes;
    searched.shareable = below(4) == 0;
    searched.has_binding_conditions = below(6) == 0;
    if (searched.shareable) {
      searched.all = {4};
      searched.room = {static_cast<Amount>(below(5))};
    } else if (below(4) == 0) {
      searched.available = false;
      instance.in_use.push_back({i});
    }
    instance.node.devices.push_back(std::move(device));
    instance.problem.devices.push_back(std::move(searched));
  }
  std::vector<std::vector<std::uint32_t>> domains(2);
  for (std::uint32_t i = 0; i < devices; ++i) {
    domains[i * 2 / devices].push_back(i);
  }
  instance.node.domains = domains;
  for (std::uint32_t i = below(3); i > 0; --i) {
    Problem::Constraint constraint;
    constraint.distinct = below(2) == 0;
    for (std::uint32_t device = 0; device < devices; ++device) {
      std::vector<std::uint32_t> values;
      for (std::uint32_t value = 0; value < 3; ++value) {
        if (below(3) != 0) {
          values.push_back(value);
        }
      }
      constraint.values.push_back(std::move(values));
    }
    instance.problem.constraints.push_back(std::move(constraint));
  }
  for (std::uint32_t i = 1 + below(3); i > 0; --i) {
    Problem::Request request;
    request.count = 1 + below(2);
    for (std::uint32_t device = 0; device < devices; ++device) {
      if (below(4) != 0) {
        request.candidates.push_back({device, {}});
        if (instance.problem.devices[device].shareable) {
          request.candidates.back().share = {static_cast<Amount>(below(3))};
        }
      }
    }
    for (std::uint32_t c = 0; c < instance.problem.constraints.size(); ++c) {
      if (below(2) == 0) {
        request.constraints.push_back(c);
      }
    }
    instance.problem.requests.push_back(std::move(request));
  }
  return instance;
}

using Choice = std::vector<std::vector<std::uint32_t>>;

// Whether a choice of devices is a solution, and what it costs, from scratch.
std::optional<Cost> Judge(const Problem& problem, const Holders& holders, const Choice& choice) {
  Cost cost;
  std::vector<Amount> counters = problem.counters;
  std::vector<int> uses(problem.devices.size(), 0);
  std::vector<std::uint32_t> all;
  std::vector<std::vector<Amount>> room;
  for (const auto& device : problem.devices) {
    room.push_back(device.room);
  }
  for (std::size_t r = 0; r < choice.size(); ++r) {
    for (std::uint32_t number : choice[r]) {
      const Problem::Device& device = problem.devices[number];
      all.push_back(number);
      cost.binding += device.has_binding_conditions ? 1 : 0;
      if (++uses[number] > (device.shareable ? 100 : 1) || !device.available) {
        return std::nullopt;
      }
      for (const auto& take : device.takes) {
        if (uses[number] == 1 && (counters[take.counter] -= take.amount) < 0) {
          return std::nullopt;
        }
      }
      const auto candidate =
          std::ranges::find(problem.requests[r].candidates, number, &Problem::Candidate::device);
      for (std::size_t i = 0; i < candidate->share.size(); ++i) {
        room[number][i] -= candidate->share[i];
        if (room[number][i] < 0) {
          return std::nullopt;
        }
        cost.loose += static_cast<double>(room[number][i]) / static_cast<double>(device.all[i]);
      }
    }
  }
  for (std::uint32_t c = 0; c < problem.constraints.size(); ++c) {
    const Problem::Constraint& constraint = problem.constraints[c];
    std::vector<std::uint32_t> count(3, 0);
    std::uint32_t concerned = 0;
    for (std::size_t r = 0; r < choice.size(); ++r) {
      const auto& own = problem.requests[r].constraints;
      if (std::find(own.begin(), own.end(), c) == own.end()) {
        continue;
      }
      for (std::uint32_t device : choice[r]) {
        ++concerned;
        if (constraint.values[device].empty()) {
          return std::nullopt;
        }
        for (std::uint32_t value : constraint.values[device]) {
          ++count[value];
        }
      }
    }
    const std::uint32_t most = *std::max_element(count.begin(), count.end());
    if (constraint.distinct ? most > 1 : most < concerned) {
      return std::nullopt;
    }
  }
  cost.stranded = holders.Cost(all);
  return cost;
}

// The best of all combinations.
std::optional<Cost> TryAll(const Problem& problem, const Holders& holders) {
  std::optional<Cost> best;
  Choice choice(problem.requests.size());
  const std::function<void(std::size_t, std::size_t)> next = [&](std::size_t r, std::size_t first) {
    if (r == choice.size()) {
      const std::optional<Cost> cost = Judge(problem, holders, choice);
      if (cost.has_value() && (!best.has_value() || cost->Below(*best))) {
        best = cost;
      }
      return;
    }
    if (choice[r].size() == problem.requests[r].count) {
      next(r + 1, 0);
      return;
    }
    for (std::size_t i = first; i < problem.requests[r].candidates.size(); ++i) {
      choice[r].push_back(problem.requests[r].candidates[i].device);
      next(r, i + 1);
      choice[r].pop_back();
    }
  };
  next(0, 0);
  return best;
}

TEST(SolverTest, FindsWhatTryingEveryCombinationFinds) {
  int solved = 0;
  int cut_short = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Instance instance = MakeInstance(seed);
    const Blocks blocks(instance.node);
    Holders holders(blocks);
    for (const auto& claim : instance.in_use) {
      holders.Add(claim);
    }
    const std::optional<Cost> expected = TryAll(instance.problem, holders);
    const std::optional<Solution> found = Solve(instance.problem, blocks, holders, 1'000'000);
    ASSERT_EQ(found.has_value(), expected.has_value());
    if (!found.has_value()) {
      continue;
    }
    ++solved;
    const std::optional<Cost> judged = Judge(instance.problem, holders, found->devices);
    ASSERT_TRUE(judged.has_value()) << "not a solution";
    EXPECT_NEAR(judged->stranded, found->cost.stranded, 1e-9);
    EXPECT_EQ(found->cost.binding, expected->binding);
    EXPECT_NEAR(found->cost.stranded, expected->stranded, 1e-9);
    EXPECT_TRUE(found->optimal());

    // Cut short, the bound is below every solution with as few binding conditions.
    const std::optional<Solution> hasty =
        Solve(instance.problem, blocks, holders, 3, &found->devices);
    ASSERT_TRUE(hasty.has_value());
    EXPECT_LE(hasty->bound, expected->stranded + 1e-9);
    EXPECT_NEAR(hasty->cost.stranded, expected->stranded, 1e-9);
    cut_short += hasty->optimal() ? 0 : 1;
  }
  EXPECT_GT(solved, 1000);
  EXPECT_GT(cut_short, 100);
}

// GPUs of which each can be cut into `pieces` equal partitions.
QualityNode Gpus(std::uint32_t gpus, std::uint32_t pieces) {
  QualityNode node;
  for (std::uint32_t gpu = 0; gpu < gpus; ++gpu) {
    QualityDevice whole;
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      whole.takes.push_back({gpu * pieces + piece, 1});
    }
    node.devices.push_back(whole);
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      node.devices.push_back({1.0 / pieces, {{gpu * pieces + piece, 1}}});
      node.counters.push_back(1);
    }
  }
  return node;
}

TEST(QualityTest, AFragmentOfAGpuInUseIsCheaperThanAnotherGpu) {
  const Blocks blocks(Gpus(2, 4));
  Holders holders(blocks);
  holders.Add(std::vector<std::uint32_t>{1});  // a quarter of the first GPU
  const std::uint32_t same = 2;
  const std::uint32_t other = 6;
  EXPECT_LT(holders.Cost(std::span(&same, 1)), holders.Cost(std::span(&other, 1)));
}

TEST(QualityTest, ThePartitionIsCheaperThanTheWholeGpu) {
  const Blocks blocks(Gpus(2, 4));
  const Holders holders(blocks);
  const std::uint32_t whole = 0;
  const std::uint32_t part = 1;
  EXPECT_LT(holders.Cost(std::span(&part, 1)), holders.Cost(std::span(&whole, 1)));
}

TEST(QualityTest, DevicesOfOneDomainStrandLessThanOfTwo) {
  QualityNode node;
  node.devices.resize(8);
  node.domains = {{0, 1, 2, 3}, {4, 5, 6, 7}};
  const Blocks blocks(node);
  const Holders holders(blocks);
  EXPECT_LT(holders.Cost(std::vector<std::uint32_t>{0, 1}),
            holders.Cost(std::vector<std::uint32_t>{0, 4}));
}

TEST(QualityTest, StrandedIsTheSumOfWhatEachClaimAdded) {
  const Blocks blocks(Gpus(2, 4));
  Holders holders(blocks);
  double sum = 0;
  for (std::uint32_t device : {1U, 2U, 3U, 5U}) {
    sum += holders.Cost(std::span(&device, 1));
    holders.Add(std::span(&device, 1));
  }
  EXPECT_NEAR(holders.Stranded(), sum, 1e-9);
}

TEST(QualityTest, SizesAreSharesOfTheLargest) {
  api::resource::ResourceSlice slice;
  slice.spec.driver = "gpu.example.com";
  for (const char* memory : {"80Gi", "40Gi"}) {
    api::resource::Device& device = slice.spec.devices.emplace_back();
    device.capacity["memory"].value = api::meta::Quantity::Of(memory);
  }
  Scale scale;
  scale.Add(slice);
  EXPECT_EQ(SizeOf("gpu.example.com", slice.spec.devices[0], 0, scale), 1.0);
  EXPECT_EQ(SizeOf("gpu.example.com", slice.spec.devices[1], 0, scale), 0.5);
  EXPECT_EQ(SizeOf("gpu.example.com", api::resource::Device(), 0, scale), 1.0);
}

TEST(SolverTest, TakesThePairThatNeedsNoThirdDomain) {
  // One of three domains is broken already, with one device left in it.
  QualityNode node;
  node.devices.resize(6);
  node.domains = {{0, 1}, {2, 3}, {4, 5}};
  const Blocks blocks(node);
  Holders holders(blocks);
  Problem problem;
  problem.devices.resize(6);
  problem.devices[0].available = false;
  holders.Add(std::vector<std::uint32_t>{0});
  problem.requests.push_back({2, {{0, {}}, {1, {}}, {2, {}}, {3, {}}, {4, {}}, {5, {}}}, {}});
  const std::optional<Solution> solution = Solve(problem, blocks, holders, 1000);
  ASSERT_TRUE(solution.has_value());
  EXPECT_THAT(solution->devices[0], ElementsAre(2, 3));
}

}  // namespace
}  // namespace assay::allocator::policy
