#include "driver-ref/prepare/gpu_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/testing/status_matchers.h"

namespace assay::driver_ref::prepare {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;

std::string Config(const std::string& fields) {
  return R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig")" + fields + "}";
}

TEST(GpuConfigTest, ReadsWhatIsSet) {
  const auto config =
      ParseDeviceConfig(Config(R"(, "powerLimitWatts": 350, "computeMode": "ExclusiveProcess")"));
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->settings.power_limit_mw, 350'000u);
  EXPECT_EQ(config->settings.compute_mode, discovery::ComputeMode::kExclusiveProcess);
  EXPECT_EQ(*ParseDeviceConfig(Config("")), DeviceConfig());
}

TEST(GpuConfigTest, ProcessesShareAGpuByTimeSlices) {
  const auto slice = [](const std::string& more) {
    return ParseDeviceConfig(Config(R"(, "sharing": {"strategy": "TimeSlicing")" + more + "}"));
  };
  EXPECT_EQ(slice("")->settings.time_slice, discovery::TimeSlice::kDefault);
  EXPECT_EQ(slice(R"(, "timeSlicingConfig": {})")->settings.time_slice,
            discovery::TimeSlice::kDefault);
  EXPECT_EQ(slice(R"(, "timeSlicingConfig": {"interval": "Long"})")->settings.time_slice,
            discovery::TimeSlice::kLong);
}

TEST(GpuConfigTest, APartitionHasAProfile) {
  const auto profile = [](const std::string& fields) {
    return ParseDeviceConfig(R"({"apiVersion": "gpu.assay.dev/v1", "kind": "MigConfig")" + fields +
                             "}");
  };
  EXPECT_EQ(profile(R"(, "profile": "1g.10gb+me")")->mig_profile, "1g.10gb+me");
  EXPECT_THAT(profile(""), StatusIs(StatusCode::kInvalidArgument, HasSubstr("\"profile\" is req")));
  for (const char* value : {"\"\"", "\"large\"", "\"1G.10GB\"", "3"}) {
    EXPECT_THAT(profile(std::string(R"(, "profile": )") + value),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("profile: expected a MIG")))
        << value;
  }
  EXPECT_THAT(profile(R"(, "profile": "1g.10gb", "powerLimitWatts": 300)"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("\"powerLimitWatts\"")));
}

TEST(GpuConfigTest, NamesWhatIsWrong) {
  const auto refuses = [](const std::string& json, const std::string& words) {
    EXPECT_THAT(ParseDeviceConfig(json), StatusIs(StatusCode::kInvalidArgument, HasSubstr(words)))
        << json;
  };
  refuses("", "expected a JSON object");
  refuses("[]", "expected a JSON object");
  refuses("{", "expected a JSON object");
  refuses("{}", "\"apiVersion\" is required");
  refuses(R"({"apiVersion": "gpu.assay.dev/v2", "kind": "GpuConfig"})", "apiVersion: expected");
  refuses(R"({"apiVersion": "gpu.assay.dev/v1", "kind": "Config"})", "kind: expected");
  refuses(Config(R"(, "powerLimitWats": 350)"), "unknown field \"powerLimitWats\"");
  refuses(Config(R"(, "powerLimitWatts": 300, "powerLimitWatts": 350)"),
          "\"powerLimitWatts\" is there twice");
  for (const char* value :
       {"\"350\"", "-1", "0", "3.5", "1000001", "18446744073709551616", "null", "[350]", "{}"}) {
    refuses(Config(std::string(R"(, "powerLimitWatts": )") + value), "powerLimitWatts: expected");
  }
  for (const char* value : {"\"Prohibited\"", "\"default\"", "1", "null"}) {
    refuses(Config(std::string(R"(, "computeMode": )") + value), "computeMode: expected");
  }
}

TEST(GpuConfigTest, NamesWhatIsWrongWithSharing) {
  const auto refuses = [](const std::string& sharing, const std::string& words) {
    EXPECT_THAT(ParseDeviceConfig(Config(R"(, "sharing": )" + sharing)),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(words)))
        << sharing;
  };
  refuses("5", "sharing: expected an object");
  refuses("{}", "sharing.strategy: expected \"TimeSlicing\", not null");
  refuses(R"({"strategy": "MPS"})", "sharing.strategy: MPS needs a control daemon");
  refuses(R"({"strategy": "TimeSlicing", "mpsConfig": {}})", "unknown field \"sharing.mpsConfig\"");
  refuses(R"({"strategy": "TimeSlicing", "timeSlicingConfig": 3})",
          "sharing.timeSlicingConfig: expected an object");
  refuses(R"({"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Brief"}})",
          "sharing.timeSlicingConfig.interval: expected");
  refuses(R"({"strategy": "TimeSlicing", "timeSlicingConfig": {"length": 3}})",
          "unknown field \"sharing.timeSlicingConfig.length\"");
  refuses(R"({"strategy": "TimeSlicing"}, "computeMode": "ExclusiveProcess")",
          "computeMode: ExclusiveProcess lets no processes share");
}

TEST(GpuConfigTest, TimeSlicesHaveNames) {
  for (const auto slice : {discovery::TimeSlice::kDefault, discovery::TimeSlice::kShort,
                           discovery::TimeSlice::kMedium, discovery::TimeSlice::kLong}) {
    EXPECT_EQ(ParseTimeSlice(TimeSliceName(slice)), slice);
  }
  EXPECT_EQ(ParseTimeSlice(""), std::nullopt);
}

TEST(GpuConfigTest, ComputeModesHaveNames) {
  for (const auto mode : {discovery::ComputeMode::kDefault, discovery::ComputeMode::kProhibited,
                          discovery::ComputeMode::kExclusiveProcess}) {
    EXPECT_EQ(ParseComputeMode(ComputeModeName(mode)), mode);
  }
  EXPECT_EQ(ParseComputeMode(""), std::nullopt);
}

}  // namespace
}  // namespace assay::driver_ref::prepare
