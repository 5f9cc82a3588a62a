// SchedulingQueue: the pods that wait for a node: those that may be tried (by priority, then by
// age), those that must wait a little first, and those that wait for something to change.
//
// A pod that did not fit waits 1 s, doubling with each attempt up to 10 s, before it is tried
// again; what wakes it is an event that may help it, or five minutes without one. While nothing
// else is to be done, pods are taken out of the back-off early, but not after an error (KEP-5142).
//
// Source: kube-scheduler, backend/queue. Not thread-safe: lives on one EventLoop.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_SCHEDULING_QUEUE_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_SCHEDULING_QUEUE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "api/core/types.h"
#include "base/clock.h"
#include "base/event_loop.h"

namespace assay::controlplane::scheduler {

struct QueuedPod {
  std::shared_ptr<const api::core::Pod> pod;
  MonotonicTime added;                // When it first came.
  int attempts = 0;                   // How often it has been tried.
  std::set<std::string> rejected_by;  // The plugins because of which it waits.
  bool failed_with_error = false;
};

class SchedulingQueue {
 public:
  // `may_enter`: the PreEnqueue check. `wake` is called when a pod has become ready to be tried.
  SchedulingQueue(EventLoop& loop, std::function<bool(QueuedPod&)> may_enter,
                  std::function<void()> wake);
  SchedulingQueue(const SchedulingQueue&) = delete;
  SchedulingQueue& operator=(const SchedulingQueue&) = delete;
  ~SchedulingQueue();

  void Add(std::shared_ptr<const api::core::Pod> pod);
  // The pod has changed. `may_help`: the change may make it schedulable.
  struct Change {
    bool may_help = false;
  };
  void Update(std::shared_ptr<const api::core::Pod> pod, Change change);
  void Remove(const std::string& uid);

  // The next pod to try. It belongs to the caller until it comes back by GiveBack, or is forgotten
  // by Done.
  std::optional<QueuedPod> Pop();
  // The same for one pod, wherever it waits, if it may enter; nothing if it does not wait.
  std::optional<QueuedPod> Take(const std::string& uid);
  // After an attempt that failed: by error, or because plugins rejected it.
  void GiveBack(QueuedPod pod);
  void Done(const std::string& uid);

  // Something happened in the cluster: every waiting pod that `helps` accepts is to be tried again.
  void Move(const std::function<bool(const QueuedPod&)>& helps);

 private:
  // Higher priority first, then the older, then by UID.
  struct Order {
    std::int32_t priority;
    MonotonicTime added;
    std::string uid;
    friend bool operator<(const Order& a, const Order& b) {
      // Note the exchanged priorities.
      return std::tie(b.priority, a.added, a.uid) < std::tie(a.priority, b.added, b.uid);
    }
  };
  struct Backoff {
    MonotonicTime until;
    QueuedPod pod;
  };

  static Order OrderOf(const QueuedPod& pod);
  static Duration BackoffOf(const QueuedPod& pod);
  QueuedPod BeginAttempt(QueuedPod pod);
  std::map<Order, QueuedPod>::iterator FindActive(const std::string& uid);
  void Enqueue(QueuedPod pod, MonotonicTime not_before);
  void Activate(QueuedPod pod);
  void ScheduleTimer();
  void OnTimer();

  EventLoop* loop_;
  std::function<bool(QueuedPod&)> may_enter_;
  std::function<void()> wake_;
  std::map<Order, QueuedPod> active_;
  std::map<std::string, Backoff> backoff_;  // By UID.
  struct Waiting {
    MonotonicTime since;
    MonotonicTime backoff_until;
    QueuedPod pod;
  };
  std::map<std::string, Waiting> unschedulable_;  // By UID.
  // Pods that are being tried; true once something has happened that may help them.
  std::map<std::string, bool> in_flight_;
  EventLoop::TimerId timer_ = EventLoop::kNoTimer;
  MonotonicTime timer_due_{};
};

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_SCHEDULING_QUEUE_H_
