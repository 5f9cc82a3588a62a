// A child process that is run instruction by instruction, to look at what it has done after each.
//
//   std::optional<TracedProcess> process = TracedProcess::Start([] { ... });
//   if (!process) GTEST_SKIP() << "this system does not let a child be traced";
//   while (process->Step()) ...
//
// Not thread-safe; the thread that starts it steps it.
#ifndef ASSAY_BASE_TESTING_TRACED_PROCESS_H_
#define ASSAY_BASE_TESTING_TRACED_PROCESS_H_

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <utility>

namespace assay::testing {

class TracedProcess {
 public:
  // Stopped before `body`, whose answer is whether all was well.
  static std::optional<TracedProcess> Start(const std::function<bool()>& body) {
    const pid_t child = fork();
    if (child == 0) {
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
        _exit(1);
      }
      raise(SIGSTOP);
      _exit(body() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) {
      return std::nullopt;
    }
    return TracedProcess(child);
  }
  TracedProcess(TracedProcess&& other) noexcept
      : child_(std::exchange(other.child_, -1)), succeeded_(other.succeeded_) {}
  TracedProcess& operator=(TracedProcess&&) = delete;
  ~TracedProcess() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
  }

  // Runs one instruction of it, or one round of a string instruction; false once it has ended.
  bool Step() {
    int status = 0;
    ptrace(PTRACE_SINGLESTEP, child_, nullptr, nullptr);
    waitpid(child_, &status, 0);
    if (WIFSTOPPED(status)) {
      return true;
    }
    child_ = -1;
    succeeded_ = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return false;
  }
  // What `body` answered, once it has ended.
  bool succeeded() const { return succeeded_; }

 private:
  explicit TracedProcess(pid_t child) : child_(child) {}
  pid_t child_;
  bool succeeded_ = false;
};

}  // namespace assay::testing

#endif  // ASSAY_BASE_TESTING_TRACED_PROCESS_H_
