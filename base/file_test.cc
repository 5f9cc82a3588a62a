#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay {
namespace {

using testing::IsOk;
using testing::StatusIs;

std::size_t CountEntries(const std::filesystem::path& path) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
}

TEST(FileTest, WritesAndReplacesWithTheModeAsked) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create());
  ASSERT_THAT(WriteFileAtomically(dir / "f", "one"), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir / "f", std::string(200'000, 'x'), {.mode = 0600}), IsOk());
  EXPECT_EQ(ReadFile(dir / "f").value().size(), 200'000U);
  struct stat info{};
  ASSERT_EQ(stat((dir / "f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(CountEntries(dir.path()), 1U);
}

TEST(FileTest, FailureNamesTheFileAndLeavesNothingBehind) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create());
  std::filesystem::create_directories(dir / "taken" / "below");
  EXPECT_FALSE(WriteFileAtomically(dir / "taken", "x").ok());
  EXPECT_EQ(CountEntries(dir.path()), 1U);
  EXPECT_THAT(WriteFileAtomically(dir / "no" / "f", "x"),
              StatusIs(StatusCode::kNotFound, ::testing::HasSubstr((dir / "no").string())));
  EXPECT_THAT(ReadFile(dir / "missing"),
              StatusIs(StatusCode::kNotFound, ::testing::HasSubstr("missing")));
}

TEST(FileTest, TakesNamesOfTheGreatestLength) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create());
  EXPECT_THAT(WriteFileAtomically(dir / std::string(255, 'n'), "x"), IsOk());
}

}  // namespace
}  // namespace assay
