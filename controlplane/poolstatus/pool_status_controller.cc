#include "controlplane/poolstatus/pool_status_controller.h"

#include <algorithm>
#include <string>
#include <utility>

#include "api/client/async_client.h"
#include "api/client/informer.h"
#include "api/client/work_queue.h"
#include "api/resource/types.h"
#include "controlplane/poolstatus/pool_status.h"

namespace assay::controlplane::poolstatus {
namespace {

using api::KindOf;
using api::Object;
using api::client::Informer;
using api::client::KeyOf;
using api::client::ObjectKey;
using api::client::Task;
using api::resource::DeviceTaintRule;
using api::resource::ResourceClaim;
using api::resource::ResourcePoolStatusRequest;
using api::resource::ResourceSlice;

using RequestRef = Informer<ResourcePoolStatusRequest>::Ref;

constexpr int kMaxRetries = 5;
constexpr Duration kCleanupPeriod = std::chrono::minutes(10);
constexpr Duration kAnsweredLifetime = std::chrono::hours(1);
constexpr Duration kPendingLifetime = std::chrono::hours(24);

bool IsExpired(const ResourcePoolStatusRequest& request, WallTime now) {
  const auto is_older_than = [&](api::meta::Time time, Duration age) {
    return !time.empty() && now - time.ToWallTime() > age;
  };
  const api::meta::Time created = request.metadata.creation_timestamp;
  if (!request.status) {
    return is_older_than(created, kPendingLifetime);
  }
  for (const api::meta::Condition& condition : request.status->conditions) {
    if (condition.type == "Complete" || condition.type == "Failed") {
      return is_older_than(condition.last_transition_time, kAnsweredLifetime);
    }
  }
  return is_older_than(created, kAnsweredLifetime);
}

}  // namespace

struct PoolStatusController::Impl {
  Impl(api::client::Client& client, const api::Compatibility& compatibility)
      : cluster(client),
        enabled(compatibility.Enabled("DRAResourcePoolStatus")),
        with_rules(compatibility.Enabled("DRADeviceTaintRules")),
        level(compatibility.level()),
        requests(client),
        slices(client),
        claims(client),
        taint_rules(client),
        queue(client.loop(), {.workers = 1}, [this](std::string name) { return Sync(name); }) {
    requests.AddHandlers(
        {.on_add = [this](const RequestRef& request) { Enqueue(request); },
         .on_update = [this](const RequestRef&, const RequestRef& now) { Enqueue(now); }});
  }
  ~Impl() { cluster.loop().CancelTimer(cleanup_timer); }

  void Enqueue(const RequestRef& request) {
    if (!request->status) {
      queue.Add(request->metadata.name);
    }
  }
  Task<Status> Sync(std::string name);
  Task<Status> Answer(RequestRef request);
  void CleanUp();
  Task<Status> Delete(RequestRef request);

  api::client::AsyncClient cluster;
  const bool enabled;
  const bool with_rules;  // DeviceTaintRules hold.
  const api::Level level;
  Informer<ResourcePoolStatusRequest> requests;
  Informer<ResourceSlice> slices;
  Informer<ResourceClaim> claims;
  Informer<DeviceTaintRule> taint_rules;
  EventLoop::TimerId cleanup_timer = EventLoop::kNoTimer;
  // Last: what they run uses all of the above.
  api::client::WorkQueue queue;
  api::client::TaskScope deletions;
};

PoolStatusController::PoolStatusController(api::client::Client& client,
                                           const api::Compatibility& compatibility)
    : impl_(std::make_unique<Impl>(client, compatibility)) {}

PoolStatusController::~PoolStatusController() = default;

void PoolStatusController::Start() {
  if (!impl_->enabled) {
    return;
  }
  // Requests last: they are answered from what the others know.
  const auto start_requests = [this] { impl_->requests.Start([this] { impl_->CleanUp(); }); };
  impl_->slices.Start([this, start_requests] {
    impl_->claims.Start([this, start_requests] {
      if (impl_->with_rules) {
        impl_->taint_rules.Start(start_requests);
      } else {
        start_requests();
      }
    });
  });
}

Task<Status> PoolStatusController::Impl::Sync(std::string name) {
  const RequestRef request = requests.Get("", name);
  if (!request || request->status) {
    co_return OkStatus();
  }
  const Status answered = co_await Answer(request);
  if (!answered.ok() && queue.failures(name) >= kMaxRetries) {
    co_return OkStatus();  // Given up: the queue forgets it.
  }
  co_return answered;
}

Task<Status> PoolStatusController::Impl::Answer(RequestRef request) {
  const PoolSources sources{
      .slices = slices.List(), .claims = claims.List(), .taint_rules = taint_rules.List()};
  auto status =
      AnswerTo(request->spec, sources, level, api::meta::Time::From(cluster.loop().clock().Now()));
  ASSAY_CO_RETURN_IF_ERROR(status.status());
  ResourcePoolStatusRequest changed = *request;
  changed.status = *std::move(status);
  const Object object = Object::Of(std::move(changed));
  const Result<Object> updated = co_await cluster.UpdateStatus(object);
  co_return updated.status();
}

void PoolStatusController::Impl::CleanUp() {
  const WallTime now = cluster.loop().clock().Now();
  for (const RequestRef& request : requests.List()) {
    if (IsExpired(*request, now)) {
      deletions.Spawn(Delete(request));
    }
  }
  cleanup_timer = cluster.loop().RunAfter(kCleanupPeriod, [this] { CleanUp(); });
}

// What fails is tried again the next time.
Task<Status> PoolStatusController::Impl::Delete(RequestRef request) {
  const ObjectKey key = KeyOf(request->metadata);
  api::client::DeleteOptions options;
  options.uid = request->metadata.uid;
  const Status deleted = co_await cluster.Delete(KindOf<ResourcePoolStatusRequest>(), key, options);
  co_return deleted;
}

}  // namespace assay::controlplane::poolstatus
