#include "fakegpu/host/kernel_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "fakegpu/control/control.h"

namespace assay::fakegpu::host {
namespace {

using assay::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kProcDevices[] =
    "Character devices:\n  1 mem\n226 drm\n510 rtc\n511 usbmon\n\nBlock devices:\n  7 loop\n";
constexpr Majors kMajors{.uvm = 509, .caps = 508, .nvswitch = 507};

NodeFacts Facts(const char* node_file) {
  Result<TempDir> dir = TempDir::Create("host-test");
  EXPECT_TRUE(dir.ok());
  EXPECT_TRUE(control::Node::Create(*dir / "state", node_file).ok());
  Result<NodeFacts> facts = ReadNodeFacts(*dir / "state");
  EXPECT_TRUE(facts.ok());
  return *std::move(facts);
}

const Entry* Find(const std::vector<Entry>& entries, std::string_view path) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.path == path; });
  return found == entries.end() ? nullptr : &*found;
}

TEST(KernelFilesTest, AGpuLeadsToItsPcieRoot) {
  const NodeFacts node = Facts("fixtures/nodes/dgx-h100.yaml");
  const std::vector<Entry> entries = GpuEntries(node, 1, kMajors);
  const Entry* link = Find(entries, "/sys/bus/pci/devices/0000:43:00.0");
  ASSERT_NE(link, nullptr);
  EXPECT_EQ(link->type, Entry::Type::kLink);
  EXPECT_EQ(link->contents, "../../../devices/pci0000:3d/0000:3d:01.0/0000:43:00.0");
  const std::string directory = "/sys/devices/pci0000:3d/0000:3d:01.0/0000:43:00.0";
  EXPECT_EQ(Find(entries, directory + "/vendor")->contents, "0x10de\n");
  EXPECT_EQ(Find(entries, directory + "/device")->contents, "0x2330\n");
  EXPECT_EQ(Find(entries, directory + "/class")->contents, "0x030200\n");
  EXPECT_EQ(Find(entries, directory + "/numa_node")->contents, "0\n");
  EXPECT_EQ(Find(entries, directory + "/local_cpulist")->contents, "0-55,112-167\n");
  EXPECT_EQ(Find(entries, directory + "/driver")->contents, "../../../../bus/pci/drivers/nvidia");
  EXPECT_THAT(Find(entries, directory + "/resource")->contents,
              HasSubstr("0x0000110000000000 0x0000111fffffffff 0x000000000014220c\n"));
}

// What hwloc, NCCL and the PCIe-root attribute make of the paths is what NVML says of the node.
TEST(KernelFilesTest, GpusBelowOneSwitchShareItsUpstreamPort) {
  const NodeFacts node = Facts("fixtures/nodes/dgx-a100.yaml");
  const auto directory = [&](std::uint32_t slot) {
    const std::vector<Entry> entries = GpuEntries(node, slot, kMajors);
    return std::filesystem::path(entries.front().path).parent_path();
  };
  EXPECT_EQ(directory(0).parent_path().parent_path(), directory(1).parent_path().parent_path());
  EXPECT_NE(directory(0).parent_path(), directory(1).parent_path());
  EXPECT_THAT(directory(2).string(), StartsWith("/sys/devices/pci0000:40/"));
}

TEST(KernelFilesTest, EveryBridgeAndSwitchOnTheWayIsListed) {
  const NodeFacts node = Facts("fixtures/nodes/dgx-a100.yaml");
  const std::vector<Entry> entries = NodeEntries(node, kMajors);
  for (std::uint32_t slot = 0; slot < node.gpus.size(); ++slot) {
    const std::vector<Entry> gpu = GpuEntries(node, slot, kMajors);
    for (std::filesystem::path way =
             std::filesystem::path(gpu.front().path).parent_path().parent_path();
         !way.filename().string().starts_with("pci"); way = way.parent_path()) {
      EXPECT_NE(Find(entries, way.string() + "/class"), nullptr) << way;
      EXPECT_NE(Find(entries, "/sys/bus/pci/devices/" + way.filename().string()), nullptr) << way;
    }
  }
  EXPECT_NE(Find(entries, "/sys/bus/pci/devices/0000:c4:00.0"), nullptr);
  EXPECT_NE(Find(entries, "/dev/nvidia-nvswitch5"), nullptr);
  EXPECT_EQ(Find(entries, "/dev/nvidia-nvswitch6"), nullptr);
}

// Minors as a real driver's list gives them.
TEST(KernelFilesTest, NumbersMigCapabilitiesAsTheDriverDoes) {
  EXPECT_EQ(MigMinor(0, 0), 3u);
  EXPECT_EQ(MigMinor(0, 0, 2), 6u);
  EXPECT_EQ(MigMinor(3, 3, 3), 439u);
  EXPECT_EQ(MigMinor(6, 11, 7), 920u);
  const NodeFacts node = Facts("fixtures/nodes/dgx-h100.yaml");
  const std::vector<Entry> entries = NodeEntries(node, kMajors);
  const std::string& minors = Find(entries, "/proc/driver/nvidia-caps/mig-minors")->contents;
  EXPECT_THAT(minors, StartsWith("config 1\nmonitor 2\ngpu0/gi0/access 3\n"));
  EXPECT_THAT(minors, HasSubstr("\ngpu6/gi11/ci7/access 920\n"));
}

TEST(KernelFilesTest, ACapabilityNamesItsDevice) {
  const std::vector<Entry> entries = GpuEntries(Facts("fixtures/nodes/dgx-h100.yaml"), 3, kMajors);
  const Entry* access = Find(entries, "/proc/driver/nvidia/capabilities/gpu3/mig/gi3/ci3/access");
  ASSERT_NE(access, nullptr);
  EXPECT_EQ(access->contents, "DeviceFileMinor: 439\nDeviceFileMode: 292\nDeviceFileModify: 1\n");
  const Entry* device = Find(entries, "/dev/nvidia-caps/nvidia-cap439");
  ASSERT_NE(device, nullptr);
  EXPECT_EQ(device->major, 508u);
  EXPECT_EQ(device->minor, 439u);
}

TEST(KernelFilesTest, WithoutTheDriverOnlyTheHardwareIsThere) {
  NodeFacts node = Facts("fixtures/nodes/dgx-h100.yaml");
  node.driver_loaded = false;
  for (const Entry& entry : GpuEntries(node, 0, kMajors)) {
    EXPECT_THAT(entry.path, StartsWith("/sys/"));
    EXPECT_THAT(entry.path, Not(HasSubstr("driver")));
  }
  for (const Entry& entry : NodeEntries(node, kMajors)) {
    EXPECT_THAT(entry.path, StartsWith("/sys/"));
  }
}

TEST(KernelFilesTest, ChoosesMajorsThatNobodyHas) {
  const Majors majors = ChooseMajors(kProcDevices);
  EXPECT_EQ(majors.uvm, 509u);
  EXPECT_EQ(majors.caps, 508u);
  EXPECT_EQ(majors.nvswitch, 507u);
}

TEST(KernelFilesTest, ListsItsDriversAmongTheMachinesAndAgreesWithItself) {
  const std::string text = ProcDevices(kProcDevices, kMajors);
  EXPECT_EQ(text,
            "Character devices:\n  1 mem\n195 nvidia\n195 nvidia-modeset\n195 nvidiactl\n"
            "226 drm\n507 nvidia-nvswitch\n508 nvidia-caps\n509 nvidia-uvm\n510 rtc\n"
            "511 usbmon\n\nBlock devices:\n  7 loop\n");
  EXPECT_EQ(ChooseMajors(text).caps, kMajors.caps);
  EXPECT_EQ(ProcDevices(text, ChooseMajors(text)), text);
}

TEST(KernelFilesTest, ANodeThatIsNotThereIsAnError) {
  EXPECT_THAT(ReadNodeFacts("/nowhere/state"),
              StatusIs(StatusCode::kNotFound, HasSubstr("/nowhere/state")));
}

}  // namespace
}  // namespace assay::fakegpu::host
