// Clock: where time comes from. Controllers, deadlines and time-outs take a Clock, so that a test
// can move time by hand.
//
// Both times are kept: Now() is the wall clock (what is written into objects), Monotonic() is what
// durations are measured with.
//
// Thread-safe.
#ifndef ASSAY_BASE_CLOCK_H_
#define ASSAY_BASE_CLOCK_H_

#include <chrono>
#include <mutex>
#include <string>

namespace assay {

using Duration = std::chrono::nanoseconds;
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;
  virtual MonotonicTime Monotonic() const = 0;

  // The process's real clock; never destroyed.
  static const Clock& Real();
};

// A clock that stands still until it is told to move. Works, keeps state.
class FakeClock : public Clock {
 public:
  // 2026-01-01T00:00:00Z unless told otherwise, so that goldens are stable.
  FakeClock();
  explicit FakeClock(WallTime start);

  WallTime Now() const override;
  MonotonicTime Monotonic() const override;
  // `step` must not be negative.
  void Advance(Duration step);

 private:
  mutable std::mutex mu_;
  WallTime now_;               // Guarded by mu_.
  MonotonicTime monotonic_{};  // Guarded by mu_.
};

// RFC 3339 in UTC: "2026-01-01T00:00:00Z" (seconds), or with six digits of microseconds.
std::string FormatRfc3339(WallTime time);
std::string FormatRfc3339Micro(WallTime time);

}  // namespace assay

#endif  // ASSAY_BASE_CLOCK_H_
