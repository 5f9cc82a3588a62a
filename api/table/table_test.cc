#include "api/table/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/meta/time.h"
#include "api/resource/types.h"
#include "api/storage/types.h"
#include "base/clock.h"

namespace assay::api::table {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

// One row's cells as texts.
template <typename T>
std::vector<std::string> Cells(T value) {
  FakeClock clock;
  value.metadata.name = "a";
  value.metadata.creation_timestamp = meta::Time::From(clock.Now() - std::chrono::minutes(5));
  const json table =
      json::parse(EncodeTable(KindOf<T>(), {Object::Of(std::move(value))}, clock.Now(), {}));
  EXPECT_EQ(table["columnDefinitions"].size(), table["rows"][0]["cells"].size());
  std::vector<std::string> cells;
  for (const json& cell : table["rows"][0]["cells"]) {
    cells.push_back(cell.is_string() ? cell.get<std::string>() : cell.dump());
  }
  return cells;
}

TEST(HumanDurationTest, GetsCoarserAsItGrows) {
  using std::chrono::hours;
  using std::chrono::seconds;
  const std::vector<std::pair<Duration, std::string>> cases = {
      {seconds(-5), "<invalid>"}, {seconds(-1), "0s"},
      {seconds(0), "0s"},         {seconds(119), "119s"},
      {seconds(120), "2m"},       {seconds(599), "9m59s"},
      {seconds(600), "10m"},      {seconds(179 * 60), "179m"},
      {hours(3), "3h"},           {seconds(3 * 3600 + 60), "3h1m"},
      {hours(8), "8h"},           {hours(47), "47h"},
      {hours(48), "2d"},          {hours(49), "2d1h"},
      {hours(24 * 8), "8d"},      {hours(24 * 729), "729d"},
      {hours(24 * 730), "2y"},    {hours(24 * 731), "2y1d"},
      {hours(24 * 365 * 8), "8y"}};
  for (const auto& [duration, expected] : cases) {
    EXPECT_EQ(HumanDuration(duration), expected);
  }
}

TEST(TableTest, ClaimStatesFollowAllocationReservationAndDeletion) {
  resource::ResourceClaim claim;
  EXPECT_THAT(Cells(claim), ElementsAre("a", "pending", "5m"));
  claim.status.allocation.emplace();
  EXPECT_THAT(Cells(claim), ElementsAre("a", "allocated", "5m"));
  claim.status.reserved_for.resize(1);
  EXPECT_THAT(Cells(claim), ElementsAre("a", "allocated,reserved", "5m"));
  claim.metadata.deletion_timestamp.emplace();
  EXPECT_THAT(Cells(claim), ElementsAre("a", "deleted,allocated,reserved", "5m"));
  claim.status = {};
  EXPECT_THAT(Cells(claim), ElementsAre("a", "deleted", "5m"));
}

TEST(TableTest, SliceShowsNodeDriverAndPool) {
  resource::ResourceSlice slice;
  slice.spec.driver = "gpu.example.com";
  slice.spec.node_name = "n";
  slice.spec.pool.name = "p";
  EXPECT_THAT(Cells(slice), ElementsAre("a", "n", "gpu.example.com", "p", "5m"));
  slice.spec.node_name.reset();
  EXPECT_THAT(Cells(slice), ElementsAre("a", "", "gpu.example.com", "p", "5m"));
}

TEST(TableTest, KindsWithoutColumnsOfTheirOwnShowNameAndAge) {
  EXPECT_THAT(Cells(storage::StorageClass()), ElementsAre("a", "5m"));
  EXPECT_THAT(Cells(resource::DeviceClass()), ElementsAre("a", "5m"));
}

core::Pod PodWith(std::vector<core::ContainerStatus> statuses) {
  core::Pod pod;
  pod.spec.containers.resize(statuses.size());
  pod.status.phase = "Running";
  pod.status.container_statuses = std::move(statuses);
  return pod;
}

TEST(TableTest, PodStatusIsThatOfItsContainers) {
  core::ContainerStatus running;
  running.ready = true;
  running.state.running.emplace();
  EXPECT_THAT(Cells(PodWith({running})), ElementsAre("a", "1/1", "Running", "0", "5m", "<none>",
                                                     "<none>", "<none>", "<none>"));

  core::ContainerStatus crashed;
  crashed.state.waiting.emplace().reason = "CrashLoopBackOff";
  crashed.restart_count = 3;
  crashed.last_state.terminated.emplace().finished_at =
      meta::Time::From(FakeClock().Now() - std::chrono::seconds(30));
  EXPECT_THAT(Cells(PodWith({running, crashed})),
              ElementsAre("a", "1/2", "CrashLoopBackOff", "3 (30s ago)", "5m", "<none>", "<none>",
                          "<none>", "<none>"));

  core::ContainerStatus done;
  done.state.terminated.emplace().reason = "Completed";
  EXPECT_EQ(Cells(PodWith({done, running}))[2], "NotReady");

  core::ContainerStatus killed;
  killed.state.terminated.emplace().signal = 9;
  EXPECT_EQ(Cells(PodWith({killed}))[2], "Signal:9");

  core::Pod deleted = PodWith({running});
  deleted.metadata.deletion_timestamp.emplace();
  EXPECT_EQ(Cells(deleted)[2], "Terminating");

  core::Pod gated = PodWith({});
  gated.status.conditions.resize(1);
  gated.status.conditions[0].type = "PodScheduled";
  gated.status.conditions[0].reason = "SchedulingGated";
  EXPECT_EQ(Cells(gated)[2], "SchedulingGated");
}

TEST(TableTest, PodShowsHowFarInitContainersAre) {
  core::Pod pod = PodWith({});
  pod.spec.init_containers.resize(2);
  pod.status.init_container_statuses.resize(2);
  pod.status.init_container_statuses[0].state.terminated.emplace();
  EXPECT_EQ(Cells(pod)[2], "Init:1/2");
  pod.status.init_container_statuses[1].state.waiting.emplace().reason = "ImagePullBackOff";
  EXPECT_EQ(Cells(pod)[2], "Init:ImagePullBackOff");
}

TEST(TableTest, NodeShowsReadinessRolesAndSystem) {
  core::Node node;
  EXPECT_EQ(Cells(node)[1], "Unknown");
  node.status.conditions.resize(1);
  node.status.conditions[0].type = "Ready";
  node.status.conditions[0].status = "True";
  node.spec.unschedulable = true;
  node.metadata.labels = {{"node-role.kubernetes.io/worker", ""}, {"kubernetes.io/role", "gpu"}};
  node.status.node_info.kernel_version = "6.1";
  node.status.node_info.architecture = "amd64";
  EXPECT_THAT(Cells(node),
              ElementsAre("a", "Ready,SchedulingDisabled", "gpu,worker", "5m", "", "<none>",
                          "<none>", "<unknown>", "6.1 (amd64)", "<unknown>"));
}

TEST(TableTest, IncludesTheObjectAsAsked) {
  resource::ResourceClaim claim;
  claim.metadata.name = "a";
  claim.spec.devices.requests.resize(1);
  claim.spec.devices.requests[0].exactly.emplace().device_class_name = "c";
  const std::vector<Object> objects = {Object::Of(claim)};
  const Kind& kind = objects[0].kind();
  const auto row = [&](const TableOptions& options) {
    return json::parse(EncodeTable(kind, objects, {}, options))["rows"][0];
  };
  EXPECT_EQ(row({})["object"]["kind"], "PartialObjectMetadata");
  EXPECT_FALSE(row({.include_object = IncludeObject::kNone}).contains("object"));
  const json old = row({.version = "v1beta1", .include_object = IncludeObject::kObject})["object"];
  EXPECT_EQ(old["apiVersion"], "resource.k8s.io/v1beta1");
  EXPECT_EQ(old["spec"]["devices"]["requests"][0]["deviceClassName"], "c");
}

TEST(TableTest, HeadersCanBeLeftOut) {
  const json table = json::parse(EncodeTable(KindOf<core::Pod>(), {}, {}, {.no_headers = true}));
  EXPECT_TRUE(table["columnDefinitions"].empty());
}

}  // namespace
}  // namespace assay::api::table
