// Workers: the processes among which the cases of a run are divided.
//
// GoogleTest's state, a lab and its driver are one per process, so what runs side by side are
// processes. They take cases from a list in shared memory, so that a slow one holds up nobody else,
// and tell over a pipe what became of each. A worker that dies costs the case that it was in.
//
// For the runner alone.
#ifndef ASSAY_CONFORMANCE_RUNNER_WORKER_H_
#define ASSAY_CONFORMANCE_RUNNER_WORKER_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conformance/runner/registry.h"
#include "conformance/testee/profile.h"
#include "conformance/verdict/verdict.h"

namespace assay::conformance {

// Which cases nobody has begun yet, in memory that every process has that is forked afterwards.
//
// Thread-safe, and between processes.
class CaseQueue {
 public:
  static Result<CaseQueue> Create(std::size_t count);
  ~CaseQueue();
  CaseQueue(CaseQueue&& other) noexcept;
  CaseQueue& operator=(CaseQueue&&) = delete;

  // True for one caller alone.
  bool Take(std::size_t index) { return !shared_[index + 1].exchange(true); }
  // Tells all workers to begin no case any more.
  void Stop() { shared_[0] = true; }
  bool stopped() const { return shared_[0]; }

 private:
  using Flag = std::atomic<bool>;
  static_assert(Flag::is_always_lock_free);

  CaseQueue(Flag* shared, std::size_t count) : shared_(shared), count_(count) {}

  Flag* shared_;  // Whether to stop, then for each case whether it was taken.
  std::size_t count_;
};

// One line of what a worker tells.
struct WorkerMessage {
  enum class Kind {
    kBegan,        // `index` alone.
    kEnded,        // `index` and `result`.
    kDriver,       // `program` and `devices`: what there is to test.
    kTrouble,      // `status`: what went wrong outside of any case.
    kCannotStart,  // `status`: no case can be run at all.
  };
  Kind kind = Kind::kTrouble;
  std::size_t index = 0;  // In the cases of the run.
  CaseResult result;      // What the case's CaseInfo does not say already.
  Status status;
  std::string program;
  std::vector<DeviceSummary> devices;

  std::string ToLine() const;
  static WorkerMessage FromLine(std::string_view line);
};

struct WorkerOptions {
  const std::vector<CaseInfo>* cases = nullptr;  // Of the run.
  CaseQueue* queue = nullptr;
  Profile profile;
  std::filesystem::path root;  // Of its lab: made by the worker, removed by whoever started it.
  std::filesystem::path bin_directory;
  std::filesystem::path log_directory;  // Of this worker's drivers; empty: kept nowhere.
  std::function<bool()> interrupted;    // May be empty.
};

// A process that runs cases until none is left.
class Worker {
 public:
  // Forks it. Call it while this process has one thread.
  static Result<Worker> Start(const WorkerOptions& options);
  Worker(Worker&& other) noexcept;
  Worker& operator=(Worker&& other) noexcept;
  // Kills it, if it runs.
  ~Worker();

  // Becomes readable with what it tells, and at its end.
  int fd() const { return fd_; }
  // What it has told since the last call. Waits where there is nothing yet; false at its end.
  bool Read(std::vector<WorkerMessage>* messages);
  // After the end: how the process ended, where that was not by itself.
  std::optional<std::string> Failure();
  // The case that it has begun and not ended.
  std::optional<std::size_t> running() const { return running_; }

 private:
  Worker(pid_t pid, int fd) : pid_(pid), fd_(fd) {}

  pid_t pid_;
  int fd_;
  std::string unread_;
  std::optional<std::size_t> running_;
};

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_RUNNER_WORKER_H_
