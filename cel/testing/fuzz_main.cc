// A main() for fuzzers that are not linked with libFuzzer: feeds them inputs that a seed decides.
//
//   cel_selector_fuzzer [COUNT [SEED]]
//   cel_selector_fuzzer FILE...
//
// The inputs are random expressions, whole and mutilated, random bytes, and those that hurt
// parsers: nesting without end, a megabyte of one character, ill-formed UTF-8. A file is one input,
// run once.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "cel/testing/expression_generator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using assay::Random;

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string Repeated(std::string_view part, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += part;
  }
  return text;
}

// Inputs that grow with what a parser, checker or evaluator recurses over or multiplies.
std::vector<std::string> HardInputs() {
  std::vector<std::string> inputs = {"", "x", std::string(2, '\0')};
  for (const char* part : {"(",
                           "[",
                           "{",
                           "{1:",
                           "-",
                           "!",
                           "a.",
                           "a[",
                           "f(",
                           "1+",
                           "1?1:",
                           "true&&",
                           "a.b(",
                           "\"",
                           "'''",
                           "`",
                           "\xC3",
                           "\x80",
                           "\xF0\x9F\x98",
                           "0",
                           "9",
                           "\\",
                           "//",
                           "\n",
                           "[1].map(x,",
                           "cel.bind(a,1,",
                           "x in ",
                           ".filter(x,",
                           "?",
                           "optional.of(",
                           "dyn("}) {
    for (std::size_t count : {3, 60, 249, 251, 5'000}) {
      inputs.push_back("\x08\x01" + Repeated(part, count));
      inputs.push_back("\x08\x01" + Repeated(part, count) + "1" + Repeated(")", count));
    }
  }
  inputs.push_back("\x08\x01" + std::string(1'000'000, 'a'));
  inputs.push_back("\x08\x01\"" + std::string(100'000, 'a') + "\" == \"\"");
  // Each step multiplies what the one before has made.
  inputs.push_back("\x08\x01'a'" +
                   Repeated(".replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", 12) + " == ''");
  inputs.push_back("\x08\x01lists.range(9223372036854775807).map(x, x).size() > 0");
  inputs.push_back("\x08\x01[lists.range(900000)]" + Repeated(".map(x, [x, x, x, x])", 20) +
                   ".flatten(100).size() > 0");
  inputs.push_back("\x08\x01lists.range(100000).map(x, 'aaaaaaaaaaaaaaaaaaaa').join('') == ''");
  inputs.push_back("\x08\x01'%.9999999f'.format([1.0]) == ''");
  return inputs;
}

std::string RandomBytes(Random& random) {
  std::string bytes(random.Below(80), '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random.Next());
  }
  return bytes;
}

void RunSeeded(std::uint64_t count, std::uint64_t seed) {
  std::cout << "seed " << seed << ", " << count << " inputs\n";
  for (const std::string& input : HardInputs()) {
    Run(input);
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    Random random(seed * 1'000'003 + i);
    assay::cel::testing::GeneratorOptions options;
    options.lists = random.Below(2) == 0;
    options.percent_broken = 50;
    const std::string head = {static_cast<char>(random.Next()), static_cast<char>(random.Next())};
    Run(random.Below(8) == 0
            ? RandomBytes(random)
            : head + assay::cel::testing::ExpressionGenerator(random, options).Next());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::ifstream(argv[1]).good()) {
    for (int i = 1; i < argc; ++i) {
      std::ifstream in(argv[i], std::ios::binary);
      Run({std::istreambuf_iterator<char>(in), {}});
    }
    return 0;
  }
  RunSeeded(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2000,
            argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  return 0;
}
