#include "api/client/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace assay::api::client {
namespace {

using std::chrono::seconds;

// Counts what is alive, to see that destroyed coroutines destroy their locals.
struct Guard {
  explicit Guard(int& count) : count_(&count) { ++*count_; }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() { --*count_; }
  int* count_;
};

Task<Status> Fails() { co_return NotFoundError("gone"); }

Task<Result<std::string>> Twice(EventLoop& loop, std::string text) {
  co_await Delay(loop, seconds(1));
  co_return text + text;
}

Task<Status> Append(EventLoop& loop, std::vector<std::string>& out, int& alive) {
  const Guard guard(alive);
  const Result<std::string> doubled = co_await Twice(loop, "ab");
  ASSAY_CO_RETURN_IF_ERROR(doubled.status());
  out.push_back(*doubled);
  ASSAY_CO_RETURN_IF_ERROR(co_await Fails());
  out.push_back("not reached");
  co_return OkStatus();
}

TEST(TaskTest, RunsInOrderAndPassesErrorsOn) {
  VirtualEventLoop loop;
  std::vector<std::string> out;
  int alive = 0;
  Status end;
  TaskScope scope;
  scope.Spawn<Status>(Append(loop, out, alive), [&](Status status) { end = std::move(status); });
  EXPECT_EQ(alive, 1);
  EXPECT_TRUE(out.empty());
  loop.RunFor(seconds(2));
  EXPECT_EQ(out, std::vector<std::string>{"abab"});
  EXPECT_EQ(end.code(), StatusCode::kNotFound);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(scope.running(), 0u);
}

TEST(TaskTest, ScopeEndsWhatStillWaits) {
  VirtualEventLoop loop;
  std::vector<std::string> out;
  int alive = 0;
  {
    TaskScope scope;
    scope.Spawn(Append(loop, out, alive));
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
  loop.RunFor(seconds(2));
  EXPECT_TRUE(out.empty());
}

Task<Status> WaitForCallback(std::function<void(int)>& callback, int& got) {
  const int value =
      co_await Await<int>([&](std::function<void(int)> done) { callback = std::move(done); });
  got = value;
  co_return OkStatus();
}

TEST(TaskTest, CallbackResumes) {
  std::function<void(int)> callback;
  int got = 0;
  TaskScope scope;
  scope.Spawn(WaitForCallback(callback, got));
  callback(7);
  EXPECT_EQ(got, 7);
}

TEST(TaskTest, CallbackAfterTheEndDoesNothing) {
  std::function<void(int)> callback;
  int got = 0;
  {
    TaskScope scope;
    scope.Spawn(WaitForCallback(callback, got));
  }
  callback(7);
  EXPECT_EQ(got, 0);
}

TEST(TaskTest, CallbackThatIsNeverCalledLeaksNothing) {
  int got = 0;
  TaskScope scope;
  std::function<void(int)> callback;
  scope.Spawn(WaitForCallback(callback, got));
  callback = nullptr;
  EXPECT_EQ(scope.running(), 1u);
}

}  // namespace
}  // namespace assay::api::client
