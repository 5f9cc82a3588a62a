// Holds the allocator to Kubernetes' own: random cases, answered by both.
//
//   allocator_differential SOURCE_OF_PEER SCRATCH_DIR [CASES [SEED [LEVEL]]]
//
// Builds the Go program in SOURCE_OF_PEER into SCRATCH_DIR, for LEVEL (1.36 or 1.37). Exit 0: all
// answers agree; 1: some do not, and the first such case is shrunk, shown and kept; 77: there is no
// Go here, or no way to build with it.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "allocator/replay/cases.h"
#include "allocator/replay/replay.h"
#include "allocator/replay/shrink.h"

namespace {

using assay::allocator::InventoryOptions;
using assay::allocator::replay::Lines;
using assay::allocator::replay::MakeCase;
using assay::allocator::replay::Replay;
using assay::allocator::replay::Shrink;
using assay::allocator::replay::ToYaml;
using nlohmann::json;

// Cases that the peer is asked at a time.
constexpr std::uint64_t kChunk = 5000;
// Answers that differ, shown before the first such case is shrunk.
constexpr std::uint64_t kPairsShown = 5;

Lines ReadLines(const std::filesystem::path& path) {
  std::ifstream in(path);
  Lines lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

// How we answer; none of it may change the answers.
struct Way {
  bool look_ahead;  // from the first step on
  bool keep_apart;  // every string attribute is taken to tell devices apart
};

// Our answers to a case; nullopt if it has a line that cannot be read.
std::optional<Lines> Answer(const Lines& lines, assay::api::Level level, Way way) {
  InventoryOptions options;
  options.features.level = level;
  options.max_shared_values = way.keep_apart ? 0 : 32;
  Replay replay(options, way.look_ahead ? 0 : 1'000'000);
  Lines answers;
  for (const std::string& line : lines) {
    const auto answer = replay.Take(line);
    if (!answer.ok()) {
      return std::nullopt;
    }
    if (answer->has_value()) {
      answers.push_back(**answer);
    }
  }
  return answers;
}

class Peer {
 public:
  Peer(std::string program, std::filesystem::path scratch)
      : program_(std::move(program)), scratch_(std::move(scratch)) {}

  // Its answers; nullopt if it fails.
  std::optional<Lines> Answer(const std::vector<const Lines*>& cases) const {
    const std::string input = (scratch_ / "cases.jsonl").string();
    const std::string output = (scratch_ / "answers.jsonl").string();
    {
      std::ofstream out(input);
      for (const Lines* lines : cases) {
        for (const std::string& line : *lines) {
          out << line << "\n";
        }
      }
    }
    const std::string command =
        "'" + program_ + "' <'" + input + "' >'" + output + "' 2>'" + output + ".log'";
    return std::system(command.c_str()) == 0 ? std::optional(ReadLines(output)) : std::nullopt;
  }

 private:
  std::string program_;
  std::filesystem::path scratch_;
};

// Equal as JSON. Go names the text of a selector's error in a map's random order; nothing else
// differs.
bool Same(const std::string& a, const std::string& b) { return json::parse(a) == json::parse(b); }

bool Same(const Lines& ours, const Lines& theirs) {
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                    [](const std::string& a, const std::string& b) { return Same(a, b); });
}

struct Run {
  assay::api::Level level;
  std::uint64_t cases;
  std::uint64_t seed;
  std::filesystem::path scratch;
};

void Show(const Run& run, const Peer& peer, std::uint64_t seed, const Lines& lines, Way way) {
  const auto differs = [&](const Lines& some) {
    const std::optional<Lines> ours = Answer(some, run.level, way);
    if (!ours.has_value()) {
      return false;
    }
    const std::optional<Lines> theirs = peer.Answer({&some});
    return theirs.has_value() && !Same(*ours, *theirs);
  };
  const Lines small = differs(lines) ? Shrink(lines, differs) : lines;
  const std::filesystem::path kept = run.scratch / "different.yaml";
  std::ofstream(kept) << ToYaml(small);
  std::cout << "seed " << seed << " differs; its objects, as few as still differ, are in " << kept
            << ":\n"
            << ToYaml(small);
  for (const std::string& answer : Answer(small, run.level, way).value_or(Lines())) {
    std::cout << "  ours:       " << answer << "\n";
  }
  for (const std::string& answer : peer.Answer({&small}).value_or(Lines())) {
    std::cout << "  Kubernetes: " << answer << "\n";
  }
}

int Compare(const Run& run, const Peer& peer) {
  std::uint64_t claims = 0;
  std::uint64_t allocated = 0;
  std::uint64_t errors = 0;
  std::uint64_t different = 0;
  std::uint64_t first_seed = 0;
  Way first_way = {};
  Lines first;
  for (std::uint64_t begin = 0; begin < run.cases; begin += kChunk) {
    std::vector<Lines> inputs;
    std::vector<const Lines*> pointers;
    const std::uint64_t count = std::min(kChunk, run.cases - begin);
    inputs.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t seed = run.seed + begin + i;
      inputs.push_back(MakeCase(
          seed, {.level = run.level,
                 .upstream_defects = run.level == assay::api::Level::k1_36 && seed % 4 == 3}));
      pointers.push_back(&inputs.back());
    }
    const std::optional<Lines> theirs = peer.Answer(pointers);
    if (!theirs.has_value()) {
      std::cerr << "the peer failed\n";
      return 1;
    }
    std::size_t next = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t seed = run.seed + begin + i;
      const Way way = {.look_ahead = seed % 2 == 1, .keep_apart = seed % 3 == 1};
      const Lines ours = Answer(inputs[i], run.level, way).value_or(Lines{"unreadable"});
      Lines their;
      for (const std::string& answer : ours) {
        their.push_back(next < theirs->size() ? (*theirs)[next] : "{}");
        ++next;
        ++claims;
        allocated += answer.find("\"allocation") != std::string::npos ? 1U : 0U;
        errors += answer.find("\"error\"") != std::string::npos ? 1U : 0U;
      }
      if (Same(ours, their)) {
        continue;
      }
      if (++different <= kPairsShown) {
        const auto [a, b] = std::mismatch(ours.begin(), ours.end(), their.begin(),
                                          [](const auto& x, const auto& y) { return Same(x, y); });
        std::cout << "seed " << seed << ":\n  ours:       " << *a << "\n  Kubernetes: " << *b
                  << "\n";
      }
      if (different == 1) {
        first_seed = seed;
        first_way = way;
        first = inputs[i];
      }
    }
  }
  if (different > 0) {
    Show(run, peer, first_seed, first, first_way);
  }
  std::cout << "level " << LevelName(run.level) << ", " << run.cases << " cases from seed "
            << run.seed << ": " << claims << " questions, " << allocated << " allocated, " << errors
            << " errors; " << different << " cases differ\n";
  return different == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto level = assay::api::ParseLevel(argc > 5 ? argv[5] : "1.36");
  if (argc < 3 || !level.ok()) {
    std::cerr
        << "usage: allocator_differential SOURCE_OF_PEER SCRATCH_DIR [CASES [SEED [LEVEL]]]\n";
    return 2;
  }
  const Run run = {.level = *level,
                   .cases = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 2000,
                   .seed = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 1,
                   .scratch = argv[2]};
  std::filesystem::create_directories(run.scratch);
  const std::string program = (run.scratch / "peer").string();
  const std::string source = argv[1];
  std::string build = "'" + source + "/../build.sh' '" + source + "' '" + program + "'";
  if (*level == assay::api::Level::k1_37) {
    build += " -modfile=go.1.37.mod .";
  }
  const int status = std::system(build.c_str());
  if (status != 0) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  return Compare(run, Peer(program, run.scratch));
}
