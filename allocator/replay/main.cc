// Reads objects from standard input and answers as Replay does.
#include <iostream>
#include <string>

#include "allocator/replay/replay.h"

int main() {
  assay::allocator::replay::Replay replay;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.empty()) {
      continue;
    }
    const auto answer = replay.Take(line);
    if (!answer.ok()) {
      std::cerr << answer.status().message() << ": " << line << "\n";
      return 2;
    }
    if (answer->has_value()) {
      std::cout << **answer << "\n";
    }
  }
  return 0;
}
