// The driver is killed in the middle of its work, at points that can be seen from outside: each
// time a file in the CDI or data directory changes.

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using Crash = Case;

constexpr int kPoints = 4;
constexpr int kEventLimitMs = 2000;

// Kills the driver as soon as the n-th change of a file was seen.
class KillAtFileEvent {
 public:
  KillAtFileEvent(const std::vector<std::filesystem::path>& directories)
      : fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    for (const std::filesystem::path& directory : directories) {
      inotify_add_watch(fd_, directory.c_str(),
                        IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE);
    }
  }
  ~KillAtFileEvent() { close(fd_); }
  KillAtFileEvent(const KillAtFileEvent&) = delete;
  KillAtFileEvent& operator=(const KillAtFileEvent&) = delete;

  // False if there were fewer events within the limit. Straight to the process: what the spawner
  // would add in time counts here.
  bool Run(int events, pid_t pid) const {
    alignas(inotify_event) std::array<char, sizeof(inotify_event) + NAME_MAX + 1> buffer;
    int seen = 0;
    pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
    while (poll(&readable, 1, kEventLimitMs) > 0) {
      const ssize_t size = read(fd_, buffer.data(), buffer.size());
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        if (++seen == events) {
          kill(pid, SIGKILL);
          return true;
        }
      }
    }
    return false;
  }

 private:
  int fd_;
};

DECIDES("CKPT-03", "UNPR-21");
TEST_F(Crash, InsidePrepareIsRepairedByPrepareOrUnprepare) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const FileSnapshot clean = CdiFiles();
  for (int point = 1; point <= kPoints; ++point) {
    const ResourceClaim claim = Allocated(devices);
    const KillAtFileEvent killer({lab().directories().cdi, lab().data_directory()});
    // Of its own, since the driver's go with the driver.
    const auto connection = driver().NewConnection();
    auto prepare = connection->StartPrepare({ReferenceTo(claim)}, Version(), kCallLimit);
    const bool killed = killer.Run(point, driver().process().pid());
    (void)prepare->Wait().ok();
    if (killed) {
      KillAndRestartDriver();
    }
    if (point % 2 == 0) {
      const std::string error = PrepareError(claim);
      EXPECT_DRIVER(error.empty())
          << "killed inside Prepare and restarted, Prepare fails: " << error;
    }
    Unprepare(claim);
    EXPECT_DRIVER(CdiFiles() == clean)
        << "killed inside Prepare, restarted and unprepared, the CDI directory is not as before";
    const ResourceClaim next = Allocated(devices);
    const std::string error = PrepareError(next);
    EXPECT_DRIVER(error.empty()) << "after a crash inside Prepare and an Unprepare the devices are "
                                 << "not free: " << error;
    Unprepare(next);
    if (!killed) {
      break;  // No later point exists.
    }
  }
}

DECIDES("CKPT-04");
TEST_F(Crash, InsideUnprepareIsFinishedByARetry) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const FileSnapshot clean = CdiFiles();
  for (int point = 1; point <= kPoints; ++point) {
    const ResourceClaim claim = Allocated(devices);
    Prepare(claim);
    const KillAtFileEvent killer({lab().directories().cdi, lab().data_directory()});
    const pid_t pid = driver().process().pid();
    const ClaimReference reference = ReferenceTo(claim);
    BlockingDriver& service = driver().service();
    const DraVersion version = Version();
    std::jthread unprepare([&] { (void)service.Unprepare({reference}, version, kCallLimit).ok(); });
    const bool killed = killer.Run(point, pid);
    unprepare.join();
    if (!killed) {
      break;
    }
    KillAndRestartDriver();
    Unprepare(claim);
    EXPECT_DRIVER(CdiFiles() == clean)
        << "killed inside Unprepare, restarted and retried, the CDI directory is not as before";
    const ResourceClaim next = Allocated(devices);
    const std::string error = PrepareError(next);
    EXPECT_DRIVER(error.empty())
        << "after a crash inside Unprepare and a retry the devices are not free: " << error;
    Unprepare(next);
  }
}

DECIDES("CKPT-05");
TEST_F(Crash, NeverFindsAHalfWrittenStateFile) {
  if (lab().profile().state_files.empty()) {
    EndCase(Outcome::kNotDecidable, "the profile names no files.state");
  }
  // Written in place, a state file is modified; written whole, it is moved to its name.
  const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  for (const std::filesystem::path& file : lab().StateFiles()) {
    inotify_add_watch(fd, file.c_str(), IN_MODIFY);
  }
  Unprepare(claim);
  pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
  alignas(inotify_event) std::array<char, 4096> buffer;
  bool modified = false;
  if (poll(&readable, 1, 0) > 0) {
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      modified = modified || (event->mask & IN_MODIFY) != 0;
    }
  }
  close(fd);
  EXPECT_DRIVER(!modified) << "a state file was written in place; a crash leaves half of it";
}

}  // namespace
}  // namespace assay::conformance
