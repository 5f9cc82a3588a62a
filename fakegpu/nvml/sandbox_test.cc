// In a container under a seccomp profile: what the library asks of the kernel, all runtimes allow.

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <fstream>
#include <vector>

#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

#ifdef __x86_64__

// A small part of what the default profiles of containerd, Docker and CRI-O allow.
constexpr unsigned int kAllowed[] = {
    // The loader's.
    SYS_openat, SYS_read, SYS_pread64, SYS_newfstatat, SYS_mmap, SYS_mprotect, SYS_munmap,
    SYS_close,
    // malloc's.
    SYS_brk, SYS_getrandom,
    // The library's own: it looks for the state's size, its mount and the devices' nodes; locks it
    // for a change; waits for events.
    SYS_lseek, SYS_statfs, SYS_access, SYS_geteuid, SYS_fcntl, SYS_futex, SYS_clock_gettime,
    // The test's.
    SYS_exit_group};

// Ends the process at any other system call, from now on.
bool AllowOnly() {
  std::vector<sock_filter> filter = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned int number : kAllowed) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                           .filter = filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// What drivers and monitors do: they look, wait, set, and divide. As root, or only what others may.
bool UseEverything(const NvmlFunctions& nvml, bool root) {
  nvmlDevice_t device = nullptr;
  nvmlMemory_t memory{};
  unsigned int number = 0;
  unsigned int count = 0;
  nvmlEventSet_t set = nullptr;
  nvmlEventData_t event{};
  bool ok =
      nvml.nvmlInit_v2() == NVML_SUCCESS && nvml.nvmlDeviceGetCount_v2(&count) == NVML_SUCCESS &&
      count == 1 && nvml.nvmlDeviceGetHandleByIndex_v2(0, &device) == NVML_SUCCESS &&
      nvml.nvmlDeviceGetMemoryInfo(device, &memory) == NVML_SUCCESS &&
      nvml.nvmlDeviceGetPowerUsage(device, &number) == NVML_SUCCESS &&
      nvml.nvmlDeviceGetTemperature(device, NVML_TEMPERATURE_GPU, &number) == NVML_SUCCESS &&
      nvml.nvmlEventSetCreate(&set) == NVML_SUCCESS &&
      nvml.nvmlDeviceRegisterEvents(device, nvmlEventTypeXidCriticalError, set) == NVML_SUCCESS &&
      nvml.nvmlEventSetWait_v2(set, &event, 1) == NVML_ERROR_TIMEOUT &&
      nvml.nvmlEventSetFree(set) == NVML_SUCCESS;
  if (root) {
    nvmlReturn_t activated = NVML_ERROR_UNKNOWN;
    nvmlGpuInstance_t instance = nullptr;
    nvmlComputeInstance_t compute = nullptr;
    ok = ok && nvml.nvmlDeviceSetPowerManagementLimit(device, 400'000) == NVML_SUCCESS &&
         nvml.nvmlDeviceSetMigMode(device, NVML_DEVICE_MIG_ENABLE, &activated) == NVML_SUCCESS &&
         nvml.nvmlDeviceCreateGpuInstance(device, 0, &instance) == NVML_SUCCESS &&
         nvml.nvmlGpuInstanceCreateComputeInstance(instance, NVML_COMPUTE_INSTANCE_PROFILE_7_SLICE,
                                                   &compute) == NVML_SUCCESS &&
         nvml.nvmlComputeInstanceDestroy(compute) == NVML_SUCCESS &&
         nvml.nvmlGpuInstanceDestroy(instance) == NVML_SUCCESS;
  }
  return ok && nvml.nvmlShutdown() == NVML_SUCCESS;
}

// Without NvmlTest: the library must be loaded inside.
TEST(SandboxTest, FewSystemCallsAreEnough) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create("sandbox-test"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const control::Node node,
                             control::Node::Create(dir / "state", "fixtures/nodes/dgx-h100.yaml"));
  std::ofstream(dir / "nvidia3") << "";
  setenv("ASSAY_FAKEGPU_STATE", node.state_path().c_str(), 1);
  setenv("ASSAY_FAKEGPU_DEV", dir.path().c_str(), 1);
  if (!InChild([] { return AllowOnly(); })) {
    GTEST_SKIP() << "this system has no seccomp filters";
  }
  EXPECT_TRUE(
      InChild([] { return AllowOnly() && UseEverything(NvmlFunctions::Get(), geteuid() == 0); }));
  // The filter bites.
  EXPECT_FALSE(InChild([] { return AllowOnly() && syscall(SYS_socket, 1, 1, 0) >= -1; }));
}

#else

TEST(SandboxTest, FewSystemCallsAreEnough) {
  GTEST_SKIP() << "the list of system calls is x86-64's";
}

#endif

}  // namespace
}  // namespace assay::fakegpu::nvml
