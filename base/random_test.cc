#include "base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

TEST(RandomTest, OneSeedGivesOneSequence) {
  Random a(1), b(1), c(2);
  const std::string uuid = a.Uuid();
  EXPECT_EQ(uuid, b.Uuid());
  EXPECT_NE(uuid, c.Uuid());
}

TEST(RandomTest, UuidsAreVersionFour) {
  Random random(3);
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = random.Uuid();
    ASSERT_EQ(uuid.size(), 36U);
    EXPECT_EQ(uuid[14], '4');
    EXPECT_THAT(std::string("89ab"), ::testing::Contains(uuid[19]));
    EXPECT_EQ(uuid.find_first_not_of("0123456789abcdef-"), std::string::npos);
  }
}

TEST(RandomTest, SuffixesUseOnlyTheSafeAlphabet) {
  Random random = Random::FromSystem();
  EXPECT_EQ(random.NameSuffix(500).find_first_not_of("bcdfghjklmnpqrstvwxz2456789"),
            std::string::npos);
  EXPECT_EQ(random.NameSuffix(5).size(), 5U);
}

TEST(RandomTest, BelowStaysBelowAndReachesAll) {
  Random random(4);
  bool seen[3] = {};
  for (int i = 0; i < 200; ++i) {
    seen[random.Below(3)] = true;
  }
  EXPECT_TRUE(seen[0] && seen[1] && seen[2]);
}

}  // namespace
}  // namespace assay
