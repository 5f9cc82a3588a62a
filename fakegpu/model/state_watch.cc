#include "fakegpu/model/state_watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <utility>

namespace assay::fakegpu::model {

Result<StateWatch> StateWatch::Open(const std::filesystem::path& state) {
  const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) {
    return ErrnoError(errno, "inotify");
  }
  StateWatch watch(fd);
  const std::filesystem::path directory = state.has_parent_path() ? state.parent_path() : ".";
  if (inotify_add_watch(fd, directory.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
    return ErrnoError(errno, "a watch of " + directory.string());
  }
  return watch;
}

StateWatch::StateWatch(StateWatch&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StateWatch::~StateWatch() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

void StateWatch::Drain() {
  alignas(inotify_event) char buffer[4096];
  while (read(fd_, buffer, sizeof(buffer)) > 0) {
  }
}

}  // namespace assay::fakegpu::model
