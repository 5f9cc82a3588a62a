#include "controlplane/node/grpc_driver.h"

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "api/kubelet/dra_health_v1alpha1.grpc.pb.h"
#include "api/kubelet/dra_v1.grpc.pb.h"
#include "api/kubelet/dra_v1beta1.grpc.pb.h"
#include "api/kubelet/pluginregistration_v1.grpc.pb.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "controlplane/node/blocking_driver.h"

namespace assay::controlplane::node {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;

namespace dra_v1 = k8s::io::kubelet::pkg::apis::dra::v1;
namespace dra_v1beta1 = k8s::io::kubelet::pkg::apis::dra::v1beta1;

struct RegistrationService : pluginregistration::Registration::Service {
  grpc::Status GetInfo(grpc::ServerContext*, const pluginregistration::InfoRequest*,
                       pluginregistration::PluginInfo* reply) override {
    reply->set_type("DRAPlugin");
    reply->set_name("gpu.example.com");
    reply->add_supported_versions("v1.DRAPlugin");
    return grpc::Status::OK;
  }
  grpc::Status NotifyRegistrationStatus(grpc::ServerContext*,
                                        const pluginregistration::RegistrationStatus* request,
                                        pluginregistration::RegistrationStatusResponse*) override {
    return request->plugin_registered() && request->error().empty()
               ? grpc::Status::OK
               : grpc::Status(grpc::StatusCode::ABORTED, "told: " + request->error());
  }
};

struct PluginService : dra_v1::DRAPlugin::Service {
  grpc::Status NodePrepareResources(grpc::ServerContext* context,
                                    const dra_v1::NodePrepareResourcesRequest* request,
                                    dra_v1::NodePrepareResourcesResponse* reply) override {
    std::unique_lock<std::mutex> lock(mu);
    // Until it is let go, or nobody waits for it any more.
    while (blocked && !context->IsCancelled()) {
      changed.wait_for(lock, 10ms);
    }
    cancelled = context->IsCancelled();
    changed.notify_all();
    for (const auto& claim : request->claims()) {
      auto& entry = (*reply->mutable_claims())[claim.uid()];
      if (claim.name() == "bad") {
        entry.set_error("bad claim in " + claim.namespace_());
        continue;
      }
      auto& device = *entry.add_devices();
      device.add_request_names("gpu");
      device.set_pool_name("pool");
      device.set_device_name("device");
      device.add_cdi_device_ids("a/b=c");
      device.set_share_id("share");
    }
    return grpc::Status::OK;
  }
  grpc::Status NodeUnprepareResources(grpc::ServerContext*,
                                      const dra_v1::NodeUnprepareResourcesRequest* request,
                                      dra_v1::NodeUnprepareResourcesResponse* reply) override {
    for (const auto& claim : request->claims()) {
      (*reply->mutable_claims())[claim.uid()];
    }
    return grpc::Status::OK;
  }

  std::mutex mu;
  std::condition_variable changed;
  bool blocked = false;
  bool cancelled = false;
};

struct HealthService : v1alpha1::DRAResourceHealth::Service {
  grpc::Status NodeWatchResources(
      grpc::ServerContext*, const v1alpha1::NodeWatchResourcesRequest*,
      grpc::ServerWriter<v1alpha1::NodeWatchResourcesResponse>* writer) override {
    v1alpha1::NodeWatchResourcesResponse message;
    auto& device = *message.add_devices();
    device.mutable_device()->set_device_name("device");
    device.set_health(v1alpha1::UNHEALTHY);
    device.set_message("lost");
    writer->Write(message);
    device.set_health(static_cast<v1alpha1::HealthStatus>(7));
    writer->Write(message);
    return {grpc::StatusCode::UNAVAILABLE, "bye"};
  }
};

class GrpcDriverTest : public ::testing::Test {
 protected:
  GrpcDriverTest() : dir_(*TempDir::Create()) {}
  ~GrpcDriverTest() override { Stop(); }

  std::string Path() const { return dir_ / "dra.sock"; }
  void Serve() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + Path(), grpc::InsecureServerCredentials());
    builder.RegisterService(&registration_);
    builder.RegisterService(&plugin_);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
    ASSERT_TRUE(server_);
  }
  void Stop() {
    if (server_) {
      server_->Shutdown(std::chrono::system_clock::now());
      server_.reset();
    }
  }

  TempDir dir_;
  RegistrationService registration_;
  PluginService plugin_;
  HealthService health_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(GrpcDriverTest, SpeaksRegistration) {
  Serve();
  BlockingDriver driver(Path());
  EXPECT_THAT(driver.WaitUntilConnected(), IsOk());
  EXPECT_EQ(*driver.GetInfo(), (PluginInfo{.type = "DRAPlugin",
                                           .name = "gpu.example.com",
                                           .endpoint = "",
                                           .supported_versions = {"v1.DRAPlugin"}}));
  EXPECT_THAT(driver.NotifyRegistrationStatus(), IsOk());
  EXPECT_THAT(driver.NotifyRegistrationStatus("no"), StatusIs(StatusCode::kAborted, "told: no"));
}

TEST_F(GrpcDriverTest, PreparesAndUnprepares) {
  Serve();
  BlockingDriver driver(Path());
  ASSAY_ASSERT_OK_AND_ASSIGN(const PrepareResponse prepared,
                             driver.Prepare({{"default", "good", "1"}, {"ns", "bad", "2"}}));
  ASSERT_EQ(prepared.size(), 2u);
  EXPECT_EQ(prepared.at("2").error, "bad claim in ns");
  EXPECT_THAT(prepared.at("1").devices, ElementsAre(PreparedDevice{.request_names = {"gpu"},
                                                                   .pool_name = "pool",
                                                                   .device_name = "device",
                                                                   .cdi_device_ids = {"a/b=c"},
                                                                   .share_id = "share"}));
  ASSAY_ASSERT_OK_AND_ASSIGN(const UnprepareResponse unprepared,
                             driver.Unprepare({{"default", "good", "1"}}));
  EXPECT_EQ(unprepared, (UnprepareResponse{{"1", ""}}));
}

TEST_F(GrpcDriverTest, TellsTheStatusAsItCame) {
  Serve();
  BlockingDriver driver(Path());
  // Only v1 is served.
  EXPECT_THAT(driver.Prepare({}, DraVersion::kV1beta1), StatusIs(StatusCode::kUnimplemented));
  EXPECT_THAT(driver.CallRaw("/no.Service/Method", "x"), StatusIs(StatusCode::kUnimplemented));
  BlockingDriver nobody(dir_ / "nobody.sock");
  EXPECT_THAT(nobody.Prepare({}), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(nobody.WaitUntilConnected(20ms), StatusIs(StatusCode::kDeadlineExceeded));
}

TEST_F(GrpcDriverTest, SendsBytesAsTheyAre) {
  Serve();
  BlockingDriver driver(Path());
  pluginregistration::RegistrationStatus status;
  status.set_plugin_registered(true);
  // Field 99 is unknown to everybody.
  const std::string unknown = std::string("\xb8\x06\x01", 3);
  EXPECT_THAT(driver.CallRaw("/pluginregistration.Registration/NotifyRegistrationStatus",
                             status.SerializeAsString() + unknown),
              IsOk());
}

TEST_F(GrpcDriverTest, ADeadlineAndACancellationReachTheDriver) {
  Serve();
  BlockingDriver driver(Path());
  ASSERT_THAT(driver.WaitUntilConnected(), IsOk());
  plugin_.blocked = true;
  EXPECT_THAT(driver.Prepare({{"default", "a", "1"}}, DraVersion::kV1, 50ms),
              StatusIs(StatusCode::kDeadlineExceeded));
  const auto pending = driver.StartPrepare({{"default", "a", "1"}});
  pending->Cancel();
  EXPECT_THAT(pending->Wait(), StatusIs(StatusCode::kCancelled));
  std::unique_lock<std::mutex> lock(plugin_.mu);
  plugin_.changed.wait_for(lock, 10s, [&] { return plugin_.cancelled; });
  EXPECT_TRUE(plugin_.cancelled);
  plugin_.blocked = false;
}

TEST_F(GrpcDriverTest, StreamsHealth) {
  Serve();
  BlockingDriver driver(Path());
  const auto stream = driver.WatchHealth();
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::vector<DeviceHealth> first, stream->Next(10s));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].health, DeviceHealthState::kUnhealthy);
  EXPECT_EQ(first[0].message, "lost");
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::vector<DeviceHealth> second, stream->Next(10s));
  EXPECT_EQ(second.at(0).health, DeviceHealthState::kUnknown);
  EXPECT_THAT(stream->Next(10s), StatusIs(StatusCode::kUnavailable, "bye"));
  EXPECT_THAT(driver.WatchHealth(HealthVersion::kV1)->Next(10s),
              StatusIs(StatusCode::kUnimplemented));
}

TEST_F(GrpcDriverTest, ReportsThatAConnectionGoesAndComesBack) {
  Serve();
  RealEventLoop loop;
  loop.Start();
  std::mutex mu;
  std::condition_variable changed;
  std::vector<bool> states;
  std::unique_ptr<DriverConnection> connection;
  loop.Post([&] {
    connection = GrpcDriverDialer(loop).Dial(Path());
    connection->KeepConnected([&](bool connected) {
      const std::lock_guard<std::mutex> lock(mu);
      states.push_back(connected);
      changed.notify_all();
    });
  });
  const auto wait_for = [&](std::size_t count) {
    std::unique_lock<std::mutex> lock(mu);
    return changed.wait_for(lock, 20s, [&] { return states.size() >= count; });
  };
  ASSERT_TRUE(wait_for(1));
  Stop();
  ASSERT_TRUE(wait_for(2));
  Serve();
  ASSERT_TRUE(wait_for(3));
  EXPECT_THAT(states, ElementsAre(true, false, true));
  loop.Post([&] {
    connection.reset();
    const std::lock_guard<std::mutex> lock(mu);
    states.clear();
    changed.notify_all();
  });
  std::unique_lock<std::mutex> lock(mu);
  changed.wait_for(lock, 20s, [&] { return states.empty(); });
  loop.StopAndJoin();
}

// As when a driver is killed and the next one has just begun to listen: the agent lets go of the
// connection that it is about to have, for the socket is another.
TEST_F(GrpcDriverTest, AConnectionThatEndsBeforeTheDriverSpeaksLeavesNothingOpen) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  Path().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  RealEventLoop loop;
  loop.Start();
  std::unique_ptr<DriverConnection> connection;
  loop.Post([&] {
    connection = GrpcDriverDialer(loop).Dial(Path());
    connection->KeepConnected([](bool) {});
  });
  pollfd peer = {.fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), .events = POLLRDHUP};
  ASSERT_GE(peer.fd, 0);
  std::promise<void> let_go;
  loop.Post([&] {
    connection.reset();
    let_go.set_value();
  });
  let_go.get_future().wait();
  // A client that still has the connection gets what it waits for, and must close it then.
  constexpr int kSomeMilliseconds = 500;
  constexpr int kLong = 10'000;
  (void)::poll(&peer, 1, kSomeMilliseconds);
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  (void)::send(peer.fd, settings.data(), settings.size(), MSG_NOSIGNAL);
  EXPECT_EQ(::poll(&peer, 1, kLong), 1) << "the connection is still open";
  ::close(peer.fd);
  ::close(listener);
  loop.StopAndJoin();
}

}  // namespace
}  // namespace assay::controlplane::node
