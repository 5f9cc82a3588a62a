#include "allocator/explain/why_not_selected.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay::allocator::explain {
namespace {

using ::testing::ElementsAre;

TEST(ExplainTest, SplitsWhatIsJoinedAtTheTop) {
  EXPECT_THAT(SplitConjunction("a && b&&c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(SplitConjunction("a && (b && c)"), ElementsAre("a", "(b && c)"));
  EXPECT_THAT(SplitConjunction("x == 'a && b' && y[\"&&\"]"),
              ElementsAre("x == 'a && b'", "y[\"&&\"]"));
  EXPECT_THAT(SplitConjunction("x == 'it\\'s && ' && y"), ElementsAre("x == 'it\\'s && '", "y"));
  EXPECT_THAT(SplitConjunction("m.?a.orValue(1) == 1 && b"),
              ElementsAre("m.?a.orValue(1) == 1", "b"));
}

TEST(ExplainTest, LeavesWholeWhatIsJoinedMoreWeakly) {
  EXPECT_THAT(SplitConjunction("a && b || c"), ElementsAre("a && b || c"));
  EXPECT_THAT(SplitConjunction("a && b ? c : d"), ElementsAre("a && b ? c : d"));
  EXPECT_THAT(SplitConjunction("(a || b) && c"), ElementsAre("(a || b)", "c"));
}

}  // namespace
}  // namespace assay::allocator::explain
