// The main of a fuzzer that is built without one (assay_fuzzer in cmake/AssayTargets.cmake):
//
//   NAME [--mutations COUNT] [--seed SEED] CORPUS...
//
// gives it each file of the corpus (folders, or files), so that what fuzzers once found stays
// mended, then inputs that the seed makes of those, under any compiler. The input that runs lies in
// a file, which stays where one ends the program: NAME FILE runs it again.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/random.h"
#include "base/temp_dir.h"

extern "C" {
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// Where the fuzzer knows how its inputs are made.
[[gnu::weak]] std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                  std::size_t max_size, unsigned int seed);
// What libFuzzer offers to custom mutators.
std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
}

namespace {

namespace fs = std::filesystem;
using assay::Random;

constexpr std::size_t kLongest = 64 * 1024;

Random& Mutations() {
  static Random random(1);
  return random;
}

class Runner {
 public:
  Runner() : dir_(*assay::TempDir::Create("fuzz")) {
    const fs::path file = dir_ / "input";
    fd_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSAY_CHECK(fd_ >= 0) << file << ": " << std::strerror(errno);
    std::cout << "the input that runs lies in " << file.string() << std::endl;
  }
  ~Runner() { close(fd_); }

  void Run(std::string_view input) const {
    ASSAY_CHECK(ftruncate(fd_, 0) == 0 &&
                pwrite(fd_, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()))
        << "cannot write the input";
    (void)LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  }

 private:
  assay::TempDir dir_;
  int fd_ = -1;
};

std::vector<std::string> ReadCorpus(const std::vector<std::string>& arguments) {
  std::vector<fs::path> files;
  for (const std::string& argument : arguments) {
    if (!fs::is_directory(argument)) {
      files.emplace_back(argument);
      continue;
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(argument)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const fs::path& file : files) {
    assay::Result<std::string> input = assay::ReadFile(file);
    ASSAY_CHECK(input.ok()) << input.status().message();
    corpus.push_back(*std::move(input));
  }
  return corpus;
}

std::string Mutated(std::string input) {
  const std::size_t size = std::min(input.size(), kLongest);
  input.resize(kLongest);
  auto* data = reinterpret_cast<std::uint8_t*>(input.data());
  std::size_t mutated = size;
  for (std::uint64_t steps = 1 + Mutations().Below(8); steps > 0; --steps) {
    mutated = LLVMFuzzerCustomMutator != nullptr
                  ? LLVMFuzzerCustomMutator(data, mutated, kLongest,
                                            static_cast<unsigned int>(Mutations().Next()))
                  : LLVMFuzzerMutate(data, mutated, kLongest);
  }
  input.resize(mutated);
  return input;
}

}  // namespace

// One change: a byte, a number, a part that is gone, doubled or new.
std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size) {
  constexpr std::uint32_t kOdd[] = {0, 1, 2, 7, 63, 64, 255, 4096, 0x7fffffff, 0x80000000, ~0U};
  Random& random = Mutations();
  const std::size_t at = size == 0 ? 0 : random.Below(size);
  const std::size_t length = std::min<std::size_t>(1 + random.Below(16), size - at);
  switch (size == 0 ? 4 : random.Below(5)) {
    case 0:
      data[at] = static_cast<std::uint8_t>(random.Next());
      return size;
    case 1: {
      const std::uint32_t number = kOdd[random.Below(std::size(kOdd))];
      std::memcpy(data + at, &number, std::min(length, sizeof(number)));
      return size;
    }
    case 2:
      std::memmove(data + at, data + at + length, size - at - length);
      return size - length;
    case 3:
      if (size + length > max_size) {
        return size;
      }
      std::memmove(data + at + length, data + at, size - at);
      return size + length;
    default:
      if (size == max_size) {
        return size;
      }
      std::memmove(data + at + 1, data + at, size - at);
      data[at] = static_cast<std::uint8_t>(random.Next());
      return size + 1;
  }
}

int main(int argc, char** argv) {
  std::uint64_t mutations = 0;
  std::uint64_t seed = 1;
  std::vector<std::string> arguments(argv + 1, argv + argc);
  while (arguments.size() > 1 && arguments[0].starts_with("--")) {
    (arguments[0] == "--seed" ? seed : mutations) = std::stoull(arguments[1]);
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  const std::vector<std::string> corpus = ReadCorpus(arguments);
  ASSAY_CHECK(!corpus.empty()) << "no corpus is given, or it is empty";
  const Runner runner;
  for (const std::string& input : corpus) {
    runner.Run(input);
  }
  Mutations() = Random(seed);
  for (std::uint64_t i = 0; i < mutations; ++i) {
    runner.Run(Mutated(corpus[Mutations().Below(corpus.size())]));
  }
  std::cout << corpus.size() << " inputs of the corpus and " << mutations << " of seed " << seed
            << '\n';
  return 0;
}
