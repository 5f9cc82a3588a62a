#include "api/client/work_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace assay::api::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

struct Worker {
  explicit Worker(WorkQueueOptions options = {})
      : queue(loop, options, [this](std::string key) { return Work(key); }) {}

  Task<Status> Work(std::string key) {
    ++running;
    most_running = std::max(most_running, running);
    done.push_back(
        key + "@" +
        std::to_string(
            std::chrono::duration_cast<milliseconds>(loop.clock().Monotonic() - start).count()));
    if (duration > Duration::zero()) {
      co_await Delay(loop, duration);
    }
    --running;
    co_return failures_left-- > 0 ? UnavailableError("again") : OkStatus();
  }

  VirtualEventLoop loop;
  MonotonicTime start = loop.clock().Monotonic();
  Duration duration{};
  int failures_left = 0;
  int running = 0;
  int most_running = 0;
  std::vector<std::string> done;
  WorkQueue queue;
};

TEST(WorkQueueTest, RunsEachKeyOnce) {
  Worker worker;
  worker.queue.Add("a");
  worker.queue.Add("b");
  worker.queue.Add("a");
  worker.loop.RunReady();
  EXPECT_THAT(worker.done, ElementsAre("a@0", "b@0"));
  EXPECT_TRUE(worker.queue.idle());
}

TEST(WorkQueueTest, KeyAddedWhileWorkedOnRunsOnceMore) {
  Worker worker({.workers = 5});
  worker.duration = seconds(1);
  worker.queue.Add("a");
  worker.loop.RunReady();
  worker.queue.Add("a");
  worker.queue.Add("a");
  worker.loop.RunFor(seconds(5));
  EXPECT_THAT(worker.done, ElementsAre("a@0", "a@1000"));
  EXPECT_EQ(worker.most_running, 1);
}

TEST(WorkQueueTest, HoldsTheNumberOfWorkers) {
  Worker worker({.workers = 2});
  worker.duration = seconds(1);
  for (const char* key : {"a", "b", "c"}) {
    worker.queue.Add(key);
  }
  worker.loop.RunFor(seconds(5));
  EXPECT_EQ(worker.most_running, 2);
  EXPECT_THAT(worker.done, ElementsAre("a@0", "b@0", "c@1000"));
}

TEST(WorkQueueTest, FailuresAreTriedAgainAfterDoublingDelays) {
  Worker worker;
  worker.failures_left = 4;
  worker.queue.Add("a");
  worker.loop.RunFor(seconds(1));
  EXPECT_THAT(worker.done, ElementsAre("a@0", "a@5", "a@15", "a@35", "a@75"));
  EXPECT_EQ(worker.queue.failures("a"), 0);
}

TEST(WorkQueueTest, DelayHasALimit) {
  Worker worker({.max_delay = milliseconds(10)});
  worker.failures_left = 3;
  worker.queue.Add("a");
  worker.loop.RunFor(seconds(1));
  EXPECT_THAT(worker.done, ElementsAre("a@0", "a@5", "a@15", "a@25"));
}

TEST(WorkQueueTest, RetriesOfAllKeysShareARate) {
  Worker worker({.base_delay = milliseconds(1), .retries_per_second = 10, .retry_burst = 2});
  worker.failures_left = 4;
  for (const char* key : {"a", "b", "c", "d"}) {
    worker.queue.Add(key);
  }
  worker.loop.RunFor(seconds(1));
  // Two retries from the burst, then one every 100 ms.
  EXPECT_THAT(worker.done, ElementsAre("a@0", "b@0", "c@0", "d@0", "a@1", "b@1", "c@100", "d@200"));
}

TEST(WorkQueueTest, AddAfterKeepsTheEarlierDate) {
  Worker worker;
  worker.queue.AddAfter("a", seconds(5));
  worker.queue.AddAfter("a", seconds(2));
  worker.queue.AddAfter("a", seconds(9));
  worker.loop.RunFor(seconds(20));
  EXPECT_THAT(worker.done, ElementsAre("a@2000"));
}

TEST(WorkQueueTest, DestroyedWhileWorking) {
  VirtualEventLoop loop;
  int finished = 0;
  {
    WorkQueue queue(loop, {}, [&](std::string) -> Task<Status> {
      // A local class would outlive nothing: the coroutine ends with the queue.
      return [](VirtualEventLoop& l, int& count) -> Task<Status> {
        co_await Delay(l, seconds(1));
        ++count;
        co_return OkStatus();
      }(loop, finished);
    });
    queue.Add("a");
    loop.RunReady();
    queue.Add("b");
  }
  loop.RunFor(seconds(5));
  EXPECT_EQ(finished, 0);
}

}  // namespace
}  // namespace assay::api::client
