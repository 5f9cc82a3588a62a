// Holds the allocator to Kubernetes' own: random cases, answered by both.
//
//   allocator_differential SOURCE_OF_PEER SCRATCH_DIR [CASES [SEED]]
//
// Builds the Go program in SOURCE_OF_PEER into SCRATCH_DIR. Exit 0: all answers agree; 1: some do
// not, and the first such case is shown and kept; 77: there is no Go here, or no way to build with
// it.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "allocator/replay/cases.h"
#include "allocator/replay/replay.h"

namespace {

using assay::allocator::replay::MakeCase;
using assay::allocator::replay::Replay;
using nlohmann::json;

constexpr int kSkipped = 77;

std::vector<std::string> ReadLines(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

// Our answers to a case; with or without looking ahead from the first step on.
std::vector<std::string> Answer(const std::vector<std::string>& lines, bool look_ahead) {
  Replay replay({}, look_ahead ? 0 : 1'000'000);
  std::vector<std::string> answers;
  for (const std::string& line : lines) {
    const auto answer = replay.Take(line);
    if (!answer.ok()) {
      std::cerr << answer.status().message() << ": " << line << "\n";
      std::exit(2);
    }
    if (answer->has_value()) {
      answers.push_back(**answer);
    }
  }
  return answers;
}

// Equal as JSON. Go names the text of a selector's error in a map's random order; nothing else
// differs.
bool Same(const std::string& a, const std::string& b) { return json::parse(a) == json::parse(b); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: allocator_differential SOURCE_OF_PEER SCRATCH_DIR [CASES [SEED]]\n";
    return 2;
  }
  const std::filesystem::path scratch = argv[2];
  const std::uint64_t cases = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 2000;
  const std::uint64_t seed = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 1;
  std::filesystem::create_directories(scratch);
  if (std::system("command -v go >/dev/null 2>&1") != 0) {
    std::cout << "skipped: there is no Go here\n";
    return kSkipped;
  }
  const std::string peer = (scratch / "peer").string();
  const std::string build =
      "cd '" + std::string(argv[1]) + "' && go build -o '" + peer + "' . 2>'" + peer + ".log'";
  if (std::system(build.c_str()) != 0) {
    std::cout << "skipped: the peer cannot be built here; see " << peer << ".log\n";
    return kSkipped;
  }
  std::vector<std::vector<std::string>> inputs;
  const std::string input_path = (scratch / "cases.jsonl").string();
  {
    std::ofstream out(input_path);
    for (std::uint64_t i = 0; i < cases; ++i) {
      inputs.push_back(MakeCase(seed + i));
      for (const std::string& line : inputs.back()) {
        out << line << "\n";
      }
    }
  }
  const std::string output_path = (scratch / "answers.jsonl").string();
  const std::string command = "'" + peer + "' <'" + input_path + "' >'" + output_path + "'";
  if (std::system(command.c_str()) != 0) {
    std::cerr << "the peer failed\n";
    return 1;
  }
  const std::vector<std::string> theirs = ReadLines(output_path);
  std::size_t next = 0;
  std::uint64_t claims = 0;
  std::uint64_t allocated = 0;
  std::uint64_t different = 0;
  for (std::uint64_t i = 0; i < cases; ++i) {
    bool shown = false;
    for (const std::string& ours : Answer(inputs[i], i % 2 == 1)) {
      ++claims;
      allocated += ours.find("\"allocation\"") != std::string::npos ? 1 : 0;
      const std::string their = next < theirs.size() ? theirs[next] : "{}";
      ++next;
      if (Same(ours, their) || shown) {
        continue;
      }
      shown = true;
      if (++different == 1) {
        const std::filesystem::path kept = scratch / "different.jsonl";
        std::ofstream out(kept);
        for (const std::string& line : inputs[i]) {
          out << line << "\n";
        }
        std::cout << "seed " << seed + i << " differs; its objects are in " << kept << "\n"
                  << "  ours:       " << ours << "\n"
                  << "  Kubernetes: " << their << "\n";
      }
    }
  }
  std::cout << cases << " cases from seed " << seed << ": " << claims << " claims, " << allocated
            << " allocated; " << different << " cases differ\n";
  return different == 0 ? 0 : 1;
}
