#include "base/http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay::http {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

template <typename T>
std::vector<std::pair<std::string, std::string>> Pairs(const T& fields) {
  return {fields.begin(), fields.end()};
}

TEST(HeadersTest, NamesCompareWithoutCase) {
  Headers headers{{"Content-Type", "a"}};
  headers.Add("content-type", "b");
  EXPECT_EQ(headers.Get("CONTENT-TYPE"), "a");
  headers.Set("Content-type", "c");
  EXPECT_THAT(Pairs(headers), ElementsAre(Pair("Content-type", "c")));
  EXPECT_EQ(headers.Find("Accept"), nullptr);
}

TEST(QueryTest, DecodesEscapesPlusAndRepeatedKeys) {
  EXPECT_THAT(Pairs(Query::Parse("a=1&&b=x%2Fy+z&a=2&flag&=v&bad=%zz%4")),
              ElementsAre(Pair("a", "1"), Pair("b", "x/y z"), Pair("a", "2"), Pair("flag", ""),
                          Pair("", "v"), Pair("bad", "%zz%4")));
}

TEST(QueryTest, EncodeIsTheInverseOfParse) {
  Query query{{"labelSelector", "a in (b,c),d=é"}, {"x", "1+1=2&3"}};
  EXPECT_THAT(Pairs(Query::Parse(query.Encode())),
              ElementsAre(Pair("labelSelector", "a in (b,c),d=é"), Pair("x", "1+1=2&3")));
}

TEST(PercentTest, PlusIsNoSpaceInAPath) {
  EXPECT_EQ(PercentDecode("/a%20b+c"), "/a b+c");
  EXPECT_EQ(PercentEncode("a b/c~"), "a%20b%2Fc~");
}

}  // namespace
}  // namespace assay::http
