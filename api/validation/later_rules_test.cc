// What 1.37 adds to the rules of resource.k8s.io: its fields, their gates, their errors.
//
// Source: pkg/apis/resource/validation of 1.37 and the tags of k8s.io/api v0.37.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "api/json/json.h"
#include "api/resource/types.h"
#include "api/validation/strategy.h"

namespace assay::api::validation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Answer {
  std::vector<std::string> errors;
  std::string json;  // What would be stored.
};

template <typename T>
Answer Create(const std::string& text, const std::string& gates, const char* level = "1.37") {
  const Compatibility compatibility = *Compatibility::Parse(level, gates);
  Result<T> value = json::DecodeAs<T>(text);
  EXPECT_TRUE(value.ok()) << value.status().message() << "\n" << text;
  if (!value.ok()) {
    return {};
  }
  const Outcome outcome =
      BeforeCreate(Object::Of(*std::move(value)), {.compatibility = &compatibility});
  Answer answer{.errors = {}, .json = json::Encode(outcome.object)};
  for (const FieldError& error : outcome.errors) {
    answer.errors.push_back(error.ToString());
  }
  return answer;
}

// A slice whose spec has `more`, and one device that has `device`.
Answer CreateSlice(const std::string& more, const std::string& device, const std::string& gates) {
  return Create<resource::ResourceSlice>(
      R"({"metadata":{"name":"s"},"spec":{"driver":"d.example.com","nodeName":"n","pool":)"
      R"({"name":"p","generation":1,"resourceSliceCount":1})" +
          more + R"(,"devices":[{"name":"gpu-0")" + device + "}]}}",
      gates);
}

constexpr char kCounters[] =
    R"(,"consumesCounters":[{"counterSet":"c","counters":{"m":{"value":"1"}}}])";

TEST(LaterRulesTest, OperationsThatAreSkipped) {
  const auto errors = [](const std::string& operations) {
    return CreateSlice(R"(,"skipNodeOperations":)" + operations, "",
                       "DRAOptionalNodeOperations=true")
        .errors;
  };
  EXPECT_THAT(errors(R"(["*"])"), IsEmpty());
  EXPECT_THAT(errors(R"(["NodePrepareResources","NodeUnprepareResources"])"), IsEmpty());
  EXPECT_THAT(errors(R"(["NodePrepareResources"])"),
              ElementsAre(R"(spec.skipNodeOperations: Invalid value: ["NodePrepareResources"]: )"
                          "NodePrepareResources cannot be skipped unless NodeUnprepareResources "
                          "is also skipped"));
  EXPECT_THAT(errors(R"(["*","*"])"),
              ElementsAre(R"(spec.skipNodeOperations[1]: Duplicate value: "*")"));
  EXPECT_THAT(errors(R"(["Other"])"),
              ElementsAre(R"(spec.skipNodeOperations[0]: Unsupported value: "Other": supported )"
                          R"(values: "*", "NodePrepareResources", "NodeUnprepareResources")"));
  EXPECT_EQ(CreateSlice(R"(,"skipNodeOperations":["*"])", "", "").json.find("skipNode"),
            std::string::npos)
      << "dropped where the gate is off";
}

TEST(LaterRulesTest, PartitionTypes) {
  const std::string named = R"(,"partitionTypeAttribute":"d.example.com/profile")";
  const auto errors = [&](const std::string& device) {
    return CreateSlice(named, device, "DRAPartitionableDevicesType=true").errors;
  };
  EXPECT_THAT(errors(std::string(kCounters) + R"(,"attributes":{"profile":{"string":"x"}})"),
              IsEmpty());
  EXPECT_THAT(
      errors(kCounters),
      ElementsAre("spec.devices[0].attributes[d.example.com/profile]: Required value: device "
                  "consumes counters and `partitionTypeAttribute` names this attribute, so it "
                  "must be set"));
  EXPECT_THAT(errors(""),
              ElementsAre("spec.partitionTypeAttribute: Invalid value: \"d.example.com/profile\": "
                          "may only be set on a slice which declares devices that consume "
                          "counters"));
  const Answer off = CreateSlice(
      named, std::string(kCounters) + R"(,"attributes":{"profile":{"string":"x"}})", "");
  EXPECT_THAT(off.errors, ElementsAre("spec.partitionTypeAttribute: Forbidden"));
}

TEST(LaterRulesTest, CompatibilityGroups) {
  const auto create = [](const std::string& groups, const char* gates) {
    return CreateSlice("",
                       R"(,"consumesCounters":[{"counterSet":"c","counters":{"m":{"value":"1"}},)"
                       R"("compatibilityGroups":)" +
                           groups + "}]",
                       gates);
  };
  const char* on = "DRADeviceCompatibilityGroups=true";
  EXPECT_THAT(create(R"(["a","b"])", on).errors, IsEmpty());
  const std::string path = "spec.devices[0].consumesCounters[0].compatibilityGroups";
  EXPECT_THAT(create(R"(["a","a"])", on).errors, ElementsAre(path + "[1]: Duplicate value: \"a\""));
  EXPECT_THAT(create(R"(["a","b","c"])", on).errors,
              ElementsAre(path + ": Too many: 3: must have at most 2 items"));
  EXPECT_THAT(create(R"(["A"])", on).errors, ::testing::SizeIs(1));
  EXPECT_EQ(create(R"(["a"])", "").json.find("compatibilityGroups"), std::string::npos);
}

TEST(LaterRulesTest, NodeAllocatableResources) {
  const auto errors = [](const std::string& resource) {
    return CreateSlice(
               "", R"(,"capacity":{"mem":{"value":"1Gi"}},"nodeAllocatableResources":)" + resource,
               "DRANodeAllocatableResources=true")
        .errors;
  };
  const std::string memory = "spec.devices[0].nodeAllocatableResources[memory]";
  EXPECT_THAT(errors(R"({"memory":{"mapping":{"capacityKey":"mem","capacityMultiplier":"2"},)"
                     R"("overhead":{"perPod":"1Mi"}},"cpu":{"mapping":{"deviceMultiplier":"1"}}})"),
              IsEmpty());
  EXPECT_THAT(
      errors(R"({"memory":{}})"),
      ElementsAre(memory + ": Required value: at least one of mapping or overhead must be set"));
  EXPECT_THAT(errors(R"({"memory":{"mapping":{"capacityKey":"other"}}})"),
              ElementsAre(memory + R"(.mapping.capacityKey: Not found: "other")",
                          memory + ".mapping.capacityMultiplier: Required value: "
                                   "capacityMultiplier is required when capacityKey is set"));
  EXPECT_THAT(errors(R"({"memory":{"mapping":{"capacityMultiplier":"1"}}})"),
              ElementsAre(memory + ".mapping.capacityKey: Required value: capacityKey is required "
                                   "when capacityMultiplier is set"));
  EXPECT_THAT(errors(R"({"memory":{"mapping":{"deviceMultiplier":"0"}}})"),
              ElementsAre(memory + R"(.mapping.deviceMultiplier: Invalid value: "0": )"
                                   "must be positive"));
  EXPECT_THAT(errors(R"({"memory":{"overhead":{}}})"),
              ElementsAre(memory + R"(.overhead: Invalid value: "": at least one of perPod or )"
                                   "perContainer must be set"));
  EXPECT_THAT(errors(R"({"memory":{"overhead":{"perContainer":"-1"}}})"),
              ElementsAre(memory + R"(.overhead.perContainer: Invalid value: "-1": must be )"
                                   "non-negative"));
  EXPECT_THAT(errors(R"({"example.com/x":{"overhead":{"perPod":"1"}}})"), ::testing::SizeIs(1));
}

TEST(LaterRulesTest, DerivedAttributes) {
  const auto create = [](const std::string& derived, const std::string& constraints,
                         const char* gates) {
    return Create<resource::ResourceClaim>(
        R"({"metadata":{"name":"c","namespace":"ns"},"spec":{"devices":{"requests":[{"name":"r",)"
        R"("exactly":{"deviceClassName":"gpu","allocationMode":"ExactCount","count":1,)"
        R"("derivedAttributes":)" +
            derived + R"(}}],"constraints":[)" + constraints + "]}}}",
        gates);
  };
  const char* on = "DRADerivedAttributes=true";
  const std::string numa = R"([{"name":"derived/numa","expression":"1"}])";
  const std::string path = "spec.devices.requests[0].exactly.derivedAttributes";
  for (const char* constraint : {R"({"matchAttribute":"derived/numa"})",
                                 R"({"requests":["r"],"distinctAttribute":"derived/numa"})"}) {
    EXPECT_THAT(create(numa, constraint, on).errors, IsEmpty()) << constraint;
  }
  EXPECT_THAT(create(numa, R"({"matchAttribute":"derived/other"})", on).errors,
              ElementsAre(path + R"([0].name: Invalid value: "derived/numa": must be referenced )"
                                 "by at least one matchAttribute or distinctAttribute constraint "
                                 "targeting this request"));
  EXPECT_THAT(
      create(R"([{"name":"","expression":""}])", "", on).errors,
      ElementsAre(path + "[0].name: Required value", path + "[0].expression: Required value"));
  EXPECT_EQ(create(numa, R"({"matchAttribute":"derived/numa"})", "").json.find("derived\""),
            std::string::npos);
}

}  // namespace
}  // namespace assay::api::validation
