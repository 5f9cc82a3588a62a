#include "fakegpu/profile/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::fakegpu::profile {
namespace {

using assay::testing::IsOk;
using assay::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ProfileTest, LoadsEveryBoardThatShips) {
  for (const char* name : {"a100-80", "h100-80"}) {
    ASSAY_ASSERT_OK_AND_ASSIGN(
        const Board board, LoadBoard("fixtures/profiles/nvidia/" + std::string(name) + ".yaml"));
    EXPECT_EQ(board.state.mig_supported, 1u);
    EXPECT_GT(board.nvlinks, 0u);
  }
}

TEST(ProfileTest, LoadsEveryNodeThatShips) {
  for (const char* name : {"dgx-a100", "dgx-h100"}) {
    ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeSpec spec,
                               LoadNode("fixtures/nodes/" + std::string(name) + ".yaml"));
    EXPECT_EQ(spec.gpus.size(), 8u);
    ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeImage image, model::BuildNode(spec));
    EXPECT_EQ(image.gpus[7].links[0].remote, layout::Link::kSwitch);
  }
}

TEST(ProfileTest, SameSeedSameUuids) {
  ASSAY_ASSERT_OK_AND_ASSIGN(model::NodeSpec spec, LoadNode("fixtures/nodes/dgx-h100.yaml"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeImage one, model::BuildNode(spec));
  ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeImage two, model::BuildNode(spec));
  spec.seed = 2;
  ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeImage other, model::BuildNode(spec));
  EXPECT_STREQ(one.gpus[0].identity.uuid, two.gpus[0].identity.uuid);
  EXPECT_STRNE(one.gpus[0].identity.uuid, other.gpus[0].identity.uuid);
  EXPECT_STRNE(one.gpus[0].identity.uuid, one.gpus[1].identity.uuid);
}

// A wrong board: the good one with one line replaced.
struct Wrong {
  std::string line;
  std::string instead;
  std::string line_number;
  std::string complaint;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.instead; }

class WrongBoardTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongBoardTest, IsRefusedWithItsLine) {
  const Wrong& wrong = GetParam();
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create("profile-test"));
  ASSAY_ASSERT_OK_AND_ASSIGN(std::string text, ReadFile("fixtures/profiles/nvidia/h100-80.yaml"));
  const std::size_t at = text.find(wrong.line);
  ASSERT_NE(at, text.npos);
  text.replace(at, wrong.line.size(), wrong.instead);
  ASSERT_THAT(WriteFileAtomically(dir / "board.yaml", text), IsOk());
  EXPECT_THAT(LoadBoard(dir / "board.yaml"),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("board.yaml:" + wrong.line_number + ": "),
                             HasSubstr(wrong.complaint))));
}

INSTANTIATE_TEST_SUITE_P(
    , WrongBoardTest,
    ::testing::Values(
        Wrong{"architecture: hopper", "architecture: hoper", "6", "expected one of"},
        Wrong{"cores: 16896", "cores: many", "8", "cores"},
        Wrong{"  generation: 5", "  generation: 9", "14", "from 1 to 6"},
        Wrong{"  min_w: 200", "  min_w: 800", "34", "power.min_w"},
        Wrong{"  total_mib: 81559", "  total_mb: 81559", "18", "total_m"},
        Wrong{"compute_capability: \"9.0\"", "compute_capability: nine", "7", "two numbers"},
        Wrong{"  memory_mhz: [2619, 1593]", "  memory_mhz: [1593, 2619]", "29", "highest first"},
        Wrong{"size: 4, starts: [0, 4]", "size: 4, starts: [0, 5]", "66", "memory slice"}));

TEST(ProfileTest, NamesTheLineOfAProfileThatIsNotThere) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create("profile-test"));
  ASSERT_THAT(WriteFileAtomically(dir / "node.yaml",
                                  "name: n\n"
                                  "driver: {version: 1.2.3, branch: r1, cuda: \"13.0\"}\n"
                                  "gpus:\n"
                                  "  - {profile: none.yaml, pci: \"0000:01:00.0\"}\n"),
              IsOk());
  EXPECT_THAT(LoadNode(dir / "node.yaml"),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("node.yaml:4: gpus[0].profile"), HasSubstr("none.yaml"))));
}

TEST(ProfileTest, TwoGpusAtOnePlaceAreRefused) {
  ASSAY_ASSERT_OK_AND_ASSIGN(model::NodeSpec spec, LoadNode("fixtures/nodes/dgx-h100.yaml"));
  spec.gpus[1].pci = spec.gpus[0].pci;
  EXPECT_THAT(model::BuildNode(spec),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("0000:1b:00.0")));
}

}  // namespace
}  // namespace assay::fakegpu::profile
