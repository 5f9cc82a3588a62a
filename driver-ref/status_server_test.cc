// What Prometheus and the kubelet's probes are told, over HTTP.
#include "driver-ref/status_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/http/client.h"
#include "base/testing/status_matchers.h"
#include "driver-ref/metrics.h"

namespace assay::driver_ref {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::testing::HasSubstr;

class StatusServerTest : public ::testing::Test {
 protected:
  StatusServerTest()
      : server_(*ServeStatus(0, {.metrics = [this] { return metrics_.Text(); },
                                 .healthy = [this] { return health_; },
                                 .ready =
                                     [this] {
                                       return metrics_.registered()
                                                  ? OkStatus()
                                                  : UnavailableError("not registered");
                                     }})) {
    loop_.Start();
  }
  ~StatusServerTest() override { loop_.StopAndJoin(); }

  http::Response Call(const std::string& method, const std::string& path) {
    std::promise<Result<http::Response>> answer;
    std::unique_ptr<http::Client> client;
    loop_.Post([&] {
      client = *http::Client::Create(loop_, {.url = server_->url()});
      client->Send({.method = method, .target = path},
                   [&](Result<http::Response> response) { answer.set_value(std::move(response)); });
    });
    const Result<http::Response> response = answer.get_future().get();
    std::promise<void> gone;
    loop_.Post([&] {
      client.reset();
      gone.set_value();
    });
    gone.get_future().wait();
    EXPECT_THAT(response, IsOk());
    return response.value_or({.status = 0});
  }

  Metrics metrics_;
  Status health_;
  std::unique_ptr<http::Server> server_;
  RealEventLoop loop_;
};

TEST_F(StatusServerTest, CountsClaimsByOperationAndResult) {
  metrics_.CountClaim("prepare", OkStatus(), 250ms);
  metrics_.CountClaim("prepare", OkStatus(), 500ms);
  metrics_.CountClaim("unprepare", UnavailableError("no"), 1s);
  const http::Response response = Call("GET", "/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.headers.Get("content-type"), HasSubstr("version=0.0.4"));
  const std::string name = "dra_driver_claim_duration_seconds_";
  EXPECT_THAT(response.body, HasSubstr(name + "count{operation=\"prepare\",code=\"OK\"} 2\n"));
  EXPECT_THAT(response.body, HasSubstr(name + "sum{operation=\"prepare\",code=\"OK\"} 0.75\n"));
  EXPECT_THAT(response.body,
              HasSubstr(name + "count{operation=\"unprepare\",code=\"UNAVAILABLE\"} 1\n"));
}

TEST_F(StatusServerTest, TellsOfTheDevicesThatArePublished) {
  std::vector<api::resource::Device> devices(3);
  devices[1].taints.emplace_back();
  metrics_.SetDevices(devices);
  const std::string text = Call("GET", "/metrics").body;
  EXPECT_THAT(text, HasSubstr("\ndra_driver_devices 3\n"));
  EXPECT_THAT(text, HasSubstr("\ndra_driver_tainted_devices 1\n"));
}

TEST_F(StatusServerTest, ProbesSayWhatIsInTheWay) {
  EXPECT_EQ(Call("GET", "/healthz").status, 200);
  EXPECT_EQ(Call("GET", "/readyz").status, 503);
  EXPECT_EQ(Call("GET", "/readyz").body, "not registered\n");
  metrics_.SetRegistered(true);
  EXPECT_EQ(Call("GET", "/readyz").status, 200);
  health_ = UnavailableError("the sockets are gone");
  EXPECT_EQ(Call("GET", "/healthz").status, 503);
}

TEST_F(StatusServerTest, NothingElseIsThere) {
  EXPECT_EQ(Call("GET", "/").status, 404);
  EXPECT_EQ(Call("POST", "/metrics").status, 405);
}

}  // namespace
}  // namespace assay::driver_ref
