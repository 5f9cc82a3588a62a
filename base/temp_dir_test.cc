#include "base/temp_dir.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "base/testing/status_matchers.h"

namespace assay {
namespace {

TEST(TempDirTest, IsGoneWithItsContents) {
  std::optional<TempDir> dir = TempDir::Create("assay-test").value();
  const std::filesystem::path path = dir->path();
  std::filesystem::create_directory(path / "sub");
  std::ofstream(path / "sub" / "file") << "x";
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
  dir.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TempDirTest, MovedFromOwnsNothing) {
  ASSAY_ASSERT_OK_AND_ASSIGN(TempDir first, TempDir::Create());
  const std::filesystem::path path = first.path();
  const TempDir second = std::move(first);
  EXPECT_EQ(second.path(), path);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(TempDirTest, ReleasedStays) {
  std::filesystem::path path;
  {
    ASSAY_ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create());
    path = dir.Release();
  }
  EXPECT_TRUE(std::filesystem::remove(path));
}

}  // namespace
}  // namespace assay
