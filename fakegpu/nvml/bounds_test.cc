// No function writes beyond what its caller gave it. Linked with the library's code under the
// preset's sanitizers: each pointer argument is one object on the heap, each number is 1, each
// version word runs through the versions, so that a byte too many is caught.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "fakegpu/abi/nvml.h"
#include "fakegpu/control/control.h"

namespace assay::fakegpu::nvml {
namespace {

template <typename T>
concept Complete = requires { sizeof(T); };

// An argument of type T, alive as long as this.
template <typename T>
class Argument {
 public:
  Argument(nvmlDevice_t, unsigned int) : value_(static_cast<T>(1)) {}
  T get() { return value_; }

 private:
  T value_;
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

TEST(BoundsTest, NoFunctionWritesBeyondItsArguments) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create("bounds-test"));
  const std::string state = dir / "state";
  ASSERT_THAT(control::Node::Create(state, "fixtures/nodes/dgx-h100.yaml"), assay::testing::IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(const control::Node node, control::Node::Open(state));
  for (std::uint32_t pid = 1; pid <= 3; ++pid) {
    ASSERT_THAT(node.StartProcess("0", {.pid = pid, .name = "p", .memory_bytes = 1 << 20}, 10),
                assay::testing::IsOk());
  }
  setenv("ASSAY_FAKEGPU_STATE", state.c_str(), 1);
  unsetenv("ASSAY_FAKEGPU_DEV");
  ASSERT_EQ(nvmlInit_v2(), NVML_SUCCESS);
  nvmlDevice_t device = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), NVML_SUCCESS);
  for (unsigned int version = 0; version < 4; ++version) {
    // Its buffer has a fixed size in the interface, and no length to say so.
#define NVML_FUNCTION(result, name, parameters)                       \
  if (std::string_view(#name) != "nvmlDeviceGetGspFirmwareVersion" && \
      std::string_view(#name) != "nvmlShutdown") {                    \
    Call(&name, device, version);                                     \
  }
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
  }
}

}  // namespace
}  // namespace assay::fakegpu::nvml
