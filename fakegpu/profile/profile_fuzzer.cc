// Fuzzes what reads profiles: any text is a node, or an error that says where it is wrong. The
// input is a node's file and, after a line "---", the file board.yaml that it may name.

#include <unistd.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "base/temp_dir.h"
#include "fakegpu/layout/metrics.h"
#include "fakegpu/layout/region.h"
#include "fakegpu/model/node_builder.h"
#include "fakegpu/profile/profile.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace assay::fakegpu::profile {
namespace {

constexpr std::string_view kSeparator = "\n---\n";

void Write(const std::filesystem::path& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  // An empty view may have no data to point to.
  ASSAY_CHECK(file != nullptr &&
              (text.empty() || std::fwrite(text.data(), 1, text.size(), file) == text.size()))
      << path;
  std::fclose(file);
}

// A node that was accepted can be made, opened and measured.
void UseNode(const model::NodeSpec& spec, const std::filesystem::path& state) {
  const Result<model::NodeImage> image = model::BuildNode(spec);
  if (!image.ok()) {
    ASSAY_CHECK(!image.status().message().empty()) << "an error says what is wrong";
    return;
  }
  Write(state, model::StateFileBytes(*image, 1));
  layout::Region region;
  ASSAY_CHECK(region.Open(state.c_str()) == layout::OpenError::kNone) << "what is made is whole";
  const std::uint32_t gpus = region.Read([](const layout::Copy& copy) {
    for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
      constexpr std::int64_t kHour = 3'600'000'000'000;
      const layout::Readings readings = layout::Measure(copy.gpu(slot), kHour);
      const layout::Limits& limits = copy.gpu(slot).limits;
      ASSAY_CHECK(readings.power_mw <= limits.power_max_mw)
          << readings.power_mw << " mW of at most " << limits.power_max_mw;
      ASSAY_CHECK(std::isfinite(layout::TrailAt(copy.gpu(slot), kHour).energy_mj));
    }
    return copy.gpu_count();
  });
  ASSAY_CHECK(gpus == spec.gpus.size());
}

// What stands after a colon, up to the end of the line or of its entry.
void ReplaceValue(std::string& line, Random& random) {
  constexpr const char* kOdd[] = {
      "0",           "-1",   "1",      "4294967295", "4294967296", "18446744073709551616",
      "1e309",       ".nan", "0x10",   "true",       "~",          "\"\"",
      "\"1\"",       "[]",   "{}",     "&a 1",       "*a",         "!t 1",
      "9.0",         "0-1",  "[0, 7]", "board.yaml", "a\tb",       "4096",
      "0000:ff:1f.7"};
  std::vector<std::size_t> colons;
  for (std::size_t at = line.find(": "); at != std::string::npos; at = line.find(": ", at + 1)) {
    colons.push_back(at + 2);
  }
  if (colons.empty()) {
    return;
  }
  const std::size_t begin = colons[random.Below(colons.size())];
  const std::size_t end = std::min(line.find_first_of(",}", begin), line.size());
  line.replace(begin, end - begin, kOdd[random.Below(std::size(kOdd))]);
}

std::string MutateLines(std::string_view text, Random& random) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (lines.empty()) {
    return "name: n";
  }
  const auto any = [&] { return lines.begin() + static_cast<long>(random.Below(lines.size())); };
  const auto line = any();
  switch (random.Below(7)) {
    case 0:
      lines.erase(line);
      break;
    case 1:
      lines.insert(any(), std::string(*line));
      break;
    case 2:
      std::swap(*line, *any());
      break;
    case 3:
      line->insert(0, random.Below(2) == 0 ? "  " : "- ");
      break;
    case 4:
      line->erase(0, 2);
      break;
    default:
      ReplaceValue(*line, random);
  }
  std::string mutated;
  for (const std::string& each : lines) {
    mutated += each + '\n';
  }
  return mutated;
}

}  // namespace
}  // namespace assay::fakegpu::profile

// Mostly whole lines and values, since other changes seldom leave YAML.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  assay::Random random(seed);
  if (random.Below(8) == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const std::string mutated =
      assay::fakegpu::profile::MutateLines({reinterpret_cast<const char*>(data), size}, random);
  const std::size_t length = std::min(mutated.size(), max_size);
  std::memcpy(data, mutated.data(), length);
  return length;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;
  using namespace assay::fakegpu::profile;
  static const TempDir& dir = *new TempDir(*TempDir::Create("profile-fuzzer"));

  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t separator = input.find(kSeparator);
  Write(dir / "node.yaml", input.substr(0, separator));
  Write(dir / "board.yaml", separator == std::string_view::npos
                                ? std::string_view()
                                : input.substr(separator + kSeparator.size()));
  for (const char* file : {"node.yaml", "board.yaml"}) {
    const Status board = LoadBoard(dir / file).status();
    ASSAY_CHECK(board.ok() || board.message().find(dir.path().string()) != std::string::npos)
        << "an error says where: " << board.message();
  }
  const Result<fakegpu::model::NodeSpec> spec = LoadNode(dir / "node.yaml");
  ASSAY_CHECK(spec.ok() || spec.status().message().find(dir.path().string()) != std::string::npos)
      << "an error says where: " << spec.status().message();
  // Larger ones are the same, and slow.
  constexpr std::size_t kMostGpus = 16;
  if (spec.ok() && spec->gpus.size() <= kMostGpus) {
    UseNode(*spec, dir / "state");
  }
  return 0;
}
