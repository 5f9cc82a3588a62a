// What must hold whatever the input: answers keep every rule, searches that are exponential for
// upstream end soon, and input that makes no sense is an error, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "allocator/allocator.h"
#include "allocator/policy/validity.h"
#include "allocator/replay/cases.h"
#include "allocator/replay/replay.h"
#include "api/core/types.h"
#include "api/json/json.h"
#include "base/random.h"
#include "base/testing/status_matchers.h"

namespace assay::allocator {
namespace {

using api::resource::ResourceClaim;
using assay::testing::StatusIs;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;

MATCHER_P(IsOkAndHolds, value, "is OK and holds " + ::testing::PrintToString(value)) {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return *arg == value;
}

// A claim tried on one node, "n", whose pool has the devices given as JSON.
class Question {
 public:
  explicit Question(const json& devices, const json& counters = json(),
                    const Features& features = {})
      : inventory_({.features = features}) {
    const bool has_counters = !counters.is_null();
    AddSlice("devices", {{"devices", devices}}, has_counters ? 2 : 1);
    if (has_counters) {
      AddSlice("counters", {{"sharedCounters", counters}}, 2);
    }
    inventory_.SetClass(Decode<api::resource::DeviceClass>(
        {{"kind", "DeviceClass"}, {"metadata", {{"name", "gpu"}}}, {"spec", json::object()}}));
    node_.metadata.name = "n";
  }

  template <typename T>
  static T Decode(json object) {
    object["apiVersion"] = "resource.k8s.io/v1";
    auto value = api::json::DecodeAs<T>(object.dump());
    EXPECT_TRUE(value.ok()) << value.status();
    return *value;
  }

  // Whether requests for `counts` devices each fit, as one claim.
  Result<bool> Ask(const std::vector<json>& requests, const json& constraints = json::array(),
                   const AllocateOptions& options = {}) {
    json list = json::array();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      json exactly = requests[i];
      exactly["deviceClassName"] = "gpu";
      exactly["allocationMode"] = "ExactCount";
      exactly.emplace("count", 1);
      list.push_back({{"name", "r" + std::to_string(i)}, {"exactly", exactly}});
    }
    claim_ = Decode<ResourceClaim>(
        {{"kind", "ResourceClaim"},
         {"metadata", {{"name", "c"}, {"namespace", "default"}}},
         {"spec", {{"devices", {{"requests", list}, {"constraints", constraints}}}}}});
    const ResourceClaim* claims[] = {&claim_};
    Attempt attempt(inventory_.TakeSnapshot(), claims, options);
    Result<bool> fits = attempt.Fits(node_);
    steps_ = attempt.steps();
    return fits;
  }

  std::uint64_t steps() const { return steps_; }

 private:
  void AddSlice(const std::string& name, json spec, int count) {
    spec["driver"] = "d.example.com";
    spec["nodeName"] = "n";
    spec["pool"] = {{"name", "p"}, {"generation", 1}, {"resourceSliceCount", count}};
    inventory_.SetSlice(Decode<api::resource::ResourceSlice>(
        {{"kind", "ResourceSlice"}, {"metadata", {{"name", name}}}, {"spec", spec}}));
  }

  Inventory inventory_;
  api::core::Node node_;
  ResourceClaim claim_;
  std::uint64_t steps_ = 0;
};

json Devices(std::size_t count, const std::function<void(std::size_t, json&)>& change = {}) {
  json devices = json::array();
  for (std::size_t i = 0; i < count; ++i) {
    json device = {{"name", "d" + std::to_string(i)}};
    if (change) {
      change(i, device);
    }
    devices.push_back(device);
  }
  return devices;
}

const std::vector<json>& Requests(std::size_t count, const json& exactly = json::object()) {
  static std::vector<json> requests;
  requests.assign(count, exactly);
  return requests;
}

json Select(const std::string& expression) {
  return {{"selectors", {{{"cel", {{"expression", expression}}}}}}};
}

// Upstream needs 4 s to 28 s for each of these.
constexpr std::uint64_t kFewSteps = 5000;

TEST(WorstCaseTest, MoreRequestsThanDevices) {
  Question question(Devices(24));
  EXPECT_THAT(question.Ask(Requests(25)), IsOkAndHolds(false));
  EXPECT_THAT(question.steps(), Le(kFewSteps));
  EXPECT_THAT(question.Ask({{{"count", 25}}}), IsOkAndHolds(false));
  EXPECT_THAT(question.steps(), Le(kFewSteps));
}

TEST(WorstCaseTest, GroupsThatAreTooSmall) {
  const auto group = [](std::size_t i, json& device) {
    device["attributes"]["group"] = {{"int", i / 9}};
  };
  const json match = {{{"matchAttribute", "d.example.com/group"}}};
  Question none(Devices(18, group));
  EXPECT_THAT(none.Ask(Requests(10), match), IsOkAndHolds(false));
  EXPECT_THAT(none.steps(), Le(kFewSteps));

  // The last group is large enough.
  Question late(Devices(28, [](std::size_t i, json& device) {
    device["attributes"]["group"] = {{"int", i < 18 ? i / 9 : 2}};
  }));
  EXPECT_THAT(late.Ask(Requests(10), match), IsOkAndHolds(true));
  EXPECT_THAT(late.steps(), Le(kFewSteps));
}

TEST(WorstCaseTest, TheLastRequestsWantOneDevice) {
  Question question(Devices(
      64, [](std::size_t i, json& device) { device["attributes"]["nic"] = {{"bool", i == 63}}; }));
  std::vector<json> requests = Requests(5);
  requests[3] = requests[4] = Select("device.attributes['d.example.com'].nic");
  EXPECT_THAT(question.Ask(requests), IsOkAndHolds(false));
  EXPECT_THAT(question.steps(), Le(kFewSteps));
}

TEST(WorstCaseTest, TooFewDistinctValues) {
  Question question(Devices(
      24, [](std::size_t i, json& device) { device["attributes"]["x"] = {{"int", i % 9}}; }));
  EXPECT_THAT(question.Ask(Requests(10), {{{"distinctAttribute", "d.example.com/x"}}}),
              IsOkAndHolds(false));
  EXPECT_THAT(question.steps(), Le(kFewSteps));
}

TEST(WorstCaseTest, SharesThatDoNotFit) {
  Question question(Devices(12, [](std::size_t, json& device) {
    device["allowMultipleAllocations"] = true;
    device["capacity"]["memory"] = {{"value", "10Gi"}};
  }));
  EXPECT_THAT(question.Ask(Requests(13, {{"capacity", {{"requests", {{"memory", "6Gi"}}}}}})),
              IsOkAndHolds(false));
  EXPECT_THAT(question.steps(), Le(kFewSteps));
}

// Weights for which no two sums are alike: hard for anybody.
TEST(WorstCaseTest, TheBudgetEndsWhatIsHard) {
  const json counters =
      json::array({{{"name", "k"}, {"counters", {{"m", {{"value", "1000003"}}}}}}});
  Question question(
      Devices(40,
              [](std::size_t i, json& device) {
                device["consumesCounters"] = {
                    {{"counterSet", "k"},
                     {"counters", {{"m", {{"value", std::to_string(90001 + i * i * 37)}}}}}}};
              }),
      counters);
  AllocateOptions options;
  options.max_steps = 1000;
  const Result<bool> fits = question.Ask(Requests(11), json::array(), options);
  if (!fits.ok()) {
    EXPECT_THAT(fits, StatusIs(StatusCode::kResourceExhausted, "gave up after 1000 steps"));
  }
  EXPECT_THAT(question.steps(), Le(1001U));
}

TEST(BadInputTest, InvalidPoolsServeNothingAndSaySo) {
  const auto invalid =
      StatusIs(StatusCode::kFailedPrecondition, "invalid resource pools were encountered");
  Question duplicate(Devices(2, [](std::size_t, json& device) { device["name"] = "same"; }));
  EXPECT_THAT(duplicate.Ask(Requests(1)), invalid);
  const auto consume = [](std::size_t, json& device) {
    device["consumesCounters"] = {{{"counterSet", "k"}, {"counters", {{"m", {{"value", "1"}}}}}}};
  };
  Question dangling_set(Devices(1, consume));
  EXPECT_THAT(dangling_set.Ask(Requests(1)), invalid);
  Question dangling_counter(
      Devices(1, consume),
      json::array({{{"name", "k"}, {"counters", {{"other", {{"value", "1"}}}}}}}));
  EXPECT_THAT(dangling_counter.Ask(Requests(1)), invalid);
}

TEST(BadInputTest, AbsurdQuantities) {
  const auto consume = [](const char* amount) {
    return [amount](std::size_t, json& device) {
      device["consumesCounters"] = {
          {{"counterSet", "k"}, {"counters", {{"m", {{"value", amount}}}}}}};
    };
  };
  const auto counters = [](const char* amount) {
    return json::array({{{"name", "k"}, {"counters", {{"m", {{"value", amount}}}}}}});
  };
  EXPECT_THAT(Question(Devices(3, consume("1e300")), counters("1")).Ask(Requests(1)),
              IsOkAndHolds(false));
  EXPECT_THAT(
      Question(Devices(3, consume("9223372036854775807")), counters("1e300")).Ask(Requests(3)),
      IsOkAndHolds(true));
  EXPECT_THAT(Question(Devices(3, consume("1n")), counters("2n")).Ask(Requests(3)),
              IsOkAndHolds(false));
  EXPECT_THAT(Question(Devices(3, consume("1")), counters("-5")).Ask(Requests(1)),
              IsOkAndHolds(false));
}

TEST(BadInputTest, AbsurdCounts) {
  constexpr std::int64_t kMost = 9223372036854775807;
  Question question(Devices(3));
  EXPECT_THAT(question.Ask({{{"count", kMost}}}),
              StatusIs(StatusCode::kInvalidArgument,
                       "claim default/c: number of requested devices 9223372036854775807 exceeds "
                       "the claim limit of 32"));
  // Upstream 0.36 adds them up to a negative number, and crashes.
  EXPECT_THAT(question.Ask({{{"count", kMost}}, {{"count", kMost}}, {{"count", kMost}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("exceeds the claim limit of 32")));
  EXPECT_THAT(question.Ask({{{"count", -1}}}), IsOkAndHolds(true));
}

TEST(BadInputTest, TenThousandSelectors) {
  json selectors = json::array();
  for (int i = 0; i < 10000; ++i) {
    selectors.push_back(
        {{"cel", {{"expression", "device.driver != '" + std::to_string(i) + "'"}}}});
  }
  Question question(Devices(2));
  EXPECT_THAT(question.Ask({{{"selectors", selectors}}}), IsOkAndHolds(true));
  selectors.push_back({{"cel", {{"expression", "("}}}});
  EXPECT_THAT(question.Ask({{{"selectors", selectors}}}),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("claim default/c: selector #10000: CEL compile error")));
}

// The answers to random cases keep every rule, by a checker that knows no search.
TEST(PropertyTest, AnswersKeepEveryRule) {
  int checked = 0;
  int derived = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    const api::Level level = seed % 2 == 0 ? api::Level::k1_36 : api::Level::k1_37;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", level " + std::string(LevelName(level)));
    replay::Replay replay({.features = {.level = level}});
    std::vector<api::core::Node> nodes;
    std::vector<api::resource::DeviceClass> classes;
    std::vector<api::resource::ResourceSlice> slices;
    std::vector<ResourceClaim> claims;
    for (const std::string& line : replay::MakeCase(seed, {.level = level})) {
      const json object = json::parse(line);
      // Claims that have devices already may hold one twice.
      if (object["kind"] == "ResourceClaim" && object.contains("status")) {
        continue;
      }
      const auto answer = replay.Take(line);
      ASSERT_TRUE(answer.ok()) << answer.status();
      const std::string kind = object["kind"];
      if (kind == "Node") {
        nodes.push_back(*api::json::DecodeAs<api::core::Node>(line));
      } else if (kind == "DeviceClass") {
        classes.push_back(*api::json::DecodeAs<api::resource::DeviceClass>(line));
      } else if (kind == "ResourceSlice") {
        slices.push_back(*api::json::DecodeAs<api::resource::ResourceSlice>(line));
      }
      if (kind != "ResourceClaim" && kind != "Together") {
        continue;
      }
      const json said = answer->has_value() ? json::parse(**answer) : json();
      const json items = kind == "Together" ? object["items"] : json::array({object});
      std::vector<policy::Placed> placed;
      for (std::size_t i = 0; i < items.size(); ++i) {
        json claim = items[i];
        if (said.contains("node")) {
          claim["status"]["allocation"] =
              kind == "Together" ? said["allocations"][i] : said["allocation"];
          placed.push_back(
              {"default/" + claim["metadata"]["name"].get<std::string>(), said["node"]});
        }
        claims.push_back(*api::json::DecodeAs<ResourceClaim>(claim.dump()));
      }
      if (!placed.empty()) {
        EXPECT_THAT(
            policy::FindViolations({slices, classes, nodes, claims, replay.features()}, placed),
            IsEmpty());
        ++checked;
        derived += items.dump().find("derivedAttributes") != std::string::npos ? 1 : 0;
      }
    }
  }
  EXPECT_GT(checked, 400);
  EXPECT_GT(derived, 10);
}

// An inventory that has seen events in any order answers as one made of the end state.
TEST(PropertyTest, TheOrderOfEventsDoesNotMatter) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const api::Level level = seed % 2 == 0 ? api::Level::k1_36 : api::Level::k1_37;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", level " + std::string(LevelName(level)));
    std::vector<std::string> lines = replay::MakeCase(seed, {.level = level});
    std::vector<std::string> events;
    std::vector<std::string> rest;
    for (const std::string& line : lines) {
      const json object = json::parse(line);
      const bool is_event = object["kind"] == "ResourceSlice" || object["kind"] == "DeviceClass" ||
                            object.contains("status");
      (is_event && object["kind"] != "Node" ? events : rest).push_back(line);
    }
    const auto answers = [&] {
      replay::Replay replay({.features = {.level = level}});
      std::vector<std::string> said;
      std::vector<std::string> all = {rest[0]};
      all.insert(all.end(), events.begin(), events.end());
      all.insert(all.end(), rest.begin() + 1, rest.end());
      for (const std::string& line : all) {
        const auto answer = replay.Take(line);
        EXPECT_TRUE(answer.ok()) << answer.status();
        if (answer.ok() && answer->has_value()) {
          said.push_back(**answer);
        }
      }
      return said;
    };
    const std::vector<std::string> in_order = answers();
    std::reverse(events.begin(), events.end());
    EXPECT_EQ(answers(), in_order);
    Random random(seed);
    for (std::size_t i = events.size(); i > 1; --i) {
      std::swap(events[i - 1], events[random.Below(i)]);
    }
    EXPECT_EQ(answers(), in_order);
  }
}

}  // namespace
}  // namespace assay::allocator
