// No function writes beyond what its caller gave it. Linked with the library's code under the
// preset's sanitizers: each pointer argument is one object on the heap, each number is 1, each
// version word runs through the versions, so that a byte too many is caught.

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "base/file.h"
#include "base/random.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "fakegpu/abi/nvml.h"
#include "fakegpu/control/control.h"
#include "fakegpu/layout/region.h"

namespace assay::fakegpu::nvml {
namespace {

template <typename T>
concept Complete = requires { sizeof(T); };

// An argument of type T, alive as long as this.
template <typename T>
class Argument {
 public:
  Argument(nvmlDevice_t, unsigned int) : value_(static_cast<T>(1)) {}
  T get() { return static_cast<T>(value_); }

 private:
  // Not a T: NVML's callers write C and give an enumeration any number, which C++ must not hold.
  std::uint64_t value_;
};

template <typename T>
class Argument<T*> {
 public:
  Argument(nvmlDevice_t device, unsigned int version) {
    using Object = std::remove_const_t<T>;
    if constexpr (std::is_same_v<T*, nvmlDevice_t>) {
      handle_ = device;
    } else if constexpr (Complete<T>) {
      auto* object = new Object{};
      if constexpr (requires { object->version = version; }) {
        object->version = static_cast<decltype(object->version)>(sizeof(Object) | version << 24);
      } else if constexpr (std::is_same_v<Object, unsigned int>) {
        *object = 1;  // A count, of arrays of one.
      }
      object_.reset(object);
    }
  }
  T* get() { return handle_ != nullptr ? handle_ : static_cast<T*>(object_.get()); }

 private:
  T* handle_ = nullptr;
  // Untyped, since T may be a type without a definition.
  std::shared_ptr<std::remove_const_t<T>> object_;
};

template <typename R, typename... T>
void Call(R (*function)(T...), [[maybe_unused]] nvmlDevice_t device,
          [[maybe_unused]] unsigned int version) {
  std::tuple<Argument<T>...> arguments{Argument<T>(device, version)...};
  std::apply([&](auto&... argument) { (void)function(argument.get()...); }, arguments);
}

// Everything but what ends the library, and what has a buffer of a size that the interface fixes
// and no argument says.
void CallEverything(nvmlDevice_t device, unsigned int version) {
#define NVML_FUNCTION(result, name, parameters)                       \
  if (std::string_view(#name) != "nvmlDeviceGetGspFirmwareVersion" && \
      std::string_view(#name) != "nvmlShutdown" &&                    \
      std::string_view(#name).substr(0, 8) != "nvmlInit") {           \
    Call(&name, device, version);                                     \
  }
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
}

// A random argument of type T: NULL, wrong, or right. Sizes and counts are at most those of the
// buffers beside them, as the interface asks; all else is anything.
constexpr std::size_t kElements = 512;

template <typename T>
class RandomArgument {
 public:
  RandomArgument(Random& random, nvmlDevice_t) {
    constexpr std::uint64_t kInteresting[] = {0, 1, 2, 3, 7, 9, 15, 17, 36, 64, 255, kElements};
    value_ = kInteresting[random.Below(std::size(kInteresting))];
  }
  T get() { return static_cast<T>(value_); }

 private:
  // Not a T: NVML's callers write C and give an enumeration any number, which C++ must not hold.
  std::uint64_t value_;
};

template <typename T>
class RandomArgument<T*> {
 public:
  RandomArgument(Random& random, nvmlDevice_t device) {
    using Object = std::remove_const_t<T>;
    if (random.Below(8) == 0) {
      return;  // NULL.
    }
    if constexpr (!Complete<T>) {
      // A handle: the right one, or any number.
      const auto any = reinterpret_cast<T*>(random.Next());
      pointer_ = std::is_same_v<T*, nvmlDevice_t> && random.Below(4) != 0
                     ? reinterpret_cast<T*>(device)
                     : any;
    } else {
      constexpr std::size_t kCount = sizeof(Object) <= 64 ? kElements : 1;
      auto* objects = new Object[kCount]{};
      objects_ = std::shared_ptr<Object[]>(objects);
      if constexpr (requires { objects->version = 0U; }) {
        const std::uint64_t version = random.Below(5);
        objects->version = static_cast<decltype(objects->version)>(
            version == 4 ? random.Next() : sizeof(Object) | version << 24);
      } else if constexpr (std::is_same_v<Object, unsigned int>) {
        *objects = static_cast<unsigned int>(random.Below(2));
      }
      pointer_ = objects;
    }
  }
  T* get() { return pointer_; }

 private:
  T* pointer_ = nullptr;
  std::shared_ptr<void> objects_;
};

template <typename R, typename... T>
void CallAtRandom(R (*function)(T...), [[maybe_unused]] Random& random,
                  [[maybe_unused]] nvmlDevice_t device) {
  std::tuple<RandomArgument<T>...> arguments{RandomArgument<T>(random, device)...};
  std::apply([&](auto&... argument) { (void)function(argument.get()...); }, arguments);
}

// What would end the library or wait, or follows pointers that the caller wrote into a struct.
bool IsLeftOut(std::string_view name) {
  return name == "nvmlShutdown" || name.substr(0, 8) == "nvmlInit" ||
         name.substr(0, 16) == "nvmlEventSetWait" || name == "nvmlDeviceGetGspFirmwareVersion";
}

class BoundsTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kGpus = 8;
  void SetUp() override {
    Result<TempDir> dir = TempDir::Create("bounds-test");
    ASSERT_THAT(dir, assay::testing::IsOk());
    dir_.emplace(*std::move(dir));
    Result<control::Node> node = control::Node::Create(state(), "fixtures/nodes/dgx-h100.yaml");
    ASSERT_THAT(node, assay::testing::IsOk());
    for (std::uint32_t pid = 1; pid <= 3; ++pid) {
      ASSERT_THAT(node->StartProcess("0", {.pid = pid, .name = "p", .memory_bytes = 1 << 20}, 10),
                  assay::testing::IsOk());
    }
    setenv("ASSAY_FAKEGPU_STATE", state().c_str(), 1);
    unsetenv("ASSAY_FAKEGPU_DEV");
  }
  std::string state() const { return *dir_ / "state"; }

 private:
  std::optional<TempDir> dir_;
};

TEST_F(BoundsTest, NoFunctionWritesBeyondItsArguments) {
  ASSERT_EQ(nvmlInit_v2(), NVML_SUCCESS);
  nvmlDevice_t device = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), NVML_SUCCESS);
  for (unsigned int version = 0; version < 4; ++version) {
    CallEverything(device, version);
  }
  EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
}

// Calls with arguments of any kind, in any order, on whole boards and on divided ones: none
// crashes, none writes beyond its buffers, and the library answers afterwards.
TEST_F(BoundsTest, RandomArgumentsCrashNothing) {
  constexpr int kRounds = 20;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    ASSERT_EQ(nvmlInit_v2(), NVML_SUCCESS);
    nvmlDevice_t device = nullptr;
    ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(static_cast<unsigned int>(seed), &device),
              NVML_SUCCESS);
    for (int round = 0; round < kRounds; ++round) {
#define NVML_FUNCTION(result, name, parameters) \
  if (!IsLeftOut(#name)) {                      \
    CallAtRandom(&name, random, device);        \
  }
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
    }
    unsigned int count = 0;
    EXPECT_EQ(nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
    EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
  }
}

// A file that is no state, or of another making, is refused with its own code.
TEST_F(BoundsTest, AForeignStateIsRefused) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(state()));
  const auto init_with = [this](const std::string& bytes) {
    EXPECT_THAT(WriteFileAtomically(state(), bytes), assay::testing::IsOk());
    const nvmlReturn_t result = nvmlInit_v2();
    if (result == NVML_SUCCESS) {
      EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
    }
    return result;
  };
  EXPECT_EQ(init_with(good), NVML_SUCCESS);
  EXPECT_EQ(init_with(""), NVML_ERROR_LIB_RM_VERSION_MISMATCH);
  EXPECT_EQ(init_with("not a state"), NVML_ERROR_LIB_RM_VERSION_MISMATCH);
  EXPECT_EQ(init_with(good.substr(0, layout::kHeaderSize)), NVML_ERROR_LIB_RM_VERSION_MISMATCH);
  EXPECT_EQ(init_with(good.substr(0, good.size() - 1)), NVML_ERROR_LIB_RM_VERSION_MISMATCH);
  // Every word of the header that says what the file is.
  for (std::size_t at = 0; at < offsetof(layout::Header, reserved); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    EXPECT_EQ(init_with(bytes), NVML_ERROR_LIB_RM_VERSION_MISMATCH) << "byte " << at;
  }
}

// What a damage may leave in a number.
constexpr std::uint64_t kOddNumbers[] = {0,          1,          2,          7,          63,
                                         4097,       0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32,
                                         1ULL << 63, ~0ULL - 1,  ~0ULL};

template <typename T>
void Put(std::string& bytes, std::size_t at, T value) {
  ASSERT_LE(at + sizeof(value), bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

// What fakegpuctl does with a node: none of it trusts the file either.
void ControlEverything(const std::filesystem::path& state) {
  const Result<control::Node> opened = control::Node::Open(state);
  if (!opened.ok()) {
    return;
  }
  (void)opened->Show();
  (void)opened->StartProcess("0", {.pid = 9, .name = "p", .memory_bytes = 1}, 10);
  (void)opened->StartProcess(
      "1", {.pid = 9, .name = "p", .memory_bytes = 1, .gpu_instance = 0, .compute_instance = 0},
      10);
  for (const control::Fault& fault : std::initializer_list<control::Fault>{
           control::XidFault{.xid = 63},
           control::EccFault{control::EccFault::Type::kUncorrected, 1}, control::ThermalFault{},
           control::PowerBrakeFault{}, control::NvLinkFault{.link = 3},
           control::ReturnFault{.function = "nvmlDeviceGetName"}}) {
    (void)opened->Inject("all", fault);
  }
  (void)opened->EndProcess("0", 9);
  (void)opened->Heal("all");
  (void)opened->Unplug("2");
  (void)opened->Replug("2");
  (void)opened->HoldClock();
  (void)opened->StepClock(std::chrono::seconds(1));
  (void)opened->RunClock();
  (void)opened->UnloadDriver();
  (void)opened->LoadDriver();
}

// Every way into a file that may be damaged.
void UseDamaged(const std::filesystem::path& state, std::string_view bytes, unsigned int version) {
  ASSERT_THAT(WriteFileAtomically(state, bytes), assay::testing::IsOk());
  if (nvmlInit_v2() == NVML_SUCCESS) {
    nvmlDevice_t device = nullptr;
    (void)nvmlDeviceGetHandleByIndex_v2(0, &device);
    CallEverything(device, version);
    EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
  }
  ControlEverything(state);
}

// Commit numbers that cannot be would have readers look again and again.
TEST_F(BoundsTest, AWrongCommitNumberIsRefused) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(state()));
  for (const std::size_t field :
       {offsetof(layout::Header, committed), offsetof(layout::Header, preparing)}) {
    for (const std::uint64_t number : kOddNumbers) {
      SCOPED_TRACE(std::to_string(number) + " at " + std::to_string(field));
      std::string bytes = good;
      Put(bytes, field, number);
      const auto& header = *reinterpret_cast<const layout::Header*>(bytes.data());
      const std::uint64_t ahead = header.preparing.load() - header.committed.load();
      ASSERT_THAT(WriteFileAtomically(state(), bytes), assay::testing::IsOk());
      EXPECT_EQ(nvmlInit_v2(), ahead <= 1 ? NVML_SUCCESS : NVML_ERROR_LIB_RM_VERSION_MISMATCH);
      (void)nvmlShutdown();
      UseDamaged(state(), bytes, 1);
    }
  }
}

// Whatever stands behind the header's identity, a damaged file gives wrong numbers and no crash.
TEST_F(BoundsTest, ADamagedStateCrashesNothing) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(state()));
  const std::size_t first = offsetof(layout::Header, event_futex);
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    std::string bytes = good;
    const bool by_bytes = random.Below(2) == 0;
    for (int i = 0; i < 12'000; ++i) {
      if (by_bytes) {
        Put(bytes, first + random.Below(bytes.size() - first),
            static_cast<std::uint8_t>(random.Next()));
      } else {
        const std::size_t word = first / 4 + random.Below((bytes.size() - first) / 4 - 1);
        Put(bytes, word * 4,
            static_cast<std::uint32_t>(kOddNumbers[random.Below(std::size(kOddNumbers))]));
      }
    }
    // So that the rest is looked at.
    for (std::uint64_t copy = 0; copy < 2; ++copy) {
      const std::size_t node = layout::kHeaderSize + copy * layout::CopySize(kGpus);
      Put(bytes, node + offsetof(layout::NodeState, driver_loaded), std::uint32_t{1});
      Put(bytes, node + offsetof(layout::NodeState, gpu_count), kGpus);
    }
    UseDamaged(state(), bytes, static_cast<unsigned int>(seed % 4));
  }
}

}  // namespace
}  // namespace assay::fakegpu::nvml
