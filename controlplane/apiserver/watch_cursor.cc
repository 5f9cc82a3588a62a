#include "controlplane/apiserver/watch_cursor.h"

#include <utility>

#include "api/meta/status.h"
#include "controlplane/apiserver/event_view.h"
#include "controlplane/apiserver/registry.h"

namespace assay::controlplane::apiserver {

namespace meta = api::meta;

ApiResult<std::unique_ptr<WatchCursor>> WatchCursor::Open(Registry& registry, const api::Kind& kind,
                                                          WatchQuery query) {
  store::Store& store = registry.objects();
  const bool any = query.resource_version.empty() || query.resource_version == "0";
  std::uint64_t version = 0;
  if (!any) {
    ASSAY_API_ASSIGN_OR_RETURN(version, ParseResourceVersion(query.resource_version));
  }
  auto cursor = std::unique_ptr<WatchCursor>(new WatchCursor());
  cursor->kind_ = &kind;
  cursor->encoder_ = &store.encoder();
  store::Store::WatchOptions options{.kind = &StoredKind(kind)};
  if (query.send_initial_events.value_or(any)) {
    // A version that is asked for with initial events is the oldest that will do.
    if (version > store.resource_version()) {
      return TooLargeResourceVersion(version, store.resource_version());
    }
    ListQuery list{.namespace_ = query.namespace_, .selection = query.selection};
    ASSAY_API_ASSIGN_OR_RETURN(ListAnswer listed, registry.List(kind, list));
    cursor->initial_ = std::move(listed.items);
    cursor->initial_version_ = listed.resource_version;
    cursor->initial_done_ = false;
    options.after = listed.resource_version;
  } else if (!any) {
    options.after = version;
  }
  Result<std::unique_ptr<store::Watch>> watch = store.StartWatch(options);
  if (!watch.ok()) {
    return meta::Expired(watch.status().message());
  }
  cursor->watch_ = *std::move(watch);
  cursor->query_ = std::move(query);
  return cursor;
}

ApiResult<WatchCursor::Batch> WatchCursor::Next(std::size_t limit) {
  Batch batch;
  if (!initial_done_) {
    for (; next_initial_ < initial_.size() && batch.events.size() < limit; ++next_initial_) {
      batch.events.push_back(
          {store::EventType::kAdded, std::move(initial_[next_initial_]), nullptr});
    }
    batch.resource_version = initial_version_;
    if (next_initial_ == initial_.size()) {
      initial_done_ = true;
      initial_.clear();
      batch.initial_events_end = true;
    }
    return batch;
  }
  while (true) {
    Result<store::Watch::Batch> next = watch_->Next(limit);
    if (!next.ok()) {
      return meta::Expired(next.status().message());
    }
    batch.resource_version = next->resource_version;
    for (const store::Event& event : next->events) {
      if (auto seen = SeenThrough(query_.selection, query_.namespace_, event, *encoder_)) {
        seen->object = ShownAs(*kind_, seen->object, *encoder_);
        batch.events.push_back(*std::move(seen));
      }
    }
    // A batch of which nothing is to be seen is not the end: only an empty one is.
    if (!batch.events.empty() || next->events.empty()) {
      return batch;
    }
  }
}

}  // namespace assay::controlplane::apiserver
