// Task: a coroutine that runs on an EventLoop, so that a controller's many steps read in order:
//
//   Task<Status> Controller::Release(ObjectKey key) {
//     Result<Object> claim = co_await Await<Result<Object>>(
//         [&](auto done) { client_.Get(KindOf<ResourceClaim>(), key, done); });
//     ASSAY_CO_RETURN_IF_ERROR(claim.status());
//     ...
//   }
//
// A Task starts when it is awaited, or spawned into a TaskScope. Whoever destroys a Task or a
// TaskScope ends what still waits in it: locals are destroyed, callbacks that come later do
// nothing. Coroutines take their parameters by value, unless what they refer to outlives them.
//
// Not thread-safe: everything happens on one loop.
#ifndef ASSAY_API_CLIENT_TASK_H_
#define ASSAY_API_CLIENT_TASK_H_

#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/event_loop.h"
#include "base/result.h"

namespace assay::api::client {

template <typename T>
class [[nodiscard]] Task {
 public:
  struct promise_type {
    std::optional<T> value;
    std::coroutine_handle<> continuation;

    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct ResumeContinuation {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(Handle handle) noexcept {
          return handle.promise().continuation;
        }
        void await_resume() noexcept {}
      };
      return ResumeContinuation{};
    }
    template <typename U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
    void unhandled_exception() { ASSAY_CHECK(false) << "an exception left a Task"; }
  };
  using Handle = std::coroutine_handle<promise_type>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) {
      handle_.destroy();
    }
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() { return *std::move(handle_.promise().value); }

 private:
  explicit Task(Handle handle) : handle_(handle) {}
  Handle handle_;
};

// Waits for one call of a callback: `start` is called at once with a std::function<void(T)>, which
// must be called at most once, later, on the same loop. Never called: the coroutine waits until it
// is destroyed.
template <typename T>
class [[nodiscard]] Await {
 public:
  using Callback = std::function<void(T)>;

  template <typename Start>
  explicit Await(Start start) : state_(std::make_shared<State>()) {
    start(Callback([state = state_](T value) {
      state->value.emplace(std::move(value));
      if (state->waiting) {
        std::exchange(state->waiting, nullptr).resume();
      }
    }));
  }
  Await(const Await&) = delete;
  Await& operator=(const Await&) = delete;
  // The coroutine is done with it, or destroyed: a late callback must not resume it.
  ~Await() { state_->waiting = nullptr; }

  bool await_ready() const noexcept { return state_->value.has_value(); }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { state_->waiting = waiting; }
  T await_resume() { return *std::move(state_->value); }

 private:
  struct State {
    std::optional<T> value;
    std::coroutine_handle<> waiting;
  };
  // Shared with the callback, which may outlive the coroutine.
  std::shared_ptr<State> state_;
};

// Holds the coroutines that nobody awaits. Destroying it ends them.
class TaskScope {
 public:
  TaskScope() = default;
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope() { Clear(); }

  // Runs `task` up to its first wait; `done` is called with its result at its end.
  template <typename T>
  void Spawn(Task<T> task, std::function<void(T)> done) {
    Root root = Run(std::move(task), std::move(done));
    root.handle.promise().scope = this;
    running_.insert(root.handle.address());
    root.handle.resume();
  }
  void Spawn(Task<Status> task) {
    Spawn<Status>(std::move(task), [](Status) {});
  }

  std::size_t running() const { return running_.size(); }

  // Ends all of them. Not to be called from one of them.
  void Clear() {
    while (!running_.empty()) {
      void* address = *running_.begin();
      running_.erase(running_.begin());
      std::coroutine_handle<>::from_address(address).destroy();
    }
  }

 private:
  struct Root {
    struct promise_type {
      TaskScope* scope = nullptr;

      Root get_return_object() {
        return Root{std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      std::suspend_always initial_suspend() noexcept { return {}; }
      auto final_suspend() noexcept {
        struct Remove {
          bool await_ready() noexcept { return false; }
          void await_suspend(std::coroutine_handle<promise_type> handle) noexcept {
            handle.promise().scope->running_.erase(handle.address());
            handle.destroy();
          }
          void await_resume() noexcept {}
        };
        return Remove{};
      }
      void return_void() {}
      void unhandled_exception() { ASSAY_CHECK(false) << "an exception left a Task"; }
    };
    std::coroutine_handle<promise_type> handle;
  };

  template <typename T>
  static Root Run(Task<T> task, std::function<void(T)> done) {
    T value = co_await task;
    done(std::move(value));
  }

  std::unordered_set<void*> running_;
};

// co_await Delay(loop, 5s)
class [[nodiscard]] Delay {
 public:
  Delay(EventLoop& loop, Duration delay) : loop_(&loop), delay_(delay) {}
  Delay(const Delay&) = delete;
  Delay& operator=(const Delay&) = delete;
  ~Delay() {
    if (timer_ != EventLoop::kNoTimer) {
      loop_->CancelTimer(timer_);
    }
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    timer_ = loop_->RunAfter(delay_, [this, waiting] {
      timer_ = EventLoop::kNoTimer;
      waiting.resume();
    });
  }
  void await_resume() noexcept {}

 private:
  EventLoop* loop_;
  Duration delay_;
  EventLoop::TimerId timer_ = EventLoop::kNoTimer;
};

}  // namespace assay::api::client

// ASSAY_RETURN_IF_ERROR and ASSAY_ASSIGN_OR_RETURN for coroutines.
#define ASSAY_CO_RETURN_IF_ERROR(expression)              \
  do {                                                    \
    ::assay::Status assay_internal_status = (expression); \
    if (!assay_internal_status.ok()) {                    \
      co_return assay_internal_status;                    \
    }                                                     \
  } while (false)

#define ASSAY_CO_ASSIGN_OR_RETURN(declaration, expression)                                        \
  ASSAY_INTERNAL_CO_ASSIGN_OR_RETURN(ASSAY_INTERNAL_CONCAT(assay_result_, __LINE__), declaration, \
                                     expression)
#define ASSAY_INTERNAL_CO_ASSIGN_OR_RETURN(result, declaration, expression) \
  auto result = (expression);                                               \
  if (!result.ok()) {                                                       \
    co_return result.status();                                              \
  }                                                                         \
  declaration = *std::move(result)

#endif  // ASSAY_API_CLIENT_TASK_H_
