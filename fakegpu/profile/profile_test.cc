#include "fakegpu/profile/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "base/yaml/yaml.h"
#include "fakegpu/layout/mig.h"

namespace assay::fakegpu::profile {
namespace {

using assay::testing::IsOk;
using assay::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::filesystem::path> YamlFiles(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What go-nvlib and nvidia-smi name the board's MIG profiles.
std::vector<std::string> MigNames(const layout::GpuState& gpu) {
  std::vector<std::string> names;
  for (const layout::MigProfile& profile : gpu.mig_profiles) {
    if (profile.valid != 0) {
      char name[64];
      layout::MigProfileName(gpu, profile, name, sizeof(name));
      names.emplace_back(name);
    }
  }
  return names;
}

struct Shipped {
  std::string file;
  std::uint64_t memory_mib;
  std::vector<std::string> mig_names;
};
void PrintTo(const Shipped& board, std::ostream* out) { *out << board.file; }

const std::vector<Shipped>& ShippedBoards() {
  static const std::vector<Shipped> boards = {
      {"a100-40",
       40960,
       {"1g.5gb", "1g.5gb+me", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"}},
      {"a100-80",
       81920,
       {"1g.10gb", "1g.10gb+me", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"}},
      {"a30", 24576, {"1g.6gb", "1g.6gb+me", "2g.12gb", "2g.12gb+me", "4g.24gb"}},
      {"b200",
       183359,
       {"1g.23gb", "1g.23gb+me", "1g.45gb", "2g.45gb", "3g.90gb", "4g.90gb", "7g.180gb"}},
      {"gb200",
       189471,
       {"1g.23gb", "1g.23gb+me", "1g.47gb", "2g.47gb", "3g.93gb", "4g.93gb", "7g.186gb"}},
      {"gb300",
       284208,
       {"1g.35gb", "1g.35gb+me", "1g.70gb", "2g.70gb", "3g.139gb", "4g.139gb", "7g.278gb"}},
      {"h100-80",
       81559,
       {"1g.10gb", "1g.10gb+me", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"}},
      {"h200-141",
       143771,
       {"1g.18gb", "1g.18gb+me", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb"}},
      {"l4", 23034, {}},
      {"l40s", 46068, {}},
      {"rtx-pro-6000",
       97887,
       {"1g.24gb", "1g.24gb+me", "1g.24gb+gfx", "1g.24gb+me.all", "1g.24gb-me", "2g.48gb",
        "2g.48gb+gfx", "2g.48gb+me.all", "2g.48gb-me", "4g.96gb", "4g.96gb+gfx"}},
      {"t4", 15360, {}}};
  return boards;
}

class ShippedBoardTest : public ::testing::TestWithParam<Shipped> {};

TEST_P(ShippedBoardTest, LoadsWithItsMemoryAndMigProfiles) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Board board,
                             LoadBoard("fixtures/profiles/nvidia/" + GetParam().file + ".yaml"));
  EXPECT_EQ(board.state.identity.memory_total_bytes >> 20, GetParam().memory_mib);
  EXPECT_EQ(MigNames(board.state), GetParam().mig_names);
  EXPECT_EQ(board.state.mig_supported, GetParam().mig_names.empty() ? 0u : 1u);
}

INSTANTIATE_TEST_SUITE_P(, ShippedBoardTest, ::testing::ValuesIn(ShippedBoards()));

TEST(ProfileTest, EveryBoardThatShipsIsTested) {
  std::vector<std::string> tested;
  for (const Shipped& board : ShippedBoards()) {
    tested.push_back(board.file + ".yaml");
  }
  std::vector<std::string> shipped;
  for (const auto& path : YamlFiles("fixtures/profiles/nvidia")) {
    shipped.push_back(path.filename());
  }
  EXPECT_EQ(shipped, tested);
}

TEST(ProfileTest, LoadsEveryNodeThatShips) {
  for (const auto& path : YamlFiles("fixtures/nodes")) {
    SCOPED_TRACE(path);
    ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeSpec spec, LoadNode(path));
    EXPECT_EQ(spec.name, path.stem());
    ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeImage image, model::BuildNode(spec));
    std::set<std::uint32_t> board_ids;
    for (const layout::GpuState& gpu : image.gpus) {
      EXPECT_TRUE(board_ids.insert(gpu.identity.board_id).second) << gpu.identity.board_id;
    }
  }
}

TEST(ProfileTest, SwitchesAndBridgesJoinGpus) {
  ASSAY_ASSERT_OK_AND_ASSIGN(model::NodeSpec spec, LoadNode("fixtures/nodes/dgx-h100.yaml"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeImage switched, model::BuildNode(spec));
  EXPECT_EQ(switched.gpus[7].links[17].remote, layout::Link::kSwitch);
  ASSAY_ASSERT_OK_AND_ASSIGN(spec, LoadNode("fixtures/nodes/a30-pairs.yaml"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeImage bridged, model::BuildNode(spec));
  EXPECT_EQ(bridged.gpus[2].links[3].remote, layout::Link::kGpu);
  EXPECT_EQ(bridged.gpus[2].links[3].remote_pci.bus, bridged.gpus[3].identity.pci.bus);
  EXPECT_EQ(bridged.gpus[2].links[4].present, 0u);
  ASSAY_ASSERT_OK_AND_ASSIGN(spec, LoadNode("fixtures/nodes/gb200-nvl72.yaml"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeImage rack, model::BuildNode(spec));
  EXPECT_EQ(rack.gpus[0].fabric.clique, 1u);
  EXPECT_EQ(rack.gpus[0].fabric.cluster_uuid[0], 0x0e);
  EXPECT_EQ(rack.gpus[3].identity.platform.tray, 3u);
}

TEST(ProfileTest, ARunCountsItsPlacesUp) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const model::NodeSpec spec, LoadNode("fixtures/nodes/l4-64.yaml"));
  ASSERT_EQ(spec.gpus.size(), 64u);
  EXPECT_EQ(spec.gpus[7].pci.bus, 8u);
  EXPECT_EQ(spec.gpus[63].pci.bus, 0xb8u);
  EXPECT_EQ(spec.gpus[63].pci_switch, 8u);
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
  const auto line =
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
  text.replace(at, wrong.line.size(), wrong.instead);
  ASSERT_THAT(WriteFileAtomically(dir / "board.yaml", text), IsOk());
  EXPECT_THAT(LoadBoard(dir / "board.yaml"),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("board.yaml:" + std::to_string(line) + ": "),
                             HasSubstr(wrong.complaint))));
}

INSTANTIATE_TEST_SUITE_P(
    , WrongBoardTest,
    ::testing::Values(
        Wrong{"architecture: hopper", "architecture: hoper", "expected one of"},
        Wrong{"cores: 16896", "cores: many", "cores"},
        Wrong{"  generation: 5", "  generation: 9", "from 1 to 6"},
        Wrong{"  min_w: 200", "  min_w: 800", "power.min_w"},
        Wrong{"  total_mib: 81559", "  total_mb: 81559", "total_m"},
        Wrong{"compute_capability: \"9.0\"", "compute_capability: nine", "two numbers"},
        Wrong{"  memory_mhz: [2619, 1593]", "  memory_mhz: [1593, 2619]", "highest first"},
        Wrong{"size: 4, starts: [0, 4]", "size: 4, starts: [0, 5]", "memory slice"}));

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

// A board in a file of its own.
Result<Board> LoadText(const std::string& name, const std::string& text, const TempDir& dir) {
  ASSAY_RETURN_IF_ERROR(WriteFileAtomically(dir / name, text));
  return LoadBoard(dir / name);
}

TEST(InheritanceTest, ErrorsNameTheFileThatHasTheLine) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create("profile-test"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string base, ReadFile("fixtures/profiles/nvidia/l4.yaml"));
  ASSERT_THAT(WriteFileAtomically(dir / "base.yaml", base), IsOk());
  const std::string head = "name: x\nextends: base.yaml\n";
  ASSAY_ASSERT_OK_AND_ASSIGN(const Board board, LoadText("x.yaml", head + "cores: 5\n", dir));
  EXPECT_EQ(board.state.identity.cores, 5u);
  EXPECT_EQ(board.state.identity.multiprocessors, 58u);
  EXPECT_THAT(LoadText("x.yaml", head + "power:\n  max_w: none\n", dir),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("x.yaml:4: power.max_w")));
  // What is wrong only together is told of the line that is read against it.
  EXPECT_THAT(LoadText("x.yaml", head + "power:\n  max_w: 50\n", dir),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("base.yaml:")));
  EXPECT_THAT(LoadText("x.yaml", head + "colour: red\n", dir),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("x.yaml:3: colour")));
  EXPECT_THAT(LoadText("x.yaml", "name: x\nextends: none.yaml\n", dir),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("x.yaml:2: extends")));
  EXPECT_THAT(LoadText("x.yaml", "name: x\nextends: x.yaml\n", dir),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("ring")));
}

TEST(ProfileTest, PowerProfilesConflictWithOthers) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create("profile-test"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string base, ReadFile("fixtures/profiles/nvidia/l4.yaml"));
  ASSERT_THAT(WriteFileAtomically(dir / "base.yaml", base), IsOk());
  const std::string head = "name: x\nextends: base.yaml\npower_profiles:\n";
  const std::string first = "  - {id: 1, priority: 7, conflicts: [6]}\n";
  ASSAY_ASSERT_OK_AND_ASSIGN(const Board board, LoadText("x.yaml", head + first, dir));
  const layout::PowerProfiles& profiles = board.state.power_profiles;
  EXPECT_EQ(profiles.offered, 1u << 1);
  EXPECT_EQ(profiles.profiles[1].priority, 7u);
  EXPECT_EQ(profiles.profiles[6].conflicts, 1u << 1) << "it is mutual";
  EXPECT_THAT(LoadText("x.yaml", head + first + first, dir),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("x.yaml:5: power_profiles[1]")));
  EXPECT_THAT(LoadText("x.yaml", head + "  - {id: 1, priority: 7, conflicts: [1]}\n", dir),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("x.yaml:4: power_profiles[0].conflicts[0]")));
}

// A node of A30 boards with `text` for what comes after its name and driver.
Result<model::NodeSpec> LoadNodeWith(const std::string& text, const TempDir& dir) {
  const std::filesystem::path profile =
      std::filesystem::absolute("fixtures/profiles/nvidia/a30.yaml");
  std::string yaml = "name: n\ndriver: {version: 1.2.3, branch: r1, cuda: \"13.0\"}\n" + text;
  for (std::size_t at = 0; (at = yaml.find("GPU", at)) != yaml.npos;) {
    yaml.replace(
        at, 3,
        "profile: " + profile.string() + ", root_bus: 0, numa_node: 0, cpus: [0-1], module_id: 0");
  }
  ASSAY_RETURN_IF_ERROR(WriteFileAtomically(dir / "node.yaml", yaml));
  return LoadNode(dir / "node.yaml");
}

TEST(NodeTest, RefusesRunsAndBridgesThatCannotBe) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create("profile-test"));
  const auto refused = [](const std::string& where) {
    return StatusIs(StatusCode::kInvalidArgument, HasSubstr(where));
  };
  const std::string pair = "gpus:\n  - {GPU, pci: \"0:1:0.0\", count: 2, step: {bus: 1}}\n";
  EXPECT_THAT(LoadNodeWith(pair + "nvlink_bridges:\n  - {gpus: [0, 1]}\n", dir), IsOk());
  EXPECT_THAT(LoadNodeWith(pair + "nvlink_bridges:\n  - {gpus: [0, 2]}\n", dir),
              refused("node.yaml:6: nvlink_bridges[0].gpus[1]"));
  EXPECT_THAT(LoadNodeWith(pair + "nvlink_bridges:\n  - {gpus: [0, 0]}\n", dir),
              refused("node.yaml:6: nvlink_bridges[0].gpus[1]"));
  EXPECT_THAT(LoadNodeWith(pair + "nvlink_bridges:\n  - {gpus: [0]}\n", dir),
              refused("expected two"));
  EXPECT_THAT(LoadNodeWith("gpus:\n  - {GPU, pci: \"0:1:0.0\", count: 300, step: {bus: 1}}\n", dir),
              refused("node.yaml:4: gpus[0]: count: GPU 255"));
  EXPECT_THAT(LoadNodeWith("gpus:\n  - {GPU, pci: \"0:1:0.0\", count: 3}\n", dir), refused("step"));
  EXPECT_THAT(LoadNodeWith(pair + "fabric: {cluster_uuid: abc, clique: 1}\n", dir),
              refused("node.yaml:5: fabric.cluster_uuid"));
  EXPECT_THAT(
      LoadNodeWith(pair + "platform: {chassis_serial: \"12345678901234567\", slot: 1}\n", dir),
      refused("platform.chassis_serial"));
}

// What editors check is what the loader accepts: a document that uses every property loads, and
// each property can be left out exactly if the schema requires it not.
class SchemaTest : public ::testing::Test {
 protected:
  // The schema, and a document that its loader accepts.
  void Use(const std::string& schema, nlohmann::json document,
           std::function<bool(const std::filesystem::path&)> loads) {
    Result<TempDir> dir = TempDir::Create("schema-test");
    ASSERT_THAT(dir, IsOk());
    dir_.emplace(*std::move(dir));
    const Result<std::string> text = ReadFile("fixtures/schema/" + schema);
    ASSERT_THAT(text, IsOk());
    schema_ = nlohmann::json::parse(*text);
    document_ = std::move(document);
    loads_ = std::move(loads);
    ASSERT_TRUE(Loads(document_));
  }
  static nlohmann::json Document(const std::filesystem::path& yaml) {
    const Result<yaml::Node> root = yaml::ParseFile(yaml);
    EXPECT_THAT(root, IsOk());
    return nlohmann::json::parse(yaml::ToJson(*root));
  }

  bool Loads(const nlohmann::json& document) const {
    EXPECT_THAT(WriteFileAtomically(*dir_ / "document.yaml", document.dump()), IsOk());
    return loads_(*dir_ / "document.yaml");
  }

  // `pointer` is of an object of the document with these properties.
  void CheckObject(const std::string& pointer, const nlohmann::json& properties,
                   const nlohmann::json& required) const {
    SCOPED_TRACE(pointer);
    const nlohmann::json::json_pointer at(pointer);
    const std::set<std::string> needed(required.begin(), required.end());
    for (const auto& [key, property] : properties.items()) {
      if (key == "extends") {
        continue;
      }
      ASSERT_TRUE(document_[at].contains(key)) << key;
      nlohmann::json without = document_;
      without[at].erase(key);
      EXPECT_EQ(Loads(without), !needed.contains(key)) << key;
    }
    nlohmann::json with_more = document_;
    with_more[at]["unknown"] = 1;
    EXPECT_FALSE(Loads(with_more));
  }
  // An object that the schema describes in one place.
  void CheckObject(const std::string& pointer, const nlohmann::json& object) const {
    CheckObject(pointer, object["properties"], object.value("required", nlohmann::json::array()));
  }

  const nlohmann::json& schema() const { return schema_; }

 private:
  std::optional<TempDir> dir_;
  nlohmann::json schema_;
  nlohmann::json document_;
  std::function<bool(const std::filesystem::path&)> loads_;
};

TEST_F(SchemaTest, OfBoardsAgreesWithTheLoader) {
  nlohmann::json board = Document("fixtures/profiles/nvidia/h100-80.yaml");
  board["fans"] = 0;
  board["encoders"] = 0;
  board["ecc"] = true;
  board["memory_repair"] = "remap-rows";
  board["c2c"] = {{"links", 1}, {"mbps", 1}};
  board["power_profiles"] = {{{"id", 0}, {"priority", 0}, {"conflicts", {1}}}};
  board["mig"]["profiles"][0]["encoders"] = 0;
  board["mig"]["profiles"][0]["attribute"] = "+me";
  Use("board.schema.json", board, [](const auto& path) { return LoadBoard(path).ok(); });
  const nlohmann::json& properties = schema()["properties"];
  CheckObject("", properties, schema()["then"]["required"]);
  for (const auto& [name, part] : schema()["then"]["properties"].items()) {
    CheckObject("/" + name, properties[name]["properties"], part["required"]);
  }
  CheckObject("/mig/profiles/0", properties["mig"]["properties"]["profiles"]["items"]);
  CheckObject("/power_profiles/0", properties["power_profiles"]["items"]);
}

TEST_F(SchemaTest, OfNodesAgreesWithTheLoader) {
  nlohmann::json node = Document("fixtures/nodes/gb200-nvl72.yaml");
  for (nlohmann::json& gpu : node["gpus"]) {
    gpu["profile"] = std::filesystem::absolute("fixtures/profiles/nvidia/gb200.yaml");
    gpu["switch"] = 1;
  }
  node["gpus"][0]["minor"] = 7;
  node["gpus"][0]["uuid"] = "GPU-11111111-2222-3333-4444-555555555555";
  node["gpus"][0]["serial"] = "1650524000001";
  node["gpus"][1]["count"] = 2;
  node["gpus"][1]["step"] = {
      {"domain", 1}, {"bus", 1}, {"root_bus", 1}, {"switch", 1}, {"module_id", 1}};
  node["nvlink_bridges"] = nlohmann::json::array({{{"gpus", {0, 1}}}});
  Use("node.schema.json", node, [](const auto& path) { return LoadNode(path).ok(); });
  const nlohmann::json& properties = schema()["properties"];
  CheckObject("", schema());
  for (const char* name : {"driver", "nvswitch", "fabric", "platform"}) {
    CheckObject("/" + std::string(name), properties[name]);
  }
  CheckObject("/nvlink_bridges/0", properties["nvlink_bridges"]["items"]);
  CheckObject("/gpus/1/step", properties["gpus"]["items"]["properties"]["step"]);
  // One GPU and a run have not the same: a minor number, UUID and serial number are of one GPU; a
  // run needs its count and step.
  nlohmann::json one = properties["gpus"]["items"];
  one["properties"].erase("count");
  one["properties"].erase("step");
  CheckObject("/gpus/0", one);
  nlohmann::json run = properties["gpus"]["items"];
  for (const char* name : {"minor", "uuid", "serial"}) {
    run["properties"].erase(name);
  }
  run["required"].push_back("count");
  run["required"].push_back("step");
  CheckObject("/gpus/1", run);
}

// One thing is wrong with it: a byte, a line, a value, or its end.
std::string Mutilated(Random& random, std::string text) {
  constexpr std::string_view kValues[] = {"",
                                          "~",
                                          "-1",
                                          "0",
                                          "1e400",
                                          "4294967296",
                                          "18446744073709551616",
                                          "true",
                                          "[]",
                                          "{}",
                                          "[[[[[[",
                                          "{a: &a [*a]}",
                                          "*none",
                                          "!!binary x",
                                          "\"",
                                          "|",
                                          "- ",
                                          "0x1g",
                                          "\xff\xfe",
                                          "9999999999:99:99.9"};
  std::vector<std::size_t> colons;
  std::vector<std::size_t> lines = {0};
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') {
      lines.push_back(at + 1);
    } else if (text.compare(at, 2, ": ") == 0) {
      colons.push_back(at + 2);
    }
  }
  const std::size_t line = lines[random.Below(lines.size())];
  const std::size_t line_end = std::min(text.find('\n', line), text.size() - 1) + 1;
  switch (random.Below(5)) {
    case 0:
      text[random.Below(text.size())] = static_cast<char>(random.Next());
      break;
    case 1:
      text.erase(line, line_end - line);
      break;
    case 2:
      text.insert(line, text.substr(line, line_end - line));
      break;
    case 3:
      text.resize(random.Below(text.size()));
      break;
    default: {
      const std::size_t value = colons[random.Below(colons.size())];
      const std::size_t end = std::min(text.find_first_of(",}]\n", value), text.size());
      text.replace(value, end - value, kValues[random.Below(std::size(kValues))]);
    }
  }
  return text;
}

// What cannot be read is refused by a word of the file it is in, and nothing crashes; what can be
// makes a node.
TEST(ProfileTest, MutilatedFilesAreReadOrRefused) {
  constexpr int kRounds = 40;
  const auto refusal = StatusIs(StatusCode::kInvalidArgument, HasSubstr("mutilated.yaml"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create("profile-test"));
  int refused = 0;
  const auto check = [&](const std::filesystem::path& original, const auto& load) {
    ASSAY_ASSERT_OK_AND_ASSIGN(std::string text, ReadFile(original));
    const std::string boards = std::filesystem::absolute("fixtures/profiles/nvidia").string();
    for (std::size_t at = 0; (at = text.find("../profiles/nvidia", at)) != text.npos;) {
      text.replace(at, std::string_view("../profiles/nvidia").size(), boards);
    }
    for (std::uint64_t seed = 1; seed <= kRounds; ++seed) {
      SCOPED_TRACE(original.string() + ", seed " + std::to_string(seed));
      Random random(seed);
      std::string mutilated = text;
      for (std::uint64_t i = 0, count = 1 + random.Below(3); i < count && !mutilated.empty(); ++i) {
        mutilated = Mutilated(random, std::move(mutilated));
      }
      ASSERT_THAT(WriteFileAtomically(dir / "mutilated.yaml", mutilated), IsOk());
      const Status status = load(dir / "mutilated.yaml");
      refused += status.ok() ? 0 : 1;
      EXPECT_THAT(status, ::testing::AnyOf(IsOk(), refusal));
    }
  };
  for (const auto& path : YamlFiles("fixtures/profiles/nvidia")) {
    check(path, [](const auto& file) { return LoadBoard(file).status(); });
  }
  for (const auto& path : YamlFiles("fixtures/nodes")) {
    check(path, [](const auto& file) -> Status {
      ASSAY_ASSIGN_OR_RETURN(const model::NodeSpec spec, LoadNode(file));
      return model::BuildNode(spec).status().WithContext(file.string());
    });
  }
  EXPECT_GT(refused, 100);
}

TEST(ProfileTest, TwoGpusAtOnePlaceAreRefused) {
  ASSAY_ASSERT_OK_AND_ASSIGN(model::NodeSpec spec, LoadNode("fixtures/nodes/dgx-h100.yaml"));
  spec.gpus[1].pci = spec.gpus[0].pci;
  EXPECT_THAT(model::BuildNode(spec),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("0000:1b:00.0")));
}

}  // namespace
}  // namespace assay::fakegpu::profile
