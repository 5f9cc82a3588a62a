#include "controlplane/node/cdi/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::controlplane::node::cdi {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A spec of kind vendor/class with one device per name, each setting DEVICE_<name>=`value`.
std::string SpecText(const std::vector<std::string>& names, const std::string& value = "1") {
  std::string devices;
  for (const std::string& name : names) {
    devices += (devices.empty() ? "" : ",") +
               (R"({"name":")" + name + R"(","containerEdits":{"env":["DEVICE_)" + name + "=" +
                value + "\"]}}");
  }
  return R"({"cdiVersion":"1.0.0","kind":"vendor/class","containerEdits":{"env":["SPEC=)" + value +
         "\"]},\"devices\":[" + devices + "]}";
}

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() : dir_(*TempDir::Create()) {
    for (const auto& directory : directories()) {
      std::filesystem::create_directory(directory);
    }
  }
  std::vector<std::filesystem::path> directories() const { return {dir_ / "etc", dir_ / "run"}; }
  void Write(const std::string& file, const std::string& text) {
    ASSERT_THAT(WriteFileAtomically(dir_ / file, text), IsOk());
  }

  TempDir dir_;
};

TEST_F(RegistryTest, ResolvesDevicesOfAllDirectories) {
  Write("etc/a.json", SpecText({"a"}));
  Write("run/b.yaml", SpecText({"b"}));
  Write("run/c.txt", SpecText({"c"}));
  const Registry registry = Registry::Scan(directories());
  EXPECT_THAT(registry.DeviceNames(), ElementsAre("vendor/class=a", "vendor/class=b"));
  EXPECT_THAT(registry.errors(), IsEmpty());
  EXPECT_THAT(registry.Resolve("vendor/class=c"), StatusIs(StatusCode::kNotFound));
}

TEST_F(RegistryTest, TheLaterDirectoryTakesPrecedence) {
  Write("etc/a.json", SpecText({"a"}, "old"));
  Write("run/a.json", SpecText({"a"}, "new"));
  OciSpec spec;
  ASSERT_THAT(Registry::Scan(directories()).Inject({"vendor/class=a"}, spec), IsOk());
  EXPECT_THAT(spec.env, ElementsAre("SPEC=new", "DEVICE_a=new"));
}

TEST_F(RegistryTest, EqualPrecedenceIsAConflictThatResolvesToNothing) {
  Write("run/a.json", SpecText({"a", "b"}));
  Write("run/b.json", SpecText({"a", "c"}));
  const Registry registry = Registry::Scan(directories());
  EXPECT_THAT(registry.DeviceNames(), ElementsAre("vendor/class=b", "vendor/class=c"));
  EXPECT_EQ(registry.errors().size(), 2u);
}

TEST_F(RegistryTest, AnInvalidFileIsLeftOutAsAWhole) {
  Write("run/a.json", SpecText({"a"}));
  Write("run/b.json", SpecText({"b", "b"}));
  Write("run/c.json", "{");
  const Registry registry = Registry::Scan(directories());
  EXPECT_THAT(registry.DeviceNames(), ElementsAre("vendor/class=a"));
  EXPECT_EQ(registry.errors().size(), 2u);
}

TEST_F(RegistryTest, AppliesTheEditsOfASpecOnce) {
  Write("run/a.json", SpecText({"a", "b"}));
  OciSpec spec;
  spec.env = {"PATH=/bin", "DEVICE_a=0"};
  ASSERT_THAT(Registry::Scan(directories()).Inject({"vendor/class=b", "vendor/class=a"}, spec),
              IsOk());
  EXPECT_THAT(spec.env, ElementsAre("PATH=/bin", "DEVICE_a=1", "SPEC=1", "DEVICE_b=1"));
}

TEST_F(RegistryTest, AnUnresolvableNameLeavesTheSpecAlone) {
  Write("run/a.json", SpecText({"a"}));
  OciSpec spec;
  EXPECT_THAT(Registry::Scan(directories()).Inject({"vendor/class=a", "x", "y/z=1"}, spec),
              StatusIs(StatusCode::kNotFound, HasSubstr("unresolvable CDI devices x, y/z=1")));
  EXPECT_THAT(spec.env, IsEmpty());
}

TEST(ApplyEditsTest, TakesTypeAndNumberFromTheHost) {
  ContainerEdits edits;
  edits.device_nodes = {{.path = "/dev/empty", .host_path = "/dev/null"}};
  OciSpec spec;
  ASSERT_THAT(ApplyEdits(edits, spec), IsOk());
  ASSERT_EQ(spec.devices.size(), 1u);
  EXPECT_EQ(spec.devices[0].type, "c");
  EXPECT_EQ(spec.devices[0].major, 1);
  EXPECT_EQ(spec.devices[0].minor, 3);
  ASSERT_EQ(spec.device_rules.size(), 1u);
  EXPECT_EQ(spec.device_rules[0].access, "rwm");
}

TEST(ApplyEditsTest, ADeviceThatIsNotOnTheHostMustBeComplete) {
  ContainerEdits edits;
  edits.device_nodes = {{.path = "/dev/nothing-here"}};
  OciSpec spec;
  EXPECT_THAT(ApplyEdits(edits, spec), StatusIs(StatusCode::kNotFound));
  edits.device_nodes = {{.path = "/dev/nothing-here", .type = "c", .major = 195}};
  EXPECT_THAT(ApplyEdits(edits, spec), IsOk());
  edits.device_nodes = {{.path = "/dev/null", .type = "b"}};
  EXPECT_THAT(ApplyEdits(edits, spec), StatusIs(StatusCode::kInvalidArgument));
}

TEST(ApplyEditsTest, ReplacesADeviceAndGivesItToTheContainersUser) {
  ContainerEdits edits;
  edits.device_nodes = {{.path = "/dev/a", .type = "c", .major = 1},
                        {.path = "/dev/a", .type = "c", .major = 2, .permissions = "none"}};
  OciSpec spec;
  spec.uid = 1000;
  ASSERT_THAT(ApplyEdits(edits, spec), IsOk());
  ASSERT_EQ(spec.devices.size(), 1u);
  EXPECT_EQ(spec.devices[0].major, 2);
  EXPECT_EQ(spec.devices[0].uid, 1000u);
  EXPECT_EQ(spec.device_rules.back().access, "");
}

TEST(ApplyEditsTest, SortsMountsByDepthAndReplacesDestinations) {
  ContainerEdits edits;
  edits.mounts = {{.host_path = "/new", .container_path = "/a"},
                  {.host_path = "/x", .container_path = "/b"}};
  OciSpec spec;
  spec.mounts = {{.destination = "/a/b/c", .source = "/deep"},
                 {.destination = "/a", .source = "/old"}};
  ASSERT_THAT(ApplyEdits(edits, spec), IsOk());
  std::vector<std::string> sources;
  for (const OciMount& mount : spec.mounts) {
    sources.push_back(mount.source);
  }
  EXPECT_THAT(sources, ElementsAre("/new", "/x", "/deep"));
}

TEST(ApplyEditsTest, MapsIdsOfBindMountsInAUserNamespace) {
  ContainerEdits edits;
  edits.mounts = {{.host_path = "/a", .container_path = "/a", .options = {"ro", "rbind"}},
                  {.host_path = "/b", .container_path = "/b", .type = "bind"},
                  {.host_path = "/c", .container_path = "/c", .type = "tmpfs"}};
  OciSpec spec;
  spec.user_namespace = true;
  ASSERT_THAT(ApplyEdits(edits, spec), IsOk());
  EXPECT_THAT(spec.mounts[0].options, ElementsAre("ro", "rbind", "ridmap"));
  EXPECT_THAT(spec.mounts[1].options, ElementsAre("idmap"));
  EXPECT_THAT(spec.mounts[2].options, IsEmpty());
}

TEST(ApplyEditsTest, AppliesHooksRdtNetDevicesAndGroups) {
  ContainerEdits edits;
  edits.hooks = {{.hook_name = "createRuntime", .path = "/hook", .args = {"hook"}}};
  edits.intel_rdt = IntelRdt{.clos_id = "gold"};
  edits.net_devices = {{.host_interface_name = "eth1", .name = "net0"}};
  edits.additional_gids = {5, 0, 5};
  OciSpec spec;
  ASSERT_THAT(ApplyEdits(edits, spec), IsOk());
  EXPECT_EQ(spec.hooks.at("createRuntime").at(0).path, "/hook");
  EXPECT_EQ(spec.intel_rdt->clos_id, "gold");
  EXPECT_EQ(spec.net_devices.at("eth1"), "net0");
  EXPECT_THAT(spec.additional_gids, ElementsAre(5u));
  const std::string json = spec.ToJson();
  EXPECT_THAT(json, HasSubstr(R"("closID": "gold")"));
  EXPECT_THAT(json, HasSubstr(R"("netDevices")"));
}

}  // namespace
}  // namespace assay::controlplane::node::cdi
