// A ResourceSlice as large as they come, for benchmarks of what handles whole objects.
//
// Thread-safe: a function.
#ifndef ASSAY_BENCH_FIXED_WORK_LARGE_SLICE_H_
#define ASSAY_BENCH_FIXED_WORK_LARGE_SLICE_H_

#include "api/resource/types.h"

namespace assay::bench {

// 128 devices, the most that a slice may have, each with four attributes and a capacity.
api::resource::ResourceSlice MakeLargeSlice();

}  // namespace assay::bench

#endif  // ASSAY_BENCH_FIXED_WORK_LARGE_SLICE_H_
