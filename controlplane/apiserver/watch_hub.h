// WatchHub: the open watches of a Server. Each is a cursor into the store's history and a stream to
// its client; one loop moves events from the ones to the others, so that hundreds cost little. A
// client that reads too slowly holds only its place: once the history has moved past it, it is told
// that its version is too old.
//
// Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_WATCH_HUB_H_
#define ASSAY_CONTROLPLANE_APISERVER_WATCH_HUB_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/http/server.h"
#include "controlplane/apiserver/object_writer.h"
#include "controlplane/apiserver/request_info.h"
#include "controlplane/apiserver/watch_cursor.h"

namespace assay::controlplane::apiserver {

class WatchHub {
 public:
  explicit WatchHub(Duration bookmark_interval);
  ~WatchHub();

  struct OpenWatch {
    std::unique_ptr<WatchCursor> cursor;
    std::shared_ptr<http::ResponseStream> stream;  // Shared with the server.
    const api::Kind* kind = nullptr;
    WriteForm form;
    bool bookmarks = false;
    // The client asked for sendInitialEvents: a bookmark ends the list.
    bool streamed_list = false;
    Duration timeout{};
    // Who watches what, for Drop and Expire.
    RequestInfo info;
    std::string user;
    std::string user_agent;
    std::function<WallTime()> now;
  };
  void Add(OpenWatch watch);

  // Breaks off the watches that `match` selects; returns how many.
  std::size_t Drop(const RequestMatch& match);
  // Ends them with an ERROR event of reason Expired.
  std::size_t Expire(const RequestMatch& match);

  // Ends all watches; none is added any more.
  void Stop();

 private:
  class Stream;
  struct Impl;
  std::shared_ptr<Impl> impl_;  // Shared with callbacks that may outlive it.
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_WATCH_HUB_H_
