// No function writes beyond what its caller gave it. Linked with the library's code under the
// preset's sanitizers: each pointer argument is one object on the heap, each number is 1, each
// version word runs through the versions, so that a byte too many is caught.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "base/file.h"
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

class BoundsTest : public ::testing::Test {
 protected:
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

// Commit numbers that cannot be would have readers look again and again.
TEST_F(BoundsTest, AWrongCommitNumberIsRefused) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(state()));
  for (const std::size_t field :
       {offsetof(layout::Header, committed), offsetof(layout::Header, preparing)}) {
    for (const std::uint64_t number : kOddNumbers) {
      SCOPED_TRACE(std::to_string(number) + " at " + std::to_string(field));
      std::string bytes = good;
      std::memcpy(bytes.data() + field, &number, sizeof(number));
      const auto& header = *reinterpret_cast<const layout::Header*>(bytes.data());
      const std::uint64_t ahead = header.preparing.load() - header.committed.load();
      ASSERT_THAT(WriteFileAtomically(state(), bytes), assay::testing::IsOk());
      EXPECT_EQ(nvmlInit_v2(), ahead <= 1 ? NVML_SUCCESS : NVML_ERROR_LIB_RM_VERSION_MISMATCH);
      (void)nvmlShutdown();
    }
  }
}

}  // namespace
}  // namespace assay::fakegpu::nvml
