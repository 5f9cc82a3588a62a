// Devices that are connected, and devices that break, over the whole path: API server, scheduler,
// agent, the reference driver as a process, fake GPUs and a tree of fake devices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/testing/status_matchers.h"
#include "controlplane/node/end_to_end_test.h"
#include "fakegpu/host/driver_root.h"

namespace assay::controlplane::node {
namespace {

using api::core::Pod;
using api::resource::Device;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using ::assay::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TopologyTest : public DriverOnNodeTest {
 protected:
  void FakeDevices(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ASSAY_FAKEDEVICES);
    arguments.insert(arguments.begin() + 2, (dir_ / "devices").string());
    Process process(arguments, {}, dir_ / "fakedevices.log");
    ASSERT_EQ(process.Signal(0), 0) << ReadFile(dir_ / "fakedevices.log").value_or("");
  }
  std::string TreeFlag() const { return "--sysfs-devices=" + (dir_.path() / "devices").string(); }
  void DeletePodAndClaim(const std::string& name) {
    ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", name}), IsOk());
    ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", name}), IsOk());
    ASSERT_THAT(cluster_->admin().Delete<ResourceClaim>({"default", name}), IsOk());
  }
  // The devices that the claim has.
  std::vector<std::string> AllocatedTo(const std::string& claim) {
    const auto object = cluster_->admin().Get<ResourceClaim>("default", claim);
    EXPECT_THAT(object, IsOk());
    std::vector<std::string> names;
    if (object.ok() && object->status.allocation) {
      for (const auto& result : object->status.allocation->devices.results) {
        names.push_back(result.device);
      }
    }
    return names;
  }
  Status WaitUntilUnschedulable(const std::string& pod) {
    return cluster_->admin()
        .WaitFor<Pod>(
            {"default", pod},
            [](const Pod& now) {
              return std::ranges::any_of(now.status.conditions, [](const auto& condition) {
                return condition.type == "PodScheduled" && condition.status == "False";
              });
            })
        .status();
  }
  std::string Attribute(const std::string& device, const std::string& name) {
    for (const Device& each : DevicesOf(*cluster_->admin().List<ResourceSlice>())) {
      if (each.name == device && each.attributes.contains(name)) {
        return each.attributes.at(name).string.value_or("");
      }
    }
    return "";
  }
};

TEST_F(TopologyTest, SubSlicesOfATorusAreConnectedAndExcludeEachOther) {
  // 8 chips, and of 2x2x2: 12 pairs, 6 sides, the whole.
  devices_ = kGpus + 8 + 12 + 6 + 1;
  FakeDevices({"tpus", "2x2x2"});
  StartAgent();
  StartDriver({TreeFlag()});
  WaitForDriver();
  const std::string own = std::string("device.attributes[\"") + kDriver + "\"].";
  const auto run = [&](const std::string& name, const std::string& topology) {
    CreateClaim(name, 1, "", own + "?topology.orValue(\"\") == \"" + topology + "\"");
    return CreatePod(name);
  };
  const Pod a = run("a", "2x2x1");
  ASSERT_THAT(WaitForPhase("a", "Running"), IsOk());
  const Pod b = run("b", "2x2x1");
  ASSERT_THAT(WaitForPhase("b", "Running"), IsOk());
  std::set<std::string> chips = DevicesIn(a);
  EXPECT_THAT(chips, ElementsAre("/dev/accel0", "/dev/accel1", "/dev/accel2", "/dev/accel3"));
  chips.merge(DevicesIn(b));
  EXPECT_THAT(chips, SizeIs(8)) << "no chip is seen twice";

  // Not even one chip is left, until a sub-slice goes.
  const Pod chip = run("chip", "1x1x1");
  ASSERT_THAT(WaitUntilUnschedulable("chip"), IsOk());
  DeletePodAndClaim("a");
  ASSERT_THAT(WaitForPhase("chip", "Running"), IsOk());
  EXPECT_THAT(DevicesIn(chip), SizeIs(1));
  run("c", "2x2x1");
  ASSERT_THAT(WaitUntilUnschedulable("c"), IsOk());
  DeletePodAndClaim("chip");
  EXPECT_THAT(WaitForPhase("c", "Running"), IsOk());
}

TEST_F(TopologyTest, ABrokenLinkTakesTheSubSlicesThatNeedIt) {
  devices_ = kGpus + 4 + 4 + 1;
  FakeDevices({"tpus", "2x2x1"});
  std::filesystem::create_directories(dir_ / "kubelet");
  StartDriver({TreeFlag()});
  WaitForSlices();
  FakeDevices({"set", "tpu-0", "links", "tpu-2"});
  devices_ -= 2;  // The pair, and the whole.
  WaitForSlices();
  FakeDevices({"fail", "tpu-3"});
  // The chip and its two pairs that are left.
  EXPECT_THAT(cluster_->admin().WaitForList<ResourceSlice>(
                  {},
                  [](const std::vector<ResourceSlice>& slices) {
                    return std::ranges::count_if(DevicesOf(slices), [](const Device& device) {
                             return !device.taints.empty();
                           }) == 3;
                  }),
              IsOk());
}

TEST_F(TopologyTest, AGpuAndANicBelowOnePcieRoot) {
  devices_ = kGpus + 1;
  ASSERT_THAT(fakegpu::host::WriteDevices(dir_ / "state", dir_ / "host"), IsOk());
  FakeDevices({"nics", "1"});
  FakeDevices({"set", "nic-0", "pcie_root", "pci0000:4c"});
  StartAgent();
  StartDriver({TreeFlag(), "--sysfs-root=" + (dir_ / "host/sys").string()});
  WaitForDriver();
  ResourceClaim claim;
  claim.metadata.name = "pair";
  claim.metadata.namespace_ = "default";
  for (const char* type : {"gpu", "nic"}) {
    auto& request = claim.spec.devices.requests.emplace_back();
    request.name = type;
    request.exactly.emplace().device_class_name = "gpu";
    request.exactly->selectors.emplace_back().cel.emplace().expression =
        std::string("device.attributes[\"") + kDriver + "\"].type == \"" + type + "\"";
  }
  auto& constraint = claim.spec.devices.constraints.emplace_back();
  constraint.match_attribute = "resource.kubernetes.io/pcieRoot";
  ASSERT_THAT(cluster_->admin().Create(claim), IsOk());
  const Pod pod = CreatePod("pair");
  ASSERT_THAT(WaitForPhase("pair", "Running"), IsOk());
  // The third GPU's root is that of the card.
  EXPECT_THAT(DevicesIn(pod), ElementsAre("/dev/infiniband/uverbs0", "/dev/nvidia2"));
}

TEST_F(TopologyTest, ANicIsSharedUntilItsBandwidthIsUsedUp) {
  devices_ = kGpus + 1;
  FakeDevices({"nics", "1"});
  StartAgent();
  StartDriver({TreeFlag()});
  WaitForDriver();
  const auto run = [&](const std::string& name, const std::string& bandwidth) {
    ResourceClaim claim;
    claim.metadata.name = name;
    claim.metadata.namespace_ = "default";
    auto& request = claim.spec.devices.requests.emplace_back();
    request.name = "nic";
    request.exactly.emplace().device_class_name = "gpu";
    request.exactly->selectors.emplace_back().cel.emplace().expression =
        std::string("device.attributes[\"") + kDriver + "\"].type == \"nic\"";
    request.exactly->capacity.emplace().requests["bandwidth"] = api::meta::Quantity::Of(bandwidth);
    ASSERT_THAT(cluster_->admin().Create(claim), IsOk());
    CreatePod(name);
  };
  run("two", "2G");
  run("most", "38G");
  ASSERT_THAT(WaitForPhase("two", "Running"), IsOk());
  ASSERT_THAT(WaitForPhase("most", "Running"), IsOk());
  run("more", "1G");
  ASSERT_THAT(WaitUntilUnschedulable("more"), IsOk());
  DeletePodAndClaim("two");
  EXPECT_THAT(WaitForPhase("more", "Running"), IsOk());
}

// A compute tray of a rack that is one NVLink domain.
class NvlinkTest : public TopologyTest {
 protected:
  NvlinkTest() {
    node_file_ = "fixtures/nodes/gb200-nvl72.yaml";
    devices_ = 4;
  }
};

TEST_F(NvlinkTest, GpusOfOneDomainAreAskedForByItsName) {
  // A GPU that is not in the fabric any more is not of its domain.
  ASSERT_THAT(
      gpus_->Inject("1",
                    fakegpu::control::FabricFault{fakegpu::control::FabricFault::State::kFailed}),
      IsOk());
  StartAgent();
  StartDriver();
  WaitForDriver();
  ResourceClaim claim;
  claim.metadata.name = "linked";
  claim.metadata.namespace_ = "default";
  auto& request = claim.spec.devices.requests.emplace_back();
  request.name = "gpus";
  request.exactly.emplace().device_class_name = "gpu";
  request.exactly->count = 3;
  claim.spec.devices.constraints.emplace_back().match_attribute =
      std::string(kDriver) + "/nvlinkDomain";
  ASSERT_THAT(cluster_->admin().Create(claim), IsOk());
  const Pod pod = CreatePod("linked");
  ASSERT_THAT(WaitForPhase("linked", "Running"), IsOk());
  EXPECT_THAT(DevicesIn(pod), ElementsAre("/dev/nvidia0", "/dev/nvidia2", "/dev/nvidia3"));
  for (const std::string& device : AllocatedTo("linked")) {
    EXPECT_EQ(Attribute(device, "nvlinkDomain"), "0e6d2f4c-61b0-4f4a-9b57-3f2a7c1d8e05.1");
  }
}

// KEP-5055: the failure is seen, the pod is evicted, and its successor gets a healthy device.
TEST_F(TopologyTest, APodIsEvictedFromABrokenGpuAndItsSuccessorGetsAHealthyOne) {
  StartAgent();
  StartDriver({"--taint-effect=NoExecute"});
  WaitForDriver();
  CreateClaim("worker", 1);
  const Pod before = CreatePod("worker");
  ASSERT_THAT(WaitForPhase("worker", "Running"), IsOk());
  const std::vector<std::string> broken = AllocatedTo("worker");
  ASSERT_THAT(broken, SizeIs(1));
  ASSERT_THAT(gpus_->Inject(Attribute(broken[0], "uuid"), fakegpu::control::XidFault{.xid = 79}),
              IsOk());
  ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", "worker"}), IsOk());
  EXPECT_EQ(CdiFiles(), 0u) << "unprepared, although the GPU is lost";
  ASSERT_THAT(cluster_->admin().WaitFor<ResourceClaim>(
                  {"default", "worker"},
                  [](const ResourceClaim& claim) { return !claim.status.allocation; }),
              IsOk());

  // As a ReplicaSet would.
  const Pod after = CreatePod("worker");
  ASSERT_THAT(WaitForPhase("worker", "Running"), IsOk());
  const std::vector<std::string> healthy = AllocatedTo("worker");
  ASSERT_THAT(healthy, SizeIs(1));
  EXPECT_NE(healthy[0], broken[0]);
  EXPECT_NE(after.metadata.uid, before.metadata.uid);
}

}  // namespace
}  // namespace assay::controlplane::node
