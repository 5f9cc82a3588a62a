#include "controlplane/node/cdi/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/testing/status_matchers.h"

namespace assay::controlplane::node::cdi {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kEverything = R"({
  "cdiVersion": "1.1.0", "kind": "gpu.example.com/claim", "annotations": {"a": "b"},
  "containerEdits": {"env": ["A=1"]},
  "devices": [{
    "name": "0-gpu", "annotations": {"c": "d"},
    "containerEdits": {
      "env": ["B=2"],
      "deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/y", "type": "c", "major": 195,
                       "minor": 3, "fileMode": 438, "permissions": "rw", "uid": 1, "gid": 2}],
      "netDevices": [{"hostInterfaceName": "eth1", "name": "net0"}],
      "hooks": [{"hookName": "createRuntime", "path": "/bin/true", "args": ["true"],
                 "env": ["X=y"], "timeout": 5}],
      "mounts": [{"hostPath": "/a", "containerPath": "/b", "options": ["ro"], "type": "bind"}],
      "intelRdt": {"closID": "id", "l3CacheSchema": "L3", "memBwSchema": "MB",
                   "schemata": ["L2"], "enableMonitoring": true},
      "additionalGids": [5]}}]})";

Spec Minimal() {
  Spec spec{.cdi_version = "1.0.0", .kind = "vendor/class"};
  spec.devices.push_back({.name = "gpu"});
  spec.devices[0].container_edits.env = {"A=1"};
  return spec;
}

TEST(CdiSpecTest, DecodesEveryField) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Spec spec, ParseSpec(kEverything, "a.json"));
  EXPECT_THAT(ValidateSpec(spec), IsOk());
  EXPECT_EQ(spec.vendor(), "gpu.example.com");
  EXPECT_EQ(spec.class_name(), "claim");
  EXPECT_EQ(spec.annotations.at("a"), "b");
  EXPECT_THAT(spec.container_edits.env, ElementsAre("A=1"));
  ASSERT_EQ(spec.devices.size(), 1u);
  const ContainerEdits& edits = spec.devices[0].container_edits;
  const DeviceNode& node = edits.device_nodes.at(0);
  EXPECT_EQ(node.host_path, "/dev/y");
  EXPECT_EQ(node.major, 195);
  EXPECT_EQ(node.file_mode, 0666u);
  EXPECT_EQ(node.gid, 2u);
  EXPECT_EQ(edits.net_devices.at(0).name, "net0");
  EXPECT_EQ(edits.hooks.at(0).timeout, 5);
  EXPECT_THAT(edits.mounts.at(0).options, ElementsAre("ro"));
  EXPECT_TRUE(edits.intel_rdt->enable_monitoring);
  EXPECT_THAT(edits.additional_gids, ElementsAre(5u));
}

TEST(CdiSpecTest, DecodesYaml) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Spec spec, ParseSpec(R"(---
cdiVersion: "0.5.0"
kind: vendor/class
devices:
- name: "1"
  containerEdits:
    deviceNodes:
    - path: /dev/null
)",
                                                        "a.yaml"));
  EXPECT_THAT(ValidateSpec(spec), IsOk());
  EXPECT_EQ(spec.devices.at(0).container_edits.device_nodes.at(0).path, "/dev/null");
}

TEST(CdiSpecTest, RefusesUnknownDuplicateAndMistypedFields) {
  const auto refusal = [](const std::string& device) {
    return ParseSpec(R"({"cdiVersion": "1.0.0", "kind": "v/c", "devices": [)" + device + "]}",
                     "a.json")
        .status();
  };
  EXPECT_THAT(refusal(R"({"name": "a", "edits": {}})"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("edits")));
  EXPECT_THAT(refusal(R"({"name": "a", "name": "b"})"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(refusal(R"({"name": "a", "containerEdits": {"env": "A=1"}})"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("env")));
  EXPECT_THAT(refusal(R"({"name": "a", "containerEdits": {"deviceNodes": [{"major": "x"}]}})"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("major")));
  EXPECT_THAT(ParseSpec("{", "a.json"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseSpec("", "a.json"), StatusIs(StatusCode::kInvalidArgument));
}

TEST(CdiSpecTest, KnowsWhichVersionAFieldNeeds) {
  Spec spec = Minimal();
  EXPECT_EQ(MinimumRequiredVersion(spec), "0.3.0");
  ContainerEdits& edits = spec.devices[0].container_edits;
  edits.mounts.push_back({.host_path = "/a", .container_path = "/b", .type = "bind"});
  EXPECT_EQ(MinimumRequiredVersion(spec), "0.4.0");
  spec.devices[0].name = "0";
  EXPECT_EQ(MinimumRequiredVersion(spec), "0.5.0");
  spec.kind = "vendor/class.sub";
  EXPECT_EQ(MinimumRequiredVersion(spec), "0.6.0");
  spec.container_edits.additional_gids = {1};
  EXPECT_EQ(MinimumRequiredVersion(spec), "0.7.0");
  spec.container_edits.net_devices.push_back({"eth0", "eth1"});
  EXPECT_EQ(MinimumRequiredVersion(spec), "1.1.0");
  EXPECT_THAT(ValidateSpec(spec), StatusIs(StatusCode::kInvalidArgument, HasSubstr("1.1.0")));
}

TEST(CdiSpecTest, RefusesInvalidSpecs) {
  const auto refused = [](auto change) {
    Spec spec = Minimal();
    change(spec, spec.devices[0].container_edits);
    return ValidateSpec(spec);
  };
  const auto invalid = StatusIs(StatusCode::kInvalidArgument);
  EXPECT_THAT(refused([](Spec&, ContainerEdits&) {}), IsOk());
  EXPECT_THAT(refused([](Spec& s, auto&) { s.cdi_version = "v1.0.0"; }), IsOk());
  EXPECT_THAT(refused([](Spec& s, auto&) { s.cdi_version = "1.2.3"; }), invalid);
  EXPECT_THAT(refused([](Spec& s, auto&) { s.cdi_version = ""; }), invalid);
  EXPECT_THAT(refused([](Spec& s, auto&) { s.kind = "vendor"; }), invalid);
  EXPECT_THAT(refused([](Spec& s, auto&) { s.devices.clear(); }), invalid);
  EXPECT_THAT(refused([](Spec& s, auto&) { s.devices.push_back(s.devices[0]); }), invalid);
  EXPECT_THAT(refused([](Spec& s, auto&) { s.devices[0].name = "a/b"; }), invalid);
  EXPECT_THAT(refused([](Spec&, auto& e) { e = {}; }),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("empty containerEdits")));
  EXPECT_THAT(refused([](Spec&, auto& e) { e.env = {"A"}; }), invalid);
  EXPECT_THAT(refused([](Spec&, auto& e) { e.env = {"=A"}; }), invalid);
  EXPECT_THAT(refused([](Spec&, auto& e) { e.device_nodes = {{.path = "dev/a"}}; }), invalid);
  EXPECT_THAT(refused([](Spec&, auto& e) { e.device_nodes = {{.path = "/dev/a", .type = "x"}}; }),
              invalid);
  EXPECT_THAT(
      refused([](Spec&, auto& e) { e.device_nodes = {{.path = "/dev/a", .permissions = "rwx"}}; }),
      invalid);
  EXPECT_THAT(
      refused([](Spec&, auto& e) { e.device_nodes = {{.path = "/dev/a", .permissions = "none"}}; }),
      IsOk());
  EXPECT_THAT(refused([](Spec&, auto& e) { e.hooks = {{.hook_name = "never", .path = "/x"}}; }),
              invalid);
  EXPECT_THAT(refused([](Spec&, auto& e) { e.hooks = {{.hook_name = "poststop"}}; }), invalid);
  EXPECT_THAT(refused([](Spec&, auto& e) { e.mounts = {{.container_path = "/x"}}; }), invalid);
  EXPECT_THAT(refused([](Spec&, auto& e) { e.mounts = {{.host_path = "/x"}}; }), invalid);
}

}  // namespace
}  // namespace assay::controlplane::node::cdi
