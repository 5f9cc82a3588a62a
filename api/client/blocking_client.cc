#include "api/client/blocking_client.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "api/client/http_client.h"
#include "api/client/informer.h"
#include "api/json/json.h"

namespace assay::api::client {
namespace {

// What a waiting thread and the loop share. The loop may finish after the thread has given up.
template <typename T>
class Slot {
 public:
  void Set(Result<T> value) {
    const std::lock_guard lock(mu_);
    if (!value_) {
      value_.emplace(std::move(value));
      changed_.notify_all();
    }
  }
  bool filled() {
    const std::lock_guard lock(mu_);
    return value_.has_value();
  }
  // Nothing if `timeout` passed.
  std::optional<Result<T>> WaitFor(Duration timeout) {
    std::unique_lock lock(mu_);
    changed_.wait_for(lock, timeout, [this] { return value_.has_value(); });
    return std::move(value_);
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::optional<Result<T>> value_;  // Guarded by mu_.
};

struct Done {};

std::string Seconds(Duration duration) {
  std::string text = std::to_string(std::chrono::duration<double>(duration).count());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return text + " s";
}

// Runs `task` on the loop and waits until it has run, or never will.
void RunOn(EventLoop& loop, std::function<void()> task) {
  auto promise = std::make_shared<std::promise<void>>();
  const std::future<void> ran = promise->get_future();
  loop.Post([task = std::move(task), promise = std::move(promise)]() mutable {
    task();
    // What it captured must be gone before the waiting thread goes on.
    task = nullptr;
    promise->set_value();
  });
  // A loop that has stopped drops the task, and with it the promise, which ends the wait as well.
  ran.wait();
}

}  // namespace

BlockingClient::BlockingClient(Client& client, Duration timeout)
    : client_(&client), timeout_(timeout) {}

BlockingClient::BlockingClient(std::unique_ptr<Client> client, Duration timeout)
    : own_client_(std::move(client)), client_(own_client_.get()), timeout_(timeout) {}

BlockingClient::BlockingClient(Client& client, VirtualEventLoop& loop, Duration timeout)
    : client_(&client), virtual_loop_(&loop), timeout_(timeout) {
  ASSAY_CHECK(&client.loop() == &loop) << "the client lives on another loop";
}

Result<std::unique_ptr<BlockingClient>> BlockingClient::Connect(const ClientConfig& config,
                                                                Duration timeout) {
  auto loop = std::make_unique<RealEventLoop>();
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<Client> client,
                         HttpClient::Create(*loop, config, HttpClientOptions{.timeout = timeout}));
  auto result = std::make_unique<BlockingClient>(std::move(client), timeout);
  result->own_loop_ = std::move(loop);
  result->own_loop_->Start();
  return result;
}

BlockingClient::~BlockingClient() {
  if (own_client_) {
    // Shared only because a posted task must be copyable.
    auto client = std::make_shared<std::unique_ptr<Client>>(std::move(own_client_));
    EventLoop& loop = (*client)->loop();
    RunOn(loop, [client] { client->reset(); });
  }
  if (own_loop_) {
    own_loop_->StopAndJoin();
  }
}

template <typename T>
Result<T> BlockingClient::Call(const std::function<void(std::function<void(Result<T>)>)>& start) {
  // Shared with the callback, which may come after this has given up.
  auto slot = std::make_shared<Slot<T>>();
  const auto done = [slot](Result<T> value) { slot->Set(std::move(value)); };
  if (virtual_loop_ != nullptr) {
    start(done);
    virtual_loop_->RunUntil([&] { return slot->filled(); }, timeout_);
  } else {
    ASSAY_CHECK(!client_->loop().InLoop()) << "a blocking call on the loop would wait for itself";
    client_->loop().Post([start, done] { start(done); });
  }
  std::optional<Result<T>> value =
      slot->WaitFor(virtual_loop_ != nullptr ? Duration::zero() : timeout_);
  if (!value) {
    return DeadlineExceededError("no answer within " + Seconds(timeout_));
  }
  return *std::move(value);
}

Result<Object> BlockingClient::GetObject(const Kind& kind, const ObjectKey& key) {
  return Call<Object>([client = client_, &kind, key](auto done) { client->Get(kind, key, done); });
}

Result<ObjectList> BlockingClient::ListObjects(const Kind& kind, const ListOptions& options) {
  ListOptions page = options;
  ObjectList all;
  do {
    ASSAY_ASSIGN_OR_RETURN(ObjectList list,
                           Call<ObjectList>([client = client_, &kind, page](auto done) {
                             client->List(kind, page, done);
                           }));
    std::move(list.items.begin(), list.items.end(), std::back_inserter(all.items));
    all.resource_version = std::move(list.resource_version);
    page.continue_ = std::move(list.continue_);
  } while (!page.continue_.empty());
  return all;
}

Result<Object> BlockingClient::CreateObject(const Object& object, const WriteOptions& options) {
  return Call<Object>(
      [client = client_, object, options](auto done) { client->Create(object, options, done); });
}

Result<Object> BlockingClient::UpdateObject(const Object& object, const WriteOptions& options) {
  return Call<Object>(
      [client = client_, object, options](auto done) { client->Update(object, options, done); });
}

Result<Object> BlockingClient::PatchObject(const Kind& kind, const ObjectKey& key,
                                           const std::string& body, const PatchOptions& options) {
  return Call<Object>([client = client_, &kind, key, body, options](auto done) {
    client->Patch(kind, key, body, options, done);
  });
}

Status BlockingClient::DeleteObject(const Kind& kind, const ObjectKey& key,
                                    const DeleteOptions& options) {
  return Call<Done>([client = client_, &kind, key, options](auto done) {
           client->Delete(kind, key, options, [done](const Status& status) {
             done(status.ok() ? Result<Done>(Done{}) : Result<Done>(status));
           });
         })
      .status();
}

Status BlockingClient::DeleteCollection(const Kind& kind, const ListOptions& which) {
  return Call<Done>([client = client_, &kind, which](auto done) {
           client->DeleteCollection(kind, which, [done](const Status& status) {
             done(status.ok() ? Result<Done>(Done{}) : Result<Done>(status));
           });
         })
      .status();
}

// An informer whose every change asks `holds`.
struct BlockingClient::Wait {
  Wait(Client& client, const Kind& kind, const ListOptions& which)
      : informer(client, kind,
                 {.namespace_ = which.namespace_,
                  .label_selector = which.label_selector,
                  .field_selector = which.field_selector}) {}

  std::vector<Object> Objects() const {
    std::vector<Object> objects;
    for (const auto& [key, object] : informer.objects()) {
      objects.push_back(object);
    }
    return objects;
  }

  ObjectInformer informer;
  bool over = false;
};

Result<std::vector<Object>> BlockingClient::WaitInternal(
    const Kind& kind, const ListOptions& which,
    const std::function<bool(const std::vector<Object>&)>& holds, const std::string& what) {
  std::shared_ptr<Wait> wait;
  std::vector<Object> last;
  // Shared with the loop, which may finish after this has given up.
  auto slot = std::make_shared<Slot<std::vector<Object>>>();
  const auto start = [&] {
    wait = std::make_shared<Wait>(*client_, kind, which);
    const auto check = [&holds, slot, w = wait.get()] {
      // Before the first list is whole, an absent object proves nothing.
      if (!w->over && w->informer.synced()) {
        std::vector<Object> objects = w->Objects();
        if (holds(objects)) {
          w->over = true;
          slot->Set(std::move(objects));
        }
      }
    };
    wait->informer.AddObjectHandlers(
        {.on_add = [check](const Object&) { check(); },
         .on_update = [check](const Object&, const Object&) { check(); },
         .on_delete = [check](const Object&) { check(); }});
    wait->informer.Start(check);
  };
  // After this no `holds` runs any more.
  const auto stop = [&] {
    if (wait) {
      last = wait->Objects();
      wait = nullptr;
    }
  };
  std::optional<Result<std::vector<Object>>> found;
  if (virtual_loop_ != nullptr) {
    start();
    virtual_loop_->RunUntil([&] { return slot->filled(); }, timeout_);
    found = slot->WaitFor(Duration::zero());
    stop();
  } else {
    ASSAY_CHECK(!client_->loop().InLoop()) << "a blocking call on the loop would wait for itself";
    RunOn(client_->loop(), start);
    found = slot->WaitFor(timeout_);
    RunOn(client_->loop(), stop);
  }
  if (found) {
    return *std::move(found);
  }
  constexpr std::size_t kMaxShown = 4000;
  std::string shown;
  for (const Object& object : last) {
    shown += (shown.empty() ? "" : "\n") + json::Encode(object);
  }
  if (shown.size() > kMaxShown) {
    shown.resize(kMaxShown);
    shown += "...";
  }
  return DeadlineExceededError(what + ": did not come about within " + Seconds(timeout_) +
                               "; last seen: " + (shown.empty() ? "nothing" : shown));
}

Result<Object> BlockingClient::WaitForObject(const Kind& kind, const ObjectKey& key,
                                             const std::function<bool(const Object&)>& holds) {
  auto found = WaitInternal(
      kind, {.namespace_ = key.namespace_, .field_selector = "metadata.name=" + key.name},
      [&](const std::vector<Object>& objects) {
        return holds(objects.empty() ? Object() : objects.front());
      },
      kind.kind + " " + key.ToString());
  if (!found.ok()) {
    return found.status();
  }
  return found->empty() ? Object() : found->front();
}

Result<std::vector<Object>> BlockingClient::WaitForObjects(
    const Kind& kind, const ListOptions& which,
    const std::function<bool(const std::vector<Object>&)>& holds) {
  return WaitInternal(kind, which, holds, kind.resource);
}

}  // namespace assay::api::client
