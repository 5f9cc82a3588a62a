// Publisher: keeps the ResourceSlices of this driver on this node as they should be: publishes the
// devices, brings back what others delete, reverts what others change, takes over or removes what
// an earlier run left.
//
// A sync lists the slices and makes the writes of a SlicePlan, at most twice a second. Errors are
// retried after 1 s, doubling up to 30 s; what the API server calls invalid is tried again only
// when the devices or the slices change.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_DRIVER_REF_PUBLISH_PUBLISHER_H_
#define ASSAY_DRIVER_REF_PUBLISH_PUBLISHER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/client/async_client.h"
#include "api/client/informer.h"
#include "api/client/task.h"
#include "api/resource/types.h"
#include "base/random.h"
#include "driver-ref/publish/slice_plan.h"

namespace assay::driver_ref::publish {

class Publisher {
 public:
  struct Options {
    std::string driver_name;
    std::string node_name;
    std::uint64_t seed = 0;  // Of back-offs' jitter; 0: from the system.
  };

  // `client` outlives this.
  Publisher(api::client::Client& client, Options options);
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // From the first call on, slices are published.
  void SetContent(SliceContent content);

 private:
  using Slices = std::vector<api::resource::ResourceSlice>;

  void Schedule(Duration delay);
  void ResetBackoff();
  void StartSync();
  void Finish(const Status& status);
  api::client::Task<Status> Sync();
  api::client::Task<Status> FetchNode();
  api::client::Task<Result<Slices>> ListSlices();
  api::client::Task<Status> Execute(SlicePlan plan);
  void NoteStored(const api::resource::ResourceSlice& sent, const api::Object& stored);

  api::client::AsyncClient client_;
  Options options_;
  PoolIdentity pool_;
  std::optional<SliceContent> content_;
  // What the API server made of what a slice holds, if it dropped something of it: it may not know
  // every field. Sending it again would not help.
  std::vector<std::pair<SliceContent, SliceContent>> dropped_;
  api::client::Informer<api::resource::ResourceSlice> informer_;
  bool watching_ = false;

  EventLoop::TimerId timer_ = EventLoop::kNoTimer;
  MonotonicTime due_{};        // Of timer_.
  MonotonicTime last_sync_{};  // Start of the last sync.
  Duration backoff_{};
  Duration jitter_{};  // Added to backoff_: a fleet's drivers do not come back all at once.
  Random random_;
  bool running_ = false;
  bool again_ = false;            // Something changed while a sync ran.
  api::client::TaskScope tasks_;  // Last: ends first.
};

}  // namespace assay::driver_ref::publish

#endif  // ASSAY_DRIVER_REF_PUBLISH_PUBLISHER_H_
