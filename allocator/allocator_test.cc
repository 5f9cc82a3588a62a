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

TEST(AllocatorTest, DistinctComparesAllDevicesOfARequest) {
  const std::string slice = Slice(
      R"({"name":"a","attributes":{"x":{"int":1}}},{"name":"b","attributes":{"x":{"int":2}}},)"
      R"({"name":"c","attributes":{"x":{"int":1}}})");
  // Upstream 0.36.3 allocates a, b, c.
  EXPECT_EQ(Ask({kNode, kClass, slice,
                 Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":3}})",
                       R"(,"constraints":[{"distinctAttribute":"d.example.com/x"}])")}),
            json({{"claim", "default/c"}}));
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
  lines.push_back(Claim(R"({"name":"r","exactly":{"deviceClassName":"gpu","count":3}})"));
  EXPECT_THAT(Devices(Ask(lines)), ElementsAre());
}

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
