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
  const auto settings =
      ParseGpuConfig(Config(R"(, "powerLimitWatts": 350, "computeMode": "ExclusiveProcess")"));
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->power_limit_mw, 350'000u);
  EXPECT_EQ(settings->compute_mode, discovery::ComputeMode::kExclusiveProcess);
  EXPECT_EQ(*ParseGpuConfig(Config("")), discovery::GpuSettings());
}

TEST(GpuConfigTest, NamesWhatIsWrong) {
  const auto refuses = [](const std::string& json, const std::string& words) {
    EXPECT_THAT(ParseGpuConfig(json), StatusIs(StatusCode::kInvalidArgument, HasSubstr(words)))
        << json;
  };
  refuses("", "expected a JSON object");
  refuses("[]", "expected a JSON object");
  refuses("{", "expected a JSON object");
  refuses("{}", "\"apiVersion\" is required");
  refuses(R"({"apiVersion": "gpu.assay.dev/v2", "kind": "GpuConfig"})", "apiVersion: expected");
  refuses(R"({"apiVersion": "gpu.assay.dev/v1", "kind": "MigConfig"})", "kind: expected");
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

TEST(GpuConfigTest, ComputeModesHaveNames) {
  for (const auto mode : {discovery::ComputeMode::kDefault, discovery::ComputeMode::kProhibited,
                          discovery::ComputeMode::kExclusiveProcess}) {
    EXPECT_EQ(ParseComputeMode(ComputeModeName(mode)), mode);
  }
  EXPECT_EQ(ParseComputeMode(""), std::nullopt);
}

}  // namespace
}  // namespace assay::driver_ref::prepare
