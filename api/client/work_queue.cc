#include "api/client/work_queue.h"

#include <algorithm>
#include <utility>

namespace assay::api::client {

WorkQueue::WorkQueue(EventLoop& loop, WorkQueueOptions options, Handler handler)
    : loop_(&loop),
      options_(options),
      handler_(std::move(handler)),
      tokens_(options.retry_burst),
      tokens_at_(loop.clock().Monotonic()) {}

WorkQueue::~WorkQueue() {
  *alive_ = false;
  for (const auto& [key, waiting] : waiting_) {
    loop_->CancelTimer(waiting.timer);
  }
}

void WorkQueue::Add(const std::string& key) {
  if (!dirty_.insert(key).second) {
    return;
  }
  if (!processing_.contains(key)) {
    queue_.push_back(key);
    Schedule();
  }
}

void WorkQueue::AddAfter(const std::string& key, Duration delay) {
  if (delay <= Duration::zero()) {
    Add(key);
    return;
  }
  const MonotonicTime due = loop_->clock().Monotonic() + delay;
  if (const auto known = waiting_.find(key); known != waiting_.end()) {
    if (known->second.due <= due) {
      return;
    }
    loop_->CancelTimer(known->second.timer);
    waiting_.erase(known);
  }
  const EventLoop::TimerId timer = loop_->RunAfter(delay, [this, key] {
    waiting_.erase(key);
    Add(key);
  });
  waiting_[key] = {due, timer};
}

int WorkQueue::failures(const std::string& key) const {
  const auto known = failures_.find(key);
  return known == failures_.end() ? 0 : known->second;
}

bool WorkQueue::idle() const {
  return queue_.empty() && dirty_.empty() && processing_.empty() && waiting_.empty();
}

void WorkQueue::Schedule() {
  if (scheduled_ || queue_.empty() || processing_.size() >= options_.workers) {
    return;
  }
  scheduled_ = true;
  loop_->Post([this, alive = alive_] {
    if (*alive) {
      scheduled_ = false;
      RunReady();
    }
  });
}

void WorkQueue::RunReady() {
  while (!queue_.empty() && processing_.size() < options_.workers) {
    const std::string key = std::move(queue_.front());
    queue_.pop_front();
    dirty_.erase(key);
    processing_.insert(key);
    tasks_.Spawn<Status>(handler_(key), [this, key](Status status) { Finish(key, status); });
  }
}

void WorkQueue::Finish(const std::string& key, const Status& status) {
  processing_.erase(key);
  if (status.ok()) {
    failures_.erase(key);
  } else {
    AddRateLimited(key);
  }
  if (dirty_.contains(key)) {
    queue_.push_back(key);
  }
  Schedule();
}

void WorkQueue::AddRateLimited(const std::string& key) {
  const int failures = failures_[key]++;
  Duration delay = options_.max_delay;
  // 2^40 * 5 ms is beyond any limit and still within 64 bits.
  if (failures < 40) {
    delay = std::min(delay, Duration(options_.base_delay.count() * (std::int64_t{1} << failures)));
  }
  AddAfter(key, std::max(delay, TakeRetryToken()));
}

// A token bucket that lends: the returned delay is when the token taken now will be there.
Duration WorkQueue::TakeRetryToken() {
  const MonotonicTime now = loop_->clock().Monotonic();
  const std::chrono::duration<double> passed = now - tokens_at_;
  tokens_ = std::min(options_.retry_burst, tokens_ + passed.count() * options_.retries_per_second);
  tokens_at_ = now;
  tokens_ -= 1;
  if (tokens_ >= 0) {
    return Duration::zero();
  }
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(-tokens_ / options_.retries_per_second));
}

}  // namespace assay::api::client
