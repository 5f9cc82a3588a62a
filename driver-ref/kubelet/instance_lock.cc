#include "driver-ref/kubelet/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace assay::driver_ref::kubelet {

Result<InstanceLock> InstanceLock::Acquire(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return ErrnoError(errno, "opening " + file.string());
  }
  InstanceLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? AlreadyExistsError(file.string() + " is held by another process")
                                : ErrnoError(errno, "locking " + file.string());
  }
  return lock;
}

// The file stays: removing it would let two processes lock two files of one name.
InstanceLock::~InstanceLock() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

}  // namespace assay::driver_ref::kubelet
