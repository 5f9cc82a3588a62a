// bench_work: fixed amounts of work, for bench/gate, which counts their instructions with
// callgrind. Unlike times, these hardly change from run to run.
//
// usage: bench_work [--inputs=DIR] [--about] [--list] [--extra=PERCENT] [NAME...]
//
// Does each work once to warm up, and then inside of assay_bench_measured, which is what is
// counted.
// --extra repeats it at least that much more often: a seeded regression, to prove that the gate
// catches it.
#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json/json.h"
#include "api/proto/proto.h"
#include "api/resource/types.h"
#include "base/result.h"
#include "bench/fixed_work/large_slice.h"
#include "bench/macro/allocator/operations.h"
#include "bench/macro/allocator/world.h"
#include "cel/dra/selector.h"

#define ASSAY_TEXT_OF_TEXT(x) #x
#define ASSAY_TEXT_OF(x) ASSAY_TEXT_OF_TEXT(x)

namespace assay::bench {
namespace {

using api::resource::ResourceSlice;

// Does it once. Whatever it makes is let go within.
using Work = std::function<Status()>;

struct Entry {
  std::string name;
  // Enough that single calls of the allocator's and malloc's slow paths do not matter.
  int times;
  std::function<Result<Work>(const std::string& inputs)> make;
};

// An operation of the allocator's benchmarks (bench/macro/allocator/operations.h).
Entry Allocator(std::string name, int times, std::string operation,
                std::vector<std::string> inputs) {
  const auto make = [operation, inputs](const std::string& folder) -> Result<Work> {
    const auto world = std::make_shared<World>();
    for (const std::string& input : inputs) {
      ASSAY_RETURN_IF_ERROR(world->Load(folder + "/" + input));
    }
    ASSAY_ASSIGN_OR_RETURN(std::shared_ptr<Operation> made, MakeOperation(operation, *world));
    return Work([world, made, iteration = std::size_t{0}]() mutable {
      return made->Run(iteration++, nullptr);
    });
  };
  return {"allocator/" + std::move(name), times, make};
}

Entry SliceCodec(std::string name, std::function<Work(std::shared_ptr<const ResourceSlice>)> make) {
  return {"api/" + std::move(name), 20, [make](const std::string& /*inputs*/) -> Result<Work> {
            return make(std::make_shared<const ResourceSlice>(MakeLargeSlice()));
          }};
}

constexpr std::string_view kSelector =
    "device.driver == 'gpu.example.com' && device.attributes['gpu.example.com'].type == 'gpu' && "
    "device.capacity['gpu.example.com'].memory.compareTo(quantity('40Gi')) >= 0";

Result<Work> CompileWork(const std::string& /*inputs*/) {
  return Work([] {
    const cel::dra::CompiledSelector selector = cel::dra::CompileSelector(kSelector);
    return selector.ok() ? OkStatus() : InternalError(selector.error->detail);
  });
}

Result<Work> MatchWork(const std::string& /*inputs*/) {
  cel::dra::DeviceContent content;
  content.driver = "gpu.example.com";
  content.attributes = {{"type", std::string("gpu")}};
  content.capacity = {{"memory", "81079Mi"}};
  const auto device = std::make_shared<const cel::dra::Device>(content);
  return Work([device, selector = cel::dra::CompileSelector(kSelector)] {
    ASSAY_ASSIGN_OR_RETURN(const bool matches, selector.Matches(*device));
    return matches ? OkStatus() : InternalError("the selector does not match");
  });
}

std::vector<Entry> Entries() {
  const std::string full = "inv-full-100.jsonl.gz";
  const std::string mig = "inv-mig-10.jsonl.gz";
  const std::string single = "claims-single-200.jsonl";
  const auto& descriptor = api::schema::DescriptorOf<ResourceSlice>();
  return {
      {"cel/compile", 100, CompileWork},
      {"cel/match", 5000, MatchWork},
      Allocator("check", 5000, "check", {full, single}),
      Allocator("one-node", 500, "one-node", {full, single}),
      Allocator("all-nodes", 50, "all-nodes", {full, single}),
      Allocator("half-full", 50, "first-fit", {full, "fill-half-100.jsonl.gz", single}),
      Allocator("cycle", 1000, "cycle", {full, "fill-random-100.jsonl.gz", single}),
      Allocator("upkeep", 200, "upkeep", {full, "fill-7of8-100.jsonl.gz", single}),
      Allocator("req8", 20, "all-nodes", {full, "claims-req8-200.jsonl"}),
      Allocator("mig1g", 500, "one-node", {mig, "claims-mig1g-200.jsonl"}),
      Allocator("migmix", 50, "one-node", {mig, "claims-migmix-200.jsonl"}),
      Allocator("sat-late", 50, "all-nodes", {"worst/sat-late-8-5.jsonl"}),
      SliceCodec("slice-to-json",
                 [](const std::shared_ptr<const ResourceSlice>& slice) {
                   return [slice] {
                     return api::json::EncodeAs(*slice).empty() ? InternalError("empty")
                                                                : OkStatus();
                   };
                 }),
      SliceCodec("slice-from-json",
                 [](const std::shared_ptr<const ResourceSlice>& slice) {
                   return [text = api::json::EncodeAs(*slice)] {
                     return api::json::DecodeAs<ResourceSlice>(text).status();
                   };
                 }),
      SliceCodec("slice-to-protobuf",
                 [&descriptor](const std::shared_ptr<const ResourceSlice>& slice) {
                   return [slice, &descriptor] {
                     return api::proto::EncodeMessage(descriptor, slice.get()).empty()
                                ? InternalError("empty")
                                : OkStatus();
                   };
                 }),
      SliceCodec("slice-from-protobuf",
                 [&descriptor](const std::shared_ptr<const ResourceSlice>& slice) {
                   const std::string bytes = api::proto::EncodeMessage(descriptor, slice.get());
                   return [bytes, &descriptor] {
                     ResourceSlice decoded;
                     return api::proto::DecodeMessage(descriptor, bytes, {}, &decoded);
                   };
                 }),
  };
}

}  // namespace

// Not inlined, and its name not mangled: callgrind counts what is done inside.
extern "C" __attribute__((noinline)) int assay_bench_measured(const Work* work, int times) {
  for (int i = 0; i < times; ++i) {
    if (const Status status = (*work)(); !status.ok()) {
      std::cerr << "bench_work: " << status.message() << "\n";
      return 1;
    }
  }
  return 0;
}

namespace {

// What the counts hang on, as JSON.
constexpr std::string_view kAbout = "{\"compiler\": \"" __VERSION__ "\", "
#ifdef __GLIBCXX__
    "\"standard_library\": \"libstdc++ " ASSAY_TEXT_OF(__GLIBCXX__) "\", "
#else
                                    "\"standard_library\": \"unknown\", "
#endif
#ifdef __x86_64__
    "\"architecture\": \"x86_64\", "
#else
                                    "\"architecture\": \"unknown\", "
#endif
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    "\"optimised\": true}";
#else
                                    "\"optimised\": false}";
#endif

int Main(const std::vector<std::string_view>& arguments) {
  std::string inputs = ".";
  int extra_percent = 0;
  bool list = false;
  std::vector<std::string_view> wanted;
  for (const std::string_view argument : arguments) {
    if (argument.starts_with("--inputs=")) {
      inputs = argument.substr(9);
    } else if (argument.starts_with("--extra=")) {
      extra_percent = std::stoi(std::string(argument.substr(8)));
    } else if (argument == "--about") {
      std::cout << kAbout << "\n";
      return 0;
    } else if (argument == "--list") {
      list = true;
    } else {
      wanted.push_back(argument);
    }
  }
  for (const Entry& entry : Entries()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), entry.name) == wanted.end()) {
      continue;
    }
    std::cout << entry.name << std::endl;
    if (list) {
      continue;
    }
    const Result<Work> work = entry.make(inputs);
    if (!work.ok()) {
      std::cerr << "bench_work: " << entry.name << ": " << work.status().message() << "\n";
      return 1;
    }
    if (const Status warm = (*work)(); !warm.ok()) {
      std::cerr << "bench_work: " << entry.name << ": " << warm.message() << "\n";
      return 1;
    }
    if (assay_bench_measured(&*work, entry.times + (entry.times * extra_percent + 99) / 100) != 0) {
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  try {
    return assay::bench::Main(std::vector<std::string_view>(argv + 1, argv + argc));
  } catch (const std::exception& error) {  // std::stoi
    std::cerr << "bench_work: " << error.what() << "\n";
    return 2;
  }
}
