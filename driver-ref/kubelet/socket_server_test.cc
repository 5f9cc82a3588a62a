#include "driver-ref/kubelet/socket_server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "api/kubelet/pluginregistration_v1.grpc.pb.h"
#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "driver-ref/kubelet/instance_lock.h"

namespace assay::driver_ref::kubelet {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;

struct NamedService : pluginregistration::Registration::Service {
  explicit NamedService(std::string n) : name(std::move(n)) {}
  grpc::Status GetInfo(grpc::ServerContext*, const pluginregistration::InfoRequest*,
                       pluginregistration::PluginInfo* reply) override {
    reply->set_name(name);
    return grpc::Status::OK;
  }
  std::string name;
};

// Who answers at the path, or why nobody does.
std::string Ask(const std::filesystem::path& path) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto stub = pluginregistration::Registration::NewStub(grpc::CreateCustomChannel(
      "unix:" + path.string(), grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 10s);
  pluginregistration::PluginInfo info;
  const grpc::Status status = stub->GetInfo(&context, {}, &info);
  return status.ok() ? info.name() : "";
}

class SocketServerTest : public ::testing::Test {
 protected:
  SocketServerTest() : dir_(*TempDir::Create()) {}

  TempDir dir_;
  NamedService first_{"first"};
  NamedService second_{"second"};
};

TEST_F(SocketServerTest, ServesOnASocketForItsOwnerOnly) {
  SocketServer server(dir_ / "a.sock", {&first_});
  ASSERT_THAT(server.Start(), IsOk());
  struct stat info = {};
  ASSERT_EQ(::stat((dir_ / "a.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600u);
  EXPECT_EQ(Ask(dir_ / "a.sock"), "first");
  server.Stop(1s);
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path())) << "nothing is left, hidden or not";
}

TEST_F(SocketServerTest, ReplacesWhatACrashLeft) {
  ASSERT_THAT(WriteFileAtomically(dir_ / "a.sock", "stale"), IsOk());
  SocketServer server(dir_ / "a.sock", {&first_});
  ASSERT_THAT(server.Start(), IsOk());
  EXPECT_EQ(Ask(dir_ / "a.sock"), "first");
}

TEST_F(SocketServerTest, LeavesASuccessorsSocketAlone) {
  SocketServer old(dir_ / "a.sock", {&first_});
  ASSERT_THAT(old.Start(), IsOk());
  SocketServer successor(dir_ / "a.sock", {&second_});
  ASSERT_THAT(successor.Start(), IsOk());
  EXPECT_FALSE(old.IsReachable());
  old.Stop(1s);
  EXPECT_TRUE(successor.IsReachable());
  EXPECT_EQ(Ask(dir_ / "a.sock"), "second");
}

TEST_F(SocketServerTest, NoticesThatItsSocketIsGone) {
  SocketServer server(dir_ / "a.sock", {&first_});
  ASSERT_THAT(server.Start(), IsOk());
  EXPECT_TRUE(server.IsReachable());
  std::filesystem::remove(dir_ / "a.sock");
  EXPECT_FALSE(server.IsReachable());
  server.Stop(1s);
  ASSERT_THAT(server.Start(), IsOk());
  EXPECT_EQ(Ask(dir_ / "a.sock"), "first");
}

TEST_F(SocketServerTest, RefusesAPathThatNoSocketCanHave) {
  SocketServer server(dir_ / std::string(120, 'x'), {&first_});
  EXPECT_THAT(server.Start(), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(SocketServerTest, OneInstanceHoldsTheLock) {
  {
    const auto lock = InstanceLock::Acquire(dir_ / "lock");
    ASSERT_THAT(lock, IsOk());
    EXPECT_THAT(InstanceLock::Acquire(dir_ / "lock"), StatusIs(StatusCode::kAlreadyExists));
  }
  EXPECT_THAT(InstanceLock::Acquire(dir_ / "lock"), IsOk());
}

}  // namespace
}  // namespace assay::driver_ref::kubelet
