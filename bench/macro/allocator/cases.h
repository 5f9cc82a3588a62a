// Cases: what the allocator's benchmarks measure, as cases.json lists it. The peer programs read
// the same file.
//
// Thread-safe: values and functions.
#ifndef ASSAY_BENCH_MACRO_ALLOCATOR_CASES_H_
#define ASSAY_BENCH_MACRO_ALLOCATOR_CASES_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay::bench {

struct Case {
  std::string name;       // "shape/operation/size"
  std::string operation;  // see operations.h
  // Files of JSON lines, relative to the folder of inputs: the fleet, claims in use, claims to
  // allocate.
  std::vector<std::string> inputs;
};

// The cases of the file's text; an entry with `sizes` becomes one case for each, {nodes} replaced.
// Errors: kInvalidArgument, naming the entry.
Result<std::vector<Case>> ParseCases(std::string_view text);

}  // namespace assay::bench

#endif  // ASSAY_BENCH_MACRO_ALLOCATOR_CASES_H_
