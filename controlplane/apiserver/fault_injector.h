// FaultInjector: makes the API server misbehave for chosen requests, as a suite asks.
//
//   // The next two slice updates of anybody conflict.
//   faults.Add({.match = {.verbs = {"update"}, .resources = {"resourceslices"}},
//               .action = Fault::Conflict(), .times = 2});
//
// Only what comes over HTTP is affected; Assay's own controllers use the registry directly.
//
// Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_FAULT_INJECTOR_H_
#define ASSAY_CONTROLPLANE_APISERVER_FAULT_INJECTOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "controlplane/apiserver/request_info.h"

namespace assay::controlplane::apiserver {

struct Fault {
  enum class Kind {
    kStatus,          // Answer with `code`, `reason`, `message`.
    kDropConnection,  // Close the connection without an answer; the request has no effect.
    kLoseAnswer,      // Carry the request out, then close the connection without an answer.
    kHang,            // Never answer: the client's own time-out ends it, or Clear().
    kHold,            // Carry the request out when Clear() is called, and answer it then.
    kSlow,            // Carry the request out and answer it after `delay`.
  };
  struct Action {
    Kind kind = Kind::kStatus;
    int code = 500;
    std::string reason;  // "Conflict"
    std::string message;
    int retry_after_seconds = 0;  // Sent as Retry-After and in the details, where positive.
    Duration delay{};             // kSlow: in real time.
  };

  RequestMatch match;
  Action action;
  int skip = 0;   // This many matching requests pass first.
  int times = 1;  // Then this many are hit; 0: all, until removed.

  // Actions that answer as Kubernetes does.
  static Action Conflict();                                // 409
  static Action TooManyRequests(int retry_after_seconds);  // 429
  static Action InternalError();                           // 500
  static Action ServiceUnavailable();                      // 503
  static Action Timeout();                                 // 504
  static Action Forbidden();                               // 403
  static Action Expired();                                 // 410, for lists and watches
  static Action Invalid(std::string message);              // 422
  static Action DropConnection() { return {.kind = Kind::kDropConnection}; }
  static Action LoseAnswer() { return {.kind = Kind::kLoseAnswer}; }
  static Action Hang() { return {.kind = Kind::kHang}; }
  static Action Hold() { return {.kind = Kind::kHold}; }
  static Action Slow(Duration delay) { return {.kind = Kind::kSlow, .delay = delay}; }
};

class FaultInjector {
 public:
  using Id = std::uint64_t;

  Id Add(Fault fault);
  void Remove(Id id);
  // Removes all; the connections of requests that hang are closed, and requests that are held are
  // carried out, on this thread.
  void Clear();
  // How often Clear was called: tells a request that was to hang or be held that it came too late.
  std::uint64_t clears() const;
  // How many requests the fault has hit, also after it was used up; 0 for one that was removed.
  int hits(Id id) const;

  // The action for this request, if any; counts it. Faults are tried in the order of Add.
  std::optional<Fault::Action> Take(const RequestInfo& info, const std::string& user,
                                    const std::string& user_agent);

  // Called by Clear, after it: for the server, which has the requests that hang and are held. Set
  // before use.
  void SetOnClear(std::function<void()> on_clear) { on_clear_ = std::move(on_clear); }

 private:
  struct Entry {
    Fault fault;
    int seen = 0;
    int hits = 0;
  };
  mutable std::mutex mu_;
  std::map<Id, Entry> entries_;  // Guarded by mu_.
  Id next_ = 1;                  // Guarded by mu_.
  std::uint64_t clears_ = 0;     // Guarded by mu_.
  std::function<void()> on_clear_;
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_FAULT_INJECTOR_H_
