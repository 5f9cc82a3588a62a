#include "cel/quantity.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace assay::cel {
namespace {

using assay::testing::StatusIs;

Quantity Of(std::string_view text) { return *Quantity::Parse(text); }

TEST(QuantityTest, ReadsSuffixes) {
  EXPECT_EQ(Of("1Ki"), Of("1024"));
  EXPECT_EQ(Of("1k"), Of("1000"));
  EXPECT_EQ(Of("1e3"), Of("1k"));
  EXPECT_EQ(Of("1E"), Of("1000P"));
  EXPECT_EQ(Of("1500m"), Of("1.5"));
  EXPECT_EQ(Of("-0.5Gi"), Of("-512Mi"));
}

TEST(QuantityTest, RefusesWhatKubernetesRefuses) {
  for (std::string_view text : {"", "abc", "1gi", "1 Gi", "--1", "1.2.3"}) {
    EXPECT_THAT(Quantity::Parse(text), StatusIs(StatusCode::kInvalidArgument)) << text;
  }
}

TEST(QuantityTest, RoundsUpToABillionth) {
  EXPECT_EQ(Of("0.1n"), Of("1n"));
  EXPECT_EQ(Of("-0.1n"), Of("-1n"));
}

TEST(QuantityTest, CapsBinaryAmountsOnly) {
  EXPECT_EQ(Of("100Ei"), Of("9223372036854775807"));
  EXPECT_GT(Of("100E").Compare(Of("9223372036854775807")), 0);
}

TEST(QuantityTest, KnowsIntegersAsKubernetesDoes) {
  EXPECT_EQ(Of("80Gi").AsInt64(), 85899345920);
  EXPECT_EQ(Of("1k").AsInt64(), 1000);
  EXPECT_EQ(Of("1500m").AsInt64(), std::nullopt);
  // An integer, but too long for Kubernetes' fast way.
  EXPECT_EQ(Of("100000Gi").AsInt64(), std::nullopt);
}

TEST(QuantityTest, AddsAndSubtractsExactly) {
  Quantity sum = Of("9223372036854775807");
  sum += Of("1n");
  EXPECT_GT(sum.Compare(Of("9223372036854775807")), 0);
  sum -= Of("9223372036854775807");
  EXPECT_EQ(sum, Of("1n"));
}

TEST(QuantityTest, ComparesFarApart) {
  EXPECT_GT(Of("1e30").Compare(Of("1n")), 0);
  EXPECT_LT(Of("-1e30").Compare(Of("-1n")), 0);
  EXPECT_EQ(Of("0").Compare(Of("0Gi")), 0);
}

TEST(QuantityTest, RoundsUpToIntegers) {
  EXPECT_EQ(Of("1500m").RoundedUp(), 2);
  EXPECT_EQ(Of("-1500m").RoundedUp(), -2);
  EXPECT_EQ(Of("1e30").RoundedUp(), INT64_MAX);
}

}  // namespace
}  // namespace assay::cel
