#include "conformance/testee/spawner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "conformance/testee/internal/spawner_process.h"

namespace assay::conformance {
namespace {

using internal::Report;

constexpr std::size_t kHeadBytes = std::size_t{64} << 10U;
constexpr std::size_t kTailBytes = std::size_t{256} << 10U;
constexpr Duration kKillLimit = std::chrono::seconds(12);

// The first and the last part of a text that may have no end.
class BoundedText {
 public:
  void Append(std::string_view text) {
    total_ += text.size();
    if (head_.size() < kHeadBytes) {
      const std::size_t room = std::min(text.size(), kHeadBytes - head_.size());
      head_.append(text.substr(0, room));
      text.remove_prefix(room);
    }
    tail_.append(text);
    if (tail_.size() > 2 * kTailBytes) {
      tail_.erase(0, tail_.size() - kTailBytes);
    }
  }

  std::uint64_t total() const { return total_; }

  std::string From(std::uint64_t from) const {
    std::string text;
    if (from < head_.size()) {
      text = head_.substr(static_cast<std::size_t>(from));
    }
    const std::uint64_t tail_begin = total_ - tail_.size();
    const std::uint64_t wanted = std::max<std::uint64_t>(from, head_.size());
    if (wanted < tail_begin) {
      text += "\n[... " + std::to_string(tail_begin - wanted) + " bytes dropped ...]\n";
    }
    const std::uint64_t begin = std::max(wanted, tail_begin);
    if (begin < total_) {
      text += tail_.substr(static_cast<std::size_t>(begin - tail_begin));
    }
    return text;
  }

 private:
  std::string head_;
  std::string tail_;
  std::uint64_t total_ = 0;
};

bool SendRequest(int socket, std::string& text, const std::array<int, 2>& fds) {
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> ancillary{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(2 * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), 2 * sizeof(int));
  return sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

}  // namespace

std::string ExitStatus::ToString() const {
  return signal != 0 ? "was ended by signal " + std::to_string(signal)
                     : "exited with " + std::to_string(code);
}

struct Process::Impl {
  pid_t pid = 0;
  int control = -1;
  int output = -1;
  int stop = -1;  // eventfd: ends the reader.
  std::uint64_t max_output_bytes = 0;

  mutable std::mutex mu;
  std::condition_variable changed;
  BoundedText text;                // Guarded by mu.
  bool output_ended = false;       // Guarded by mu.
  bool flooded = false;            // Guarded by mu.
  std::optional<ExitStatus> exit;  // Guarded by mu.
  std::optional<int> left_behind;  // Guarded by mu. Set when the tree is gone.
  bool supervisor_gone = false;    // Guarded by mu.

  std::jthread reader;

  ~Impl() {
    if (reader.joinable()) {
      const std::uint64_t one = 1;
      (void)!write(stop, &one, sizeof(one));
      reader.join();
    }
    for (const int fd : {control, output, stop}) {
      if (fd >= 0) {
        close(fd);
      }
    }
  }

  Status SendCommand(internal::Command::Kind kind, int value) const {
    const internal::Command command{.kind = kind, .value = value};
    if (send(control, &command, sizeof(command), MSG_NOSIGNAL) != sizeof(command)) {
      return ErrnoError(errno, "the supervisor of process " + std::to_string(pid));
    }
    return OkStatus();
  }

  void ReadOutput() {
    std::array<char, 65536> buffer;
    const ssize_t size = read(output, buffer.data(), buffer.size());
    bool flood = false;
    {
      const std::lock_guard lock(mu);
      if (size <= 0) {
        output_ended = true;
      } else {
        text.Append({buffer.data(), static_cast<std::size_t>(size)});
        flood = !flooded && text.total() > max_output_bytes;
        flooded = flooded || flood;
      }
    }
    if (flood) {
      (void)SendCommand(internal::Command::Kind::kKillTree, 0).ok();
    }
  }

  void ReadReport() {
    Report report{};
    const ssize_t size = recv(control, &report, sizeof(report), 0);
    const std::lock_guard lock(mu);
    if (size != sizeof(report)) {
      supervisor_gone = true;
      if (!exit) {
        exit = ExitStatus{.code = 0, .signal = SIGKILL};
      }
      left_behind = left_behind.value_or(0);
    } else if (report.kind == Report::Kind::kExited) {
      exit = WIFSIGNALED(report.value) ? ExitStatus{.code = 0, .signal = WTERMSIG(report.value)}
                                       : ExitStatus{.code = WEXITSTATUS(report.value), .signal = 0};
    } else if (report.kind == Report::Kind::kGone) {
      left_behind = report.value;
    }
  }

  void Read() {
    for (;;) {
      std::array<pollfd, 3> fds = {{{.fd = stop, .events = POLLIN, .revents = 0},
                                    {.fd = control, .events = POLLIN, .revents = 0},
                                    {.fd = output, .events = POLLIN, .revents = 0}}};
      {
        const std::lock_guard lock(mu);
        // A negative descriptor is skipped by poll.
        fds[1].fd = supervisor_gone ? -1 : control;
        fds[2].fd = output_ended ? -1 : output;
      }
      if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
        return;
      }
      if (fds[0].revents != 0) {
        return;
      }
      if (fds[2].revents != 0) {
        ReadOutput();
      }
      if (fds[1].revents != 0) {
        ReadReport();
      }
      changed.notify_all();
    }
  }
};

Process::Process(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Process::~Process() { (void)KillTree().ok(); }

pid_t Process::pid() const { return impl_->pid; }

bool Process::running() const {
  const std::lock_guard lock(impl_->mu);
  return !impl_->exit.has_value();
}

bool Process::flooded() const {
  const std::lock_guard lock(impl_->mu);
  return impl_->flooded;
}

std::optional<ExitStatus> Process::WaitForExit(Duration limit) {
  std::unique_lock lock(impl_->mu);
  impl_->changed.wait_for(lock, limit, [&] { return impl_->exit.has_value(); });
  return impl_->exit;
}

Status Process::Signal(int signal) {
  if (!running()) {
    return FailedPreconditionError("process " + std::to_string(pid()) + " has exited");
  }
  return impl_->SendCommand(internal::Command::Kind::kSignal, signal);
}

Status Process::KillTree() {
  {
    const std::lock_guard lock(impl_->mu);
    if (impl_->supervisor_gone) {
      return OkStatus();
    }
    impl_->left_behind.reset();
  }
  ASSAY_RETURN_IF_ERROR(impl_->SendCommand(internal::Command::Kind::kKillTree, 0));
  std::unique_lock lock(impl_->mu);
  if (!impl_->changed.wait_for(lock, kKillLimit, [&] { return impl_->left_behind.has_value(); }) ||
      *impl_->left_behind != 0) {
    return DeadlineExceededError("process " + std::to_string(pid()) + ": " +
                                 std::to_string(impl_->left_behind.value_or(-1)) +
                                 " processes could not be ended");
  }
  return OkStatus();
}

std::uint64_t Process::output_bytes() const {
  const std::lock_guard lock(impl_->mu);
  return impl_->text.total();
}

std::string Process::Output(std::uint64_t from) const {
  const std::lock_guard lock(impl_->mu);
  return impl_->text.From(from);
}

bool Process::WaitForOutput(const std::string& text, std::uint64_t from, Duration limit) {
  std::unique_lock lock(impl_->mu);
  const auto found = [&] { return impl_->text.From(from).find(text) != std::string::npos; };
  impl_->changed.wait_for(lock, limit, [&] { return found() || impl_->output_ended; });
  return found();
}

Result<std::unique_ptr<Spawner>> Spawner::Start() {
  std::array<int, 2> sockets{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    return ErrnoError(errno, "socketpair for the spawner");
  }
  // A request must fit into the socket's buffer.
  const int size = 2 * static_cast<int>(internal::kMaxRequestBytes);
  setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  const pid_t pid = fork();
  if (pid < 0) {
    const int error = errno;
    close(sockets[0]);
    close(sockets[1]);
    return ErrnoError(error, "fork of the spawner");
  }
  if (pid == 0) {
    internal::RunSpawner(sockets[1]);
  }
  close(sockets[1]);
  return std::unique_ptr<Spawner>(new Spawner(sockets[0], pid));
}

Spawner::~Spawner() {
  close(socket_);
  waitpid(pid_, nullptr, 0);
}

Result<std::unique_ptr<Process>> Spawner::Spawn(const ProcessOptions& options) {
  if (options.argv.empty()) {
    return InvalidArgumentError("a process needs a command");
  }
  internal::SpawnRequest request{
      .working_directory = options.working_directory.string(), .argv = options.argv, .env = {}};
  for (const auto& [key, value] : options.env) {
    request.env.push_back(key + "=" + value);
  }
  std::string text = internal::EncodeRequest(request);
  if (text.size() > internal::kMaxRequestBytes) {
    return InvalidArgumentError(options.argv[0] + ": the command and its environment take " +
                                std::to_string(text.size()) + " bytes, more than " +
                                std::to_string(internal::kMaxRequestBytes));
  }
  auto impl = std::make_unique<Process::Impl>();
  impl->max_output_bytes = options.max_output_bytes;
  impl->stop = eventfd(0, EFD_CLOEXEC);
  std::array<int, 2> control{-1, -1};
  std::array<int, 2> output{-1, -1};
  if (impl->stop < 0 ||
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control.data()) != 0 ||
      pipe2(output.data(), O_CLOEXEC) != 0) {
    const Status status = ErrnoError(errno, "pipes for " + options.argv[0]);
    for (const int fd : {control[0], control[1]}) {
      if (fd >= 0) {
        close(fd);
      }
    }
    return status;
  }
  impl->control = control[0];
  impl->output = output[0];
  const bool sent = SendRequest(socket_, text, {control[1], output[1]});
  const int send_error = errno;
  close(control[1]);
  close(output[1]);
  if (!sent) {
    return ErrnoError(send_error, "the spawner");
  }
  Report report{};
  if (recv(impl->control, &report, sizeof(report), 0) != sizeof(report)) {
    return InternalError("the spawner ended");
  }
  if (report.kind != Report::Kind::kStarted) {
    return ErrnoError(report.value, "cannot start " + options.argv[0]);
  }
  impl->pid = report.value;
  impl->reader = std::jthread([raw = impl.get()] { raw->Read(); });
  return std::make_unique<Process>(std::move(impl));
}

}  // namespace assay::conformance
