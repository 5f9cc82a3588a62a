#include "cel/library/times.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>

#include "base/ascii.h"
#include "cel/library/text.h"

namespace assay::cel::library {
namespace {

constexpr std::int64_t kSecondsPerDay = 86400;

__extension__ using Int128 = __int128;

// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
std::int64_t DaysFromCivil(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

bool IsLeap(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int DaysInMonth(std::int64_t year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

// Reads `count` digits.
bool TakeNumber(std::string_view* text, std::size_t count, int* value) {
  if (text->size() < count) {
    return false;
  }
  *value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!IsDigit((*text)[i])) {
      return false;
    }
    *value = *value * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(count);
  return true;
}

// Go reads an hour of one digit too.
std::size_t HourDigits(std::string_view text) {
  return text.size() > 1 && IsDigit(text[1]) ? 2 : 1;
}

bool Take(std::string_view* text, char c) {
  if (!text->starts_with(c)) {
    return false;
  }
  text->remove_prefix(1);
  return true;
}

// A fraction of a second; digits past the ninth are dropped.
bool TakeFraction(std::string_view* text, std::uint32_t* nanoseconds) {
  if (text->empty() || ((*text)[0] != '.' && (*text)[0] != ',')) {
    return true;
  }
  if (text->size() < 2 || !IsDigit((*text)[1])) {
    return false;
  }
  text->remove_prefix(1);
  std::uint32_t unit = 100'000'000;
  while (!text->empty() && IsDigit(text->front())) {
    *nanoseconds += unit * static_cast<std::uint32_t>(text->front() - '0');
    unit /= 10;
    text->remove_prefix(1);
  }
  return true;
}

// "Z" or "+hh:mm".
bool TakeZone(std::string_view* text, int* offset) {
  *offset = 0;
  if (Take(text, 'Z')) {
    return true;
  }
  const int sign = text->starts_with('-') ? -1 : 1;
  int hours = 0;
  int minutes = 0;
  if ((!Take(text, '-') && !Take(text, '+')) || !TakeNumber(text, 2, &hours) || !Take(text, ':') ||
      !TakeNumber(text, 2, &minutes) || hours > 24 || minutes > 60) {
    return false;
  }
  *offset = sign * (hours * 3600 + minutes * 60);
  return true;
}

// A file of the zone database (RFC 8536): its transitions, and the rule for the time after them.
class ZoneFile {
 public:
  static std::optional<ZoneFile> Read(std::string_view name) {
    if (name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos ||
        name.find('\\') != std::string_view::npos) {
      return std::nullopt;
    }
    std::ifstream in("/usr/share/zoneinfo/" + std::string(name), std::ios::binary);
    ZoneFile file;
    file.data_.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    if (!in || file.data_.size() < 44 || file.data_.compare(0, 4, "TZif") != 0) {
      return std::nullopt;
    }
    return file;
  }

  std::optional<std::int64_t> OffsetAt(std::int64_t seconds) const {
    std::size_t at = 0;
    std::size_t time_size = 4;
    Header header = ReadHeader(at);
    if (data_[4] >= '2') {
      at = 44 + BlockSize(header, 4);
      if (data_.size() < at + 44) {
        return std::nullopt;
      }
      header = ReadHeader(at);
      time_size = 8;
    }
    at += 44;
    if (data_.size() < at + BlockSize(header, time_size) || header.types == 0) {
      return std::nullopt;
    }
    const std::size_t types_at = at + header.times * (time_size + 1);
    std::size_t type = 0;
    std::size_t last = header.times;
    for (std::size_t i = 0; i < header.times; ++i) {
      if (Number(at + i * time_size, time_size) > seconds) {
        break;
      }
      type = static_cast<unsigned char>(data_[at + header.times * time_size + i]);
      last = i;
    }
    if (last + 1 == header.times && time_size == 8) {
      const std::string_view footer = std::string_view(data_).substr(at + BlockSize(header, 8));
      if (const auto offset = RuleOffset(footer, seconds); offset.has_value()) {
        return offset;
      }
    }
    return Number(types_at + type * 6, 4);
  }

 private:
  struct Header {
    std::size_t utc_flags, standard_flags, leaps, times, types, chars;
  };

  std::int64_t Number(std::size_t at, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value = value << 8 | static_cast<unsigned char>(data_[at + i]);
    }
    return size == 4 ? static_cast<std::int32_t>(static_cast<std::uint32_t>(value))
                     : static_cast<std::int64_t>(value);
  }
  Header ReadHeader(std::size_t at) const {
    const auto field = [this, at](std::size_t i) {
      return static_cast<std::size_t>(Number(at + 20 + 4 * i, 4));
    };
    return {field(0), field(1), field(2), field(3), field(4), field(5)};
  }
  static std::size_t BlockSize(const Header& header, std::size_t time_size) {
    return header.times * (time_size + 1) + header.types * 6 + header.chars +
           header.leaps * (time_size + 4) + header.standard_flags + header.utc_flags;
  }

  // A POSIX TZ rule: "\nEST5EDT,M3.2.0,M11.1.0\n".
  static std::optional<std::int64_t> RuleOffset(std::string_view rule, std::int64_t seconds) {
    if (!Take(&rule, '\n')) {
      return std::nullopt;
    }
    rule = rule.substr(0, rule.find('\n'));
    std::int64_t standard = 0;
    if (!TakeName(&rule) || !TakeHours(&rule, &standard)) {
      return std::nullopt;
    }
    standard = -standard;
    if (rule.empty()) {
      return standard;
    }
    std::int64_t daylight = standard + 3600;
    if (!TakeName(&rule)) {
      return std::nullopt;
    }
    if (!rule.starts_with(',')) {
      if (!TakeHours(&rule, &daylight)) {
        return std::nullopt;
      }
      daylight = -daylight;
    }
    const std::int64_t year = ToCivil(seconds + standard).year;
    std::int64_t start = 0;
    std::int64_t end = 0;
    if (!TakeChange(&rule, year, &start) || !TakeChange(&rule, year, &end)) {
      return std::nullopt;
    }
    start -= standard;
    end -= daylight;
    const bool in_daylight =
        start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end;
    return in_daylight ? daylight : standard;
  }

  static bool TakeName(std::string_view* rule) {
    const std::size_t end =
        rule->starts_with('<') ? rule->find('>') + 1 : rule->find_first_of("0123456789+-,");
    if (end == 0) {
      return false;
    }
    rule->remove_prefix(std::min(end, rule->size()));
    return true;
  }

  // "5", "-3:30", "2:00:00" to seconds.
  static bool TakeHours(std::string_view* rule, std::int64_t* seconds) {
    const int sign = rule->starts_with('-') ? -1 : 1;
    if (rule->starts_with('-') || rule->starts_with('+')) {
      rule->remove_prefix(1);
    }
    std::int64_t total = 0;
    for (std::int64_t unit : {3600, 60, 1}) {
      if (unit != 3600 && !Take(rule, ':')) {
        break;
      }
      std::int64_t value = 0;
      if (rule->empty() || !IsDigit(rule->front())) {
        return false;
      }
      while (!rule->empty() && IsDigit(rule->front())) {
        value = value * 10 + (rule->front() - '0');
        rule->remove_prefix(1);
      }
      total += value * unit;
    }
    *seconds = sign * total;
    return true;
  }

  static bool TakeInteger(std::string_view* rule, int* value) {
    *value = 0;
    if (rule->empty() || !IsDigit(rule->front())) {
      return false;
    }
    while (!rule->empty() && IsDigit(rule->front())) {
      *value = *value * 10 + (rule->front() - '0');
      rule->remove_prefix(1);
    }
    return true;
  }

  // ",M3.2.0/2", ",J60", ",59": the local second of the year's change.
  static bool TakeChange(std::string_view* rule, std::int64_t year, std::int64_t* seconds) {
    if (!Take(rule, ',')) {
      return false;
    }
    std::int64_t days = 0;
    if (Take(rule, 'M')) {
      int month = 0;
      int week = 0;
      int weekday = 0;
      if (!TakeInteger(rule, &month) || !Take(rule, '.') || !TakeInteger(rule, &week) ||
          !Take(rule, '.') || !TakeInteger(rule, &weekday) || month < 1 || month > 12) {
        return false;
      }
      const std::int64_t first = DaysFromCivil(year, month, 1);
      const int first_weekday = ToCivil(first * kSecondsPerDay).weekday;
      int day = 1 + (weekday - first_weekday + 7) % 7 + (week - 1) * 7;
      while (day > DaysInMonth(year, month)) {
        day -= 7;
      }
      days = first + day - 1;
    } else {
      const bool skips_leap_day = Take(rule, 'J');
      int day = 0;
      if (!TakeInteger(rule, &day)) {
        return false;
      }
      days = DaysFromCivil(year, 1, 1) + day;
      if (skips_leap_day) {
        days -= IsLeap(year) && day >= 60 ? 0 : 1;
      }
    }
    std::int64_t time = 2 * 3600;
    if (Take(rule, '/') && !TakeHours(rule, &time)) {
      return false;
    }
    *seconds = days * kSecondsPerDay + time;
    return true;
  }

  std::string data_;
};

}  // namespace

std::optional<std::int64_t> ParseDuration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (text.starts_with('-') || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  if (text == "0") {
    return 0;
  }
  if (text.empty()) {
    return std::nullopt;
  }
  struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
  };
  static constexpr Unit kUnits[] = {
      {"ns", 1},         {"us", 1'000},        {"\xC2\xB5s", 1'000},  {"\xCE\xBCs", 1'000},
      {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
  constexpr Int128 kLimit = Int128{1} << 63;
  Int128 total = 0;
  while (!text.empty()) {
    if (text[0] != '.' && !IsDigit(text[0])) {
      return std::nullopt;
    }
    Int128 integer = 0;
    bool any = false;
    while (!text.empty() && IsDigit(text[0])) {
      integer = integer * 10 + (text[0] - '0');
      if (integer > kLimit) {
        return std::nullopt;
      }
      any = true;
      text.remove_prefix(1);
    }
    std::int64_t fraction = 0;
    double scale = 1;
    if (Take(&text, '.')) {
      bool overflow = false;
      while (!text.empty() && IsDigit(text[0])) {
        if (!overflow && fraction <= (std::numeric_limits<std::int64_t>::max() / 10)) {
          const std::int64_t next = fraction * 10 + (text[0] - '0');
          overflow = next < 0;
          if (!overflow) {
            fraction = next;
            scale *= 10;
          }
        } else {
          overflow = true;
        }
        any = true;
        text.remove_prefix(1);
      }
    }
    if (!any) {
      return std::nullopt;
    }
    std::size_t length = 0;
    while (length < text.size() && text[length] != '.' && !IsDigit(text[length])) {
      ++length;
    }
    const Unit* unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& u) {
      return u.name == text.substr(0, length);
    });
    if (unit == std::end(kUnits)) {
      return std::nullopt;
    }
    text.remove_prefix(length);
    total += integer * unit->nanoseconds;
    total += static_cast<std::int64_t>(static_cast<double>(fraction) *
                                       (static_cast<double>(unit->nanoseconds) / scale));
    if (total > kLimit) {
      return std::nullopt;
    }
  }
  if (total == kLimit && !negative) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(negative ? -total : total);
}

std::string FormatDuration(std::int64_t nanoseconds) {
  constexpr std::int64_t kBillion = 1'000'000'000;
  const double seconds = static_cast<double>(nanoseconds / kBillion) +
                         static_cast<double>(nanoseconds % kBillion) / 1e9;
  return FormatFixed(seconds) + "s";
}

std::optional<Instant> ParseTimestamp(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int offset = 0;
  Instant instant;
  if (!TakeNumber(&text, 4, &year) || !Take(&text, '-') || !TakeNumber(&text, 2, &month) ||
      !Take(&text, '-') || !TakeNumber(&text, 2, &day) || !Take(&text, 'T') ||
      !TakeNumber(&text, HourDigits(text), &hour) || !Take(&text, ':') ||
      !TakeNumber(&text, 2, &minute) || !Take(&text, ':') || !TakeNumber(&text, 2, &second) ||
      !TakeFraction(&text, &instant.nanoseconds) || !TakeZone(&text, &offset) || !text.empty()) {
    return std::nullopt;
  }
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month) || hour > 23 ||
      minute > 59 || second > 59) {
    return std::nullopt;
  }
  instant.seconds = DaysFromCivil(year, month, day) * kSecondsPerDay + hour * 3600 + minute * 60 +
                    second - offset;
  instant.zone_minutes = static_cast<std::int16_t>(offset / 60);
  return instant;
}

std::string FormatTimestamp(const Instant& instant) {
  const CivilTime time = ToCivil(instant.seconds + instant.zone_minutes * 60);
  char text[64];
  std::snprintf(text, sizeof(text), "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d", time.year, time.month,
                time.day, time.hour, time.minute, time.second);
  std::string out = text;
  if (instant.nanoseconds != 0) {
    std::snprintf(text, sizeof(text), ".%09u", instant.nanoseconds);
    out += text;
    out.erase(out.find_last_not_of('0') + 1);
  }
  if (instant.zone_minutes == 0) {
    return out + "Z";
  }
  const int minutes = std::abs(instant.zone_minutes);
  std::snprintf(text, sizeof(text), "%c%02d:%02d", instant.zone_minutes < 0 ? '-' : '+',
                minutes / 60, minutes % 60);
  return out + text;
}

CivilTime ToCivil(std::int64_t seconds) {
  std::int64_t days = seconds / kSecondsPerDay;
  std::int64_t rest = seconds % kSecondsPerDay;
  if (rest < 0) {
    rest += kSecondsPerDay;
    --days;
  }
  const std::int64_t z = days + 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const std::int64_t day_of_era = z - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * day_of_year + 2) / 153;
  CivilTime time;
  time.day = static_cast<int>(day_of_year - (153 * month_index + 2) / 5 + 1);
  time.month = static_cast<int>(month_index < 10 ? month_index + 3 : month_index - 9);
  time.year = year_of_era + era * 400 + (time.month <= 2 ? 1 : 0);
  time.day_of_year = static_cast<int>(days - DaysFromCivil(time.year, 1, 1));
  time.weekday = static_cast<int>(((days % 7) + 11) % 7);
  time.hour = static_cast<int>(rest / 3600);
  time.minute = static_cast<int>(rest % 3600 / 60);
  time.second = static_cast<int>(rest % 60);
  return time;
}

namespace {

// Go's strconv.Atoi, with its error.
Result<std::int64_t> Atoi(std::string_view text) {
  const std::optional<std::int64_t> value = ParseInt(text);
  if (value.has_value()) {
    return *value;
  }
  const std::string_view digits =
      text.starts_with('+') || text.starts_with('-') ? text.substr(1) : text;
  const bool number =
      !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  return InvalidArgumentError("strconv.Atoi: parsing " + Quote(text) +
                              (number ? ": value out of range" : ": invalid syntax"));
}

}  // namespace

Result<std::int64_t> ZoneOffset(std::string_view zone, std::int64_t seconds) {
  const std::size_t colon = zone.find(':');
  if (colon == std::string_view::npos) {
    // A control plane's own zone is UTC.
    if (zone.empty() || zone == "UTC" || zone == "Local") {
      return 0;
    }
    if (zone.starts_with('/') || zone.starts_with('\\') ||
        zone.find("..") != std::string_view::npos) {
      return InvalidArgumentError("time: invalid location name");
    }
    const std::optional<ZoneFile> file = ZoneFile::Read(zone);
    const std::optional<std::int64_t> offset =
        file.has_value() ? file->OffsetAt(seconds) : std::nullopt;
    if (!offset.has_value()) {
      return InvalidArgumentError("unknown time zone " + std::string(zone));
    }
    return *offset;
  }
  // "hh:mm" with an optional sign.
  ASSAY_ASSIGN_OR_RETURN(const std::int64_t hours, Atoi(zone.substr(0, colon)));
  ASSAY_ASSIGN_OR_RETURN(const std::int64_t minutes, Atoi(zone.substr(colon + 1)));
  // Go multiplies without a look at overflow.
  const auto offset =
      static_cast<std::uint64_t>(hours) * 3600 +
      (zone.starts_with('-') ? std::uint64_t{0} - static_cast<std::uint64_t>(minutes)
                             : static_cast<std::uint64_t>(minutes)) *
          60;
  return static_cast<std::int64_t>(offset);
}

}  // namespace assay::cel::library
