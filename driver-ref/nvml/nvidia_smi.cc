#include "driver-ref/nvml/nvidia_smi.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "base/file.h"

extern char** environ;

namespace assay::driver_ref::nvml {
namespace {

// It initialises the driver first where no persistence daemon keeps it so.
constexpr Duration kTimeout = std::chrono::seconds(15);

// Whether the child has ended by then.
bool EndsWithin(pid_t child, Duration timeout) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  if (fd < 0) {
    return true;  // Without pidfds (before Linux 5.3) there is no time limit.
  }
  pollfd ended{.fd = fd, .events = POLLIN, .revents = 0};
  const auto timeout_ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  const int ready = ::poll(&ended, 1, static_cast<int>(timeout_ms));
  ::close(fd);
  return ready == 1;
}

}  // namespace

Status RunProgram(const std::vector<std::string>& command, Duration timeout) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int output : {STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&files, output, "/dev/null", O_WRONLY, 0);
  }
  // The driver's own mask keeps signals from its threads.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = -1;
  const int error =
      ::posix_spawn(&child, command[0].c_str(), &files, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    return ErrnoError(error, command[0]);
  }
  const bool in_time = EndsWithin(child, timeout);
  if (!in_time) {
    ::kill(child, SIGKILL);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) {
    return DeadlineExceededError(command[0] + " did not end in time");
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0
             ? OkStatus()
             : InternalError(command[0] + " failed with status " + std::to_string(status));
}

Status NvidiaSmi::SetTimeSlice(const std::string& gpu, discovery::TimeSlice slice) const {
  return RunProgram({program_.string(), "compute-policy", "-i", gpu, "--set-timeslice",
                     std::to_string(static_cast<int>(slice))},
                    kTimeout)
      .WithContext(gpu);
}

}  // namespace assay::driver_ref::nvml
