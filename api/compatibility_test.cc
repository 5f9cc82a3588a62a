#include "api/compatibility.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace assay::api {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;

TEST(CompatibilityTest, DefaultsAreThoseOf136) {
  Compatibility compatibility;
  EXPECT_EQ(compatibility.level(), Level::k1_36);
  for (const char* on : {"DynamicResourceAllocation", "DRAAdminAccess", "DRAPrioritizedList",
                         "DRADeviceTaints", "DRAPartitionableDevices", "DRAConsumableCapacity",
                         "DRADeviceBindingConditions", "DRAExtendedResource"}) {
    EXPECT_TRUE(compatibility.Enabled(on)) << on;
  }
  for (const char* off :
       {"DRADeviceTaintRules", "DRAListTypeAttributes", "DRAResourcePoolStatus",
        "DRANodeAllocatableResources", "DRAWorkloadResourceClaims", "DRAOptionalNodeOperations"}) {
    EXPECT_FALSE(compatibility.Enabled(off)) << off;
  }
}

TEST(CompatibilityTest, LaterLevelHasItsOwnDefaults) {
  const Compatibility compatibility(Level::k1_37);
  EXPECT_TRUE(compatibility.Enabled("DRADeviceTaintRules"));
  EXPECT_TRUE(compatibility.Enabled("DRAFractionalCapacityRange"));
  for (const char* off : {"DRADerivedAttributes", "DRADeviceCompatibilityGroups",
                          "DRAOptionalNodeOperations", "DRAPartitionableDevicesType"}) {
    EXPECT_FALSE(compatibility.Enabled(off)) << off;
    EXPECT_FALSE(Compatibility().Enabled(off)) << off;
  }
  EXPECT_THAT(Compatibility::Parse("1.36", "DRAPrioritizedList=false"), IsOk());
  EXPECT_THAT(Compatibility::Parse("1.37", "DRAPrioritizedList=false"),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(CompatibilityTest, ParsesGates) {
  ASSAY_ASSERT_OK_AND_ASSIGN(
      Compatibility compatibility,
      Compatibility::Parse("1.37", "DRAListTypeAttributes=true, DRADeviceTaints=false,"));
  EXPECT_TRUE(compatibility.AtLeast(Level::k1_37));
  EXPECT_TRUE(compatibility.Enabled("DRAListTypeAttributes"));
  EXPECT_FALSE(compatibility.Enabled("DRADeviceTaints"));
}

TEST(CompatibilityTest, RefusesWhatKubernetesRefuses) {
  EXPECT_THAT(Compatibility::Parse("1.35", ""), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Compatibility::Parse("1.36", "Nonsense=true"),
              StatusIs(StatusCode::kInvalidArgument, "unrecognized feature gate: Nonsense"));
  EXPECT_THAT(Compatibility::Parse("1.36", "DRADeviceTaints"),
              StatusIs(StatusCode::kInvalidArgument, "missing bool value for DRADeviceTaints"));
  EXPECT_THAT(Compatibility::Parse("1.36", "DRADeviceTaints=yes"),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Compatibility::Parse("1.36", "DRAAdminAccess=false"),
              StatusIs(StatusCode::kInvalidArgument,
                       "cannot set feature gate DRAAdminAccess to false, feature is locked to "
                       "true"));
  // A gate of a later level is not known to an earlier one.
  EXPECT_THAT(Compatibility::Parse("1.36", "DRAOptionalNodeOperations=true"),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Compatibility::Parse("1.37", "DRAOptionalNodeOperations=true"), IsOk());
}

}  // namespace
}  // namespace assay::api
