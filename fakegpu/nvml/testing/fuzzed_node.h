// The node of a fuzzer: an H100 that has a MIG device, an L4 with a process, and a clock that is
// held. Each input finds it as it was made.
//
// Not thread-safe; one per program.
#ifndef ASSAY_FAKEGPU_NVML_TESTING_FUZZED_NODE_H_
#define ASSAY_FAKEGPU_NVML_TESTING_FUZZED_NODE_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/temp_dir.h"
#include "fakegpu/abi/nvml.h"
#include "fakegpu/control/control.h"
#include "fakegpu/nvml/testing/arguments.h"

namespace assay::fakegpu::nvml {

class FuzzedNode {
 public:
  static constexpr std::uint32_t kGpus = 2;

  FuzzedNode() : dir_(*TempDir::Create("fuzzed-node")) {
    setenv("ASSAY_FAKEGPU_STATE", state().c_str(), 1);
    setenv("ASSAY_FAKEGPU_DEV", "", 1);
    Make();
    good_ = *ReadFile(state());
    const int fd = open(state().c_str(), O_RDWR | O_CLOEXEC);
    void* memory = mmap(nullptr, good_.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSAY_CHECK(memory != MAP_FAILED) << state() << ": " << std::strerror(errno);
    close(fd);
    bytes_ = static_cast<char*>(memory);
  }

  std::filesystem::path state() const { return dir_ / "state"; }
  // The state file, of size() bytes.
  char* bytes() { return bytes_; }
  std::size_t size() const { return good_.size(); }

  // What the node was, and the handles to what is on it.
  void Restore() {
    ASSAY_CHECK(truncate(state().c_str(), static_cast<off_t>(good_.size())) == 0)
        << state() << ": " << std::strerror(errno);
    std::memcpy(bytes_, good_.data(), good_.size());
    Held<nvmlDevice_t>() = devices_;
    Held<nvmlGpuInstance_t>() = gpu_instances_;
    Held<nvmlComputeInstance_t>() = compute_instances_;
  }

 private:
  void Make() {
    const Result<control::Node> node =
        control::Node::Create(state(), "fixtures/nodes/h100-and-l4.yaml");
    ASSAY_CHECK(node.ok()) << node.status().message();
    ASSAY_CHECK(nvmlInit_v2() == NVML_SUCCESS);
    devices_.resize(kGpus);
    for (unsigned int i = 0; i < kGpus; ++i) {
      ASSAY_CHECK(nvmlDeviceGetHandleByIndex_v2(i, &devices_[i]) == NVML_SUCCESS);
    }
    if (geteuid() == 0) {  // Who is not divides nothing.
      Divide(devices_[0]);
    }
    ASSAY_CHECK(nvmlShutdown() == NVML_SUCCESS);
    ASSAY_CHECK(
        node->StartProcess(
                "1", {.pid = 2, .name = "encodes", .memory_bytes = 1 << 20, .encoder_percent = 10},
                50)
            .ok());
    ASSAY_CHECK(node->HoldClock().ok());
  }

  void Divide(nvmlDevice_t device) {
    nvmlReturn_t status = NVML_SUCCESS;
    ASSAY_CHECK(nvmlDeviceSetMigMode(device, 1, &status) == NVML_SUCCESS);
    nvmlGpuInstance_t gpu_instance = nullptr;
    nvmlComputeInstance_t compute_instance = nullptr;
    nvmlDevice_t mig = nullptr;
    constexpr unsigned int kOneSlice = 19;
    ASSAY_CHECK(nvmlDeviceCreateGpuInstance(device, kOneSlice, &gpu_instance) == NVML_SUCCESS);
    ASSAY_CHECK(nvmlGpuInstanceCreateComputeInstance(gpu_instance, 0, &compute_instance) ==
                NVML_SUCCESS);
    ASSAY_CHECK(nvmlDeviceGetMigDeviceHandleByIndex(device, 0, &mig) == NVML_SUCCESS);
    gpu_instances_ = {gpu_instance};
    compute_instances_ = {compute_instance};
    devices_.push_back(mig);
  }

  TempDir dir_;
  std::string good_;
  char* bytes_ = nullptr;
  std::vector<nvmlDevice_t> devices_;
  std::vector<nvmlGpuInstance_t> gpu_instances_;
  std::vector<nvmlComputeInstance_t> compute_instances_;
};

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_TESTING_FUZZED_NODE_H_
