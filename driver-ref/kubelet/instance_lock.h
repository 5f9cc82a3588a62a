// InstanceLock: that a socket path has one server. gRPC itself takes a path over from a server that
// still lives on it, so the question is settled with a lock file before anything is touched. The
// kernel releases the lock when its holder ends, however it ends.
//
// Not thread-safe; one per process.
#ifndef ASSAY_DRIVER_REF_KUBELET_INSTANCE_LOCK_H_
#define ASSAY_DRIVER_REF_KUBELET_INSTANCE_LOCK_H_

#include <filesystem>
#include <utility>

#include "base/result.h"

namespace assay::driver_ref::kubelet {

class InstanceLock {
 public:
  // Makes the file where it is missing. kAlreadyExists: another process holds it.
  static Result<InstanceLock> Acquire(const std::filesystem::path& file);
  InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  InstanceLock& operator=(InstanceLock&&) = delete;
  ~InstanceLock();

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace assay::driver_ref::kubelet

#endif  // ASSAY_DRIVER_REF_KUBELET_INSTANCE_LOCK_H_
