#include "base/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <vector>

#include "base/testing/status_matchers.h"

namespace assay {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::IsOk;
using testing::StatusIs;

TEST(RealEventLoopTest, RunsPostedTasksInOrderFromAnyThread) {
  RealEventLoop loop;
  std::vector<int> order;
  std::promise<void> done;
  loop.Start();
  loop.Post([&] { order.push_back(1); });
  loop.Post([&] {
    order.push_back(2);
    EXPECT_TRUE(loop.InLoop());
    done.set_value();
  });
  done.get_future().wait();
  EXPECT_FALSE(loop.InLoop());
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST(RealEventLoopTest, TimersFireInOrderAndCanBeCancelled) {
  RealEventLoop loop;
  std::vector<int> order;
  loop.RunAfter(milliseconds(2), [&] {
    order.push_back(2);
    loop.Stop();
  });
  loop.RunAfter(milliseconds(1), [&] { order.push_back(1); });
  const EventLoop::TimerId cancelled = loop.RunAfter(Duration::zero(), [&] { order.push_back(0); });
  EXPECT_TRUE(loop.CancelTimer(cancelled));
  EXPECT_FALSE(loop.CancelTimer(cancelled));
  loop.Run();
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST(RealEventLoopTest, WatchesDescriptorsUntilUnwatched) {
  RealEventLoop loop;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  int calls = 0;
  ASSERT_THAT(loop.WatchReadable(ends[0],
                                 [&] {
                                   // Level-triggered: the byte is left unread.
                                   if (++calls == 2) {
                                     loop.Unwatch(ends[0]);
                                     loop.Post([&] { loop.Stop(); });
                                   }
                                 }),
              IsOk());
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  loop.Run();
  EXPECT_EQ(calls, 2);
  close(ends[0]);
  close(ends[1]);
  EXPECT_FALSE(loop.WatchReadable(-1, [] {}).ok());
}

TEST(RealEventLoopTest, StopDropsWhatIsLeft) {
  std::atomic<int> ran = 0;
  {
    RealEventLoop loop;
    loop.Post([&] {
      ++ran;
      loop.Stop();
    });
    loop.Post([&] { ++ran; });
    loop.Run();
    loop.Post([&] { ++ran; });
  }
  EXPECT_EQ(ran, 1);
}

TEST(RealEventLoopTest, PostsFromManyThreadsAllArrive) {
  RealEventLoop loop;
  loop.Start();
  constexpr int kThreads = 4, kPosts = 1000;
  int count = 0;
  std::promise<void> done;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < kPosts; ++j) {
          loop.Post([&] {
            if (++count == kThreads * kPosts) {
              done.set_value();
            }
          });
        }
      });
    }
  }
  done.get_future().wait();
  EXPECT_EQ(count, kThreads * kPosts);
}

TEST(VirtualEventLoopTest, TimeJumpsFromTimerToTimer) {
  VirtualEventLoop loop;
  const MonotonicTime start = loop.clock().Monotonic();
  std::vector<Duration> fired;
  loop.RunAfter(hours(1), [&] {
    fired.push_back(loop.clock().Monotonic() - start);
    loop.Post([&] { fired.push_back(loop.clock().Monotonic() - start); });
  });
  loop.RunAfter(seconds(5), [&] { fired.push_back(loop.clock().Monotonic() - start); });
  loop.RunFor(hours(2));
  EXPECT_THAT(fired, ElementsAre(seconds(5), hours(1), hours(1)));
  EXPECT_EQ(loop.clock().Monotonic() - start, hours(2));
}

TEST(VirtualEventLoopTest, RunUntilStopsAtTheConditionOrTheLimit) {
  VirtualEventLoop loop;
  int ticks = 0;
  std::function<void()> tick = [&] {
    ++ticks;
    loop.RunAfter(seconds(1), tick);
  };
  loop.Post(tick);
  EXPECT_TRUE(loop.RunUntil([&] { return ticks == 10; }, hours(1)));
  EXPECT_EQ(ticks, 10);
  EXPECT_FALSE(loop.RunUntil([&] { return ticks == 100; }, seconds(5)));
  EXPECT_EQ(ticks, 15);
}

TEST(VirtualEventLoopTest, CancelledTimersDoNotFire) {
  VirtualEventLoop loop;
  bool fired = false;
  const EventLoop::TimerId timer = loop.RunAfter(seconds(1), [&] { fired = true; });
  EXPECT_TRUE(loop.CancelTimer(timer));
  EXPECT_FALSE(loop.CancelTimer(timer));
  loop.RunFor(seconds(2));
  EXPECT_FALSE(fired);
  EXPECT_THAT(loop.WatchReadable(0, [] {}), StatusIs(StatusCode::kUnimplemented));
}

}  // namespace
}  // namespace assay
