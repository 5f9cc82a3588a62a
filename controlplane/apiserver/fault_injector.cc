#include "controlplane/apiserver/fault_injector.h"

#include <utility>

namespace assay::controlplane::apiserver {

// The texts are those of apimachinery, pkg/api/errors/errors.go.
Fault::Action Fault::Conflict() {
  return {.code = 409,
          .reason = "Conflict",
          .message =
              "Operation cannot be fulfilled: the object has been modified; please apply "
              "your changes to the latest version and try again"};
}
Fault::Action Fault::TooManyRequests(int retry_after_seconds) {
  return {.code = 429,
          .reason = "TooManyRequests",
          .message = "the server is currently unable to handle the request",
          .retry_after_seconds = retry_after_seconds};
}
Fault::Action Fault::InternalError() {
  return {.code = 500, .reason = "InternalError", .message = "Internal error occurred: injected"};
}
Fault::Action Fault::ServiceUnavailable() {
  return {.code = 503,
          .reason = "ServiceUnavailable",
          .message = "the server is currently unable to handle the request"};
}
Fault::Action Fault::Timeout() {
  return {.code = 504,
          .reason = "Timeout",
          .message = "Timeout: request did not complete within the allotted timeout"};
}
Fault::Action Fault::Forbidden() {
  return {.code = 403, .reason = "Forbidden", .message = "forbidden: injected"};
}
Fault::Action Fault::Expired() {
  return {.code = 410,
          .reason = "Expired",
          .message = "The resourceVersion for the provided list is too old."};
}
Fault::Action Fault::Invalid(std::string message) {
  return {.code = 422, .reason = "Invalid", .message = std::move(message)};
}

FaultInjector::Id FaultInjector::Add(Fault fault) {
  std::lock_guard lock(mu_);
  entries_.emplace(next_, Entry{.fault = std::move(fault)});
  return next_++;
}

void FaultInjector::Remove(Id id) {
  std::lock_guard lock(mu_);
  entries_.erase(id);
}

void FaultInjector::Clear() {
  {
    std::lock_guard lock(mu_);
    entries_.clear();
    ++clears_;
  }
  if (on_clear_) {
    on_clear_();
  }
}

std::uint64_t FaultInjector::clears() const {
  std::lock_guard lock(mu_);
  return clears_;
}

int FaultInjector::hits(Id id) const {
  std::lock_guard lock(mu_);
  auto found = entries_.find(id);
  return found == entries_.end() ? 0 : found->second.hits;
}

std::optional<Fault::Action> FaultInjector::Take(const RequestInfo& info, const std::string& user,
                                                 const std::string& user_agent) {
  std::lock_guard lock(mu_);
  for (auto& [id, entry] : entries_) {
    const Fault& fault = entry.fault;
    bool used_up = fault.times > 0 && entry.hits == fault.times;
    if (used_up || !fault.match.Matches(info, user, user_agent)) {
      continue;
    }
    if (++entry.seen > fault.skip) {
      ++entry.hits;
      return fault.action;
    }
  }
  return std::nullopt;
}

}  // namespace assay::controlplane::apiserver
