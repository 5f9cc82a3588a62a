// Holds every #include of the repository to tools/checks/layers.txt: an include points only down.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace assay {
namespace {

namespace fs = std::filesystem;

struct Layer {
  int level = 0;
  std::set<std::string> may_include;
};

using Layers = std::map<std::string, Layer>;

Layers ReadLayers(const fs::path& file) {
  Layers layers;
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    std::istringstream words(line);
    std::string folder, allowed;
    Layer layer;
    words >> layer.level >> folder;
    while (words >> allowed) {
      layer.may_include.insert(allowed);
    }
    layers[folder] = layer;
  }
  return layers;
}

// The folder of the table that `path` lies in: the longest that is a prefix of it.
std::optional<std::string> FolderOf(const Layers& layers, const std::string& path) {
  std::optional<std::string> best;
  for (const auto& [folder, layer] : layers) {
    if (path.starts_with(folder + "/") && (!best || folder.size() > best->size())) {
      best = folder;
    }
  }
  return best;
}

bool IsSource(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".h" || extension == ".cc" || extension == ".c";
}

bool IsLeaf(const fs::path& path) {
  const std::string stem = path.stem().string();
  return stem.ends_with("_test") || stem.ends_with("_bench") || stem.ends_with("_fuzzer") ||
         path.generic_string().find("testing/") != std::string::npos;
}

std::vector<std::string> QuotedIncludes(const fs::path& path) {
  static const std::regex kInclude("^\\s*#\\s*include\\s+\"([^\"]+)\".*");
  std::vector<std::string> includes;
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    std::smatch match;
    if (std::regex_match(line, match, kInclude)) {
      includes.push_back(match[1]);
    }
  }
  return includes;
}

// What is wrong with one include of a file in `from`; empty if nothing is.
std::string Problem(const Layers& layers, const std::string& from, const std::string& include) {
  const std::optional<std::string> to = FolderOf(layers, include);
  if (!to) {
    return "is not a path from the repository root";
  }
  const Layer& layer = layers.at(from);
  if (*to == from || layer.may_include.contains("*") || layer.may_include.contains(*to)) {
    return "";
  }
  return from + " may not include " + *to;
}

class LayersTest : public ::testing::Test {
 protected:
  const fs::path root_ = fs::current_path();
  const Layers layers_ = ReadLayers(root_ / "tools/checks/layers.txt");
};

TEST_F(LayersTest, TableIsOrderedByLevel) {
  ASSERT_GT(layers_.size(), 15U);
  for (const auto& [folder, layer] : layers_) {
    for (const std::string& allowed : layer.may_include) {
      if (allowed != "*") {
        ASSERT_TRUE(layers_.contains(allowed)) << folder << ": " << allowed;
        EXPECT_LE(layers_.at(allowed).level, layer.level) << folder << " includes " << allowed;
      }
    }
  }
}

TEST_F(LayersTest, EveryIncludePointsDown) {
  std::size_t files = 0;
  for (const auto& top : fs::directory_iterator(root_)) {
    const std::string name = top.path().filename().string();
    if (!top.is_directory() || name == "build" || name.starts_with(".")) {
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      if (!entry.is_regular_file() || !IsSource(entry.path())) {
        continue;
      }
      const std::string path = fs::relative(entry.path(), root_).generic_string();
      const std::optional<std::string> folder = FolderOf(layers_, path);
      ASSERT_TRUE(folder) << path << " lies in no folder of layers.txt";
      ++files;
      if (IsLeaf(entry.path())) {
        continue;
      }
      for (const std::string& include : QuotedIncludes(entry.path())) {
        EXPECT_EQ(Problem(layers_, *folder, include), "") << path << " includes " << include;
      }
    }
  }
  EXPECT_GT(files, 20U);
}

TEST_F(LayersTest, RefusesAnIncludeThatPointsUp) {
  EXPECT_NE(Problem(layers_, "api", "controlplane/cluster.h"), "");
  EXPECT_NE(Problem(layers_, "conformance", "driver-ref/nvml/library.h"), "");
  EXPECT_NE(Problem(layers_, "driver-ref", "fakegpu/layout/layout.h"), "");
  EXPECT_NE(Problem(layers_, "base", "local.h"), "");
  EXPECT_EQ(Problem(layers_, "controlplane", "api/client/client.h"), "");
}

}  // namespace
}  // namespace assay
