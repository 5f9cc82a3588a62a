#include "controlplane/scheduler/scheduling_queue.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace assay::controlplane::scheduler {
namespace {

constexpr Duration kFirstBackoff = std::chrono::seconds(1);
constexpr Duration kMaxBackoff = std::chrono::seconds(10);
constexpr Duration kMaxUnschedulable = std::chrono::minutes(5);

}  // namespace

SchedulingQueue::SchedulingQueue(EventLoop& loop, std::function<bool(QueuedPod&)> may_enter,
                                 std::function<void()> wake)
    : loop_(&loop), may_enter_(std::move(may_enter)), wake_(std::move(wake)) {}

SchedulingQueue::~SchedulingQueue() {
  if (timer_ != EventLoop::kNoTimer) {
    loop_->CancelTimer(timer_);
  }
}

SchedulingQueue::Order SchedulingQueue::OrderOf(const QueuedPod& pod) {
  return {pod.pod->spec.priority.value_or(0), pod.added, pod.pod->metadata.uid};
}

Duration SchedulingQueue::BackoffOf(const QueuedPod& pod) {
  Duration backoff = kFirstBackoff;
  for (int i = 1; i < pod.attempts && backoff < kMaxBackoff; ++i) {
    backoff *= 2;
  }
  return std::min(backoff, kMaxBackoff);
}

void SchedulingQueue::Add(std::shared_ptr<const api::core::Pod> pod) {
  const MonotonicTime now = loop_->clock().Monotonic();
  Enqueue({.pod = std::move(pod), .added = now, .rejected_by = {}}, now);
}

void SchedulingQueue::Update(std::shared_ptr<const api::core::Pod> pod, Change change) {
  const std::string uid = pod->metadata.uid;
  if (const auto flying = in_flight_.find(uid); flying != in_flight_.end()) {
    flying->second = flying->second || change.may_help;
    return;
  }
  if (const auto backoff = backoff_.find(uid); backoff != backoff_.end()) {
    backoff->second.pod.pod = std::move(pod);
    return;
  }
  if (const auto waiting = unschedulable_.find(uid); waiting != unschedulable_.end()) {
    waiting->second.pod.pod = std::move(pod);
    if (change.may_help) {
      Waiting entry = std::move(waiting->second);
      unschedulable_.erase(waiting);
      Enqueue(std::move(entry.pod), entry.backoff_until);
    }
    return;
  }
  const auto active = FindActive(uid);
  if (active == active_.end()) {
    Add(std::move(pod));
    return;
  }
  // Its priority, and so its place, may have changed.
  QueuedPod queued = std::move(active->second);
  active_.erase(active);
  queued.pod = std::move(pod);
  Activate(std::move(queued));
}

void SchedulingQueue::Remove(const std::string& uid) {
  backoff_.erase(uid);
  unschedulable_.erase(uid);
  std::erase_if(active_, [&](const auto& entry) { return entry.second.pod->metadata.uid == uid; });
}

std::optional<QueuedPod> SchedulingQueue::Pop() {
  if (active_.empty()) {
    // Idle: whoever only waits out its back-off may as well be tried, but not what failed by error.
    auto best = backoff_.end();
    for (auto at = backoff_.begin(); at != backoff_.end(); ++at) {
      if (!at->second.pod.failed_with_error &&
          (best == backoff_.end() || at->second.until < best->second.until)) {
        best = at;
      }
    }
    if (best == backoff_.end()) {
      return std::nullopt;
    }
    QueuedPod pod = std::move(best->second.pod);
    backoff_.erase(best);
    if (!may_enter_(pod)) {
      const MonotonicTime now = loop_->clock().Monotonic();
      unschedulable_[pod.pod->metadata.uid] = {now, now, pod};
      ScheduleTimer();
      return Pop();
    }
    active_.emplace(OrderOf(pod), pod);
  }
  QueuedPod pod = std::move(active_.begin()->second);
  active_.erase(active_.begin());
  return BeginAttempt(std::move(pod));
}

std::map<SchedulingQueue::Order, QueuedPod>::iterator SchedulingQueue::FindActive(
    const std::string& uid) {
  return std::find_if(active_.begin(), active_.end(),
                      [&](const auto& entry) { return entry.second.pod->metadata.uid == uid; });
}

std::optional<QueuedPod> SchedulingQueue::Take(const std::string& uid) {
  if (const auto backoff = backoff_.find(uid); backoff != backoff_.end()) {
    QueuedPod pod = std::move(backoff->second.pod);
    backoff_.erase(backoff);
    Enqueue(std::move(pod), loop_->clock().Monotonic());
  } else if (const auto waiting = unschedulable_.find(uid); waiting != unschedulable_.end()) {
    QueuedPod pod = std::move(waiting->second.pod);
    unschedulable_.erase(waiting);
    Enqueue(std::move(pod), loop_->clock().Monotonic());
  }
  const auto active = FindActive(uid);
  if (active == active_.end()) {
    return std::nullopt;
  }
  QueuedPod pod = std::move(active->second);
  active_.erase(active);
  return BeginAttempt(std::move(pod));
}

QueuedPod SchedulingQueue::BeginAttempt(QueuedPod pod) {
  ++pod.attempts;
  pod.rejected_by.clear();
  pod.failed_with_error = false;
  in_flight_[pod.pod->metadata.uid] = false;
  return pod;
}

void SchedulingQueue::GiveBack(QueuedPod pod) {
  const std::string uid = pod.pod->metadata.uid;
  const auto flying = in_flight_.find(uid);
  const bool helped = flying != in_flight_.end() && flying->second;
  if (flying != in_flight_.end()) {
    in_flight_.erase(flying);
  }
  const MonotonicTime now = loop_->clock().Monotonic();
  const MonotonicTime until = now + BackoffOf(pod);
  if (pod.failed_with_error || helped) {
    Enqueue(std::move(pod), until);
    return;
  }
  unschedulable_[uid] = {now, until, std::move(pod)};
  ScheduleTimer();
}

void SchedulingQueue::Done(const std::string& uid) { in_flight_.erase(uid); }

void SchedulingQueue::Move(const std::function<bool(const QueuedPod&)>& helps) {
  for (auto& [uid, helped] : in_flight_) {
    helped = true;  // Which plugins will reject it is not known yet.
  }
  std::vector<std::string> moved;
  for (const auto& [uid, waiting] : unschedulable_) {
    if (helps(waiting.pod)) {
      moved.push_back(uid);
    }
  }
  for (const std::string& uid : moved) {
    Waiting entry = std::move(unschedulable_.at(uid));
    unschedulable_.erase(uid);
    Enqueue(std::move(entry.pod), entry.backoff_until);
  }
}

void SchedulingQueue::Enqueue(QueuedPod pod, MonotonicTime not_before) {
  const MonotonicTime now = loop_->clock().Monotonic();
  const std::string uid = pod.pod->metadata.uid;
  if (not_before > now) {
    const bool error = pod.failed_with_error;
    backoff_[uid] = {not_before, std::move(pod)};
    ScheduleTimer();
    if (!error) {
      wake_();
    }
    return;
  }
  if (!may_enter_(pod)) {
    unschedulable_[uid] = {now, now, std::move(pod)};
    ScheduleTimer();
    return;
  }
  Activate(std::move(pod));
}

void SchedulingQueue::Activate(QueuedPod pod) {
  Order order = OrderOf(pod);
  active_.emplace(std::move(order), std::move(pod));
  wake_();
}

void SchedulingQueue::ScheduleTimer() {
  std::optional<MonotonicTime> due;
  const auto consider = [&](MonotonicTime time) { due = due ? std::min(*due, time) : time; };
  for (const auto& [uid, entry] : backoff_) {
    consider(entry.until);
  }
  for (const auto& [uid, entry] : unschedulable_) {
    consider(entry.since + kMaxUnschedulable);
  }
  if (timer_ != EventLoop::kNoTimer) {
    if (due && timer_due_ == *due) {
      return;
    }
    loop_->CancelTimer(timer_);
    timer_ = EventLoop::kNoTimer;
  }
  if (due) {
    timer_due_ = *due;
    timer_ = loop_->RunAfter(std::max(Duration::zero(), *due - loop_->clock().Monotonic()),
                             [this] { OnTimer(); });
  }
}

void SchedulingQueue::OnTimer() {
  timer_ = EventLoop::kNoTimer;
  const MonotonicTime now = loop_->clock().Monotonic();
  std::vector<QueuedPod> due;
  std::erase_if(backoff_, [&](auto& entry) {
    if (entry.second.until > now) {
      return false;
    }
    due.push_back(std::move(entry.second.pod));
    return true;
  });
  std::erase_if(unschedulable_, [&](auto& entry) {
    if (entry.second.since + kMaxUnschedulable > now) {
      return false;
    }
    due.push_back(std::move(entry.second.pod));
    return true;
  });
  for (QueuedPod& pod : due) {
    Enqueue(std::move(pod), now);
  }
  ScheduleTimer();
}

}  // namespace assay::controlplane::scheduler
