// Time, MicroTime and Duration of Kubernetes' meta/v1, as values.
//
// Time and MicroTime are empty by default, which JSON writes as null (or leaves out). Time has
// whole seconds on the wire, in JSON and in protobuf; MicroTime has microseconds.
//
// Thread-safe: values.
#ifndef ASSAY_API_META_TIME_H_
#define ASSAY_API_META_TIME_H_

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace assay::api::meta {

// A point in time with a resolution of nanoseconds, or none. Years 1 to 9999, as RFC 3339 has them:
// hence seconds and nanoseconds apart, which WallTime cannot hold together.
class Time {
 public:
  Time() = default;  // Empty.
  // Seconds and nanoseconds since 1970; `nanos` in [0, 1e9).
  static Time FromUnix(std::int64_t seconds, std::int32_t nanos = 0);
  // Cut to whole seconds, as everything that Kubernetes stores.
  static Time From(WallTime time);
  // RFC 3339 ("2026-01-01T00:00:00Z", "…:00.25+01:00"). kInvalidArgument with Go's words:
  // `parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"`.
  static Result<Time> Parse(std::string_view text);

  bool empty() const { return empty_; }
  std::int64_t unix_seconds() const { return seconds_; }
  std::int32_t nanos() const { return nanos_; }
  // The nearest that WallTime holds (years 1678 to 2262); 1970 if empty.
  WallTime ToWallTime() const;
  // RFC 3339 in UTC, whole seconds; "" if empty.
  std::string ToString() const;

  // By instant; empty is before all others.
  friend bool operator==(const Time&, const Time&) = default;
  friend auto operator<=>(const Time& a, const Time& b) {
    if (auto order = b.empty_ <=> a.empty_; order != 0) {
      return order;
    }
    if (auto order = a.seconds_ <=> b.seconds_; order != 0) {
      return order;
    }
    return a.nanos_ <=> b.nanos_;
  }

 private:
  bool empty_ = true;
  std::int32_t nanos_ = 0;
  std::int64_t seconds_ = 0;
};

// As Time, with microseconds in JSON ("2026-01-01T00:00:00.000000Z") and in protobuf.
class MicroTime : public Time {
 public:
  MicroTime() = default;
  static MicroTime FromUnix(std::int64_t seconds, std::int32_t nanos = 0);
  // Cut to whole microseconds.
  static MicroTime From(WallTime time);
  static Result<MicroTime> Parse(std::string_view text);
  std::string ToString() const;
  friend bool operator==(const MicroTime&, const MicroTime&) = default;

 private:
  explicit MicroTime(Time time) : Time(time) {}
};

// Nanoseconds; JSON is Go's notation ("1m30s"), protobuf the number.
struct Duration {
  std::int64_t nanoseconds = 0;

  // Go's time.ParseDuration: "1h30m", "-1.5s", "250ms", "0".
  static Result<Duration> Parse(std::string_view text);
  std::string ToString() const;
  friend bool operator==(const Duration&, const Duration&) = default;
};

}  // namespace assay::api::meta

#endif  // ASSAY_API_META_TIME_H_
