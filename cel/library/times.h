// Times as Go reads and writes them, and the calendar of a time zone.
//
// Thread-safe: pure functions; the zone database of the system is read afresh.
#ifndef ASSAY_CEL_LIBRARY_TIMES_H_
#define ASSAY_CEL_LIBRARY_TIMES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::cel::library {

// Go's time.ParseDuration: "1h2m3.5s".
std::optional<std::int64_t> ParseDuration(std::string_view text);
// "5400s", "1.5s".
std::string FormatDuration(std::int64_t nanoseconds);

struct Instant {
  std::int64_t seconds = 0;  // since 1970
  std::uint32_t nanoseconds = 0;
  std::int16_t zone_minutes = 0;  // how far it was written from UTC
};
// RFC 3339, with fractions of a second and any offset. Null: it is none.
std::optional<Instant> ParseTimestamp(std::string_view text);
// RFC 3339 in its zone, without trailing zeros of the fraction.
std::string FormatTimestamp(const Instant& instant);

struct CivilTime {
  std::int64_t year = 1970;
  int month = 1;        // 1 to 12
  int day = 1;          // 1 to 31
  int day_of_year = 0;  // from 0
  int weekday = 0;      // Sunday is 0
  int hour = 0;
  int minute = 0;
  int second = 0;
};
CivilTime ToCivil(std::int64_t seconds);

// The offset from UTC in seconds of a zone at an instant. `zone` is a name of the system's zone
// database ("America/New_York", "UTC") or an offset ("-08:00"). kInvalidArgument in Go's words.
Result<std::int64_t> ZoneOffset(std::string_view zone, std::int64_t seconds);

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_TIMES_H_
