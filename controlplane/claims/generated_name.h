// The generateName of the claims that are made from templates.
//
// Thread-safe: a function.
#ifndef ASSAY_CONTROLPLANE_CLAIMS_GENERATED_NAME_H_
#define ASSAY_CONTROLPLANE_CLAIMS_GENERATED_NAME_H_

#include <cstddef>
#include <string>

namespace assay::controlplane::claims {

// "<owner>-<entry>-"; where that is longer than 57 characters, both parts are cut in proportion and
// the random characters follow directly.
inline std::string GeneratedNamePrefix(const std::string& owner, const std::string& entry) {
  // With five random characters 63 at most have to fit, less one that upstream leaves free.
  constexpr std::size_t kMaxLength = 57;
  const std::string whole = owner + "-" + entry + "-";
  if (whole.size() <= kMaxLength) {
    return whole;
  }
  return owner.substr(0, owner.size() * kMaxLength / whole.size()) + "-" +
         entry.substr(0, entry.size() * kMaxLength / whole.size());
}

}  // namespace assay::controlplane::claims

#endif  // ASSAY_CONTROLPLANE_CLAIMS_GENERATED_NAME_H_
