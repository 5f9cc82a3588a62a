// WorkQueue: the queue of a controller, with the limits of Kubernetes' default controller rate
// limiter (client-go, util/workqueue): a key that fails is tried again after 5 ms * 2^failures, at
// most 1000 s, and all retries together are held to 10 a second with bursts of 100.
//
// A key is never worked on twice at once; added while it is worked on, it runs once more after
// that.
//
// Not thread-safe; lives on one EventLoop.
#ifndef ASSAY_API_CLIENT_WORK_QUEUE_H_
#define ASSAY_API_CLIENT_WORK_QUEUE_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "api/client/task.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "base/result.h"

namespace assay::api::client {

struct WorkQueueOptions {
  std::size_t workers = 1;  // How many keys are worked on at once.
  Duration base_delay = std::chrono::milliseconds(5);
  Duration max_delay = std::chrono::seconds(1000);
  double retries_per_second = 10;
  double retry_burst = 100;
};

class WorkQueue {
 public:
  // What is done for a key. An error puts the key back with a delay, OK forgets its failures.
  using Handler = std::function<Task<Status>(std::string key)>;

  WorkQueue(EventLoop& loop, WorkQueueOptions options, Handler handler);
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;
  // Ends what is being worked on, where it waits.
  ~WorkQueue();

  void Add(const std::string& key);
  // Adds `key` once `delay` has passed; an earlier date that is already set stays.
  void AddAfter(const std::string& key, Duration delay);

  // How often `key` has failed since it last succeeded.
  int failures(const std::string& key) const;
  // Nothing is queued, delayed or worked on.
  bool idle() const;

 private:
  void Schedule();
  void RunReady();
  void Finish(const std::string& key, const Status& status);
  void AddRateLimited(const std::string& key);
  Duration TakeRetryToken();

  struct Waiting {
    MonotonicTime due;
    EventLoop::TimerId timer;
  };

  EventLoop* loop_;
  WorkQueueOptions options_;
  Handler handler_;
  std::deque<std::string> queue_;  // Ready, in order, each key once.
  std::set<std::string> dirty_;    // In queue_, or to be queued again after processing.
  std::set<std::string> processing_;
  std::unordered_map<std::string, int> failures_;
  std::map<std::string, Waiting> waiting_;
  double tokens_;
  MonotonicTime tokens_at_;
  // Posted tasks outlive the queue; they look here first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool scheduled_ = false;
  TaskScope tasks_;
};

}  // namespace assay::api::client

#endif  // ASSAY_API_CLIENT_WORK_QUEUE_H_
