// Semver: semantic versions as Kubernetes' CEL and device attributes have them.
//
// Source: github.com/blang/semver/v4, which Kubernetes uses, with its texts.
//
// Thread-safe: values.
#ifndef ASSAY_CEL_SEMVER_H_
#define ASSAY_CEL_SEMVER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::cel {

struct Semver {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
  // "rc.1"; lies in the text that was parsed.
  std::string_view prerelease;
  // "build.5"; the same. Takes no part in comparisons.
  std::string_view build;

  // kInvalidArgument with semver's text: "No Major.Minor.Patch elements found".
  static Result<Semver> Parse(std::string_view text);

  // "1.2.3-rc.1+build.5".
  std::string ToString() const;

  // -1, 0, 1.
  int Compare(const Semver& other) const;
};

// The text with "v" and leading zeros dropped and missing parts added, as semver(text, true) does
// before parsing: "v01.2" is "1.2.0".
Result<std::string> NormalizeSemver(std::string_view text);

}  // namespace assay::cel

#endif  // ASSAY_CEL_SEMVER_H_
