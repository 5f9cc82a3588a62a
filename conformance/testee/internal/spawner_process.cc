#include "conformance/testee/internal/spawner_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <utility>

namespace assay::conformance::internal {
namespace {

constexpr int kKillLimitMs = 10'000;
constexpr int kKillRoundMs = 20;

std::int64_t NowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

// The parent of each process that can be seen.
std::map<pid_t, pid_t> Parents() {
  std::map<pid_t, pid_t> parents;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) {
    return parents;
  }
  while (const dirent* entry = readdir(proc)) {
    const int pid = std::atoi(entry->d_name);
    if (pid <= 0) {
      continue;
    }
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      continue;
    }
    std::array<char, 512> text{};
    const ssize_t size = read(fd, text.data(), text.size() - 1);
    close(fd);
    // "pid (name) state ppid": the name may hold anything, also ')'.
    const char* after_name = size > 0 ? std::strrchr(text.data(), ')') : nullptr;
    char state = 0;
    int parent = 0;
    if (after_name != nullptr && std::sscanf(after_name + 1, " %c %d", &state, &parent) == 2 &&
        state != 'Z') {
      parents[pid] = parent;
    }
  }
  closedir(proc);
  return parents;
}

std::vector<pid_t> Descendants(pid_t root) {
  const std::map<pid_t, pid_t> parents = Parents();
  std::vector<pid_t> found;
  for (const auto& [pid, parent] : parents) {
    pid_t ancestor = parent;
    // A chain longer than the table is a loop made by pids that were reused meanwhile.
    for (std::size_t hops = 0; ancestor > 0 && ancestor != root && hops < parents.size(); ++hops) {
      const auto next = parents.find(ancestor);
      ancestor = next == parents.end() ? 0 : next->second;
    }
    if (ancestor == root && pid != root) {
      found.push_back(pid);
    }
  }
  return found;
}

// Ends every descendant of this process, which is a child subreaper: no child left means that no
// descendant is left. Calls `on_reaped` for each child. Returns how many are still there at the
// time limit.
template <typename OnReaped>
int KillDescendants(OnReaped on_reaped) {
  const std::int64_t limit = NowMs() + kKillLimitMs;
  for (;;) {
    const std::vector<pid_t> descendants = Descendants(getpid());
    for (const pid_t pid : descendants) {
      kill(pid, SIGKILL);
    }
    const std::int64_t round_end = NowMs() + kKillRoundMs;
    do {
      int status = 0;
      const pid_t reaped = waitpid(-1, &status, WNOHANG);
      if (reaped > 0) {
        on_reaped(reaped, status);
      } else if (reaped < 0 && errno == ECHILD) {
        return 0;
      } else {
        timespec pause{.tv_sec = 0, .tv_nsec = 500'000};
        nanosleep(&pause, nullptr);
      }
    } while (NowMs() < round_end);
    if (NowMs() >= limit) {
      return static_cast<int>(Descendants(getpid()).size());
    }
  }
}

template <typename Message>
void Send(int socket, const Message& message) {
  // An owner that is gone is noticed by reading.
  (void)!send(socket, &message, sizeof(message), MSG_NOSIGNAL);
}

void Send(int socket, Report::Kind kind, int value) {
  Send(socket, Report{.kind = kind, .value = value});
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) {
    pointers.push_back(string.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

void ResetSignals() {
  for (int number = 1; number < NSIG; ++number) {
    (void)signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// In the testee's process: becomes the program, or writes errno to `error_pipe`.
[[noreturn]] void Execute(SpawnRequest& request, int output, int error_pipe, pid_t supervisor) {
  const auto fail = [&] {
    const int error = errno;
    (void)!write(error_pipe, &error, sizeof(error));
    _exit(127);
  };
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) {
    _exit(127);
  }
  ResetSignals();
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(output, STDERR_FILENO) < 0) {
    fail();
  }
  if (chdir(request.working_directory.c_str()) != 0) {
    fail();
  }
  std::vector<char*> env = Pointers(request.env);
  std::vector<char*> argv = Pointers(request.argv);
  // execvpe looks in this process' PATH, which is the caller's.
  execvpe(argv[0], argv.data(), env.data());
  fail();
  _exit(127);
}

// Returns the program's pid, or minus errno.
pid_t StartProgram(SpawnRequest& request, int output) {
  std::array<int, 2> errors{};
  if (pipe2(errors.data(), O_CLOEXEC) != 0) {
    return -errno;
  }
  const pid_t supervisor = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    Execute(request, output, errors[1], supervisor);
  }
  const int fork_error = errno;
  close(errors[1]);
  int error = 0;
  const bool failed = pid > 0 && read(errors[0], &error, sizeof(error)) == sizeof(error);
  close(errors[0]);
  if (pid < 0) {
    return -fork_error;
  }
  if (failed) {
    waitpid(pid, nullptr, 0);
    return -error;
  }
  return pid;
}

// Closes every descriptor from 3 on but `keep`.
void CloseOthers(std::vector<int> keep) {
  std::vector<int> open_fds;
  DIR* self = opendir("/proc/self/fd");
  if (self == nullptr) {
    return;
  }
  while (const dirent* entry = readdir(self)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > STDERR_FILENO && fd != dirfd(self)) {
      open_fds.push_back(fd);
    }
  }
  closedir(self);
  for (const int fd : open_fds) {
    bool wanted = false;
    for (const int kept : keep) {
      wanted = wanted || kept == fd;
    }
    if (!wanted) {
      close(fd);
    }
  }
}

// The supervisor's main: one program, until the owner's end of `control` closes.
[[noreturn]] void Supervise(SpawnRequest request, int control, int output) {
  prctl(PR_SET_NAME, "assay-supervise");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  (void)signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  const int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);

  const pid_t program = StartProgram(request, output);
  close(output);
  if (program < 0) {
    Send(control, Report::Kind::kFailed, -program);
    _exit(0);
  }
  Send(control, Report::Kind::kStarted, program);
  bool running = true;
  const auto on_reaped = [&](pid_t pid, int status) {
    if (pid == program) {
      running = false;
      Send(control, Report::Kind::kExited, status);
    }
  };
  for (;;) {
    std::array<pollfd, 2> fds = {{{.fd = control, .events = POLLIN, .revents = 0},
                                  {.fd = signals, .events = POLLIN, .revents = 0}}};
    if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
      break;
    }
    if (fds[1].revents != 0) {
      signalfd_siginfo ignored{};
      while (read(signals, &ignored, sizeof(ignored)) > 0) {
      }
      int status = 0;
      for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0;
           pid = waitpid(-1, &status, WNOHANG)) {
        on_reaped(pid, status);
      }
    }
    if (fds[0].revents != 0) {
      Command command{};
      if (recv(control, &command, sizeof(command), 0) != sizeof(command)) {
        break;  // The owner is gone.
      }
      if (command.kind == Command::Kind::kKillTree) {
        Send(control, Report::Kind::kGone, KillDescendants(on_reaped));
      } else if (running) {
        kill(program, command.value);
      }
    }
  }
  KillDescendants(on_reaped);
  _exit(0);
}

// One request with its two descriptors; false when the owner is gone.
bool Receive(int socket, std::string& text, std::array<int, 2>& fds) {
  text.resize(kMaxRequestBytes);
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> ancillary{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  ssize_t size = 0;
  do {
    size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (size <= 0 || header == nullptr || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(2 * sizeof(int))) {
    return false;
  }
  std::memcpy(fds.data(), CMSG_DATA(header), 2 * sizeof(int));
  text.resize(static_cast<std::size_t>(size));
  return true;
}

}  // namespace

std::string EncodeRequest(const SpawnRequest& request) {
  std::string text = std::to_string(request.argv.size()) + '\0' + request.working_directory + '\0';
  for (const std::vector<std::string>* list : {&request.argv, &request.env}) {
    for (const std::string& string : *list) {
      text += string + '\0';
    }
  }
  return text;
}

std::optional<SpawnRequest> DecodeRequest(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  const std::size_t argc = parts.size() < 2 ? 0 : std::strtoul(parts[0].c_str(), nullptr, 10);
  if (argc == 0 || argc > parts.size() - 2) {
    return std::nullopt;
  }
  const auto first = parts.begin() + 2;
  const auto middle = first + static_cast<std::ptrdiff_t>(argc);
  return SpawnRequest{
      .working_directory = parts[1], .argv = {first, middle}, .env = {middle, parts.end()}};
}

void RunSpawner(int socket) {
  prctl(PR_SET_NAME, "assay-spawner");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // A terminal's Ctrl-C is for the owner to handle.
  setsid();
  ResetSignals();
  // Supervisors are reaped by the kernel.
  (void)signal(SIGCHLD, SIG_IGN);
  CloseOthers({socket});
  std::string text;
  std::array<int, 2> fds{};
  while (Receive(socket, text, fds)) {
    std::optional<SpawnRequest> request = DecodeRequest(text);
    const pid_t pid = request ? fork() : -1;
    if (pid == 0) {
      close(socket);
      Supervise(*std::move(request), fds[0], fds[1]);
    }
    if (pid < 0) {
      Send(fds[0], Report::Kind::kFailed, request ? errno : EINVAL);
    }
    close(fds[0]);
    close(fds[1]);
  }
  (void)signal(SIGCHLD, SIG_DFL);
  KillDescendants([](pid_t, int) {});
  _exit(0);
}

}  // namespace assay::conformance::internal
