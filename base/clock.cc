#include "base/clock.h"

#include <cstdio>

#include "base/check.h"

namespace assay {
namespace {

class SystemClock : public Clock {
 public:
  WallTime Now() const override { return std::chrono::system_clock::now(); }
  MonotonicTime Monotonic() const override { return std::chrono::steady_clock::now(); }
};

// Year to second of `time`; the caller appends fractions and the zone.
std::string FormatSeconds(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<std::chrono::seconds> clock(
      std::chrono::floor<std::chrono::seconds>(time - day));
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

}  // namespace

const Clock& Clock::Real() {
  static const SystemClock* const clock = new SystemClock;
  return *clock;
}

FakeClock::FakeClock()
    : FakeClock(std::chrono::sys_days(std::chrono::year(2026) / std::chrono::January / 1)) {}

FakeClock::FakeClock(WallTime start) : now_(start) {}

WallTime FakeClock::Now() const {
  const std::lock_guard lock(mu_);
  return now_;
}

MonotonicTime FakeClock::Monotonic() const {
  const std::lock_guard lock(mu_);
  return monotonic_;
}

void FakeClock::Advance(Duration step) {
  ASSAY_CHECK(step >= Duration::zero()) << "time does not run backwards";
  const std::lock_guard lock(mu_);
  now_ += step;
  monotonic_ += step;
}

std::string FormatRfc3339(WallTime time) { return FormatSeconds(time) + "Z"; }

std::string FormatRfc3339Micro(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = std::chrono::floor<std::chrono::microseconds>(time - seconds);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%06dZ", static_cast<int>(micros.count()));
  return FormatSeconds(time) + fraction;
}

}  // namespace assay
