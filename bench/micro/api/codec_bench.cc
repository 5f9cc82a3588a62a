// What it costs to read and write the largest object that drivers publish.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "api/json/json.h"
#include "api/proto/proto.h"
#include "api/resource/types.h"
#include "bench/fixed_work/large_slice.h"

namespace assay::bench {
namespace {

using api::resource::ResourceSlice;

void ReportBytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  state.SetItemsProcessed(state.iterations());
}

void BM_SliceToJson(benchmark::State& state) {
  const ResourceSlice slice = MakeLargeSlice();
  std::string text;
  for (auto _ : state) {
    text = api::json::EncodeAs(slice);
    benchmark::DoNotOptimize(text.data());
  }
  ReportBytes(state, text.size());
}
BENCHMARK(BM_SliceToJson);

void BM_SliceFromJson(benchmark::State& state) {
  const std::string text = api::json::EncodeAs(MakeLargeSlice());
  for (auto _ : state) {
    const Result<ResourceSlice> slice = api::json::DecodeAs<ResourceSlice>(text);
    if (!slice.ok() || slice->spec.devices.size() != 128) {
      state.SkipWithError("wrong answer");
      break;
    }
  }
  ReportBytes(state, text.size());
}
BENCHMARK(BM_SliceFromJson);

void BM_SliceToProtobuf(benchmark::State& state) {
  const auto& descriptor = api::schema::DescriptorOf<ResourceSlice>();
  const ResourceSlice slice = MakeLargeSlice();
  std::string bytes;
  for (auto _ : state) {
    bytes = api::proto::EncodeMessage(descriptor, &slice);
    benchmark::DoNotOptimize(bytes.data());
  }
  ReportBytes(state, bytes.size());
}
BENCHMARK(BM_SliceToProtobuf);

void BM_SliceFromProtobuf(benchmark::State& state) {
  const auto& descriptor = api::schema::DescriptorOf<ResourceSlice>();
  const ResourceSlice original = MakeLargeSlice();
  const std::string bytes = api::proto::EncodeMessage(descriptor, &original);
  for (auto _ : state) {
    ResourceSlice slice;
    const Status decoded = api::proto::DecodeMessage(descriptor, bytes, {}, &slice);
    if (!decoded.ok() || slice.spec.devices.size() != 128) {
      state.SkipWithError("wrong answer");
      break;
    }
  }
  ReportBytes(state, bytes.size());
}
BENCHMARK(BM_SliceFromProtobuf);

}  // namespace
}  // namespace assay::bench
