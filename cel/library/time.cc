#include "cel/library/library.h"
#include "cel/library/times.h"

// Source: cel-go's common/stdlib/standard.go, common/types/timestamp.go and duration.go.

namespace assay::cel::library {
namespace {

constexpr std::int64_t kNanosPerHour = 3'600'000'000'000;
constexpr std::int64_t kNanosPerMinute = 60'000'000'000;
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNanosPerMillisecond = 1'000'000;

using Field = std::int64_t (*)(const CivilTime& time);

template <Field field>
Value Utc(const CallContext&, std::span<const Value> args) {
  return Value::Int(field(ToCivil(args[0].seconds())));
}

template <Field field>
Value InZone(const CallContext& context, std::span<const Value> args) {
  const Result<std::int64_t> offset = ZoneOffset(args[1].text(), args[0].seconds());
  if (!offset.ok()) {
    return context.Error({offset.status().message()});
  }
  return Value::Int(field(ToCivil(args[0].seconds() + *offset)));
}

// By way of a double, as Go does it: what is all but the next unit counts for it.
template <std::int64_t unit>
Value DurationIn(const CallContext&, std::span<const Value> args) {
  const std::int64_t duration = args[0].duration();
  return Value::Int(
      static_cast<std::int64_t>(static_cast<double>(duration / unit) +
                                static_cast<double>(duration % unit) / static_cast<double>(unit)));
}

Value DurationMilliseconds(const CallContext&, std::span<const Value> args) {
  return Value::Int(args[0].duration() / kNanosPerMillisecond);
}

Value TimestampMilliseconds(const CallContext&, std::span<const Value> args) {
  return Value::Int(args[0].nanoseconds() / kNanosPerMillisecond);
}

Value TimestampMillisecondsInZone(const CallContext& context, std::span<const Value> args) {
  if (const Result<std::int64_t> offset = ZoneOffset(args[1].text(), args[0].seconds());
      !offset.ok()) {
    return context.Error({offset.status().message()});
  }
  return TimestampMilliseconds(context, args);
}

std::int64_t Year(const CivilTime& time) { return time.year; }
std::int64_t Month(const CivilTime& time) { return time.month - 1; }
std::int64_t DayOfYear(const CivilTime& time) { return time.day_of_year; }
std::int64_t DayOfMonth(const CivilTime& time) { return time.day - 1; }
std::int64_t Date(const CivilTime& time) { return time.day; }
std::int64_t DayOfWeek(const CivilTime& time) { return time.weekday; }
std::int64_t Hours(const CivilTime& time) { return time.hour; }
std::int64_t Minutes(const CivilTime& time) { return time.minute; }
std::int64_t Seconds(const CivilTime& time) { return time.second; }

constexpr const char* kUtc = "timestamp.() -> int";
constexpr const char* kZone = "timestamp.(string) -> int";
constexpr const char* kDuration = "duration.() -> int";

}  // namespace

void AddTime(FunctionTable& table) {
  table.Add("getFullYear", {{"timestamp_to_year", kUtc, &Utc<Year>},
                            {"timestamp_to_year_with_tz", kZone, &InZone<Year>}});
  table.Add("getMonth", {{"timestamp_to_month", kUtc, &Utc<Month>},
                         {"timestamp_to_month_with_tz", kZone, &InZone<Month>}});
  table.Add("getDayOfYear", {{"timestamp_to_day_of_year", kUtc, &Utc<DayOfYear>},
                             {"timestamp_to_day_of_year_with_tz", kZone, &InZone<DayOfYear>}});
  table.Add("getDayOfMonth", {{"timestamp_to_day_of_month", kUtc, &Utc<DayOfMonth>},
                              {"timestamp_to_day_of_month_with_tz", kZone, &InZone<DayOfMonth>}});
  table.Add("getDate", {{"timestamp_to_day_of_month_1_based", kUtc, &Utc<Date>},
                        {"timestamp_to_day_of_month_1_based_with_tz", kZone, &InZone<Date>}});
  table.Add("getDayOfWeek", {{"timestamp_to_day_of_week", kUtc, &Utc<DayOfWeek>},
                             {"timestamp_to_day_of_week_with_tz", kZone, &InZone<DayOfWeek>}});
  table.Add("getHours", {{"timestamp_to_hours", kUtc, &Utc<Hours>},
                         {"timestamp_to_hours_with_tz", kZone, &InZone<Hours>},
                         {"duration_to_hours", kDuration, &DurationIn<kNanosPerHour>}});
  table.Add("getMinutes", {{"timestamp_to_minutes", kUtc, &Utc<Minutes>},
                           {"timestamp_to_minutes_with_tz", kZone, &InZone<Minutes>},
                           {"duration_to_minutes", kDuration, &DurationIn<kNanosPerMinute>}});
  table.Add("getSeconds", {{"timestamp_to_seconds", kUtc, &Utc<Seconds>},
                           {"timestamp_to_seconds_tz", kZone, &InZone<Seconds>},
                           {"duration_to_seconds", kDuration, &DurationIn<kNanosPerSecond>}});
  table.Add("getMilliseconds",
            {{"timestamp_to_milliseconds", kUtc, &TimestampMilliseconds},
             {"timestamp_to_milliseconds_with_tz", kZone, &TimestampMillisecondsInZone},
             {"duration_to_milliseconds", kDuration, &DurationMilliseconds}});
}

}  // namespace assay::cel::library
