// A fake node of its own and the library that reads it, for tests.
//
//   class PowerTest : public NvmlTest {};
//   TEST_F(PowerTest, ...) { EXPECT_EQ(nvml().nvmlDeviceGetPowerUsage(Device(0), &power), ...); }
//
// Not thread-safe; one per test.
#ifndef ASSAY_FAKEGPU_NVML_TESTING_NVML_FIXTURE_H_
#define ASSAY_FAKEGPU_NVML_TESTING_NVML_FIXTURE_H_

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "fakegpu/abi/nvml.h"
#include "fakegpu/control/control.h"

namespace assay::fakegpu::nvml {

// Every function of NVML, looked up in the shared library as a client does.
struct NvmlFunctions {
#define NVML_FUNCTION(result, name, parameters) result(*name) parameters = nullptr;
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
  void* handle = nullptr;

  static const NvmlFunctions& Get() {
    static const NvmlFunctions functions = Load();
    return functions;
  }

 private:
  static NvmlFunctions Load() {
    NvmlFunctions functions;
    // mutant_test.sh sets another beside the test.
    const char* const other = std::getenv("ASSAY_TEST_NVML_LIBRARY");
    functions.handle = dlopen(other != nullptr ? other : ASSAY_NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (functions.handle == nullptr) {
      ADD_FAILURE() << dlerror();
      std::abort();
    }
#define NVML_FUNCTION(result, name, parameters) \
  functions.name = reinterpret_cast<result(*) parameters>(dlsym(functions.handle, #name));
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
    return functions;
  }
};

// Runs `body` in a process of its own; whether it answered true.
inline bool InChild(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

class NvmlTest : public ::testing::Test {
 protected:
  explicit NvmlTest(const char* node_file = "fixtures/nodes/dgx-h100.yaml")
      : node_file_(node_file) {}

  void SetUp() override {
    Result<TempDir> dir = TempDir::Create("nvml-test");
    ASSERT_THAT(dir, assay::testing::IsOk());
    dir_.emplace(*std::move(dir));
    Result<control::Node> node = control::Node::Create(state_path(), node_file_);
    ASSERT_THAT(node, assay::testing::IsOk());
    node_.emplace(*std::move(node));
    setenv("ASSAY_FAKEGPU_STATE", state_path().c_str(), 1);
    unsetenv("ASSAY_FAKEGPU_DEV");
    ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  }
  void TearDown() override { (void)nvml().nvmlShutdown(); }

  static const NvmlFunctions& nvml() { return NvmlFunctions::Get(); }
  std::filesystem::path state_path() const { return *dir_ / "state"; }
  const std::filesystem::path& dir() const { return dir_->path(); }
  const control::Node& node() const { return *node_; }

  static nvmlDevice_t Device(unsigned int index) {
    nvmlDevice_t device = nullptr;
    EXPECT_EQ(nvml().nvmlDeviceGetHandleByIndex_v2(index, &device), NVML_SUCCESS);
    return device;
  }

 private:
  std::string node_file_;
  std::optional<TempDir> dir_;
  std::optional<control::Node> node_;
};

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_TESTING_NVML_FIXTURE_H_
