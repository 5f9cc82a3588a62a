// RequestLog: who asked the API server for what. Suites read it to decide rules such as "no writes
// while nothing changes" or "lists slices with a field selector".
//
// Holds the newest records up to a limit and counts all. A watch is recorded when it starts.
//
// Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_REQUEST_LOG_H_
#define ASSAY_CONTROLPLANE_APISERVER_REQUEST_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "controlplane/apiserver/request_info.h"

namespace assay::controlplane::apiserver {

struct RequestRecord {
  std::uint64_t sequence = 0;  // From 1, in the order in which answers were given.
  WallTime time;
  std::string user;
  std::string user_agent;
  RequestInfo info;
  std::string label_selector;
  std::string field_selector;
  std::string content_type;
  std::uint64_t body_hash = 0;  // Equal bodies have equal hashes; 0: no body.
  std::size_t body_bytes = 0;
  int code = 0;           // The HTTP status; 0: the connection was dropped by a fault.
  bool injected = false;  // A fault, not the server, answered.

  bool IsWrite() const;
};

class RequestLog {
 public:
  explicit RequestLog(std::size_t limit = 100'000) : limit_(limit) {}

  void Add(RequestRecord record);

  // The sequence number of the newest record; pass it to Since() later.
  std::uint64_t last() const;
  // Records after `sequence` that `match` selects, oldest first.
  std::vector<RequestRecord> Since(std::uint64_t sequence, const RequestMatch& match = {}) const;
  // Called with every record from now on, on the thread that answered. One observer; null ends it.
  void SetObserver(std::function<void(const RequestRecord&)> observer);

 private:
  const std::size_t limit_;
  mutable std::mutex mu_;
  std::deque<RequestRecord> records_;                   // Guarded by mu_.
  std::uint64_t last_ = 0;                              // Guarded by mu_.
  std::function<void(const RequestRecord&)> observer_;  // Guarded by mu_.
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_REQUEST_LOG_H_
