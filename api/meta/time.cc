#include "api/meta/time.h"

#include <array>
#include <cstdio>
#include <limits>
#include <optional>

#include "base/ascii.h"

namespace assay::api::meta {
namespace {

constexpr std::string_view kLayout = "2006-01-02T15:04:05Z07:00";
constexpr std::string_view kMicroLayout = "2006-01-02T15:04:05.000000Z07:00";
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// As Go's time package quotes: what is not plain ASCII byte by byte.
std::string Quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x80) {
      quoted += "\\x";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
      continue;
    }
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + "\"";
}

struct Instant {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
};

// Go's time.Parse for the two layouts of the API, element by element, so that a refusal names the
// element as Go does.
class Rfc3339Parser {
 public:
  Rfc3339Parser(std::string_view text, bool micro)
      : text_(text), rest_(text), micro_(micro), layout_(micro ? kMicroLayout : kLayout) {}

  Result<Instant> Parse() {
    int year = Number(4, "2006");
    Literal("-");
    unsigned month = static_cast<unsigned>(Number(2, "01", 1, 12, "month"));
    Literal("-");
    unsigned day = static_cast<unsigned>(Number(2, "02"));
    Literal("T");
    // A single digit is enough for the hour alone.
    int hour = Number(rest_.size() > 1 && !IsDigit(rest_[1]) ? 1 : 2, "15", 0, 23, "hour");
    Literal(":");
    int minute = Number(2, "04", 0, 59, "minute");
    Literal(":");
    int second = Number(2, "05", 0, 59, "second");
    std::int32_t nanos = Fraction();
    int offset = Zone();
    if (!problem_ && !rest_.empty()) {
      problem_ = "parsing time " + Quoted(text_) + ": extra text: " + Quoted(rest_);
    }
    std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                     std::chrono::day(day)};
    if (!problem_ && !date.ok()) {
      OutOfRange("day");
    }
    if (problem_) {
      return InvalidArgumentError(*problem_);
    }
    std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return Instant{((days * 24 + hour) * 60 + minute) * 60 + second - offset, nanos};
  }

 private:
  void CannotParse(std::string_view element) {
    if (!problem_) {
      problem_ = "parsing time " + Quoted(text_) + " as " + Quoted(layout_) + ": cannot parse " +
                 Quoted(rest_) + " as " + Quoted(element);
    }
  }
  void OutOfRange(std::string_view what) {
    if (!problem_) {
      problem_ = "parsing time " + Quoted(text_) + ": " + std::string(what) + " out of range";
    }
  }

  void Literal(std::string_view literal) {
    if (problem_) {
      return;
    }
    if (!rest_.starts_with(literal)) {
      return CannotParse(literal);
    }
    rest_.remove_prefix(literal.size());
  }

  int Number(std::size_t digits, std::string_view element, int low = 0, int high = 9999,
             std::string_view what = "") {
    if (problem_) {
      return 0;
    }
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (i >= rest_.size() || !IsDigit(rest_[i])) {
        CannotParse(element);
        return 0;
      }
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    if (value < low || value > high) {
      OutOfRange(what);
    }
    return value;
  }

  std::int32_t Fraction() {
    bool present = rest_.size() >= 2 && (rest_[0] == '.' || rest_[0] == ',') && IsDigit(rest_[1]);
    if (problem_ || (!present && !micro_)) {
      return 0;
    }
    std::size_t size = 1;
    while (size < rest_.size() && IsDigit(rest_[size])) {
      ++size;
    }
    // The layout with ".000000" wants exactly six digits.
    if (micro_ && (!present || size < 7)) {
      CannotParse(".000000");
      return 0;
    }
    if (micro_) {
      size = 7;
    }
    std::int64_t nanos = 0;
    for (std::size_t i = 1; i <= 9; ++i) {
      nanos = nanos * 10 + (i < size ? rest_[i] - '0' : 0);
    }
    rest_.remove_prefix(size);
    return static_cast<std::int32_t>(nanos);
  }

  // Seconds east of UTC.
  int Zone() {
    if (problem_) {
      return 0;
    }
    if (rest_.starts_with("Z")) {
      rest_.remove_prefix(1);
      return 0;
    }
    constexpr std::array<std::size_t, 4> kDigits = {1, 2, 4, 5};
    bool good = rest_.size() >= 6 && (rest_[0] == '+' || rest_[0] == '-') && rest_[3] == ':';
    for (std::size_t i : kDigits) {
      good = good && IsDigit(rest_[i]);
    }
    if (!good) {
      CannotParse("Z07:00");
      return 0;
    }
    int hours = (rest_[1] - '0') * 10 + (rest_[2] - '0');
    int minutes = (rest_[4] - '0') * 10 + (rest_[5] - '0');
    if (hours > 24) {
      OutOfRange("time zone offset hour");
    }
    if (minutes > 60) {
      OutOfRange("time zone offset minute");
    }
    int offset = (hours * 60 + minutes) * 60;
    bool west = rest_[0] == '-';
    rest_.remove_prefix(6);
    return west ? -offset : offset;
  }

  std::string_view text_;
  std::string_view rest_;
  bool micro_;
  std::string_view layout_;
  std::optional<std::string> problem_;
};

std::string FormatSeconds(std::int64_t unix_seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(unix_seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<std::chrono::seconds> clock(time - day);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

// The Unix time of Go's zero time.Time, which counts as empty.
constexpr std::int64_t kGoZeroSeconds = -62135596800;

struct Unit {
  std::string_view name;
  std::int64_t nanos;
};
constexpr std::array<Unit, 8> kUnits = {{{"ns", 1},
                                         {"us", 1000},
                                         {"µs", 1000},
                                         {"μs", 1000},
                                         {"ms", 1'000'000},
                                         {"s", kNanosPerSecond},
                                         {"m", 60 * kNanosPerSecond},
                                         {"h", 3600 * kNanosPerSecond}}};

}  // namespace

Time Time::FromUnix(std::int64_t seconds, std::int32_t nanos) {
  Time time;
  time.empty_ = seconds == kGoZeroSeconds && nanos == 0;
  if (!time.empty_) {
    time.seconds_ = seconds;
    time.nanos_ = nanos;
  }
  return time;
}

Time Time::From(WallTime time) {
  return FromUnix(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
}

Result<Time> Time::Parse(std::string_view text) {
  ASSAY_ASSIGN_OR_RETURN(Instant instant, Rfc3339Parser(text, false).Parse());
  return FromUnix(instant.seconds, instant.nanos);
}

WallTime Time::ToWallTime() const {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max() / kNanosPerSecond - 1;
  if (seconds_ > kMax) {
    return WallTime::max();
  }
  if (seconds_ < -kMax) {
    return WallTime::min();
  }
  return WallTime(std::chrono::seconds(seconds_) + std::chrono::nanoseconds(nanos_));
}

std::string Time::ToString() const { return empty_ ? "" : FormatSeconds(seconds_) + "Z"; }

MicroTime MicroTime::FromUnix(std::int64_t seconds, std::int32_t nanos) {
  return MicroTime(Time::FromUnix(seconds, nanos / 1000 * 1000));
}

MicroTime MicroTime::From(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  return FromUnix(second.time_since_epoch().count(),
                  static_cast<std::int32_t>((time - second).count()));
}

Result<MicroTime> MicroTime::Parse(std::string_view text) {
  ASSAY_ASSIGN_OR_RETURN(Instant instant, Rfc3339Parser(text, true).Parse());
  return FromUnix(instant.seconds, instant.nanos);
}

std::string MicroTime::ToString() const {
  if (empty()) {
    return "";
  }
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%06dZ", nanos() / 1000);
  return FormatSeconds(unix_seconds()) + fraction.data();
}

Result<Duration> Duration::Parse(std::string_view text) {
  const std::string invalid = "time: invalid duration " + Quoted(text);
  std::string_view rest = text;
  bool negative = rest.starts_with("-");
  if (negative || rest.starts_with("+")) {
    rest.remove_prefix(1);
  }
  if (rest == "0") {
    return Duration{};
  }
  if (rest.empty()) {
    return InvalidArgumentError(invalid);
  }
  std::uint64_t total = 0;
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;
  while (!rest.empty()) {
    std::uint64_t whole = 0;
    std::uint64_t fraction = 0;
    double scale = 1;
    bool digits = false;
    for (; !rest.empty() && IsDigit(rest[0]); rest.remove_prefix(1), digits = true) {
      if (__builtin_mul_overflow(whole, 10, &whole) || whole > kLimit) {
        return InvalidArgumentError(invalid);
      }
      whole += static_cast<std::uint64_t>(rest[0] - '0');
    }
    if (rest.starts_with(".")) {
      rest.remove_prefix(1);
      for (; !rest.empty() && IsDigit(rest[0]); rest.remove_prefix(1), digits = true) {
        if (fraction < kLimit / 100) {
          fraction = fraction * 10 + static_cast<std::uint64_t>(rest[0] - '0');
          scale *= 10;
        }
      }
    }
    if (!digits) {
      return InvalidArgumentError(invalid);
    }
    std::size_t unit_size = 0;
    while (unit_size < rest.size() && rest[unit_size] != '.' && !IsDigit(rest[unit_size])) {
      ++unit_size;
    }
    if (unit_size == 0) {
      return InvalidArgumentError("time: missing unit in duration " + Quoted(text));
    }
    std::uint64_t unit = 0;
    for (const Unit& candidate : kUnits) {
      if (candidate.name == rest.substr(0, unit_size)) {
        unit = static_cast<std::uint64_t>(candidate.nanos);
      }
    }
    if (unit == 0) {
      return InvalidArgumentError("time: unknown unit " + Quoted(rest.substr(0, unit_size)) +
                                  " in duration " + Quoted(text));
    }
    rest.remove_prefix(unit_size);
    if (whole > kLimit / unit) {
      return InvalidArgumentError(invalid);
    }
    std::uint64_t part =
        whole * unit + static_cast<std::uint64_t>(static_cast<double>(fraction) *
                                                  (static_cast<double>(unit) / scale));
    if (part > kLimit || total + part > kLimit) {
      return InvalidArgumentError(invalid);
    }
    total += part;
  }
  if (negative) {
    return Duration{static_cast<std::int64_t>(~total + 1)};
  }
  if (total > kLimit - 1) {
    return InvalidArgumentError(invalid);
  }
  return Duration{static_cast<std::int64_t>(total)};
}

std::string Duration::ToString() const {
  if (nanoseconds == 0) {
    return "0s";
  }
  const bool negative = nanoseconds < 0;
  std::uint64_t rest = negative ? ~static_cast<std::uint64_t>(nanoseconds) + 1
                                : static_cast<std::uint64_t>(nanoseconds);
  // `value` in units of `unit`, with as many decimals as needed.
  auto decimal = [](std::uint64_t value, std::uint64_t unit) {
    std::string text = std::to_string(value / unit);
    std::string fraction = std::to_string(unit + value % unit).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return fraction.empty() ? text : text + "." + fraction;
  };
  std::string text;
  if (rest < 1000) {
    text = std::to_string(rest) + "ns";
  } else if (rest < 1'000'000) {
    text = decimal(rest, 1000) + "µs";
  } else if (rest < kNanosPerSecond) {
    text = decimal(rest, 1'000'000) + "ms";
  } else {
    constexpr std::uint64_t kMinute = 60 * std::uint64_t{kNanosPerSecond};
    std::uint64_t minutes = rest / kMinute;
    if (minutes >= 60) {
      text += std::to_string(minutes / 60) + "h";
    }
    if (minutes > 0) {
      text += std::to_string(minutes % 60) + "m";
    }
    text += decimal(rest % kMinute, kNanosPerSecond) + "s";
  }
  return negative ? "-" + text : text;
}

}  // namespace assay::api::meta
