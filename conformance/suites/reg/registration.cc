// Plugin registration: the exchange with the kubelet, again and again.

#include <memory>
#include <string>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using PluginRegistration = Case;
using controlplane::node::PluginInfo;

DECIDES("REG-17");
TEST_F(PluginRegistration, AcceptsThatItIsRegistered) {
  const Status status = driver().registrar().NotifyRegistrationStatus();
  EXPECT_DRIVER(status.ok()) << "NotifyRegistrationStatus(plugin_registered) answered "
                             << status.ToString() << "; the kubelet takes the driver out again";
}

DECIDES("REG-18");
TEST_F(PluginRegistration, SaysWhyItWasRefused) {
  ExpectDriverExit();
  const std::string reason = "refused-by-assay-for-a-test";
  const std::uint64_t mark = driver().process().output_bytes();
  const Status status = driver().registrar().NotifyRegistrationStatus(reason);
  EXPECT_DRIVER(status.code() != StatusCode::kDeadlineExceeded)
      << "NotifyRegistrationStatus with an error did not answer within 5 s";
  EXPECT_DRIVER(driver().process().WaitForOutput(reason, mark, std::chrono::seconds(3)))
      << "the kubelet's reason for a refused registration is not in the driver's output";
}

DECIDES("REG-19");
TEST_F(PluginRegistration, RegistersAfterARefusalWithoutRestart) {
  (void)driver().registrar().NotifyRegistrationStatus("refused-by-assay-for-a-test").ok();
  BlockingDriver registrar(driver().registration().socket.string());
  const Result<PluginInfo> info = registrar.GetInfo(std::chrono::seconds(5));
  ASSERT_DRIVER(info.ok()) << "after a refused registration GetInfo fails: "
                           << info.status().ToString();
  const Status status = registrar.NotifyRegistrationStatus();
  ASSERT_DRIVER(status.ok()) << "after a refused registration the next one fails: "
                             << status.ToString();
  Prepare(Allocated({AnyDevice()}));
}

DECIDES("REG-22");
TEST_F(PluginRegistration, ReplacesTheSocketsOfACrashedPredecessor) {
  // Of further instances, which other cases killed for good, nobody removes the sockets.
  Sockets of_others = SocketsIn(lab().directories().registry);
  of_others.erase(driver().registration().socket.filename().string());
  KillAndRestartDriver();
  // The kubelet dials every socket in the directory.
  for (const auto& [name, id] : SocketsIn(lab().directories().registry)) {
    if (of_others.contains(name)) {
      continue;
    }
    const Status connected = TryConnect(lab().directories().registry / name);
    EXPECT_DRIVER(connected.ok()) << "after a crash and a restart " << name
                                  << " still lies in the registry directory, and nobody listens";
  }
}

DECIDES("REG-23");
TEST_F(PluginRegistration, RegistersAgainWithARestartedKubelet) {
  BlockingDriver registrar(driver().registration().socket.string());
  const Result<PluginInfo> info = registrar.GetInfo();
  ASSERT_DRIVER(info.ok()) << "a kubelet that restarted and found the socket gets no answer: "
                           << info.status().ToString();
  const Status status = registrar.NotifyRegistrationStatus();
  ASSERT_DRIVER(status.ok()) << "the second registration fails: " << status.ToString();
  const ResourceClaim claim = Allocated({AnyDevice()});
  const auto connection = driver().NewConnection();
  const auto response = connection->Prepare({ReferenceTo(claim)}, Version(), kCallLimit);
  const std::string error = ErrorIn(response, claim.metadata.uid);
  EXPECT_DRIVER(error.empty()) << "after the second registration Prepare fails: " << error;
}

DECIDES("REG-24");
TEST_F(PluginRegistration, RegistersAgainAfterItsOwnRestart) {
  const std::string name = driver().registration().info.name;
  RestartDriver();
  EXPECT_DRIVER(driver().registration().info.name == name)
      << "after a restart it registers as '" << driver().registration().info.name << "', not '"
      << name << "'";
  Prepare(Allocated({AnyDevice()}));
}

DECIDES("REG-25");
TEST_F(PluginRegistration, ServesConnectionsThatComeAndGo) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  for (int i = 0; i < 5; ++i) {
    const auto connection = driver().NewConnection();
    const auto response = connection->Prepare({ReferenceTo(claim)}, Version(), kCallLimit);
    const std::string error = ErrorIn(response, claim.metadata.uid);
    ASSERT_DRIVER(error.empty()) << "over connection " << i + 1 << " Prepare fails: " << error;
  }
}

DECIDES("REG-26");
TEST_F(PluginRegistration, ASecondInstanceNeverTakesTheEndpointOver) {
  const Result<std::unique_ptr<Driver>> second =
      lab().StartInstance({.until = DriverOptions::Until::kRegistered});
  // Refusing to start beside another instance is as good as an endpoint of its own.
  if (second.ok()) {
    EXPECT_DRIVER((*second)->registration().endpoint != driver().registration().endpoint)
        << "two live instances advertise the same endpoint";
  }
  ASSERT_DRIVER(driver().process().running()) << "the first instance ended as a second one began";
  const Status connected = TryConnect(driver().registration().endpoint);
  EXPECT_DRIVER(connected.ok()) << "with a second instance the first one's endpoint is gone: "
                                << connected.message();
  const ResourceClaim claim = Allocated({AnyDevice()});
  const std::string error = PrepareError(claim);
  EXPECT_DRIVER(error.empty()) << "with a second instance the first one's Prepare fails: " << error;
}

}  // namespace
}  // namespace assay::conformance
