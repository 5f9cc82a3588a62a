#include "controlplane/node/claim_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::controlplane::node {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ClaimInfo Example() {
  ClaimInfo claim{.uid = "u1", .namespace_ = "default", .name = "claim", .pod_uids = {"p1"}};
  claim.devices["a"] = {{.request_names = {"r"},
                         .pool_name = "pool",
                         .device_name = "device",
                         .cdi_device_ids = {"a/claim=1"},
                         .share_id = std::nullopt}};
  return claim;
}

// What a kubelet 1.36 writes for the same claim (cm/dra/state/checkpoint.go), checksum by Go.
TEST(ClaimCacheTest, WritesTheKubeletsFormat) {
  EXPECT_EQ(
      FormatCheckpoint({}),
      R"({"Data":"{\"kind\":\"DRACheckpoint\",\"apiVersion\":\"checkpoint.dra.kubelet.k8s.io/)"
      R"(v1\",\"ClaimInfoStateList\":[]}","Checksum":)"
      "2361995144}");
  const std::string text = FormatCheckpoint({Example()});
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(\"ClaimInfoStateList\":[{\"ClaimUID\":\"u1\",\"ClaimName\":\"claim\",)"
          R"(\"Namespace\":\"default\",\"PodUIDs\":{\"p1\":{}},\"DriverState\":{\"a\":)"
          R"({\"Devices\":[{\"PoolName\":\"pool\",\"DeviceName\":\"device\",\"ShareID\":null,)"
          R"(\"RequestNames\":[\"r\"],\"CDIDeviceIDs\":[\"a/claim=1\"]}]}}}])"));
}

TEST(ClaimCacheTest, ReadsWhatItWroteButNotWhetherItIsPrepared) {
  const TempDir dir = *TempDir::Create();
  ClaimCache written(dir / "state");
  ASSERT_THAT(written.Load(), IsOk());
  written.Add(Example()).prepared = true;
  ASSERT_THAT(written.Save(), IsOk());

  ClaimCache read(dir / "state");
  ASSERT_THAT(read.Load(), IsOk());
  const ClaimInfo* claim = read.Find("default", "claim");
  ASSERT_NE(claim, nullptr);
  EXPECT_EQ(claim->devices, Example().devices);
  EXPECT_FALSE(claim->prepared);
  EXPECT_TRUE(read.IsUsedBy("p1"));
  EXPECT_FALSE(read.IsUsedBy("p2"));
}

TEST(ClaimCacheTest, RefusesADamagedFile) {
  const TempDir dir = *TempDir::Create();
  std::string text = FormatCheckpoint({Example()});
  text.replace(text.find("device"), 6, "devise");
  ASSERT_THAT(WriteFileAtomically(dir / "state", text), IsOk());
  EXPECT_THAT(ClaimCache(dir / "state").Load(),
              StatusIs(StatusCode::kDataLoss, HasSubstr("drain node and remove DRA state file")));
  ASSERT_THAT(WriteFileAtomically(dir / "state", "{"), IsOk());
  EXPECT_THAT(ClaimCache(dir / "state").Load(), StatusIs(StatusCode::kDataLoss));
}

TEST(ClaimInfoTest, GivesARequestItsDevices) {
  ClaimInfo claim = Example();
  claim.devices["b"] = {{.request_names = {}, .cdi_device_ids = {"b/claim=1"}}};
  EXPECT_THAT(claim.CdiDeviceIds(""), ElementsAre("a/claim=1", "b/claim=1"));
  EXPECT_THAT(claim.CdiDeviceIds("r"), ElementsAre("a/claim=1", "b/claim=1"));
  // A device without requests serves all of them.
  EXPECT_THAT(claim.CdiDeviceIds("other"), ElementsAre("b/claim=1"));
  claim.devices.clear();
  EXPECT_THAT(claim.CdiDeviceIds("r"), IsEmpty());
}

}  // namespace
}  // namespace assay::controlplane::node
