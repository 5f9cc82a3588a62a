// Tells when a node's state changes, without polling: every writer closes the state file, and a
// node that is made anew is renamed into its place.
//
// Not thread-safe; one per waiter.
#ifndef ASSAY_FAKEGPU_MODEL_STATE_WATCH_H_
#define ASSAY_FAKEGPU_MODEL_STATE_WATCH_H_

#include <filesystem>

#include "base/result.h"

namespace assay::fakegpu::model {

class StateWatch {
 public:
  static Result<StateWatch> Open(const std::filesystem::path& state);
  StateWatch(StateWatch&& other) noexcept;
  StateWatch& operator=(StateWatch&& other) = delete;
  ~StateWatch();

  // Readable (POLLIN) once something has changed since the last Drain(), in its directory at least.
  int fd() const { return fd_; }
  void Drain();

 private:
  explicit StateWatch(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace assay::fakegpu::model

#endif  // ASSAY_FAKEGPU_MODEL_STATE_WATCH_H_
