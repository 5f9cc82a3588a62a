#include "base/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace assay {

struct RealEventLoop::Impl {
  int epoll_fd = -1;
  int wake_fd = -1;
  std::atomic<bool> stopped = false;
  std::atomic<std::thread::id> loop_thread;
  std::jthread thread;

  std::mutex mu;
  std::deque<Task> posted;  // Guarded by mu.

  // Touched on the loop only (or before it runs).
  std::map<std::pair<MonotonicTime, TimerId>, Task> timers;
  std::unordered_map<TimerId, MonotonicTime> due;
  TimerId next_timer = 1;
  // Shared: a callback may unwatch its own descriptor while it runs.
  std::unordered_map<int, std::shared_ptr<Task>> watched;

  void Wake() const {
    const std::uint64_t one = 1;
    // A full counter already wakes the loop.
    [[maybe_unused]] const ssize_t ignored = write(wake_fd, &one, sizeof one);
  }

  void RunPosted() {
    std::deque<Task> batch;
    {
      const std::lock_guard lock(mu);
      batch.swap(posted);
    }
    for (Task& task : batch) {
      if (stopped) {
        return;
      }
      task();
      task = nullptr;  // What it captured ends before the next task runs.
    }
  }

  void RunDueTimers() {
    const MonotonicTime now = Clock::Real().Monotonic();
    while (!stopped && !timers.empty() && timers.begin()->first.first <= now) {
      auto node = timers.extract(timers.begin());
      due.erase(node.key().second);
      node.mapped()();
    }
  }

  // Milliseconds until there is something to do; -1: until woken.
  int WaitTime() {
    {
      const std::lock_guard lock(mu);
      if (!posted.empty()) {
        return 0;
      }
    }
    if (timers.empty()) {
      return -1;
    }
    const Duration left = timers.begin()->first.first - Clock::Real().Monotonic();
    if (left <= Duration::zero()) {
      return 0;
    }
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
  }

  void DispatchDescriptors(int timeout_ms) {
    epoll_event events[64];
    const int count = epoll_wait(epoll_fd, events, 64, timeout_ms);
    ASSAY_CHECK(count >= 0 || errno == EINTR) << "epoll_wait: " << std::strerror(errno);
    for (int i = 0; i < count && !stopped; ++i) {
      if (events[i].data.fd == wake_fd) {
        std::uint64_t drained = 0;
        [[maybe_unused]] const ssize_t ignored = read(wake_fd, &drained, sizeof drained);
        continue;
      }
      const auto found = watched.find(events[i].data.fd);
      if (found != watched.end()) {
        const std::shared_ptr<Task> task = found->second;
        (*task)();
      }
    }
  }
};

RealEventLoop::RealEventLoop() : impl_(std::make_unique<Impl>()) {
  impl_->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  impl_->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ASSAY_CHECK(impl_->epoll_fd >= 0 && impl_->wake_fd >= 0) << std::strerror(errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = impl_->wake_fd;
  ASSAY_CHECK(epoll_ctl(impl_->epoll_fd, EPOLL_CTL_ADD, impl_->wake_fd, &event) == 0)
      << std::strerror(errno);
}

RealEventLoop::~RealEventLoop() {
  StopAndJoin();
  close(impl_->epoll_fd);
  close(impl_->wake_fd);
}

void RealEventLoop::Post(Task task) {
  {
    const std::lock_guard lock(impl_->mu);
    if (impl_->stopped) {
      return;
    }
    impl_->posted.push_back(std::move(task));
  }
  impl_->Wake();
}

EventLoop::TimerId RealEventLoop::RunAfter(Duration delay, Task task) {
  const TimerId timer = impl_->next_timer++;
  const MonotonicTime due = clock().Monotonic() + delay;
  impl_->timers.emplace(std::pair(due, timer), std::move(task));
  impl_->due.emplace(timer, due);
  return timer;
}

bool RealEventLoop::CancelTimer(TimerId timer) {
  const auto found = impl_->due.find(timer);
  if (found == impl_->due.end()) {
    return false;
  }
  impl_->timers.erase(std::pair(found->second, timer));
  impl_->due.erase(found);
  return true;
}

Status RealEventLoop::WatchReadable(int fd, Task on_readable) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(impl_->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoError(errno, "watching file descriptor " + std::to_string(fd));
  }
  impl_->watched[fd] = std::make_shared<Task>(std::move(on_readable));
  return OkStatus();
}

void RealEventLoop::Unwatch(int fd) {
  if (impl_->watched.erase(fd) > 0) {
    epoll_ctl(impl_->epoll_fd, EPOLL_CTL_DEL, fd, nullptr);
  }
}

bool RealEventLoop::InLoop() const { return impl_->loop_thread == std::this_thread::get_id(); }

void RealEventLoop::Run() {
  impl_->loop_thread = std::this_thread::get_id();
  while (!impl_->stopped) {
    impl_->RunPosted();
    impl_->RunDueTimers();
    if (!impl_->stopped) {
      impl_->DispatchDescriptors(impl_->WaitTime());
    }
  }
  impl_->loop_thread = std::thread::id();
}

void RealEventLoop::Start() {
  ASSAY_CHECK(!impl_->thread.joinable()) << "the loop already has a thread";
  impl_->thread = std::jthread([this] { Run(); });
}

void RealEventLoop::Stop() {
  {
    const std::lock_guard lock(impl_->mu);
    impl_->stopped = true;
  }
  impl_->Wake();
}

void RealEventLoop::StopAndJoin() {
  Stop();
  if (impl_->thread.joinable()) {
    ASSAY_CHECK(!InLoop()) << "a loop cannot join itself";
    impl_->thread.join();
  }
}

void VirtualEventLoop::Post(Task task) {
  const std::lock_guard lock(mu_);
  ready_.push_back(std::move(task));
}

EventLoop::TimerId VirtualEventLoop::RunAfter(Duration delay, Task task) {
  const TimerId timer = next_timer_++;
  const MonotonicTime due = clock_.Monotonic() + std::max(delay, Duration::zero());
  timers_.emplace(std::pair(due, timer), std::move(task));
  due_.emplace(timer, due);
  return timer;
}

bool VirtualEventLoop::CancelTimer(TimerId timer) {
  const auto found = due_.find(timer);
  if (found == due_.end()) {
    return false;
  }
  timers_.erase(std::pair(found->second, timer));
  due_.erase(found);
  return true;
}

Status VirtualEventLoop::WatchReadable(int, Task) {
  return UnimplementedError("a virtual event loop has no file descriptors");
}

void VirtualEventLoop::Unwatch(int) {}

std::size_t VirtualEventLoop::RunReady() {
  std::size_t ran = 0;
  while (true) {
    Task task;
    {
      const std::lock_guard lock(mu_);
      if (ready_.empty()) {
        return ran;
      }
      task = std::move(ready_.front());
      ready_.pop_front();
    }
    task();
    ++ran;
  }
}

bool VirtualEventLoop::RunNextTimer(MonotonicTime limit) {
  if (timers_.empty() || timers_.begin()->first.first > limit) {
    return false;
  }
  auto node = timers_.extract(timers_.begin());
  const auto [due, timer] = node.key();
  due_.erase(timer);
  if (due > clock_.Monotonic()) {
    clock_.Advance(due - clock_.Monotonic());
  }
  node.mapped()();
  return true;
}

void VirtualEventLoop::RunFor(Duration span) {
  const MonotonicTime end = clock_.Monotonic() + span;
  do {
    RunReady();
  } while (RunNextTimer(end));
  if (end > clock_.Monotonic()) {
    clock_.Advance(end - clock_.Monotonic());
  }
}

bool VirtualEventLoop::RunUntil(const std::function<bool()>& done, Duration limit) {
  const MonotonicTime end = clock_.Monotonic() + limit;
  RunReady();
  while (!done()) {
    if (!RunNextTimer(end)) {
      return false;
    }
    RunReady();
  }
  return true;
}

}  // namespace assay
