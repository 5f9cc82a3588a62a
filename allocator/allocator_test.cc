// Small fleets and claims, as JSON lines; the answers are Kubernetes' but where a test says
// otherwise.
#include "allocator/allocator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "allocator/replay/replay.h"
#include "api/core/types.h"
#include "api/json/json.h"
#include "base/testing/status_matchers.h"

namespace assay::allocator {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using testing::IsOk;

constexpr char kNode[] = R"({"kind":"Node","metadata":{"name":"n"}})";
constexpr char kClass[] = R"({"kind":"DeviceClass","metadata":{"name":"gpu"},"spec":{}})";

// A slice of pool "p" on node "n" with the devices given as JSON.
std::string Slice(const std::string& devices, const std::string& more = "") {
  return R"({"kind":"ResourceSlice","metadata":{"name":"s"},"spec":{"driver":"d.example.com",)"
         R"("nodeName":"n","pool":{"name":"p","generation":1,"resourceSliceCount":1},"devices":[)" +
         devices + "]" + more + "}}";
}

std::string Claim(const std::string& requests, const std::string& more = "") {
  return R"({"kind":"ResourceClaim","metadata":{"name":"c","namespace":"default"},)"
         R"("spec":{"devices":{"requests":[)" +
         requests + "]" + more + "}}}";
}

// The answer to the last line, which must be a claim without allocation.
json Ask(const std::vector<std::string>& lines, const Features& features = {}) {
  replay::Replay replay({.features = features});
  std::optional<std::string> answer;
  for (const std::string& line : lines) {
    auto taken = replay.Take(line);
    EXPECT_TRUE(taken.ok()) << taken.status();
    answer = *std::move(taken);
  }
  return answer.has_value() ? json::parse(*answer) : json();
}

std::vector<std::string> Devices(const json& answer) {
  std::vector<std::string> devices;
  if (answer.contains("allocation")) {
    for (const json& result : answer["allocation"]["devices"]["results"]) {
      devices.push_back(result["device"]);
    }
  }
  return devices;
}

TEST(AllocatorTest, TakesTheFirstDevicesThatMatch) {
  const json answer = Ask(
      {kNode, kClass,
       Slice(
           R"({"name":"a","attributes":{"i":{"int":1}}},{"name":"b","attributes":{"i":{"int":2}}},)"
           R"({"name":"c","attributes":{"i":{"int":3}}})"),
       Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":2,"selectors":[{"cel":)"
             R"({"expression":"device.attributes['d.example.com'].i > 1"}}]}})")});
  EXPECT_THAT(Devices(answer), ElementsAre("b", "c"));
  EXPECT_EQ(
      answer["allocation"]["nodeSelector"]["nodeSelectorTerms"][0]["matchFields"][0]["values"],
      json({"n"}));
}

TEST(AllocatorTest, NoFitIsNoError) {
  const json answer = Ask({kNode, kClass, Slice(R"({"name":"a"})"),
                           Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":2}})")});
  EXPECT_EQ(answer, json({{"claim", "default/c"}}));
}

TEST(AllocatorTest, UnknownClassIsFatal) {
  const json answer = Ask({kNode, kClass, Slice(R"({"name":"a"})"),
                           Claim(R"({"name":"r","exactly":{"deviceClassName":"no"}})")});
  EXPECT_EQ(answer["error"],
            "claim default/c, request r: could not retrieve device class no: "
            "deviceclass.resource.k8s.io \"no\" not found");
}

TEST(AllocatorTest, FailingSelectorIsFatal) {
  const json answer = Ask({kNode, kClass, Slice(R"({"name":"a"})"),
                           Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","selectors":[{)"
                                 R"("cel":{"expression":"device.attributes['x'].y"}}]}})")});
  EXPECT_EQ(answer["error"], "claim default/c: selector #0: CEL runtime error: no such key: y");
}

TEST(AllocatorTest, TaintsKeepDevicesBackUnlessTolerated) {
  const std::string slice =
      Slice(R"({"name":"a","taints":[{"key":"k","value":"v","effect":"NoSchedule"}]},)"
            R"({"name":"b","taints":[{"key":"k","effect":"None"}]})");
  EXPECT_THAT(Devices(Ask({kNode, kClass, slice,
                           Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu"}})")})),
              ElementsAre("b"));
  EXPECT_THAT(Devices(Ask({kNode, kClass, slice,
                           Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","tolerations":[)"
                                 R"({"key":"k","operator":"Exists"}]}})")})),
              ElementsAre("a"));
}

TEST(AllocatorTest, AllFailsOnAnIncompletePool) {
  std::string slice = Slice(R"({"name":"a"})");
  slice.replace(slice.find("\"resourceSliceCount\":1"), 22, "\"resourceSliceCount\":2");
  const json answer =
      Ask({kNode, kClass, slice,
           Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","allocationMode":"All"}})")});
  EXPECT_EQ(
      answer["error"],
      "claim default/c, request r: asks for all devices, but resource pool d.example.com/p is "
      "currently being updated");
}

// What v0.36.3 gets wrong: right by default, wrong as there with the switch, right at 1.37 whatever
// the switch.
constexpr Features kWithDefects = {.upstream_defects = true};
constexpr Features kWithoutEffect = {.level = api::Level::k1_37, .upstream_defects = true};

TEST(AllocatorTest, DistinctComparesAllDevicesOfARequest) {
  const std::string slice = Slice(
      R"({"name":"a","attributes":{"x":{"int":1}}},{"name":"b","attributes":{"x":{"int":2}}},)"
      R"({"name":"c","attributes":{"x":{"int":1}}})");
  const std::vector<std::string> lines = {
      kNode, kClass, slice,
      Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":3}})",
            R"(,"constraints":[{"distinctAttribute":"d.example.com/x"}])")};
  EXPECT_EQ(Ask(lines), json({{"claim", "default/c"}}));
  EXPECT_EQ(Ask(lines, kWithoutEffect), json({{"claim", "default/c"}}));
  EXPECT_THAT(Devices(Ask(lines, kWithDefects)), ElementsAre("a", "b", "c"));
}

TEST(AllocatorTest, DistinctForgetsNoDeviceAfterAnotherIsGivenUp) {
  const auto attributes = [](int x) {
    return R"("attributes":{"x":{"int":)" + std::to_string(x) + "}}";
  };
  // r takes a and b; q wants another 1 and cannot have one, so that all is tried.
  const std::vector<std::string> lines = {
      kNode, kClass,
      Slice(R"({"name":"a",)" + attributes(1) + R"(},{"name":"b",)" + attributes(2) +
            R"(},{"name":"c",)" + attributes(3) + R"(},{"name":"d",)" + attributes(1) + "}"),
      Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":2}},)"
            R"({"name":"q","exactly":{"deviceClassName":"gpu","selectors":[{"cel":{"expression":)"
            R"("device.attributes['d.example.com'].x == 1"}}]}})",
            R"(,"constraints":[{"distinctAttribute":"d.example.com/x"}])")};
  EXPECT_THAT(Devices(Ask(lines)), ElementsAre("b", "c", "a"));
  EXPECT_THAT(Devices(Ask(lines, kWithDefects)), ElementsAre("a", "b", "d"));
}

TEST(AllocatorTest, MatchOverListsIsRightAfterBacktracking) {
  const std::string slice = Slice(
      R"({"name":"a","attributes":{"x":{"ints":[1,2]}}},{"name":"b","attributes":{"x":{"ints":[1]}}},)"
      R"({"name":"c","attributes":{"x":{"ints":[2]}}},{"name":"d","attributes":{"x":{"ints":[2]}}})");
  const std::vector<std::string> lines = {
      kNode, kClass, slice,
      Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":3}})",
            R"(,"constraints":[{"matchAttribute":"d.example.com/x"}])")};
  const auto ask = [&lines](Features features) {
    features.list_type_attributes = true;
    return Devices(Ask(lines, features));
  };
  EXPECT_THAT(ask({}), ElementsAre("a", "c", "d"));
  EXPECT_THAT(ask(kWithoutEffect), ElementsAre("a", "c", "d"));
  EXPECT_THAT(ask(kWithDefects), ElementsAre());
}

TEST(AllocatorTest, CountersOfPoolsOfTheSameNameAreKeptApart) {
  const auto slices = [](const std::string& driver) {
    std::string counters =
        Slice("", R"(,"sharedCounters":[{"name":"k","counters":{"m":{"value":"1"}}}])");
    std::string devices = Slice(
        R"({"name":"a","consumesCounters":[{"counterSet":"k","counters":{"m":{"value":"1"}}}]},)"
        R"({"name":"b","consumesCounters":[{"counterSet":"k","counters":{"m":{"value":"1"}}}]})");
    for (std::string* text : {&counters, &devices}) {
      text->replace(text->find("d.example.com"), 13, driver);
      text->replace(text->find("\"resourceSliceCount\":1"), 22, "\"resourceSliceCount\":2");
      text->replace(text->find("\"name\":\"s\""), 10,
                    "\"name\":\"" + driver + (text == &counters ? "0" : "1") + "\"");
    }
    return std::vector<std::string>{counters, devices};
  };
  std::vector<std::string> lines = {kNode, kClass};
  for (const char* driver : {"one", "two"}) {
    for (const std::string& line : slices(driver)) {
      lines.push_back(line);
    }
  }
  std::vector<std::string> two = lines;
  two.push_back(Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":2}})"));
  EXPECT_THAT(Devices(Ask(two)), ElementsAre("a", "a"));
  EXPECT_THAT(Devices(Ask(two, kWithoutEffect)), ElementsAre("a", "a"));
  EXPECT_THAT(Devices(Ask(two, kWithDefects)), ElementsAre());
  lines.push_back(Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":3}})"));
  EXPECT_THAT(Devices(Ask(lines)), ElementsAre());
}

TEST(AllocatorTest, CountersOfManyDigitsStayWhatTheyAre) {
  const std::string consumes =
      R"("consumesCounters":[{"counterSet":"k","counters":{"m":{"value":"1000000000000000000001"}}}])";
  std::string counters = Slice(
      "",
      R"(,"sharedCounters":[{"name":"k","counters":{"m":{"value":"3000000000000000000003"}}}])");
  std::string devices =
      Slice(R"({"name":"a",)" + consumes + R"(},{"name":"b",)" + consumes + R"(},{"name":"c",)" +
            consumes + R"(},{"name":"d",)" + consumes + "}");
  for (std::string* text : {&counters, &devices}) {
    text->replace(text->find("\"resourceSliceCount\":1"), 22, "\"resourceSliceCount\":2");
  }
  devices.replace(devices.find("\"name\":\"s\""), 10, "\"name\":\"t\"");
  replay::Replay replay;
  for (const std::string& line : {std::string(kNode), std::string(kClass), counters, devices}) {
    EXPECT_THAT(replay.Take(line), IsOk());
  }
  // v0.36.3 has nothing left for the third.
  for (const std::vector<std::string>& device :
       std::vector<std::vector<std::string>>{{"a"}, {"b"}, {"c"}, {}}) {
    std::string claim = Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu"}})");
    claim.replace(claim.find("\"c\""), 3, "\"for-" + (device.empty() ? "none" : device[0]) + "\"");
    const auto answer = replay.Take(claim);
    ASSERT_THAT(answer, IsOk());
    EXPECT_EQ(Devices(json::parse(**answer)), device);
  }
}

TEST(AllocatorTest, AStepOfNothingIsNoStep) {
  const json answer = Ask(
      {kNode, kClass,
       Slice(R"({"name":"a","allowMultipleAllocations":true,"capacity":{"m":{"value":"10",)"
             R"("requestPolicy":{"default":"1","validRange":{"min":"1","step":"0"}}}}})"),
       Claim(
           R"({"name":"r","exactly":{"deviceClassName":"gpu","capacity":{"requests":{"m":"3"}}}})")});
  // v0.36.3 divides by it.
  EXPECT_EQ(answer["allocation"]["devices"]["results"][0]["consumedCapacity"], json({{"m", "3"}}));
}

// ---- derived attributes (level 1.37, DRADerivedAttributes) ----

constexpr Features kDerives = {.level = api::Level::k1_37, .derived_attributes = true};

// Two devices of request r, which derives d.example.com/half, and one of request q, which does not.
json AskDerived(const std::string& expression, const Features& features = kDerives) {
  const auto device = [](const char* name, int x, int half) {
    return R"({"name":")" + std::string(name) + R"(","attributes":{"x":{"int":)" +
           std::to_string(x) + R"(},"half":{"int":)" + std::to_string(half) + "}}}";
  };
  return Ask({kNode, kClass,
              Slice(device("a", 1, 9) + "," + device("b", 2, 9) + "," + device("c", 3, 5) + "," +
                    device("d", 4, 1)),
              Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":2,)"
                    R"("derivedAttributes":[{"name":"d.example.com/half","expression":")" +
                        expression + R"("}]}},{"name":"q","exactly":{"deviceClassName":"gpu"}})",
                    R"(,"constraints":[{"matchAttribute":"d.example.com/half"}])")},
             features);
}

TEST(AllocatorTest, DerivedAttributesTakeThePlaceOfTheDevicesOwnForTheirRequest) {
  // r: 0, 1, 1, 2; q: 9, 9, 5, 1.
  EXPECT_THAT(Devices(AskDerived("device.attributes['d.example.com'].x / 2")),
              ElementsAre("b", "c", "d"));
  // r: 0, 0, 1, 1.
  EXPECT_THAT(Devices(AskDerived("device.attributes['d.example.com'].x / 3")), ElementsAre());
}

TEST(AllocatorTest, ADerivedAttributeThatFailsIsFatal) {
  EXPECT_EQ(AskDerived("device.nofield")["error"],
            "compile derived attribute d.example.com/half failed: compilation failed: ERROR: "
            "<input>:1:7: undefined field 'nofield'\n | device.nofield\n | ......^");
  EXPECT_EQ(AskDerived("1.5")["error"],
            "compile derived attribute d.example.com/half failed: must evaluate to a primitive "
            "scalar (string, integer, boolean, semver) or a list of these scalars, not double");
  EXPECT_EQ(AskDerived("dyn(1.5)")["error"],
            "evaluate derived attribute d.example.com/half on device d.example.com/p/a failed: "
            "unsupported CEL return type: float64");
  EXPECT_EQ(AskDerived("device.attributes['d.example.com'].y")["error"],
            "evaluate derived attribute d.example.com/half on device d.example.com/p/a failed: "
            "no such key: y");
  EXPECT_EQ(AskDerived("1", {.level = api::Level::k1_37})["error"],
            "claim default/c, request r: cannot handle request with derived attributes, the "
            "feature is disabled");
}

TEST(AllocatorTest, DerivedListsNeedTheirOwnGate) {
  // What all of r's have in common is 1.
  const std::string lists = "[1, device.attributes['d.example.com'].x / 2]";
  Features features = kDerives;
  EXPECT_THAT(Devices(AskDerived(lists, features)), ElementsAre());
  features.list_type_attributes = true;
  EXPECT_THAT(Devices(AskDerived(lists, features)), ElementsAre("a", "b", "d"));
}

// ---- what is kept of upstream's quirks ----

TEST(AllocatorTest, NothingThatCountsIsLeftOfAPoolOfWhichSomethingIsOverAllocated) {
  std::string counters =
      Slice("", R"(,"sharedCounters":[{"name":"k","counters":{"m":{"value":"1"}}},)"
                R"({"name":"l","counters":{"m":{"value":"1"}}}])");
  std::string devices = Slice(
      R"({"name":"a","consumesCounters":[{"counterSet":"k","counters":{"m":{"value":"2"}}}]},)"
      R"({"name":"b","consumesCounters":[{"counterSet":"l","counters":{"m":{"value":"1"}}}]},)"
      R"({"name":"c"})");
  for (std::string* text : {&counters, &devices}) {
    text->replace(text->find("\"resourceSliceCount\":1"), 22, "\"resourceSliceCount\":2");
  }
  devices.replace(devices.find("\"name\":\"s\""), 10, "\"name\":\"t\"");
  const std::string used =
      R"({"kind":"ResourceClaim","metadata":{"name":"u","namespace":"default"},"spec":{},)"
      R"("status":{"allocation":{"devices":{"results":[{"request":"r","driver":"d.example.com",)"
      R"("pool":"p","device":"a"}]}}}})";
  for (const api::Level level : {api::Level::k1_36, api::Level::k1_37}) {
    EXPECT_THAT(Devices(Ask({kNode, kClass, counters, devices, used,
                             Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu"}})")},
                            {.level = level})),
                ElementsAre("c"));
  }
}

TEST(AllocatorTest, AnOlderGenerationServesANodeThatSeesNothingOfTheNewer) {
  std::string newer = Slice(R"({"name":"b"})");
  newer.replace(newer.find("\"generation\":1"), 14, "\"generation\":2");
  newer.replace(newer.find("\"nodeName\":\"n\""), 14, "\"nodeName\":\"m\"");
  newer.replace(newer.find("\"name\":\"s\""), 10, "\"name\":\"t\"");
  for (const api::Level level : {api::Level::k1_36, api::Level::k1_37}) {
    EXPECT_THAT(Devices(Ask({kNode, kClass, Slice(R"({"name":"a"})"), newer,
                             Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu"}})")},
                            {.level = level})),
                ElementsAre("a"));
  }
}

TEST(AllocatorTest, At1_36AClaimsConfigurationIsRepeatedForEachRequestThatItNames) {
  const auto configs = [](api::Level level) {
    const json answer =
        Ask({kNode, kClass, Slice(R"({"name":"a"},{"name":"b"},{"name":"c"})"),
             Claim(R"({"name":"q","exactly":{"deviceClassName":"gpu"}},)"
                   R"({"name":"r","exactly":{"deviceClassName":"gpu"}},)"
                   R"({"name":"s","exactly":{"deviceClassName":"gpu"}})",
                   R"(,"config":[{"requests":["q","r"],"opaque":{"driver":"d.example.com",)"
                   R"("parameters":{}}}])")},
            {.level = level});
    std::vector<std::vector<std::string>> requests;
    for (const json& config : answer["allocation"]["devices"]["config"]) {
      requests.push_back(config["requests"].get<std::vector<std::string>>());
    }
    return requests;
  };
  const std::vector<std::string> both = {"q", "r"};
  EXPECT_THAT(configs(api::Level::k1_36), ElementsAre(both, both));
  EXPECT_THAT(configs(api::Level::k1_37), ElementsAre(both));
}

TEST(AllocatorTest, At1_36AllLeavesOutSharedDevicesThatAreFull) {
  const std::string device = R"("allowMultipleAllocations":true,"capacity":{"m":{"value":"1"}}})";
  const std::vector<std::string> lines = {
      kNode, kClass, Slice(R"({"name":"a",)" + device + R"(,{"name":"b",)" + device),
      R"({"kind":"ResourceClaim","metadata":{"name":"u","namespace":"default"},"spec":{},)"
      R"("status":{"allocation":{"devices":{"results":[{"request":"r","driver":"d.example.com",)"
      R"("pool":"p","device":"a","shareID":"11111111-2222-4333-8444-100000000000",)"
      R"("consumedCapacity":{"m":"1"}}]}}}})",
      Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","allocationMode":"All"}})")};
  EXPECT_THAT(Devices(Ask(lines, {.level = api::Level::k1_36})), ElementsAre("b"));
  EXPECT_THAT(Devices(Ask(lines, {.level = api::Level::k1_37})), ElementsAre());
}

// ----

TEST(AllocatorTest, ManyRequestsForFewDevicesEndSoon) {
  std::string devices;
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    devices += std::string(i == 0 ? "" : ",") + "{\"name\":\"d" + std::to_string(i) + "\"}";
  }
  for (int i = 0; i < 21; ++i) {
    requests += std::string(i == 0 ? "" : ",") + "{\"name\":\"r" + std::to_string(i) +
                "\",\"exactly\":{\"deviceClassName\":\"gpu\"}}";
  }
  // Upstream would try 20! ways.
  EXPECT_EQ(Ask({kNode, kClass, Slice(devices), Claim(requests)}), json({{"claim", "default/c"}}));
}

class InventoryTest : public ::testing::Test {
 protected:
  template <typename T>
  static T Decode(const std::string& text) {
    auto value = api::json::DecodeAs<T>(text);
    EXPECT_TRUE(value.ok()) << value.status();
    return *value;
  }

  bool Fits() {
    const auto claim = Decode<api::resource::ResourceClaim>(
        Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","allocationMode":"ExactCount",)"
              R"("count":1}})"));
    const api::resource::ResourceClaim* claims[] = {&claim};
    const auto node = Decode<api::core::Node>(kNode);
    const auto result = inventory_.TakeSnapshot()->Allocate(claims, node);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() && result->has_value();
  }

  Inventory inventory_;
};

TEST_F(InventoryTest, FollowsSlicesClassesAndClaims) {
  inventory_.SetClass(Decode<api::resource::DeviceClass>(kClass));
  EXPECT_FALSE(Fits());
  const auto slice = Decode<api::resource::ResourceSlice>(Slice(R"({"name":"a"})"));
  inventory_.SetSlice(slice);
  EXPECT_TRUE(Fits());

  auto other = Decode<api::resource::ResourceClaim>(Claim(""));
  other.metadata.name = "other";
  other.status.allocation.emplace().devices.results.push_back(
      {.request = "r", .driver = "d.example.com", .pool = "p", .device = "a"});
  inventory_.SetClaim(other);
  EXPECT_FALSE(Fits());
  other.status.allocation->devices.results[0].admin_access = true;
  inventory_.SetClaim(other);
  EXPECT_TRUE(Fits());
  other.status.allocation->devices.results[0].admin_access.reset();
  inventory_.SetClaim(other);
  EXPECT_FALSE(Fits());
  inventory_.RemoveClaim("default", "other");
  EXPECT_TRUE(Fits());

  inventory_.RemoveSlice("s");
  EXPECT_FALSE(Fits());
}

TEST_F(InventoryTest, SnapshotsStayAsTheyWere) {
  inventory_.SetClass(Decode<api::resource::DeviceClass>(kClass));
  inventory_.SetSlice(Decode<api::resource::ResourceSlice>(Slice(R"({"name":"a"})")));
  const std::shared_ptr<const Snapshot> before = inventory_.TakeSnapshot();
  EXPECT_EQ(before, inventory_.TakeSnapshot());
  inventory_.RemoveSlice("s");
  EXPECT_FALSE(Fits());
  std::vector<std::string> nodes;
  EXPECT_TRUE(before->IsLocalToNodes(&nodes));
  EXPECT_THAT(nodes, ElementsAre("n"));
}

TEST_F(InventoryTest, ExplainsWhatHoldsARequestBack) {
  inventory_.SetClass(Decode<api::resource::DeviceClass>(kClass));
  inventory_.SetSlice(Decode<api::resource::ResourceSlice>(
      Slice(R"({"name":"a"},{"name":"b","taints":[{"key":"k","effect":"NoExecute"}]},)"
            R"({"name":"c","attributes":{"x":{"int":1}}})")));
  auto other = Decode<api::resource::ResourceClaim>(Claim(""));
  other.metadata.name = "other";
  other.status.allocation.emplace().devices.results.push_back(
      {.request = "r", .driver = "d.example.com", .pool = "p", .device = "a"});
  inventory_.SetClaim(other);
  const auto claim = Decode<api::resource::ResourceClaim>(
      Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","allocationMode":"ExactCount",)"
            R"x("count":2,"selectors":[{"cel":{"expression":)x"
            R"x("!('x' in device.attributes['d.example.com'])"}}]}})x"));
  const api::resource::ResourceClaim* claims[] = {&claim};
  const Explanation explanation =
      inventory_.TakeSnapshot()->Explain(claims, Decode<api::core::Node>(kNode));
  EXPECT_FALSE(explanation.fits);
  ASSERT_EQ(explanation.requests.size(), 1U);
  EXPECT_EQ(
      explanation.ToString(),
      "claim default/c, request r: 2 wanted of 3 devices: 1 allocated, 1 tainted k:NoExecute, "
      "1 failing selector #0: !('x' in device.attributes['d.example.com'])");
}

}  // namespace
}  // namespace assay::allocator
