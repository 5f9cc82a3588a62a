// Flags, and the file that may hold them.
#include "driver-ref/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::driver_ref {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;

class OptionsTest : public ::testing::Test {
 protected:
  static Result<std::optional<Options>> Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "dra-driver-ref");
    std::vector<const char*> pointers;
    for (const std::string& argument : arguments) {
      pointers.push_back(argument.c_str());
    }
    return ParseOptions(static_cast<int>(pointers.size()), pointers.data());
  }
  std::string ConfigFlag(const std::string& text) {
    EXPECT_THAT(WriteFileAtomically(dir_ / "config.yaml", text), IsOk());
    return "--config=" + (dir_ / "config.yaml").string();
  }

  TempDir dir_ = *TempDir::Create();
};

TEST_F(OptionsTest, TheFileHasWhatTheFlagsDoNotSay) {
  const std::string file = ConfigFlag(
      "# What all nodes have in common.\n"
      "driver-name: gpu.example.com\n"
      "taint-effect: NoExecute\n"
      "claim-status: true\n"
      "mig: false\n"
      "logging-format: json\n"
      "status-port: 9808\n");
  const auto parsed = Parse({"--node-name=n1", "--taint-effect=None", file});
  ASSERT_THAT(parsed, IsOk());
  const Options& options = **parsed;
  EXPECT_EQ(options.node_name, "n1");
  EXPECT_EQ(options.driver_name, "gpu.example.com");
  EXPECT_EQ(options.taint_effect, "None") << "the flag counts more";
  EXPECT_TRUE(options.claim_status);
  EXPECT_FALSE(options.mig);
  EXPECT_EQ(options.status_port, 9808);
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_EQ(options.plugin_dir, "/var/lib/kubelet/plugins/gpu.example.com");
}

TEST_F(OptionsTest, AWrongFileIsNamedWithTheField) {
  EXPECT_THAT(Parse({"--node-name=n1", ConfigFlag("colour: red\n")}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("colour")));
  EXPECT_THAT(Parse({"--node-name=n1", ConfigFlag("taint-effect: Perhaps\n")}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("taint-effect")));
  EXPECT_THAT(Parse({"--node-name=n1", ConfigFlag("claim-status: {a: b}\n")}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("--config:1: claim-status")));
  EXPECT_THAT(Parse({"--node-name=n1", ConfigFlag("- driver-name\n")}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("--config:1")));
  EXPECT_THAT(Parse({"--node-name=n1", "--config=/nowhere/config.yaml"}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("/nowhere/config.yaml")));
}

TEST_F(OptionsTest, WithoutDevicesThereIsNoDriver) {
  EXPECT_THAT(
      Parse({"--node-name=n1", "--no-gpus"}),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("--no-gpus: without --sysfs-devices")));
  EXPECT_THAT(Parse({"--node-name=n1", "--no-gpus", "--sysfs-devices=/x"}), IsOk());
  EXPECT_THAT(Parse({"--node-name=n1", "--sysfs-devices=x"}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("--sysfs-devices: \"x\" is not")));
}

TEST_F(OptionsTest, TheWebhookNeedsNoNodeAndACertificate) {
  const auto parsed = Parse({"webhook", "--tls-cert-file=c.pem", "--tls-private-key-file=k.pem",
                             "--driver-name=gpu.example.com", "--port=0"});
  ASSERT_THAT(parsed, IsOk());
  ASSERT_TRUE((*parsed)->webhook);
  EXPECT_EQ((*parsed)->webhook->driver_name, "gpu.example.com");
  EXPECT_EQ((*parsed)->webhook->certificate, "c.pem");
  EXPECT_THAT(Parse({"webhook"}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("--tls-cert-file")));
}

}  // namespace
}  // namespace assay::driver_ref
