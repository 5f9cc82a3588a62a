// WatchCursor: one watch as its client sees it: the objects that are there, where it wants them
// first, then every change that its selection shows it, without a gap.
//
// Not thread-safe, but for the callback of Arm (store/store.h).
#ifndef ASSAY_CONTROLPLANE_APISERVER_WATCH_CURSOR_H_
#define ASSAY_CONTROLPLANE_APISERVER_WATCH_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "controlplane/apiserver/api_result.h"
#include "controlplane/apiserver/selection.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

class Registry;

struct WatchQuery {
  std::string namespace_;  // Empty: all.
  Selection selection;
  std::string resource_version;
  // Of a streamed list: true: the objects first, then a bookmark that says so.
  std::optional<bool> send_initial_events;
};

class WatchCursor {
 public:
  // Expired if the version is too old; 504 if it is in the future.
  static ApiResult<std::unique_ptr<WatchCursor>> Open(Registry& registry, const api::Kind& kind,
                                                      WatchQuery query);

  struct Batch {
    std::vector<store::Event> events;
    // Everything up to here has been handed out.
    std::uint64_t resource_version = 0;
    // With this batch the objects that were there at the start are complete.
    bool initial_events_end = false;
  };
  // The next events, at most `limit`; none: Arm, and come back. Expired: the reader was too slow.
  ApiResult<Batch> Next(std::size_t limit);
  // As store::Watch::Arm.
  void Arm(std::function<void()> notify) { watch_->Arm(std::move(notify)); }

 private:
  WatchCursor() = default;

  WatchQuery query_;
  const api::Kind* kind_ = nullptr;
  const store::Encoder* encoder_ = nullptr;
  std::vector<store::VersionPtr> initial_;
  std::size_t next_initial_ = 0;
  bool initial_done_ = true;
  std::uint64_t initial_version_ = 0;
  std::unique_ptr<store::Watch> watch_;
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_WATCH_CURSOR_H_
