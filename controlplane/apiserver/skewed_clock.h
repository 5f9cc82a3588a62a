// SkewedClock: the machine's clock, but for a wall clock that is ahead of it, or behind, and may
// jump.
//
// Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_SKEWED_CLOCK_H_
#define ASSAY_CONTROLPLANE_APISERVER_SKEWED_CLOCK_H_

#include <atomic>

#include "base/clock.h"

namespace assay::controlplane::apiserver {

class SkewedClock : public Clock {
 public:
  WallTime Now() const override { return Clock::Real().Now() + Duration(offset_.load()); }
  MonotonicTime Monotonic() const override { return Clock::Real().Monotonic(); }

  // How far the wall clock is ahead from now on.
  void Skew(Duration offset) { offset_ = offset.count(); }

 private:
  std::atomic<Duration::rep> offset_ = 0;
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_SKEWED_CLOCK_H_
