// The rules of PodGroup, in the words of Kubernetes 1.36.3.

#include "api/validation/group_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/json/json.h"
#include "api/scheduling/types.h"
#include "api/validation/strategy.h"

namespace assay::api::validation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

scheduling::PodGroup Group(const std::string& spec, const std::string& status = "{}") {
  const auto group = json::DecodeAs<scheduling::PodGroup>(
      R"({"metadata":{"namespace":"default","name":"g","uid":"u","resourceVersion":"1"},"spec":)" +
      spec + R"(,"status":)" + status + "}");
  EXPECT_TRUE(group.ok()) << group.status().message() << "\n" << spec;
  return group.ok() ? *group : scheduling::PodGroup();
}

std::vector<std::string> Texts(const FieldErrors& errors) {
  std::vector<std::string> texts;
  for (const FieldError& error : errors) {
    texts.push_back(error.ToString());
  }
  return texts;
}

std::vector<std::string> Create(const std::string& spec) {
  return Texts(ValidatePodGroup(Group(spec)));
}

std::vector<std::string> CreateWithClaims(const std::string& claims) {
  return Create(R"({"schedulingPolicy":{"basic":{}},"resourceClaims":)" + claims + "}");
}

TEST(GroupRulesTest, OnePolicy) {
  EXPECT_THAT(Create(R"({"schedulingPolicy":{"gang":{"minCount":1}}})"), IsEmpty());
  EXPECT_THAT(Create("{}"), ElementsAre("spec.schedulingPolicy: Invalid value: \"\": must specify "
                                        "one of: `basic`, `gang`"));
  EXPECT_THAT(Create(R"({"schedulingPolicy":{"basic":{},"gang":{"minCount":1}}})"),
              ElementsAre("spec.schedulingPolicy: Invalid value: \"{`basic`, `gang`}\": must "
                          "specify exactly one of: `basic`, `gang`"));
  EXPECT_THAT(Create(R"({"schedulingPolicy":{"gang":{"minCount":0}}})"),
              ElementsAre("spec.schedulingPolicy.gang.minCount: Required value"));
  EXPECT_THAT(Create(R"({"schedulingPolicy":{"gang":{"minCount":-1}}})"),
              ElementsAre("spec.schedulingPolicy.gang.minCount: Invalid value: -1: must be greater "
                          "than or equal to 1"));
}

TEST(GroupRulesTest, FourClaims) {
  std::string four;
  for (const char* name : {"a", "b", "c", "d"}) {
    four += std::string(four.empty() ? "" : ",") + R"({"name":")" + name +
            R"(","resourceClaimTemplateName":"t"})";
  }
  EXPECT_THAT(CreateWithClaims("[" + four + "]"), IsEmpty());
  EXPECT_THAT(CreateWithClaims("[" + four + R"(,{"name":"e","resourceClaimName":"c"}])"),
              ElementsAre("spec.resourceClaims: Too many: 5: must have at most 4 items"));
}

TEST(GroupRulesTest, EachClaimHasANameAndOneSource) {
  EXPECT_THAT(CreateWithClaims(R"([{"name":"a"}])"),
              ElementsAre("spec.resourceClaims[0]: Invalid value: \"\": must specify one of: "
                          "`resourceClaimName`, `resourceClaimTemplateName`"));
  EXPECT_THAT(
      CreateWithClaims(R"([{"name":"a","resourceClaimName":"c","resourceClaimTemplateName":"t"}])"),
      ElementsAre("spec.resourceClaims[0]: Invalid value: \"{`resourceClaimName`, "
                  "`resourceClaimTemplateName`}\": must specify exactly one of: "
                  "`resourceClaimName`, `resourceClaimTemplateName`"));
  EXPECT_THAT(CreateWithClaims(R"([{"name":"","resourceClaimName":"c"}])"),
              ElementsAre("spec.resourceClaims[0].name: Required value"));
  EXPECT_THAT(
      CreateWithClaims(
          R"([{"name":"a","resourceClaimName":"c"},{"name":"a","resourceClaimName":"d"}])"),
      ElementsAre(
          R"(spec.resourceClaims[1]: Duplicate value: {"name":"a","resourceClaimName":"d"})"));
  EXPECT_EQ(CreateWithClaims(R"([{"name":"A","resourceClaimName":"c"}])").size(), 1u);
  EXPECT_EQ(CreateWithClaims(R"([{"name":"a","resourceClaimName":"C"}])").size(), 1u);
  EXPECT_EQ(CreateWithClaims(R"([{"name":"a","resourceClaimTemplateName":"T"}])").size(), 1u);
}

TEST(GroupRulesTest, PolicyAndClaimsStay) {
  const auto old = Group(
      R"({"schedulingPolicy":{"basic":{}},"resourceClaims":[{"name":"a","resourceClaimName":"c"}]})");
  EXPECT_THAT(Texts(ValidatePodGroupUpdate(old, old, Level::k1_36)), IsEmpty());
  auto changed = old;
  changed.spec.scheduling_policy.basic.reset();
  changed.spec.scheduling_policy.gang.emplace();
  changed.spec.scheduling_policy.gang->min_count = 2;
  changed.spec.resource_claims.clear();
  EXPECT_THAT(Texts(ValidatePodGroupUpdate(changed, old, Level::k1_36)),
              ElementsAre("spec.schedulingPolicy: Invalid value: null: field is immutable",
                          "spec.resourceClaims: Invalid value: null: field is immutable"));
}

TEST(GroupRulesTest, LaterAGangsSizeMayChange) {
  const auto old = Group(R"({"schedulingPolicy":{"gang":{"minCount":2}}})");
  const auto errors = [&](const std::string& policy, Level level) {
    return Texts(
        ValidatePodGroupUpdate(Group(R"({"schedulingPolicy":)" + policy + "}"), old, level));
  };
  EXPECT_THAT(errors(R"({"gang":{"minCount":3}})", Level::k1_37), IsEmpty());
  EXPECT_THAT(errors(R"({"gang":{"minCount":-3}})", Level::k1_37),
              ElementsAre("spec.schedulingPolicy.gang.minCount: Invalid value: -3: must be greater "
                          "than or equal to 1"));
  EXPECT_EQ(errors(R"({"basic":{}})", Level::k1_37).size(), 1u);
  EXPECT_EQ(errors(R"({"gang":{"minCount":3}})", Level::k1_36).size(), 1u);
}

TEST(GroupRulesTest, StatusesAreOfItsClaims) {
  const std::string spec =
      R"({"schedulingPolicy":{"basic":{}},"resourceClaims":[{"name":"a","resourceClaimName":"c"}]})";
  const auto old = Group(spec);
  EXPECT_THAT(Texts(ValidatePodGroupStatusUpdate(
                  Group(spec, R"({"resourceClaimStatuses":[{"name":"a"}]})"), old)),
              IsEmpty());
  EXPECT_THAT(Texts(ValidatePodGroupStatusUpdate(
                  Group(spec, R"({"resourceClaimStatuses":[{"name":"b"}]})"), old)),
              ElementsAre("status.resourceClaimStatuses[0].name: Invalid value: \"b\": must match "
                          "the name of an entry in `spec.resourceClaims`"));
}

TEST(GroupRulesTest, ClaimsAreDroppedWhereTheGateIsOff) {
  const auto group = Group(
      R"({"schedulingPolicy":{"basic":{}},"resourceClaims":[{"name":"a","resourceClaimName":"c"}]})");
  for (const bool on : {false, true}) {
    const Compatibility compatibility =
        *Compatibility::Parse("1.36", on ? "DRAWorkloadResourceClaims=true" : "");
    const Outcome outcome = BeforeCreate(Object::Of(group), {.compatibility = &compatibility});
    EXPECT_THAT(Texts(outcome.errors), IsEmpty());
    EXPECT_EQ(outcome.object.As<scheduling::PodGroup>().spec.resource_claims.size(), on ? 1u : 0u);
  }
}

}  // namespace
}  // namespace assay::api::validation
