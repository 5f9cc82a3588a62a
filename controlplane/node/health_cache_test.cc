#include "controlplane/node/health_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace assay::controlplane::node {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

DeviceHealth Report(DeviceHealthState health, const std::string& message = "",
                    std::int64_t timeout = 0) {
  return {.pool_name = "pool",
          .device_name = "device",
          .health = health,
          .health_check_timeout_seconds = timeout,
          .message = message};
}

class HealthCacheTest : public ::testing::Test {
 protected:
  HealthState Get() { return cache_.Get("driver", "pool", "device"); }

  FakeClock clock_;
  HealthCache cache_{clock_, ""};
};

TEST_F(HealthCacheTest, WhatNobodySpokeOfIsUnknown) {
  EXPECT_EQ(Get(), HealthState());
  EXPECT_EQ(HealthName(Get().health), "Unknown");
}

TEST_F(HealthCacheTest, ReportsWhatChanged) {
  EXPECT_THAT(cache_.Update("driver", {Report(DeviceHealthState::kHealthy)}),
              ElementsAre(Pair("pool", "device")));
  EXPECT_THAT(cache_.Update("driver", {Report(DeviceHealthState::kHealthy)}), IsEmpty());
  EXPECT_THAT(cache_.Update("driver", {Report(DeviceHealthState::kHealthy, "hot")}),
              ElementsAre(Pair("pool", "device")));
  EXPECT_EQ(Get(), (HealthState{DeviceHealthState::kHealthy, "hot"}));
}

TEST_F(HealthCacheTest, ForgetsAfterHalfAMinuteOrTheDriversTimeout) {
  cache_.Update("driver", {Report(DeviceHealthState::kUnhealthy, "lost")});
  clock_.Advance(30s);
  EXPECT_EQ(Get().health, DeviceHealthState::kUnhealthy);
  clock_.Advance(1s);
  EXPECT_EQ(Get(), HealthState());
  cache_.Update("driver", {Report(DeviceHealthState::kHealthy, "", 2)});
  clock_.Advance(3s);
  EXPECT_EQ(Get(), HealthState());
  cache_.Update("driver", {Report(DeviceHealthState::kHealthy, "", -1)});
  clock_.Advance(29s);
  EXPECT_EQ(Get().health, DeviceHealthState::kHealthy);
}

TEST_F(HealthCacheTest, ADeviceThatIsNoLongerReportedChangesOnceItsTimeHasPassed) {
  cache_.Update("driver", {Report(DeviceHealthState::kHealthy)});
  EXPECT_THAT(cache_.Update("driver", {}), IsEmpty());
  clock_.Advance(31s);
  EXPECT_THAT(cache_.Update("driver", {}), ElementsAre(Pair("pool", "device")));
  EXPECT_THAT(cache_.Update("driver", {}), IsEmpty());
}

TEST_F(HealthCacheTest, CutsLongMessages) {
  cache_.Update("driver", {Report(DeviceHealthState::kUnhealthy, std::string(1024, 'x'))});
  EXPECT_EQ(Get().message, std::string(1024, 'x'));
  cache_.Update("driver", {Report(DeviceHealthState::kUnhealthy, std::string(1025, 'x'))});
  EXPECT_EQ(Get().message, std::string(1021, 'x') + "...");
}

TEST_F(HealthCacheTest, ClearsADriver) {
  cache_.Update("driver", {Report(DeviceHealthState::kHealthy)});
  EXPECT_THAT(cache_.Clear("driver"), ElementsAre(Pair("pool", "device")));
  EXPECT_EQ(Get(), HealthState());
  EXPECT_THAT(cache_.Clear("driver"), IsEmpty());
}

}  // namespace
}  // namespace assay::controlplane::node
