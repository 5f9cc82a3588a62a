#include "controlplane/apiserver/watch_hub.h"

#include <future>
#include <set>
#include <utility>
#include <vector>

#include "api/meta/status.h"

namespace assay::controlplane::apiserver {
namespace {

constexpr std::size_t kEventsPerTurn = 200;
// As much may wait in a stream before the cursor is left where it is.
constexpr std::size_t kHighWaterBytes = 1024 * 1024;

std::string_view TypeName(store::EventType type) {
  switch (type) {
    case store::EventType::kAdded:
      return "ADDED";
    case store::EventType::kModified:
      return "MODIFIED";
    case store::EventType::kDeleted:
      return "DELETED";
  }
  return "";
}

}  // namespace

struct WatchHub::Impl {
  explicit Impl(Duration interval) : bookmark_interval(interval) {}

  const Duration bookmark_interval;
  RealEventLoop loop;
  // On the loop.
  std::set<std::shared_ptr<Stream>> watches;
  bool stopped = false;

  // Runs `task` on the loop and waits for it. Not on the loop.
  void RunOnLoop(const std::function<void()>& task) {
    std::promise<void> done;
    loop.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
};

// One watch. Lives on the hub's loop.
class WatchHub::Stream : public std::enable_shared_from_this<WatchHub::Stream> {
 public:
  Stream(std::shared_ptr<Impl> hub, OpenWatch watch)
      : hub_(std::move(hub)), watch_(std::move(watch)) {}

  void Start() {
    auto on_loop = [weak = weak_from_this(),
                    hub = std::weak_ptr<Impl>(hub_)](void (Stream::*method)()) {
      if (auto impl = hub.lock()) {
        impl->loop.Post([weak, method] {
          if (auto self = weak.lock()) {
            ((*self).*method)();
          }
        });
      }
    };
    wake_ = [on_loop] { on_loop(&Stream::Pump); };
    watch_.stream->OnDrained(wake_);
    watch_.stream->OnClosed([on_loop] { on_loop(&Stream::Forget); });
    timeout_ = hub_->loop.RunAfter(watch_.timeout, [weak = weak_from_this()] {
      if (auto self = weak.lock()) {
        self->timeout_ = EventLoop::kNoTimer;
        self->End();
      }
    });
    if (watch_.bookmarks) {
      ArmBookmark();
    }
    Pump();
  }

  bool Matches(const RequestMatch& match) const {
    return match.Matches(watch_.info, watch_.user, watch_.user_agent);
  }
  void Abort() {
    watch_.stream->Abort();
    Forget();
  }
  void Expire(const api::meta::Status& status) {
    watch_.stream->Write(WriteErrorEvent(status, watch_.form.output.format));
    End();
  }
  void End() {
    watch_.stream->End();
    Forget();
  }

 private:
  void ArmBookmark() {
    bookmark_ = hub_->loop.RunAfter(hub_->bookmark_interval, [weak = weak_from_this()] {
      if (auto self = weak.lock()) {
        self->bookmark_due_ = true;
        self->ArmBookmark();
        self->Pump();
      }
    });
  }

  void Pump() {
    while (!over_ && watch_.stream->buffered_bytes() < kHighWaterBytes) {
      ApiResult<WatchCursor::Batch> batch = watch_.cursor->Next(kEventsPerTurn);
      if (!batch.ok()) {
        Expire(batch.error());
        return;
      }
      watch_.form.now = watch_.now();
      std::string lines;
      for (const store::Event& event : batch->events) {
        lines += WriteEvent(TypeName(event.type), *event.object, watch_.form);
        watch_.form.no_headers = true;  // Of Tables, after the first.
      }
      if (batch->initial_events_end && watch_.streamed_list && watch_.bookmarks) {
        lines += WriteBookmark(*watch_.kind, batch->resource_version,
                               /*initial_events_end=*/true, watch_.form);
      }
      bool idle = batch->events.empty() && !batch->initial_events_end;
      if (idle && std::exchange(bookmark_due_, false)) {
        lines += WriteBookmark(*watch_.kind, batch->resource_version,
                               /*initial_events_end=*/false, watch_.form);
      }
      if (!lines.empty() && !watch_.stream->Write(std::move(lines))) {
        Forget();
        return;
      }
      if (idle) {
        watch_.cursor->Arm(wake_);
        return;
      }
    }
  }

  void Forget() {
    if (std::exchange(over_, true)) {
      return;
    }
    hub_->loop.CancelTimer(timeout_);
    hub_->loop.CancelTimer(bookmark_);
    watch_.cursor.reset();
    hub_->watches.erase(shared_from_this());
  }

  const std::shared_ptr<Impl> hub_;
  OpenWatch watch_;
  std::function<void()> wake_;
  EventLoop::TimerId timeout_ = EventLoop::kNoTimer;
  EventLoop::TimerId bookmark_ = EventLoop::kNoTimer;
  bool bookmark_due_ = false;
  bool over_ = false;
};

WatchHub::WatchHub(Duration bookmark_interval) : impl_(std::make_shared<Impl>(bookmark_interval)) {
  impl_->loop.Start();
}

WatchHub::~WatchHub() { Stop(); }

void WatchHub::Add(OpenWatch watch) {
  auto stream = std::make_shared<Stream>(impl_, std::move(watch));
  impl_->loop.Post([impl = impl_.get(), stream] {
    if (impl->stopped) {
      stream->End();
      return;
    }
    impl->watches.insert(stream);
    stream->Start();
  });
}

std::size_t WatchHub::Drop(const RequestMatch& match) {
  std::size_t count = 0;
  impl_->RunOnLoop([&] {
    auto watches = impl_->watches;
    for (const auto& watch : watches) {
      if (watch->Matches(match)) {
        watch->Abort();
        ++count;
      }
    }
  });
  return count;
}

std::size_t WatchHub::Expire(const RequestMatch& match) {
  std::size_t count = 0;
  impl_->RunOnLoop([&] {
    auto watches = impl_->watches;
    for (const auto& watch : watches) {
      if (watch->Matches(match)) {
        watch->Expire(api::meta::Expired("too old resource version"));
        ++count;
      }
    }
  });
  return count;
}

void WatchHub::Stop() {
  if (impl_ == nullptr) {
    return;
  }
  impl_->RunOnLoop([&] {
    impl_->stopped = true;
    auto watches = impl_->watches;
    for (const auto& watch : watches) {
      watch->End();
    }
  });
  impl_->loop.StopAndJoin();
  impl_ = nullptr;
}

}  // namespace assay::controlplane::apiserver
