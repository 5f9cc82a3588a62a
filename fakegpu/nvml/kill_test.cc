// A process that dies while it changes the node: whenever that is, the others find the last commit
// whole, and can go on.
//
// What a killed process leaves is what the state file holds while it is stopped (its lock goes with
// it), so one run that is stopped after every write stands for as many kills.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/testing/traced_process.h"
#include "fakegpu/layout/region.h"
#include "fakegpu/layout/transaction.h"
#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

// The state file, mapped as every process has it.
class StateFile {
 public:
  explicit StateFile(const std::filesystem::path& path) : size_(std::filesystem::file_size(path)) {
    const Result<std::string> bytes = ReadFile(path);
    EXPECT_THAT(bytes, assay::testing::IsOk());
    std::FILE* const file = std::fopen(path.c_str(), "r+");
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    (void)std::fclose(file);
    EXPECT_NE(memory_, MAP_FAILED);
  }
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;
  ~StateFile() { munmap(memory_, size_); }

  char* bytes() const { return static_cast<char*>(memory_); }
  std::size_t size() const { return size_; }
  std::size_t copies_end() const { return layout::kHeaderSize + 2 * copy_size(); }
  // Node and GPUs as of the last commit.
  std::string_view Committed() const {
    const std::uint64_t committed = header().committed.load();
    return {bytes() + layout::kHeaderSize + committed % 2 * copy_size(), copy_size()};
  }

 private:
  const layout::Header& header() const { return *reinterpret_cast<const layout::Header*>(memory_); }
  std::size_t copy_size() const { return layout::CopySize(header().gpu_capacity); }

  std::size_t size_;
  void* memory_ = nullptr;
};

// The instances that Prepare() made.
struct Instances {
  nvmlGpuInstance_t gpu_instance = nullptr;
  nvmlComputeInstance_t compute_instance = nullptr;
};

// A change of the node, through NVML or fakegpuctl's functions.
struct Change {
  std::string name;
  // How much of the GPU is divided before it.
  enum { kMigOff, kMigOn, kGpuInstance, kComputeInstance } before;
  std::function<bool(const NvmlFunctions&, const control::Node&, const Instances&)> make;
  // Whether it can be made a second time.
  bool repeatable;
};
void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

constexpr unsigned int kWholeGpu = 0;    // Profile id of 7g.80gb.
constexpr unsigned int kHalfOfAGpu = 9;  // Of 3g.40gb.

nvmlDevice_t TheGpu(const NvmlFunctions& nvml) {
  nvmlDevice_t device = nullptr;
  EXPECT_EQ(nvml.nvmlDeviceGetHandleByIndex_v2(0, &device), NVML_SUCCESS);
  return device;
}

std::vector<Change> Changes() {
  using Nvml = const NvmlFunctions&;
  using Node = const control::Node&;
  using At = const Instances&;
  return {
      {"SetPersistenceMode", Change::kMigOff,
       [](Nvml nvml, Node, At) {
         return nvml.nvmlDeviceSetPersistenceMode(TheGpu(nvml), NVML_FEATURE_DISABLED) ==
                NVML_SUCCESS;
       },
       true},
      {"SetPowerLimit", Change::kMigOff,
       [](Nvml nvml, Node, At) {
         return nvml.nvmlDeviceSetPowerManagementLimit(TheGpu(nvml), 400'000) == NVML_SUCCESS;
       },
       true},
      {"SetMigMode", Change::kMigOff,
       [](Nvml nvml, Node, At) {
         nvmlReturn_t activated = NVML_ERROR_UNKNOWN;
         return nvml.nvmlDeviceSetMigMode(TheGpu(nvml), NVML_DEVICE_MIG_ENABLE, &activated) ==
                NVML_SUCCESS;
       },
       true},
      {"CreateGpuInstance", Change::kMigOn,
       [](Nvml nvml, Node, At) {
         nvmlGpuInstance_t instance = nullptr;
         return nvml.nvmlDeviceCreateGpuInstance(TheGpu(nvml), kWholeGpu, &instance) ==
                NVML_SUCCESS;
       },
       false},
      {"CreateGpuInstanceWithPlacement", Change::kMigOn,
       [](Nvml nvml, Node, At) {
         const nvmlGpuInstancePlacement_t second_half{.start = 4, .size = 4};
         nvmlGpuInstance_t instance = nullptr;
         return nvml.nvmlDeviceCreateGpuInstanceWithPlacement(
                    TheGpu(nvml), kHalfOfAGpu, &second_half, &instance) == NVML_SUCCESS;
       },
       false},
      {"CreateComputeInstance", Change::kGpuInstance,
       [](Nvml nvml, Node, At at) {
         nvmlComputeInstance_t instance = nullptr;
         return nvml.nvmlGpuInstanceCreateComputeInstance(at.gpu_instance,
                                                          NVML_COMPUTE_INSTANCE_PROFILE_7_SLICE,
                                                          &instance) == NVML_SUCCESS;
       },
       false},
      {"DestroyComputeInstance", Change::kComputeInstance,
       [](Nvml nvml, Node, At at) {
         return nvml.nvmlComputeInstanceDestroy(at.compute_instance) == NVML_SUCCESS;
       },
       false},
      {"DestroyGpuInstance", Change::kGpuInstance,
       [](Nvml nvml, Node, At at) {
         return nvml.nvmlGpuInstanceDestroy(at.gpu_instance) == NVML_SUCCESS;
       },
       false},
      {"Xid79", Change::kGpuInstance,
       [](Nvml, Node node, At) { return node.Inject("0", control::XidFault{.xid = 79}).ok(); },
       true},
      {"Ecc", Change::kMigOff,
       [](Nvml, Node node, At) {
         return node.Inject("0", control::EccFault{control::EccFault::Type::kUncorrected, 3}).ok();
       },
       true},
      {"StartProcess", Change::kMigOff,
       [](Nvml, Node node, At) {
         return node.StartProcess("0", {.pid = 7, .name = "p", .memory_bytes = 1 << 30}, 90).ok();
       },
       false},
      {"Unplug", Change::kComputeInstance,
       [](Nvml, Node node, At) { return node.Unplug("0").ok(); }, false},
  };
}

class KillTest : public NvmlTest, public ::testing::WithParamInterface<Change> {
 protected:
  KillTest() : NvmlTest("fixtures/nodes/one-h100.yaml") {}
  void SetUp() override {
    NvmlTest::SetUp();
    if (geteuid() != 0) {
      GTEST_SKIP() << "setters are root's";
    }
    Prepare();
  }

  const Instances& instances() const { return instances_; }

  // Makes the change on the node of another file.
  bool ChangeElsewhere(const std::filesystem::path& path) {
    EXPECT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
    setenv("ASSAY_FAKEGPU_STATE", path.c_str(), 1);
    EXPECT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
    const Result<control::Node> elsewhere = control::Node::Open(path);
    EXPECT_THAT(elsewhere, assay::testing::IsOk());
    return GetParam().make(nvml(), *elsewhere, instances_);
  }

  // The next process, after a kill that left `bytes`: it takes up what was committed and no more,
  // and can make the change if that is not made yet.
  void GoOn(const StateFile& file, bool committed) {
    const std::filesystem::path path = dir() / "killed";
    const std::string_view bytes(file.bytes(), file.size());
    if (!std::filesystem::exists(path)) {
      ASSERT_THAT(WriteFileAtomically(path, bytes), assay::testing::IsOk());
    }
    const StateFile killed(path);
    std::memcpy(killed.bytes(), bytes.data(), bytes.size());
    {
      layout::Transaction nothing;
      ASSERT_EQ(nothing.Begin(path.c_str()), layout::OpenError::kNone);
      nothing.Commit();
    }
    ASSERT_EQ(killed.Committed(), file.Committed()) << "what was not committed came to light";
    ASSERT_EQ(ChangeElsewhere(path), !committed || GetParam().repeatable);
  }

 private:
  void Prepare() {
    nvmlReturn_t activated = NVML_ERROR_UNKNOWN;
    if (GetParam().before >= Change::kMigOn) {
      ASSERT_EQ(nvml().nvmlDeviceSetMigMode(Device(0), NVML_DEVICE_MIG_ENABLE, &activated),
                NVML_SUCCESS);
    }
    if (GetParam().before >= Change::kGpuInstance) {
      ASSERT_EQ(nvml().nvmlDeviceCreateGpuInstance(Device(0), kWholeGpu, &instances_.gpu_instance),
                NVML_SUCCESS);
    }
    if (GetParam().before >= Change::kComputeInstance) {
      ASSERT_EQ(nvml().nvmlGpuInstanceCreateComputeInstance(instances_.gpu_instance,
                                                            NVML_COMPUTE_INSTANCE_PROFILE_7_SLICE,
                                                            &instances_.compute_instance),
                NVML_SUCCESS);
    }
  }

  Instances instances_;
};

// Where two byte strings of one length first differ; npos if they do not. It runs after every
// instruction: std::mismatch alone would take most of the time.
std::size_t FirstDifference(const char* one, const char* other, std::size_t size) {
  constexpr std::size_t kChunk = 512;
  for (std::size_t at = 0; at < size; at += kChunk) {
    const std::size_t length = std::min(kChunk, size - at);
    if (std::memcmp(one + at, other + at, length) != 0) {
      return static_cast<std::size_t>(std::mismatch(one + at, one + at + length, other + at).first -
                                      one);
    }
  }
  return std::string::npos;
}

// As if a process had been killed before: nothing in the copy to prepare is as it should be, so
// that the next process writes all of it.
void LeaveHalfAChange(const std::filesystem::path& state) {
  layout::Transaction transaction;
  ASSERT_EQ(transaction.Begin(state.c_str()), layout::OpenError::kNone);
  std::memset(static_cast<void*>(&transaction.gpu(0)), 0xa5, sizeof(layout::GpuState));
  std::memset(static_cast<void*>(&transaction.node()), 0xa5, sizeof(layout::NodeState));
}

TEST_P(KillTest, AtEveryWriteTheLastCommitIsThere) {
  LeaveHalfAChange(state_path());
  const StateFile file(state_path());
  auto process = assay::testing::TracedProcess::Start(
      [this] { return GetParam().make(nvml(), node(), instances()); });
  if (!process.has_value()) {
    GTEST_SKIP() << "this system does not let a child be traced";
  }
  // The events that these few changes make lie at the ring's beginning.
  const std::size_t watched = file.copies_end() + 64 * sizeof(layout::Event);
  // The copy that is prepared is written byte by byte, and one byte is like the next to a
  // successor: it goes on from each of the other writes, and from a sample of these. Readers look
  // at all.
  constexpr long kCopyStride = 211;
  const std::string before(file.Committed());
  std::string after;
  std::string last(file.bytes(), watched);
  long writes = 0;
  long tried = 0;
  while (process->Step()) {
    const std::size_t at = FirstDifference(file.bytes(), last.data(), watched);
    if (at == last.npos) {
      continue;
    }
    std::memcpy(last.data() + at, file.bytes() + at, watched - at);
    ++writes;
    const std::string_view committed = file.Committed();
    if (after.empty() && committed != before) {
      after = committed;
    }
    ASSERT_EQ(committed, after.empty() ? before : after) << "half a commit at write " << writes;
    const bool in_a_copy = at >= layout::kHeaderSize && at < file.copies_end();
    if (!in_a_copy || writes % kCopyStride == 0) {
      ++tried;
      ASSERT_NO_FATAL_FAILURE(GoOn(file, !after.empty())) << "killed at write " << writes;
    }
  }
  EXPECT_TRUE(process->succeeded());
  EXPECT_FALSE(after.empty());
  EXPECT_EQ(file.Committed(), after);
  EXPECT_GT(tried, 30) << "of " << writes << " writes";
  std::cout << "a kill at each of " << writes << " writes, gone on from at " << tried << "\n";
}

INSTANTIATE_TEST_SUITE_P(, KillTest, ::testing::ValuesIn(Changes()),
                         [](const auto& change) { return change.param.name; });

}  // namespace
}  // namespace assay::fakegpu::nvml
