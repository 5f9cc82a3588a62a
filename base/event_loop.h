// EventLoop: one thread of control for a state machine: posted calls, timers, file descriptors.
//
// Every controller, the scheduler and the node agent run on one loop and touch their state only
// there, so they need no locks. `RealEventLoop` waits with epoll; `VirtualEventLoop` has a clock of
// its own that jumps to the next timer, so that a test, or five thousand nodes in one process, need
// no real time.
//
// Post() is thread-safe; everything else is called on the loop (or before it runs).
#ifndef ASSAY_BASE_EVENT_LOOP_H_
#define ASSAY_BASE_EVENT_LOOP_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/result.h"

namespace assay {

class EventLoop {
 public:
  using Task = std::function<void()>;
  using TimerId = std::uint64_t;
  static constexpr TimerId kNoTimer = 0;

  virtual ~EventLoop() = default;

  virtual const Clock& clock() const = 0;

  // Runs `task` on the loop, after the tasks posted before it. Thread-safe. Tasks posted after the
  // loop has stopped are dropped.
  virtual void Post(Task task) = 0;

  // Runs `task` on the loop once `delay` has passed. Never returns kNoTimer.
  virtual TimerId RunAfter(Duration delay, Task task) = 0;
  // Returns false if the timer has fired or never was.
  virtual bool CancelTimer(TimerId timer) = 0;

  // Calls `on_readable` on the loop whenever `fd` is readable (level-triggered), until Unwatch.
  virtual Status WatchReadable(int fd, Task on_readable) = 0;
  virtual void Unwatch(int fd) = 0;

  // True on the thread that runs the loop.
  virtual bool InLoop() const = 0;
};

// Waits in epoll. Run() on the caller's thread, or Start() on one of its own.
class RealEventLoop : public EventLoop {
 public:
  RealEventLoop();
  ~RealEventLoop() override;  // Stops and joins.

  const Clock& clock() const override { return Clock::Real(); }
  void Post(Task task) override;
  TimerId RunAfter(Duration delay, Task task) override;
  bool CancelTimer(TimerId timer) override;
  Status WatchReadable(int fd, Task on_readable) override;
  void Unwatch(int fd) override;
  bool InLoop() const override;

  // Runs until Stop(); the calling thread is the loop's.
  void Run();
  // Starts a thread that runs the loop.
  void Start();
  // Thread-safe; returns at once. What is posted but has not run is dropped.
  void Stop();
  // Stop(), then waits for the thread of Start(), if any.
  void StopAndJoin();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Single-threaded, no real time. Time moves only inside RunFor and RunUntil, from timer to timer.
class VirtualEventLoop : public EventLoop {
 public:
  VirtualEventLoop() = default;
  explicit VirtualEventLoop(WallTime start) : clock_(start) {}

  const Clock& clock() const override { return clock_; }
  void Post(Task task) override;
  TimerId RunAfter(Duration delay, Task task) override;
  bool CancelTimer(TimerId timer) override;
  Status WatchReadable(int fd, Task on_readable) override;  // kUnimplemented.
  void Unwatch(int fd) override;
  bool InLoop() const override { return true; }

  // Runs what is posted and due, without moving time. Returns how many tasks ran.
  std::size_t RunReady();
  // Runs everything that becomes due within `span`, then leaves the clock at its end.
  void RunFor(Duration span);
  // Runs until `done()` holds; false if `limit` of virtual time passed, or nothing is left to run.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

 private:
  bool RunNextTimer(MonotonicTime limit);

  FakeClock clock_;
  std::mutex mu_;
  std::deque<Task> ready_;  // Guarded by mu_.
  std::map<std::pair<MonotonicTime, TimerId>, Task> timers_;
  std::unordered_map<TimerId, MonotonicTime> due_;
  TimerId next_timer_ = 1;
};

}  // namespace assay

#endif  // ASSAY_BASE_EVENT_LOOP_H_
