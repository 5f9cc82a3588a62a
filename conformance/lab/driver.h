// Driver: one running instance of the driver under test, as the kubelet sees it: the process, the
// socket it registered with and the one it serves on.
//
// Not thread-safe, but for registration() and service().
#ifndef ASSAY_CONFORMANCE_LAB_DRIVER_H_
#define ASSAY_CONFORMANCE_LAB_DRIVER_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "conformance/lab/transcript.h"
#include "conformance/testee/spawner.h"
#include "controlplane/node/blocking_driver.h"
#include "controlplane/node/driver_connection.h"

namespace assay::conformance {

struct DriverOptions {
  std::string instance;  // ${INSTANCE}; empty: a new UID.
  // How far the start goes: kStarted returns at once, kRegistered does what the kubelet does.
  enum class Until { kStarted, kRegistered, kPublished };
  Until until = Until::kPublished;
  std::map<std::string, std::string> env;  // On top of the profile's.
};

// Which socket lies under a name: one that is unlinked and made again is another.
struct SocketId {
  std::uint64_t inode = 0;
  std::int64_t changed_ns = 0;  // ctime: inode numbers come back.

  friend bool operator==(const SocketId&, const SocketId&) = default;
};
using Sockets = std::map<std::string, SocketId>;
// The sockets in `directory` that the kubelet would look at: those whose names have no dot in
// front.
Sockets SocketsIn(const std::filesystem::path& directory);

// What was seen while the driver registered.
struct Registration {
  std::filesystem::path socket;  // In the registry directory.
  controlplane::node::PluginInfo info;
  std::string endpoint;  // info.endpoint, or the registration socket where that is empty.
  // Whether `endpoint` took a connection as soon as GetInfo had answered.
  Status first_connect;
  Duration get_info_time{};
};

class Driver {
 public:
  // `registry` is watched for the socket; those in `known` are others'. What is said and done goes
  // into `transcript`, which outlives this.
  Driver(std::unique_ptr<Process> process, std::filesystem::path registry, Sockets known,
         std::string instance, Transcript& transcript);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Keeps the output in `file` when this ends.
  void KeepLog(std::filesystem::path file) { log_file_ = std::move(file); }

  Process& process() { return *process_; }
  const std::string& instance() const { return instance_; }

  // Waits for the registration socket of the driver `name`, asks GetInfo, connects to the endpoint
  // and notifies. kUnavailable if the process ended first, kDeadlineExceeded after `timeout`.
  Status Register(const std::string& name, Duration timeout);
  bool registered() const { return registration_.has_value(); }
  const Registration& registration() const { return *registration_; }

  // The connections that the kubelet keeps; only once registered.
  controlplane::node::BlockingDriver& registrar() { return *registrar_; }
  controlplane::node::BlockingDriver& service() { return *service_; }
  // A further connection to the endpoint, as after a restart of the kubelet.
  std::unique_ptr<controlplane::node::BlockingDriver> NewConnection() const;

  // SIGTERM, then waits. nullopt if it was still there after `timeout`; it is left running then.
  std::optional<ExitStatus> Terminate(Duration timeout);
  void Kill();

  // "exited with 1; it wrote: ..." : for messages about a process that is not as it should be.
  std::string Describe() const;

 private:
  std::unique_ptr<controlplane::node::BlockingDriver> Connect(const std::string& socket) const;

  std::unique_ptr<Process> process_;
  Transcript& transcript_;
  std::filesystem::path registry_;
  Sockets known_;
  std::string instance_;
  std::filesystem::path log_file_;
  std::optional<Registration> registration_;
  std::unique_ptr<controlplane::node::BlockingDriver> registrar_;
  std::unique_ptr<controlplane::node::BlockingDriver> service_;
};

// Connects to a unix stream socket and closes again.
Status TryConnect(const std::filesystem::path& socket);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_LAB_DRIVER_H_
