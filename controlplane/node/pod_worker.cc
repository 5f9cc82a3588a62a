#include "controlplane/node/pod_worker.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "controlplane/claims/pod_claims.h"

namespace assay::controlplane::node {
namespace {

using api::KindOf;
using api::Object;
using api::client::Await;
using api::client::Task;
using api::core::Container;
using api::core::Pod;

// The kubelet's own: a pod is looked at again after the first, a failed end is tried again after
// the second, both up to half longer.
constexpr Duration kResync = std::chrono::seconds(60);
constexpr Duration kBackoff = std::chrono::seconds(10);
constexpr int kMaxConflicts = 5;

}  // namespace

PodWorker::PodWorker(PodWorkerEnvironment environment, PodRef pod, std::function<void()> on_end)
    : environment_(environment),
      client_(*environment.client),
      loop_(&environment.client->loop()),
      pod_(std::move(pod)),
      on_end_(std::move(on_end)) {
  task_.Spawn<Status>(Run(), [this](const Status&) { loop_->Post(on_end_); });
}

PodWorker::~PodWorker() {
  task_.Clear();
  loop_->CancelTimer(timer_);
}

void PodWorker::Update(PodRef pod) {
  pod_ = std::move(pod);
  Wake();
}

void PodWorker::Remove() {
  removed_ = true;
  Wake();
}

void PodWorker::Wake() {
  if (!wake_) {
    pending_ = true;
    return;
  }
  loop_->CancelTimer(timer_);
  loop_->Post([wake = std::exchange(wake_, nullptr)] { wake(true); });
}

Await<bool> PodWorker::Wait(Duration delay) {
  return Await<bool>([&](std::function<void(bool)> done) {
    if (std::exchange(pending_, false)) {
      loop_->Post([done = std::move(done)] { done(true); });
      return;
    }
    wake_ = std::move(done);
    timer_ = loop_->RunAfter(delay, [this] {
      if (const auto wake = std::exchange(wake_, nullptr)) {
        wake(false);
      }
    });
  });
}

Duration PodWorker::WithJitter(Duration delay) {
  const auto half = static_cast<std::uint64_t>((delay / 2).count());
  return delay + Duration(static_cast<std::int64_t>(environment_.random->Below(half + 1)));
}

bool PodWorker::ShouldEnd() const {
  return removed_ || claims::IsBeingDeleted(pod_->metadata) || claims::IsTerminal(*pod_);
}

void PodWorker::Fail(const std::string& reason, const std::string& message) {
  api::client::EventText text;
  text.type = api::client::kEventWarning;
  text.reason = reason;
  text.message = message;
  environment_.events->Record(Object::Of(*pod_), text);
}

Task<Status> PodWorker::Run() {
  co_await RunUntilEnd();
  ending_ = true;
  co_return co_await Terminate();
}

Task<Status> PodWorker::RunUntilEnd() {
  // What ran before the agent was restarted still runs.
  for (const Container& container : pod_->spec.containers) {
    if (const auto* found = environment_.runtime->Find(pod_->metadata.uid, container.name)) {
      progress_ = {.phase = PodProgress::Phase::kRunning, .started = found->started};
    }
  }
  while (!ShouldEnd()) {
    pending_ = false;
    if (progress_.phase == PodProgress::Phase::kWaiting) {
      const Status prepared = co_await environment_.dra->Prepare(*pod_);
      if (!prepared.ok()) {
        Fail("FailedPrepareDynamicResources",
             "Failed to prepare dynamic resources: " + prepared.message());
        co_await WriteStatus();
        // Not an error of the sync: the next try comes with the resync, or a change of the pod.
        co_await Wait(WithJitter(kResync));
        continue;
      }
      if (ShouldEnd()) {
        break;
      }
      if (const Status started = StartContainers(); !started.ok()) {
        environment_.runtime->Stop(pod_->metadata.uid);
        progress_.reason = "CreateContainerError";
        progress_.message = started.message();
        Fail("Failed", "Error: " + started.message());
        co_await WriteStatus();
        co_await Wait(WithJitter(kBackoff));
        continue;
      }
      progress_ = {.phase = PodProgress::Phase::kRunning, .started = loop_->clock().Now()};
    }
    const std::optional<PlannedExit> planned = PlannedExitOf(*pod_);
    const Duration ran = loop_->clock().Now() - progress_.started;
    if (planned && ran >= planned->after) {
      progress_.phase = PodProgress::Phase::kExited;
      progress_.finished = loop_->clock().Now();
      progress_.exit_code = planned->code;
      co_return OkStatus();
    }
    co_await WriteStatus();
    const Duration resync = WithJitter(kResync);
    co_await Wait(planned ? std::min(resync, planned->after - ran) : resync);
  }
  co_return OkStatus();
}

Status PodWorker::StartContainers() {
  const auto start = [&](const Container& container) -> Status {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> devices,
                           environment_.dra->CdiDevicesFor(*pod_, container));
    return environment_.runtime->Start(*pod_, container, devices)
        .WithContext("failed to create container " + container.name);
  };
  for (const Container& container : pod_->spec.init_containers) {
    ASSAY_RETURN_IF_ERROR(start(container));
  }
  for (const Container& container : pod_->spec.containers) {
    ASSAY_RETURN_IF_ERROR(start(container));
  }
  return OkStatus();
}

Task<Status> PodWorker::Terminate() {
  environment_.runtime->Stop(pod_->metadata.uid);
  // Nothing else may use the devices before the driver has let go of them: the terminal status
  // waits for that.
  while (environment_.dra->IsUsedBy(pod_->metadata.uid)) {
    const Status status = co_await environment_.dra->Unprepare(*pod_);
    if (status.ok()) {
      break;
    }
    Fail("FailedUnprepareDynamicResources",
         "Failed to unprepare dynamic resources: " + status.message());
    co_await Wait(WithJitter(kBackoff));
  }
  if (removed_) {
    co_return OkStatus();
  }
  if (progress_.phase != PodProgress::Phase::kExited) {
    // Stopped from outside: what never ran failed, what ran is taken to have ended well.
    progress_.exit_code = progress_.phase == PodProgress::Phase::kRunning ? 0 : 137;
    progress_.phase = PodProgress::Phase::kExited;
    progress_.finished = loop_->clock().Now();
  }
  if (!claims::IsTerminal(*pod_)) {
    co_await WriteStatus();
  }
  // A pod that ended by itself stays, until somebody deletes it.
  while (!removed_ && !claims::IsBeingDeleted(pod_->metadata)) {
    co_await Wait(WithJitter(kResync));
  }
  while (!removed_) {
    const api::client::ObjectKey key{pod_->metadata.namespace_, pod_->metadata.name};
    api::client::DeleteOptions options;
    options.uid = pod_->metadata.uid;
    options.grace_period_seconds = 0;
    const Status status = co_await client_.Delete(KindOf<Pod>(), key, options);
    if (status.ok() || status.code() == StatusCode::kNotFound ||
        status.code() == StatusCode::kAborted) {
      break;
    }
    co_await Wait(WithJitter(kBackoff));
  }
  co_return OkStatus();
}

Task<Status> PodWorker::WriteStatus() {
  Pod pod = *pod_;
  for (int attempt = 0; attempt < kMaxConflicts; ++attempt) {
    const api::core::PodStatus before = pod.status;
    SetStatus(
        progress_, loop_->clock().Now(),
        [&](const Container& container) {
          return environment_.dra->ResourceStatusFor(pod, container);
        },
        pod);
    if (pod.status == before) {
      co_return OkStatus();
    }
    const Object object = Object::Of(pod);
    const Result<Object> written = co_await client_.UpdateStatus(object);
    if (written.ok() || written.status().code() != StatusCode::kAborted) {
      co_return written.status();
    }
    const api::client::ObjectKey key{pod.metadata.namespace_, pod.metadata.name};
    const Result<Object> live = co_await client_.Get(KindOf<Pod>(), key);
    if (!live.ok() || live->metadata().uid != pod.metadata.uid) {
      co_return live.status();
    }
    pod = live->As<Pod>();
  }
  co_return AbortedError("the status of pod " + pod.metadata.name + " keeps changing");
}

}  // namespace assay::controlplane::node
