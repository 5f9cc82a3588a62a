#include "conformance/lab/driver.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/file.h"

namespace assay::conformance {
namespace {

using controlplane::node::BlockingDriver;

constexpr std::size_t kDescribedOutputBytes = 600;
// How often a wait for files looks whether the process is still there.
constexpr int kLivenessMs = 100;

// Tells that something in a directory has changed.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(const std::filesystem::path& directory)
      : fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    if (fd_ >= 0) {
      inotify_add_watch(fd_, directory.c_str(), IN_CREATE | IN_MOVED_TO | IN_ATTRIB);
    }
  }
  ~DirectoryWatch() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // Until there is a change, or `limit_ms` have passed.
  void Wait(int limit_ms) const {
    pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, limit_ms) > 0) {
      std::array<char, 4096> events;
      while (read(fd_, events.data(), events.size()) > 0) {
      }
    }
  }

 private:
  int fd_;
};

}  // namespace

Sockets SocketsIn(const std::filesystem::path& directory) {
  Sockets sockets;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    struct stat found{};
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || lstat(entry.path().c_str(), &found) != 0 ||
        !S_ISSOCK(found.st_mode)) {
      continue;
    }
    sockets[name] = {.inode = found.st_ino,
                     .changed_ns = found.st_ctim.tv_sec * 1'000'000'000 + found.st_ctim.tv_nsec};
  }
  return sockets;
}

Status TryConnect(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.string().size() >= sizeof(address.sun_path)) {
    return InvalidArgumentError(socket.string() + " is longer than a socket's path may be");
  }
  std::strncpy(address.sun_path, socket.c_str(), sizeof(address.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return ErrnoError(errno, "socket");
  }
  Status status;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    status = ErrnoError(errno, "connect to " + socket.string());
  }
  close(fd);
  return status;
}

Driver::Driver(std::unique_ptr<Process> process, std::filesystem::path registry, Sockets known,
               std::string instance, Transcript& transcript)
    : process_(std::move(process)),
      transcript_(transcript),
      registry_(std::move(registry)),
      known_(std::move(known)),
      instance_(std::move(instance)) {}

Driver::~Driver() {
  Kill();
  if (!log_file_.empty()) {
    // A log that cannot be kept is no reason to fail.
    std::error_code error;
    std::filesystem::create_directories(log_file_.parent_path(), error);
    (void)WriteFileAtomically(log_file_, process_->Output()).ok();
  }
}

Status Driver::Register(const std::string& name, Duration timeout) {
  const MonotonicTime limit = Clock::Real().Monotonic() + timeout;
  const DirectoryWatch watch(registry_);
  Status last = DeadlineExceededError("no socket appeared in the registry directory");
  for (;;) {
    for (const auto& [socket, id] : SocketsIn(registry_)) {
      const auto known = known_.find(socket);
      if (known != known_.end() && known->second == id) {
        continue;  // Another instance's, or left by a predecessor.
      }
      const std::filesystem::path path = registry_ / socket;
      auto registrar = Connect(path.string());
      const MonotonicTime begin = Clock::Real().Monotonic();
      Result<controlplane::node::PluginInfo> info = registrar->GetInfo();
      if (!info.ok()) {
        last = info.status().WithContext("GetInfo on " + socket);
        continue;
      }
      if (info->name != name) {
        last = InternalError("GetInfo on " + socket + " names the driver '" + info->name +
                             "', not '" + name + "'");
        continue;
      }
      Registration registration{.socket = path, .info = *info, .endpoint = info->endpoint};
      registration.get_info_time = Clock::Real().Monotonic() - begin;
      if (registration.endpoint.empty()) {
        registration.endpoint = path.string();
      }
      registration.first_connect = TryConnect(registration.endpoint);
      auto service = Connect(registration.endpoint);
      ASSAY_RETURN_IF_ERROR(
          registrar->NotifyRegistrationStatus().WithContext("NotifyRegistrationStatus"));
      registrar_ = std::move(registrar);
      service_ = std::move(service);
      registration_ = std::move(registration);
      return OkStatus();
    }
    if (!process_->running()) {
      return UnavailableError("the driver " + Describe());
    }
    if (Clock::Real().Monotonic() >= limit) {
      return last.WithContext("the driver did not register in time");
    }
    watch.Wait(kLivenessMs);
  }
}

std::unique_ptr<BlockingDriver> Driver::NewConnection() const {
  return Connect(registration_->endpoint);
}

std::unique_ptr<BlockingDriver> Driver::Connect(const std::string& socket) const {
  return std::make_unique<BlockingDriver>(
      socket, [this](std::unique_ptr<controlplane::node::DriverConnection> connection) {
        return Transcribed(std::move(connection), transcript_);
      });
}

std::optional<ExitStatus> Driver::Terminate(Duration timeout) {
  transcript_.Add("harness", "SIGTERM to the driver");
  (void)process_->Signal(SIGTERM).ok();
  std::optional<ExitStatus> exit = process_->WaitForExit(timeout);
  transcript_.Add("driver", exit ? exit->ToString() : "still runs");
  return exit;
}

void Driver::Kill() {
  if (process_->running()) {
    transcript_.Add("harness", "SIGKILL to the driver");
  }
  (void)process_->KillTree().ok();
}

std::string Driver::Describe() const {
  const std::optional<ExitStatus> exit = process_->WaitForExit(Duration::zero());
  std::string text = process_->flooded() ? "flooded its output"
                     : exit              ? exit->ToString()
                                         : "is running";
  const std::uint64_t bytes = process_->output_bytes();
  if (bytes > 0) {
    const std::uint64_t from = bytes > kDescribedOutputBytes ? bytes - kDescribedOutputBytes : 0;
    text += "; it wrote: " + process_->Output(from);
  }
  return text;
}

}  // namespace assay::conformance
