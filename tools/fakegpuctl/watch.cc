#include "tools/fakegpuctl/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "fakegpu/model/state_watch.h"
#include "tools/fakegpuctl/live.h"

namespace assay::tools {
namespace {

using fakegpu::control::Node;
using fakegpu::control::NodeInfo;
using fakegpu::model::StateWatch;

constexpr char kEnterScreen[] = "\x1b[?1049h\x1b[?25l";
constexpr char kLeaveScreen[] = "\x1b[?25h\x1b[?1049l";
// Home; then each line is cleared behind its text, and the screen below.
constexpr char kHome[] = "\x1b[H";
constexpr char kClearLine[] = "\x1b[K\n";
constexpr char kClearBelow[] = "\x1b[J";

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

class Terminal {
 public:
  Terminal() { Print(kEnterScreen); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() { Print(kLeaveScreen); }

  void Draw(const NodeInfo& node) {
    std::string screen = kHome;
    for (const char c : DrawNode(node)) {
      screen += c == '\n' ? kClearLine : std::string(1, c);
    }
    Print(screen + kClearBelow);
  }
};

// SIGINT and SIGTERM as something to wait for.
class EndSignals {
 public:
  EndSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  ~EndSignals() { close(fd_); }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Waits for a change, or the interval (negative: for ever). False when it is time to end.
bool Wait(StateWatch& watch, const EndSignals& end, int interval_ms) {
  pollfd waits[] = {{.fd = end.fd(), .events = POLLIN, .revents = 0},
                    {.fd = watch.fd(), .events = POLLIN, .revents = 0}};
  if (poll(waits, 2, interval_ms) < 0 && errno != EINTR) {
    return false;
  }
  watch.Drain();
  return waits[0].revents == 0;
}

Status WatchOnTerminal(const Node& node, StateWatch watch, const EndSignals& end, int interval_ms) {
  Terminal terminal;
  do {
    ASSAY_ASSIGN_OR_RETURN(const NodeInfo info, node.Show());
    terminal.Draw(info);
  } while (Wait(watch, end, interval_ms));
  return OkStatus();
}

void PrintLine(const NodeInfo& node, const std::string& line) {
  std::printf("%.3f %s\n", std::chrono::duration<double>(node.time).count(), line.c_str());
}

Status WatchInLines(const Node& node, StateWatch watch, const EndSignals& end) {
  ASSAY_ASSIGN_OR_RETURN(NodeInfo before, node.Show());
  PrintLine(before, before.name + ": " + std::to_string(before.gpus.size()) + " GPUs");
  std::fflush(stdout);
  while (Wait(watch, end, -1)) {
    ASSAY_ASSIGN_OR_RETURN(NodeInfo after, node.Show());
    for (const std::string& line : Changes(before, after)) {
      PrintLine(after, line);
    }
    std::fflush(stdout);
    before = std::move(after);
  }
  return OkStatus();
}

}  // namespace

Status Watch(const Node& node, Duration interval) {
  const EndSignals end;
  ASSAY_ASSIGN_OR_RETURN(StateWatch watch, StateWatch::Open(node.state_path()));
  if (isatty(STDOUT_FILENO) == 0) {
    return WatchInLines(node, std::move(watch), end);
  }
  const auto interval_ms = std::chrono::duration_cast<std::chrono::milliseconds>(interval).count();
  return WatchOnTerminal(node, std::move(watch), end, static_cast<int>(interval_ms));
}

}  // namespace assay::tools
