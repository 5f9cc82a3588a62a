#include "api/meta/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace assay::api::meta {
namespace {

using ::assay::testing::StatusIs;
using ::testing::HasSubstr;

struct Spelling {
  std::string_view text;
  std::string_view printed;
  std::int64_t value;  // Rounded up.
  std::int64_t milli_value;
};

TEST(QuantityTest, PrintsAsKubernetesDoes) {
  for (const Spelling& c : std::vector<Spelling>{
           {"0", "0", 0, 0},
           {"0n", "0", 0, 0},
           {"-0", "0", 0, 0},
           {"+", "0", 0, 0},  // Upstream's quirk: no digit is zero.
           {".", "0", 0, 0},
           {"1", "1", 1, 1000},
           {"+5", "+5", 5, 5000},  // Near enough to canonical: the text is kept.
           {"0.5", "500m", 1, 500},
           {"1.5", "1500m", 2, 1500},
           {"1.500", "1.500", 2, 1500},
           {"1.5k", "1500", 1500, 1500000},
           {"100m", "100m", 1, 100},
           {"1000m", "1", 1, 1000},
           {"1001m", "1001m", 2, 1001},
           {"1k", "1k", 1000, 1000000},
           {"1000k", "1M", 1000000, 1000000000},
           {"12e6", "12e6", 12000000, 12000000000},
           {"12E6", "12E6", 12000000, 12000000000},
           {"1200e4", "12e6", 12000000, 12000000000},
           {"1e-3", "1e-3", 1, 1},
           {"1Ki", "1Ki", 1024, 1024000},
           {"1024", "1024", 1024, 1024000},
           {"1024Ki", "1Mi", 1048576, 1048576000},
           {"0.5Mi", "512Ki", 524288, 524288000},
           {"0.5Ki", "512", 512, 512000},
           {"1.1Ki", "1126400m", 1127, 1126400},
           {"80Gi", "80Gi", 85899345920, 85899345920000},
           {"-1.5", "-1500m", -2, -1500},
           {"1n", "1n", 1, 1},
           {"0.1n", "1n", 1, 1},    // Away from zero, at a billionth.
           {"-0.1n", "-1n", 1, 1},  // Upstream's quirk of big numbers: up, not away.
           {"1e-30", "1e-9", 1, 1},
           {"9999Ei", "9223372036854775807", std::numeric_limits<std::int64_t>::max(), -1000},
       }) {
    SCOPED_TRACE(std::string(c.text));
    ASSAY_ASSERT_OK_AND_ASSIGN(Quantity quantity, Quantity::Parse(c.text));
    EXPECT_EQ(quantity.ToString(), c.printed);
    EXPECT_EQ(quantity.Value(), c.value);
    EXPECT_EQ(quantity.MilliValue(), c.milli_value);
    // What is printed is read as the same value.
    EXPECT_EQ(Quantity::Of(quantity.ToString()), quantity);
  }
}

TEST(QuantityTest, RefusesWithUpstreamsWords) {
  for (std::string_view text : {"", " 1", "1 ", "1x", "1.2.3", "1e3x", "0x1"}) {
    EXPECT_THAT(Quantity::Parse(text),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("must match the regular expr")))
        << text;
  }
  for (std::string_view text :
       {"--1", "1K", "1mi", "1e", "1kk", "1Ki2", "1e+", "1e5000", "1e9223372036854775808"}) {
    EXPECT_THAT(Quantity::Parse(text),
                StatusIs(StatusCode::kInvalidArgument, "unable to parse quantity's suffix"))
        << text;
  }
  EXPECT_THAT(Quantity::Parse(".e-20"),
              StatusIs(StatusCode::kInvalidArgument, "unable to parse numeric part of quantity"));
  EXPECT_THAT(Quantity::Parse("e8024802304"),
              StatusIs(StatusCode::kInvalidArgument, "unable to parse numeric part of quantity"));
}

// As upstream, but for what it takes ages to round.
TEST(QuantityTest, ExponentsAreCutTo32Bits) {
  EXPECT_EQ(Quantity::Of("1e-4294967295"), Quantity::Of("10"));
  EXPECT_EQ(Quantity::Of("1e8024802304"), Quantity::Of("1n"));
}

TEST(QuantityTest, LongNumbersKeepTheirDigits) {
  std::string digits = "123456789012345678901234567891";
  ASSAY_ASSERT_OK_AND_ASSIGN(Quantity quantity, Quantity::Parse(digits));
  EXPECT_EQ(quantity.ToString(), digits);
  EXPECT_FALSE(quantity.AsInt64().has_value());
  EXPECT_TRUE(quantity.IsInteger());
  EXPECT_GT(quantity, Quantity::Of("1Ei"));
  quantity.Sub(Quantity::Of("123456789012345678901234567890"));
  EXPECT_EQ(quantity.ToString(), "1");
  EXPECT_THAT(Quantity::Parse(std::string(5000, '9')), StatusIs(StatusCode::kInvalidArgument));
}

TEST(QuantityTest, ComparesByValue) {
  EXPECT_EQ(Quantity::Of("1"), Quantity::Of("1000m"));
  EXPECT_EQ(Quantity::Of("1Ki"), Quantity::Of("1024"));
  EXPECT_LT(Quantity::Of("-1"), Quantity::Of("1n"));
  EXPECT_LT(Quantity::Of("999m"), Quantity::Of("1"));
  EXPECT_GT(Quantity::Of("1e100"), Quantity::Of("1E"));
  EXPECT_EQ(Quantity(), Quantity::Of("0"));
}

TEST(QuantityTest, ArithmeticKeepsTheFormat) {
  Quantity memory = Quantity::Of("1Gi");
  memory.Add(Quantity::Of("1G"));
  EXPECT_EQ(memory.ToString(), "2073741824");
  memory.Sub(Quantity::Of("1G"));
  EXPECT_EQ(memory.ToString(), "1Gi");
  Quantity sum;  // Zero takes over the other's format.
  sum.Add(Quantity::Of("2Ki"));
  EXPECT_EQ(sum.ToString(), "2Ki");
  EXPECT_EQ(sum.format(), Quantity::Format::kBinarySI);
  Quantity cpu = Quantity::Of("250m");
  EXPECT_TRUE(cpu.Mul(3));
  EXPECT_EQ(cpu.ToString(), "750m");
  cpu.Negate();
  EXPECT_EQ(cpu.ToString(), "-750m");
}

TEST(QuantityTest, SumsLeave64BitsUnharmed) {
  Quantity sum = Quantity::FromInt64(std::numeric_limits<std::int64_t>::max());
  sum.Add(Quantity::FromInt64(1));
  EXPECT_EQ(sum.ToString(), "9223372036854775808");
  EXPECT_FALSE(sum.AsInt64().has_value());
  Quantity product = Quantity::FromInt64(std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(product.Mul(10));
  EXPECT_EQ(product.ToString(), "92233720368547758070");
}

TEST(QuantityTest, RoundsUpAwayFromZero) {
  Quantity quantity = Quantity::Of("1001m");
  EXPECT_FALSE(quantity.RoundUp(0));
  EXPECT_EQ(quantity.ToString(), "2");
  quantity = Quantity::Of("-1001m");
  EXPECT_FALSE(quantity.RoundUp(0));
  EXPECT_EQ(quantity.ToString(), "-2");
  quantity = Quantity::Of("3k");
  EXPECT_TRUE(quantity.RoundUp(0));
  EXPECT_EQ(quantity.ToString(), "3k");
}

TEST(QuantityTest, TellsIntegers) {
  EXPECT_TRUE(Quantity::Of("5").IsInteger());
  EXPECT_TRUE(Quantity::Of("5000m").IsInteger());
  EXPECT_FALSE(Quantity::Of("5001m").IsInteger());
  EXPECT_EQ(Quantity::Of("2k").AsInt64(), 2000);
  EXPECT_FALSE(Quantity::Of("2000m").AsInt64().has_value());  // Upstream: the scale counts.
  EXPECT_TRUE(Quantity().IsUnset());
  EXPECT_FALSE(Quantity::Of("0").IsUnset());
  EXPECT_EQ(Quantity().ToString(), "0");
}

}  // namespace
}  // namespace assay::api::meta
