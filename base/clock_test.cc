#include "base/clock.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

TEST(ClockTest, FakeClockMovesOnlyWhenTold) {
  FakeClock clock;
  EXPECT_EQ(FormatRfc3339(clock.Now()), "2026-01-01T00:00:00Z");
  const MonotonicTime before = clock.Monotonic();
  clock.Advance(hours(36));
  EXPECT_EQ(FormatRfc3339(clock.Now()), "2026-01-02T12:00:00Z");
  EXPECT_EQ(clock.Monotonic() - before, hours(36));
}

TEST(ClockTest, MicrosecondsHaveSixDigits) {
  FakeClock clock;
  clock.Advance(microseconds(42));
  EXPECT_EQ(FormatRfc3339Micro(clock.Now()), "2026-01-01T00:00:00.000042Z");
}

TEST(ClockTest, TimesBeforeTheEpochRoundDown) {
  const WallTime time = WallTime() - std::chrono::milliseconds(1);
  EXPECT_EQ(FormatRfc3339(time), "1969-12-31T23:59:59Z");
}

TEST(ClockTest, RealTimeRuns) {
  const MonotonicTime before = Clock::Real().Monotonic();
  while (Clock::Real().Monotonic() == before) {
  }
  EXPECT_GT(Clock::Real().Monotonic(), before);
}

}  // namespace
}  // namespace assay
