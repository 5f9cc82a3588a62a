// What the webhook answers the API server.
#include "driver-ref/webhook/review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/testing/status_matchers.h"

namespace assay::driver_ref::webhook {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Json = nlohmann::json;

constexpr char kDriver[] = "gpu.example.com";

Json Config(const std::string& driver, const std::string& parameters) {
  return {{"opaque", {{"driver", driver}, {"parameters", Json::parse(parameters)}}}};
}
Json Power(int watts, const std::string& driver = kDriver) {
  return Config(driver, R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig",
                            "powerLimitWatts": )" +
                            std::to_string(watts) + "}");
}
Json Request(const std::string& resource, const Json& configs) {
  const Json spec = {{"devices", {{"config", configs}}}};
  return {{"apiVersion", "admission.k8s.io/v1"},
          {"kind", "AdmissionReview"},
          {"request",
           {{"uid", "u-1"},
            {"resource", {{"group", "resource.k8s.io"}, {"version", "v1"}, {"resource", resource}}},
            {"object",
             {{"spec", resource == "resourceclaimtemplates" ? Json{{"spec", spec}} : spec}}}}}};
}
Json ResponseTo(const Json& request) {
  const Result<std::string> answer = Review(request.dump(), kDriver);
  EXPECT_THAT(answer, IsOk());
  const Json review = Json::parse(answer.value_or("{}"));
  EXPECT_EQ(review.value("kind", ""), "AdmissionReview");
  EXPECT_EQ(review.value("apiVersion", ""), "admission.k8s.io/v1");
  return review.value("response", Json());
}

TEST(ReviewTest, AllowsWhatTheDriverWouldTake) {
  for (const char* resource : {"resourceclaims", "resourceclaimtemplates"}) {
    const Json response = ResponseTo(Request(resource, Json::array({Power(350)})));
    EXPECT_EQ(response, (Json{{"uid", "u-1"}, {"allowed", true}})) << resource;
  }
  EXPECT_EQ(ResponseTo(Request("resourceclaims", Json::array()))["allowed"], true);
  Json none = Request("resourceclaims", Json::array());
  none["request"]["object"] = Json::object();
  EXPECT_EQ(ResponseTo(none)["allowed"], true);
  // Of other drivers it knows nothing.
  EXPECT_EQ(ResponseTo(
                Request("resourceclaims", Json::array({Power(0, "other.example.com")})))["allowed"],
            true);
}

TEST(ReviewTest, RefusesTheRestAndSaysWhere) {
  const Json response =
      ResponseTo(Request("resourceclaims", Json::array({Power(350), Power(0), Power(-1)})));
  EXPECT_EQ(response["allowed"], false);
  EXPECT_EQ(response["uid"], "u-1");
  EXPECT_EQ(response["status"]["code"], 422);
  EXPECT_THAT(
      response["status"]["message"].get<std::string>(),
      AllOf(HasSubstr("spec.devices.config[1].opaque.parameters: powerLimitWatts: expected"),
            HasSubstr("; spec.devices.config[2].opaque.parameters: powerLimitWatts"),
            Not(HasSubstr("config[0]"))));
  const Json in_template = ResponseTo(Request("resourceclaimtemplates", Json::array({Power(0)})));
  EXPECT_THAT(in_template["status"]["message"].get<std::string>(),
              HasSubstr("spec.spec.devices.config[0].opaque.parameters: "));
  EXPECT_EQ(
      ResponseTo(Request("resourceclaims", Json::array({Config(kDriver, "null")})))["allowed"],
      false);
}

TEST(ReviewTest, WhatIsNoReviewIsAnError) {
  EXPECT_THAT(Review("", kDriver), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Review("{}", kDriver),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected an AdmissionReview")));
  EXPECT_THAT(
      Review(R"({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"})", kDriver),
      StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Review(Request("pods", Json::array()).dump(), kDriver),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("request.resource: expected")));
}

}  // namespace
}  // namespace assay::driver_ref::webhook
