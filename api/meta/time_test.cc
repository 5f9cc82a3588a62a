#include "api/meta/time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/testing/status_matchers.h"

namespace assay::api::meta {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;

TEST(TimeTest, ReadsAndPrintsRfc3339) {
  for (const auto& [text, printed] : std::vector<std::pair<std::string, std::string>>{
           {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
           {"2024-02-29T23:59:59.75+01:30", "2024-02-29T22:29:59Z"},
           {"1969-12-31T16:00:00-08:00", "1970-01-01T00:00:00Z"},
           {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
           {"0001-01-01T00:00:00Z", ""},  // Go's zero time.
       }) {
    ASSAY_ASSERT_OK_AND_ASSIGN(Time time, Time::Parse(text));
    EXPECT_EQ(time.ToString(), printed);
  }
}

TEST(TimeTest, RefusesWithGosWords) {
  for (const auto& [text, rest] : std::vector<std::pair<std::string, std::string>>{
           {"", R"( as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006")"},
           {"2026-1-01T00:00:00Z",
            R"( as "2006-01-02T15:04:05Z07:00": cannot parse "1-01T00:00:00Z" as "01")"},
           {"2026-01-01 00:00:00Z",
            R"( as "2006-01-02T15:04:05Z07:00": cannot parse " 00:00:00Z" as "T")"},
           {"2026-01-01T00:00:00",
            R"( as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00")"},
           {"2026-13-01T00:00:00Z", ": month out of range"},
           {"2026-02-29T00:00:00Z", ": day out of range"},
           {"2026-01-01T24:00:00Z", ": hour out of range"},
           {"2026-01-01T00:60:00Z", ": minute out of range"},
           {"2026-01-01T00:00:00Zx", R"(: extra text: "x")"},
       }) {
    EXPECT_THAT(Time::Parse(text),
                StatusIs(StatusCode::kInvalidArgument, "parsing time \"" + text + "\"" + rest));
  }
}

TEST(TimeTest, MicroTimeWantsSixDigits) {
  ASSAY_ASSERT_OK_AND_ASSIGN(MicroTime time, MicroTime::Parse("2026-01-01T00:00:00.000042Z"));
  EXPECT_EQ(time.ToString(), "2026-01-01T00:00:00.000042Z");
  EXPECT_EQ(time.nanos(), 42000);
  EXPECT_THAT(MicroTime::Parse("2026-01-01T00:00:00Z"), StatusIs(StatusCode::kInvalidArgument));
}

TEST(TimeTest, EmptyIsBeforeAll) {
  EXPECT_TRUE(Time().empty());
  EXPECT_LT(Time(), Time::FromUnix(-1));
  EXPECT_LT(Time::FromUnix(1), Time::FromUnix(2));
  EXPECT_EQ(Time::From(WallTime(std::chrono::milliseconds(1999))), Time::FromUnix(1));
  EXPECT_EQ(Time::FromUnix(5).ToWallTime(), WallTime(std::chrono::seconds(5)));
  EXPECT_EQ(Time().ToString(), "");
}

TEST(TimeTest, DurationsAreGos) {
  for (const auto& [text, printed] : std::vector<std::pair<std::string, std::string>>{
           {"0", "0s"},
           {"1h30m", "1h30m0s"},
           {"90s", "1m30s"},
           {"-1.5s", "-1.5s"},
           {"250ms", "250ms"},
           {"1us", "1µs"},
           {"42ns", "42ns"},
           {"2562047h47m16.854775807s", "2562047h47m16.854775807s"},
       }) {
    ASSAY_ASSERT_OK_AND_ASSIGN(Duration duration, Duration::Parse(text));
    EXPECT_EQ(duration.ToString(), printed);
  }
  EXPECT_THAT(Duration::Parse("1"),
              StatusIs(StatusCode::kInvalidArgument, "time: missing unit in duration \"1\""));
  EXPECT_THAT(Duration::Parse("1d"), StatusIs(StatusCode::kInvalidArgument,
                                              "time: unknown unit \"d\" in duration \"1d\""));
  EXPECT_THAT(Duration::Parse("h"),
              StatusIs(StatusCode::kInvalidArgument, "time: invalid duration \"h\""));
  EXPECT_THAT(Duration::Parse("2562048h"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Duration::Parse("1h"), IsOk());
}

}  // namespace
}  // namespace assay::api::meta
