// Random: seeded randomness; UUIDs and the name suffixes of Kubernetes.
//
// Tests pass a seed and print it on failure; programs seed from the system.
//
// Not thread-safe; one per owner.
#ifndef ASSAY_BASE_RANDOM_H_
#define ASSAY_BASE_RANDOM_H_

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace assay {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // Seeded from getrandom(2).
  static Random FromSystem();

  std::uint64_t Next() { return engine_(); }
  // Uniform in [0, bound); `bound` must be positive.
  std::uint64_t Below(std::uint64_t bound);
  // A random (version 4) UUID in lower case.
  std::string Uuid();
  // `length` characters of "bcdfghjklmnpqrstvwxz2456789", as generateName appends
  // (apimachinery, util/rand).
  std::string NameSuffix(std::size_t length);

 private:
  std::mt19937_64 engine_;
};

}  // namespace assay

#endif  // ASSAY_BASE_RANDOM_H_
