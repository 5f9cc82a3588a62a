#include "driver-ref/publish/publisher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "api/core/types.h"
#include "driver-ref/mutants.h"

namespace assay::driver_ref::publish {
namespace {

using api::KindOf;
using api::Object;
using api::client::Task;
using api::resource::Device;
using api::resource::ResourceSlice;

constexpr Duration kMinInterval = std::chrono::milliseconds(500);
// Lets a burst of changes become one write.
constexpr Duration kSettle = std::chrono::milliseconds(100);
constexpr Duration kMinBackoff = std::chrono::seconds(1);
constexpr Duration kMaxBackoff = std::chrono::seconds(30);
// Jitter is at most one of so many parts of the back-off.
constexpr std::int64_t kJitterParts = 5;
// Dropped devices that are remembered: one entry a slice, and some of the past.
constexpr std::size_t kMaxDropped = 64;

std::string Selector(const Publisher::Options& options) {
  if (mutants::Is("lists-all-slices")) {
    return "";
  }
  return "spec.driver=" + options.driver_name + ",spec.nodeName=" + options.node_name;
}

SliceContent WithoutTaintTimes(SliceContent content) {
  for (Device& device : content.devices) {
    for (auto& taint : device.taints) {
      taint.time_added.reset();
    }
  }
  return content;
}

}  // namespace

Publisher::Publisher(api::client::Client& client, Options options)
    : client_(client),
      options_(std::move(options)),
      pool_{.driver_name = options_.driver_name, .node_name = options_.node_name, .node_uid = ""},
      informer_(client,
                {.namespace_ = "", .label_selector = "", .field_selector = Selector(options_)}),
      random_(options_.seed != 0 ? Random(options_.seed) : Random::FromSystem()) {
  informer_.AddHandlers({.on_add = [this](const auto&) { Schedule(kSettle); },
                         .on_update = [this](const auto&, const auto&) { Schedule(kSettle); },
                         .on_delete = [this](const auto&) { Schedule(kSettle); }});
}

Publisher::~Publisher() { client_.loop().CancelTimer(timer_); }

void Publisher::SetContent(SliceContent content) {
  if (content_ == content) {
    return;
  }
  content_ = std::move(content);
  ResetBackoff();
  Schedule(kSettle);
}

void Publisher::ResetBackoff() {
  backoff_ = {};
  jitter_ = {};
}

void Publisher::Schedule(Duration delay) {
  if (!content_) {
    return;
  }
  if (running_) {
    again_ = true;
    return;
  }
  EventLoop& loop = client_.loop();
  const MonotonicTime now = loop.clock().Monotonic();
  // Not sooner than the errors and the last sync allow.
  const MonotonicTime due =
      std::max(now + std::max(delay, backoff_ + jitter_), last_sync_ + kMinInterval);
  if (timer_ != EventLoop::kNoTimer) {
    if (due_ <= due) {
      return;
    }
    loop.CancelTimer(timer_);
  }
  due_ = due;
  timer_ = loop.RunAfter(due - now, [this] {
    timer_ = EventLoop::kNoTimer;
    StartSync();
  });
}

void Publisher::StartSync() {
  if (mutants::Is("publishes-once") && watching_) {
    return;
  }
  running_ = true;
  last_sync_ = client_.loop().clock().Monotonic();
  tasks_.Spawn<Status>(Sync(), [this](const Status& status) { Finish(status); });
}

void Publisher::Finish(const Status& status) {
  running_ = false;
  if (status.ok()) {
    ResetBackoff();
    if (!watching_) {
      watching_ = true;
      // What went before the watch began is no event.
      informer_.Start([this] { Schedule(kSettle); });
    }
  } else if (status.code() == StatusCode::kInvalidArgument) {
    ResetBackoff();
    spdlog::error("the API server refuses the ResourceSlices: {}", status.ToString());
  } else {
    backoff_ = std::clamp(backoff_ * 2, kMinBackoff, kMaxBackoff);
    jitter_ = Duration(random_.Below(static_cast<std::uint64_t>(backoff_.count() / kJitterParts)));
    spdlog::warn("publishing ResourceSlices: {}; next try in {} s", status.ToString(),
                 std::chrono::duration_cast<std::chrono::seconds>(backoff_).count());
    again_ = true;
  }
  if (std::exchange(again_, false)) {
    Schedule(kSettle);
  }
}

Task<Status> Publisher::Sync() {
  if (pool_.node_uid.empty()) {
    ASSAY_CO_RETURN_IF_ERROR(co_await FetchNode());
  }
  Result<Slices> existing = co_await ListSlices();
  ASSAY_CO_RETURN_IF_ERROR(existing.status());
  for (ResourceSlice& slice : *existing) {
    for (const auto& [sent, stored] : dropped_) {
      if (WithoutTaintTimes(ContentOf(slice)) == stored) {
        slice.spec.shared_counters = sent.counter_sets;
        slice.spec.devices = sent.devices;
      }
    }
  }
  co_return co_await Execute(PlanSlices(pool_, *content_, *existing));
}

Task<Status> Publisher::FetchNode() {
  const api::client::ObjectKey key{"", options_.node_name};
  const Result<Object> node = co_await client_.Get(KindOf<api::core::Node>(), key);
  ASSAY_CO_RETURN_IF_ERROR(node.status());
  pool_.node_uid = node->metadata().uid;
  co_return OkStatus();
}

Task<Result<Publisher::Slices>> Publisher::ListSlices() {
  api::client::ListOptions options;
  options.field_selector = Selector(options_);
  options.limit = 500;
  Slices slices;
  do {
    const Result<api::client::ObjectList> page =
        co_await client_.List(KindOf<ResourceSlice>(), options);
    if (!page.ok()) {
      co_return page.status();
    }
    for (const Object& object : page->items) {
      slices.push_back(object.As<ResourceSlice>());
    }
    options.continue_ = page->continue_;
  } while (!options.continue_.empty());
  co_return slices;
}

Task<Status> Publisher::Execute(SlicePlan plan) {
  for (const ResourceSlice& slice : plan.remove) {
    const api::client::ObjectKey key{"", slice.metadata.name};
    api::client::DeleteOptions options;
    options.uid = slice.metadata.uid;
    options.resource_version = slice.metadata.resource_version;
    const Status status = co_await client_.Delete(KindOf<ResourceSlice>(), key, options);
    if (!status.ok() && status.code() != StatusCode::kNotFound) {
      co_return status;
    }
    spdlog::info("ResourceSlice {}: removed", slice.metadata.name);
  }
  for (const ResourceSlice& slice : plan.update) {
    const Object object = Object::Of(slice);
    const Result<Object> stored = co_await client_.Update(object);
    ASSAY_CO_RETURN_IF_ERROR(stored.status());
    NoteStored(slice, *stored);
    spdlog::info("ResourceSlice {}: updated, {} devices, generation {}", slice.metadata.name,
                 slice.spec.devices.size(), slice.spec.pool.generation);
  }
  for (const ResourceSlice& slice : plan.create) {
    const Object object = Object::Of(slice);
    const Result<Object> stored = co_await client_.Create(object);
    ASSAY_CO_RETURN_IF_ERROR(stored.status());
    NoteStored(slice, *stored);
    spdlog::info("ResourceSlice {}: created, {} devices, generation {}", stored->name(),
                 slice.spec.devices.size(), slice.spec.pool.generation);
  }
  co_return OkStatus();
}

void Publisher::NoteStored(const ResourceSlice& sent, const Object& stored) {
  SliceContent wanted = WithoutTaintTimes(ContentOf(sent));
  SliceContent kept = WithoutTaintTimes(ContentOf(stored.As<ResourceSlice>()));
  if (wanted == kept) {
    return;
  }
  spdlog::warn(
      "ResourceSlice {}: the API server does not keep every field of the devices or counters",
      stored.name());
  dropped_.emplace_back(std::move(wanted), std::move(kept));
  if (dropped_.size() > kMaxDropped) {
    dropped_.erase(dropped_.begin());
  }
}

}  // namespace assay::driver_ref::publish
