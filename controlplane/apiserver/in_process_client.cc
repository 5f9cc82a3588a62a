#include "controlplane/apiserver/in_process_client.h"

#include <atomic>
#include <unordered_set>
#include <utility>

#include "api/core/types.h"
#include "api/meta/status.h"
#include "api/validation/defaulting.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/watch_cursor.h"

namespace assay::controlplane::apiserver {
namespace {

using namespace api::client;  // NOLINT(google-build-using-namespace): this file implements it.
using api::Kind;
using api::Object;

// So that one busy watch does not starve the loop.
constexpr std::size_t kEventsPerRead = 256;

Result<Object> ToResult(const ApiResult<VersionPtr>& answer) {
  if (!answer.ok()) {
    return api::meta::ToAssayStatus(answer.error());
  }
  return (*answer)->object();
}

// A watch whose events are delivered on the loop. Shared with the tasks that it has posted.
class LocalWatch : public std::enable_shared_from_this<LocalWatch> {
 public:
  LocalWatch(EventLoop& loop, const Kind& kind, std::unique_ptr<WatchCursor> cursor, bool bookmarks,
             std::function<void(WatchEvent)> on_event, Client::DoneCallback on_end)
      : loop_(loop),
        kind_(kind),
        cursor_(std::move(cursor)),
        bookmarks_(bookmarks),
        on_event_(std::move(on_event)),
        on_end_(std::move(on_end)) {}

  void Schedule() {
    loop_.Post([self = shared_from_this()] { self->Pump(); });
  }

  void Cancel() {
    cancelled_ = true;
    cursor_.reset();
  }

 private:
  void Pump() {
    if (cancelled_) {
      return;
    }
    ApiResult<WatchCursor::Batch> batch = cursor_->Next(kEventsPerRead);
    if (!batch.ok()) {
      Client::DoneCallback on_end = std::move(on_end_);
      Cancel();
      on_end(api::meta::ToAssayStatus(batch.error()));
      return;
    }
    // Each callback may end the watch.
    for (store::Event& event : batch->events) {
      if (cancelled_) {
        return;
      }
      on_event_({.type = event.type == store::EventType::kAdded      ? WatchEventType::kAdded
                         : event.type == store::EventType::kModified ? WatchEventType::kModified
                                                                     : WatchEventType::kDeleted,
                 .object = event.object->object()});
    }
    if (cancelled_) {
      return;
    }
    if (batch->initial_events_end && bookmarks_) {
      Draft bookmark = Draft::New(kind_);
      bookmark.metadata().resource_version = std::to_string(batch->resource_version);
      bookmark.metadata().annotations["k8s.io/initial-events-end"] = "true";
      on_event_({.type = WatchEventType::kBookmark, .object = std::move(bookmark).Freeze()});
      if (cancelled_) {
        return;
      }
    }
    if (batch->events.empty() && !batch->initial_events_end) {
      cursor_->Arm([weak = weak_from_this()] {
        if (auto self = weak.lock()) {
          self->Schedule();
        }
      });
    } else {
      Schedule();
    }
  }

  EventLoop& loop_;
  const Kind& kind_;
  std::unique_ptr<WatchCursor> cursor_;
  const bool bookmarks_;
  std::function<void(WatchEvent)> on_event_;
  Client::DoneCallback on_end_;
  bool cancelled_ = false;
};

class LocalWatchHandle : public WatchHandle {
 public:
  explicit LocalWatchHandle(std::shared_ptr<LocalWatch> watch) : watch_(std::move(watch)) {}
  ~LocalWatchHandle() override {
    if (watch_ != nullptr) {
      watch_->Cancel();
    }
  }

 private:
  std::shared_ptr<LocalWatch> watch_;  // Shared with its posted tasks.
};

class InProcessClient : public Client {
 public:
  InProcessClient(Registry& registry, EventLoop& loop, User user)
      : registry_(registry), loop_(loop), user_(std::move(user)) {}

  EventLoop& loop() override { return loop_; }

  void Get(const Kind& kind, ObjectKey key, Callback<Object> done) override {
    Reply(std::move(done), ToResult(registry_.Get(kind, {key.namespace_, key.name})));
  }

  void List(const Kind& kind, ListOptions options, Callback<ObjectList> done) override {
    Reply(std::move(done), ListNow(kind, options));
  }

  void Create(Object object, WriteOptions options, Callback<Object> done) override {
    RequestContext context = Context(options.field_manager, options.dry_run);
    if (options.subresource == "binding") {
      const auto& pod = object.As<api::core::Pod>();
      std::optional<std::string> uid;
      if (!pod.metadata.uid.empty()) {
        uid = pod.metadata.uid;
      }
      ApiResult<VersionPtr> bound =
          registry_.BindPod({pod.metadata.namespace_, pod.metadata.name}, pod.spec.node_name,
                            pod.metadata.annotations, std::move(uid), context);
      Reply(std::move(done), bound.ok() ? Result<Object>(object) : ToResult(bound));
      return;
    }
    Reply(std::move(done), ToResult(registry_.Create(Defaulted(object), context)));
  }

  void Update(Object object, WriteOptions options, Callback<Object> done) override {
    RequestContext context = Context(options.field_manager, options.dry_run);
    Reply(std::move(done),
          FromUpdate(registry_.Update(Defaulted(object), options.subresource, context)));
  }

  void Patch(const Kind& kind, ObjectKey key, std::string body, PatchOptions options,
             Callback<Object> done) override {
    RequestContext context = Context(options.field_manager, /*dry_run=*/false);
    PatchQuery query{.type = options.type,
                     .body = std::move(body),
                     .subresource = options.subresource,
                     .force = options.force};
    Reply(std::move(done),
          FromUpdate(registry_.Patch(kind, {key.namespace_, key.name}, query, context)));
  }

  void Delete(const Kind& kind, ObjectKey key, DeleteOptions options, DoneCallback done) override {
    RequestContext context = Context("", /*dry_run=*/false);
    ApiResult<DeleteAnswer> answer =
        registry_.Delete(kind, {key.namespace_, key.name},
                         {.uid = options.uid,
                          .resource_version = options.resource_version,
                          .grace_period_seconds = options.grace_period_seconds,
                          .propagation_policy = options.propagation_policy},
                         context);
    ReplyStatus(std::move(done),
                answer.ok() ? OkStatus() : api::meta::ToAssayStatus(answer.error()));
  }

  void DeleteCollection(const Kind& kind, ListOptions which, DoneCallback done) override {
    RequestContext context = Context("", /*dry_run=*/false);
    Result<ListQuery> query = Query(kind, which);
    if (!query.ok()) {
      ReplyStatus(std::move(done), query.status());
      return;
    }
    ApiResult<ListAnswer> answer = registry_.DeleteCollection(kind, *query, {}, context);
    ReplyStatus(std::move(done),
                answer.ok() ? OkStatus() : api::meta::ToAssayStatus(answer.error()));
  }

  std::unique_ptr<WatchHandle> Watch(const Kind& kind, WatchOptions options,
                                     std::function<void(WatchEvent)> on_event,
                                     DoneCallback on_end) override {
    Result<Selection> selection = Selection::Parse(kind, registry_.compatibility().level(),
                                                   options.label_selector, options.field_selector);
    if (!selection.ok()) {
      return EndedWatch(std::move(on_end), selection.status());
    }
    ApiResult<std::unique_ptr<WatchCursor>> cursor =
        WatchCursor::Open(registry_, kind,
                          {.namespace_ = options.namespace_,
                           .selection = *std::move(selection),
                           .resource_version = options.resource_version});
    if (!cursor.ok()) {
      return EndedWatch(std::move(on_end), api::meta::ToAssayStatus(cursor.error()));
    }
    auto watch =
        std::make_shared<LocalWatch>(loop_, kind, std::move(*cursor), options.allow_bookmarks,
                                     std::move(on_event), std::move(on_end));
    watch->Schedule();
    return std::make_unique<LocalWatchHandle>(std::move(watch));
  }

 private:
  // A watch that could not start: says so on the loop, unless its handle is gone by then.
  class FailedWatch : public WatchHandle {
   public:
    std::shared_ptr<bool> wanted = std::make_shared<bool>(true);  // Shared with the posted task.
    ~FailedWatch() override { *wanted = false; }
  };
  std::unique_ptr<WatchHandle> EndedWatch(DoneCallback on_end, Status status) {
    auto handle = std::make_unique<FailedWatch>();
    loop_.Post([wanted = handle->wanted, on_end = std::move(on_end), status = std::move(status)] {
      if (*wanted) {
        on_end(status);
      }
    });
    return handle;
  }

  RequestContext Context(std::string field_manager, bool dry_run) const {
    if (field_manager.empty()) {
      field_manager = user_.name;
    }
    return {.user = user_,
            .field_manager = std::move(field_manager),
            .dry_run = dry_run,
            .field_validation = api::json::FieldValidation::kStrict};
  }

  // As the Server does when it decodes.
  Object Defaulted(const Object& object) const {
    return api::validation::ApplyDefaults(object, registry_.clock().Now());
  }

  static Result<Object> FromUpdate(const ApiResult<UpdateAnswer>& answer) {
    if (!answer.ok()) {
      return api::meta::ToAssayStatus(answer.error());
    }
    return answer->object->object();
  }

  Result<ListQuery> Query(const Kind& kind, const ListOptions& options) const {
    ASSAY_ASSIGN_OR_RETURN(Selection selection,
                           Selection::Parse(kind, registry_.compatibility().level(),
                                            options.label_selector, options.field_selector));
    return ListQuery{.namespace_ = options.namespace_,
                     .selection = std::move(selection),
                     .resource_version = options.resource_version,
                     .limit = options.limit,
                     .continue_ = options.continue_};
  }

  Result<ObjectList> ListNow(const Kind& kind, const ListOptions& options) const {
    ASSAY_ASSIGN_OR_RETURN(ListQuery query, Query(kind, options));
    ApiResult<ListAnswer> answer = registry_.List(kind, query);
    if (!answer.ok()) {
      return api::meta::ToAssayStatus(answer.error());
    }
    ObjectList list{.items = {},
                    .resource_version = std::to_string(answer->resource_version),
                    .continue_ = answer->continue_};
    list.items.reserve(answer->items.size());
    for (const VersionPtr& item : answer->items) {
      list.items.push_back(item->object());
    }
    return list;
  }

  template <typename T>
  void Reply(Callback<T> done, Result<T> result) {
    loop_.Post([alive = std::weak_ptr<bool>(alive_), done = std::move(done),
                result = std::move(result)]() mutable {
      if (!alive.expired() && done) {
        done(std::move(result));
      }
    });
  }
  void ReplyStatus(DoneCallback done, Status status) {
    loop_.Post([alive = std::weak_ptr<bool>(alive_), done = std::move(done),
                status = std::move(status)]() mutable {
      if (!alive.expired() && done) {
        done(std::move(status));
      }
    });
  }

  Registry& registry_;
  EventLoop& loop_;
  const User user_;
  // Outstanding callbacks do not run once it is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Client> MakeInProcessClient(Registry& registry, EventLoop& loop, User user) {
  return std::make_unique<InProcessClient>(registry, loop, std::move(user));
}

}  // namespace assay::controlplane::apiserver
