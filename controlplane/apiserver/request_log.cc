#include "controlplane/apiserver/request_log.h"

#include <utility>

namespace assay::controlplane::apiserver {

bool RequestRecord::IsWrite() const {
  return info.verb == "create" || info.verb == "update" || info.verb == "patch" ||
         info.verb == "delete" || info.verb == "deletecollection";
}

void RequestLog::Add(RequestRecord record) {
  std::function<void(const RequestRecord&)> observer;
  {
    std::lock_guard lock(mu_);
    record.sequence = ++last_;
    records_.push_back(record);
    if (records_.size() > limit_) {
      records_.pop_front();
    }
    observer = observer_;
  }
  if (observer) {
    observer(record);
  }
}

std::uint64_t RequestLog::last() const {
  std::lock_guard lock(mu_);
  return last_;
}

std::vector<RequestRecord> RequestLog::Since(std::uint64_t sequence,
                                             const RequestMatch& match) const {
  std::lock_guard lock(mu_);
  std::vector<RequestRecord> found;
  for (const RequestRecord& record : records_) {
    if (record.sequence > sequence && match.Matches(record.info, record.user, record.user_agent)) {
      found.push_back(record);
    }
  }
  return found;
}

void RequestLog::SetObserver(std::function<void(const RequestRecord&)> observer) {
  std::lock_guard lock(mu_);
  observer_ = std::move(observer);
}

}  // namespace assay::controlplane::apiserver
