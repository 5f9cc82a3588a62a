// Plugin registration: the sockets, their names and places.

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using PluginSockets = Case;

// sun_path holds 108 bytes with the final NUL.
constexpr std::size_t kMaxSocketPath = 107;
constexpr std::string_view kUsualRoot = "/var/lib/kubelet";

unsigned ModeOf(const std::filesystem::path& path) {
  struct stat found{};
  return lstat(path.c_str(), &found) == 0 ? found.st_mode : 0U;
}

DECIDES("REG-01");
TEST_F(PluginSockets, RegistrarIsAStreamSocketThatTheKubeletLooksAt) {
  const std::filesystem::path& socket = driver().registration().socket;
  EXPECT_DRIVER(S_ISSOCK(ModeOf(socket))) << socket.filename().string() << " is no socket";
  const Status connected = TryConnect(socket);
  EXPECT_DRIVER(connected.ok()) << connected.message();
}

DECIDES("REG-02");
TEST_F(PluginSockets, RegistrarIsNamedAfterTheDriver) {
  const std::string name = driver().registration().socket.filename().string();
  EXPECT_DRIVER(name.starts_with(lab().profile().driver) && name.ends_with(".sock"))
      << "the registration socket is named " << name << ", not <driver>[-<anything>].sock";
}

DECIDES("REG-08", "REG-09");
TEST_F(PluginSockets, EndpointIsAConnectableHostPath) {
  const std::string& endpoint = driver().registration().endpoint;
  ASSERT_DRIVER(std::filesystem::path(endpoint).is_absolute())
      << "the endpoint '" << endpoint << "' is no absolute path";
  EXPECT_DRIVER(S_ISSOCK(ModeOf(endpoint))) << "no socket lies at the endpoint " << endpoint;
  const Status connected = TryConnect(endpoint);
  EXPECT_DRIVER(connected.ok()) << connected.message();
}

DECIDES("REG-10");
TEST_F(PluginSockets, PathsFitUnderTheUsualKubeletDirectory) {
  for (const std::filesystem::path& path :
       {driver().registration().socket, std::filesystem::path(driver().registration().endpoint)}) {
    const std::string below = path.lexically_relative(lab().directories().kubelet).string();
    const std::size_t length = kUsualRoot.size() + 1 + below.size();
    EXPECT_DRIVER(length <= kMaxSocketPath)
        << below << " under " << kUsualRoot << " has " << length
        << " bytes; a socket's path has at most " << kMaxSocketPath;
  }
}

DECIDES("REG-21");
TEST_F(PluginSockets, EndpointListensBeforeTheRegistrarAppears) {
  const Status& connected = driver().registration().first_connect;
  EXPECT_DRIVER(connected.ok()) << "right after GetInfo the endpoint did not listen: "
                                << connected.message();
}

DECIDES("REG-27");
TEST_F(PluginSockets, FollowTheKubeletsRootDirectory) {
  const std::string below = std::filesystem::path(driver().registration().endpoint)
                                .lexically_relative(lab().directories().kubelet)
                                .string();
  EXPECT_DRIVER(!below.empty() && !below.starts_with(".."))
      << "the endpoint " << driver().registration().endpoint
      << " is outside of the kubelet's root directory";
}

DECIDES("REG-29");
TEST_F(PluginSockets, AreNotOpenToEverybody) {
  // To connect, one must be able to write to the socket.
  for (const std::filesystem::path& path :
       {driver().registration().socket, std::filesystem::path(driver().registration().endpoint)}) {
    const bool closed =
        (ModeOf(path) & S_IWOTH) == 0 || (ModeOf(path.parent_path()) & S_IXOTH) == 0;
    EXPECT_DRIVER(closed) << path.filename().string() << " can be written by everybody";
  }
}

}  // namespace
}  // namespace assay::conformance
