// What clients count on (reference: NVML's API documentation), each contract a test.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

using ::testing::StartsWith;
using ::testing::StrEq;

class ContractTest : public NvmlTest {
 protected:
  // Every GPU's UUID, as a client lists them.
  static std::vector<std::string> ListUuids() {
    unsigned int count = 0;
    EXPECT_EQ(nvml().nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
    std::vector<std::string> uuids;
    for (unsigned int i = 0; i < count; ++i) {
      char uuid[NVML_DEVICE_UUID_V2_BUFFER_SIZE] = "";
      EXPECT_EQ(nvml().nvmlDeviceGetUUID(Device(i), uuid, sizeof(uuid)), NVML_SUCCESS);
      uuids.emplace_back(uuid);
    }
    return uuids;
  }
};

TEST_F(ContractTest, ListsTheNodesGpusInPciOrder) {
  EXPECT_EQ(ListUuids().size(), 8u);
  unsigned int last_bus = 0;
  for (unsigned int i = 0; i < 8; ++i) {
    nvmlPciInfo_t pci{};
    ASSERT_EQ(nvml().nvmlDeviceGetPciInfo_v3(Device(i), &pci), NVML_SUCCESS);
    EXPECT_GT(pci.bus, last_bus);
    last_bus = pci.bus;
    EXPECT_EQ(pci.pciDeviceId, 0x233010deU);
  }
  nvmlPciInfo_t pci{};
  ASSERT_EQ(nvml().nvmlDeviceGetPciInfo_v3(Device(0), &pci), NVML_SUCCESS);
  EXPECT_STREQ(pci.busId, "00000000:1B:00.0");
  EXPECT_STREQ(pci.busIdLegacy, "0000:1B:00.0");
}

TEST_F(ContractTest, FindsADeviceByEachOfItsNames) {
  const nvmlDevice_t device = Device(3);
  char uuid[96];
  char serial[NVML_DEVICE_SERIAL_BUFFER_SIZE];
  ASSERT_EQ(nvml().nvmlDeviceGetUUID(device, uuid, sizeof(uuid)), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetSerial(device, serial, sizeof(serial)), NVML_SUCCESS);
  nvmlDevice_t found = nullptr;
  EXPECT_EQ(nvml().nvmlDeviceGetHandleByUUID(uuid, &found), NVML_SUCCESS);
  EXPECT_EQ(found, device);
  EXPECT_EQ(nvml().nvmlDeviceGetHandleBySerial(serial, &found), NVML_SUCCESS);
  EXPECT_EQ(found, device);
  for (const char* bus_id : {"0000:61:00.0", "00000000:61:00.0", "61:00.0", "0000:61:00"}) {
    found = nullptr;
    EXPECT_EQ(nvml().nvmlDeviceGetHandleByPciBusId_v2(bus_id, &found), NVML_SUCCESS) << bus_id;
    EXPECT_EQ(found, device) << bus_id;
  }
  EXPECT_EQ(nvml().nvmlDeviceGetHandleByPciBusId_v2("0000:62:00.0", &found), NVML_ERROR_NOT_FOUND);
  EXPECT_EQ(nvml().nvmlDeviceGetHandleByPciBusId_v2("bus", &found), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(nvml().nvmlDeviceGetHandleByUUID("GPU-none", &found), NVML_ERROR_NOT_FOUND);
  EXPECT_EQ(nvml().nvmlDeviceGetHandleByIndex_v2(8, &found), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(ContractTest, InitIsCounted) {
  unsigned int count = 0;
  ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlDeviceGetCount_v2(&count), NVML_ERROR_UNINITIALIZED);
  EXPECT_EQ(nvml().nvmlShutdown(), NVML_ERROR_UNINITIALIZED);
}

TEST_F(ContractTest, HandlesStayTheSameOverReinitialisation) {
  const nvmlDevice_t before = Device(5);
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  EXPECT_EQ(Device(5), before);
}

TEST_F(ContractTest, BogusHandlesAreRefused) {
  unsigned int minor = 0;
  int local = 0;
  for (const auto handle :
       {std::uintptr_t{1}, reinterpret_cast<std::uintptr_t>(&local), ~std::uintptr_t{0},
        reinterpret_cast<std::uintptr_t>(Device(0)) + (std::uintptr_t{8} << 36)}) {
    EXPECT_EQ(nvml().nvmlDeviceGetMinorNumber(reinterpret_cast<nvmlDevice_t>(handle), &minor),
              NVML_ERROR_INVALID_ARGUMENT);
  }
}

TEST_F(ContractTest, StringsThatDoNotFitAreInsufficientSize) {
  char uuid[96];
  ASSERT_EQ(nvml().nvmlDeviceGetUUID(Device(0), uuid, sizeof(uuid)), NVML_SUCCESS);
  EXPECT_THAT(uuid, StartsWith("GPU-"));
  const auto length = static_cast<unsigned int>(strlen(uuid));
  EXPECT_EQ(nvml().nvmlDeviceGetUUID(Device(0), uuid, length), NVML_ERROR_INSUFFICIENT_SIZE);
  EXPECT_EQ(nvml().nvmlDeviceGetUUID(Device(0), uuid, length + 1), NVML_SUCCESS);
}

TEST_F(ContractTest, VersionedStructsNeedTheirVersion) {
  nvmlMemory_v2_t memory{};
  EXPECT_EQ(nvml().nvmlDeviceGetMemoryInfo_v2(Device(0), &memory),
            NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
  memory.version = nvmlMemory_v2;
  EXPECT_EQ(nvml().nvmlDeviceGetMemoryInfo_v2(Device(0), &memory), NVML_SUCCESS);
  EXPECT_EQ(memory.total, 81559ULL << 20);
  EXPECT_EQ(memory.total, memory.reserved + memory.free + memory.used);
  nvmlMemory_t older{};
  EXPECT_EQ(nvml().nvmlDeviceGetMemoryInfo(Device(0), &older), NVML_SUCCESS);
  EXPECT_EQ(older.total, older.free + older.used);
  EXPECT_EQ(older.used, memory.reserved + memory.used);
}

TEST_F(ContractTest, ErrorStringsAreThoseOfTheRealLibrary) {
  EXPECT_THAT(nvml().nvmlErrorString(NVML_SUCCESS), StrEq("Success"));
  EXPECT_THAT(nvml().nvmlErrorString(NVML_ERROR_GPU_IS_LOST), StrEq("GPU is lost"));
  EXPECT_THAT(nvml().nvmlErrorString(NVML_ERROR_NOT_SUPPORTED), StrEq("Not Supported"));
  EXPECT_THAT(nvml().nvmlErrorString(static_cast<nvmlReturn_t>(555)), StrEq("Unknown Error"));
  EXPECT_EQ(nvml().nvmlErrorString(NVML_ERROR_TIMEOUT), nvml().nvmlErrorString(NVML_ERROR_TIMEOUT))
      << "the text is static";
}

// In each version's own layout: 16, 24 and 24 bytes an entry.
TEST_F(ContractTest, ProcessListsSayHowManyThereAre) {
  unsigned int count = 0;
  EXPECT_EQ(nvml().nvmlDeviceGetComputeRunningProcesses_v3(Device(2), &count, nullptr),
            NVML_SUCCESS)
      << "none is no error";
  ASSERT_THAT(node().StartProcess("2", {.pid = 4242, .name = "train", .memory_bytes = 1 << 30}, 60),
              assay::testing::IsOk());
  ASSERT_THAT(node().StartProcess("2", {.pid = 4243, .name = "infer", .memory_bytes = 2 << 20}, 10),
              assay::testing::IsOk());
  EXPECT_EQ(nvml().nvmlDeviceGetComputeRunningProcesses_v3(Device(2), &count, nullptr),
            NVML_ERROR_INSUFFICIENT_SIZE);
  ASSERT_EQ(count, 2u);
  nvmlProcessInfo_t infos[2] = {};
  ASSERT_EQ(nvml().nvmlDeviceGetComputeRunningProcesses_v3(Device(2), &count, infos), NVML_SUCCESS);
  EXPECT_EQ(infos[0].pid, 4242u);
  EXPECT_EQ(infos[0].usedGpuMemory, 1ULL << 30);
  EXPECT_EQ(infos[0].gpuInstanceId, 0xffffffffU);
  EXPECT_EQ(infos[0].computeInstanceId, 0xffffffffU);
  nvmlProcessInfo_v1_t older[2] = {};
  ASSERT_EQ(nvml().nvmlDeviceGetComputeRunningProcesses(Device(2), &count, older), NVML_SUCCESS);
  EXPECT_EQ(older[1].pid, 4243u);
  EXPECT_EQ(older[1].usedGpuMemory, 2ULL << 20);
  count = 1;
  EXPECT_EQ(nvml().nvmlDeviceGetComputeRunningProcesses_v3(Device(2), &count, infos),
            NVML_ERROR_INSUFFICIENT_SIZE);
  EXPECT_EQ(count, 2u);
}

TEST_F(ContractTest, MetricsAgreeWithEachOther) {
  ASSERT_THAT(node().HoldClock(), assay::testing::IsOk());
  unsigned int idle_power = 0;
  unsigned int idle_clock = 0;
  unsigned long long idle_reasons = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetPowerUsage(Device(0), &idle_power), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetClockInfo(Device(0), NVML_CLOCK_SM, &idle_clock), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetCurrentClocksEventReasons(Device(0), &idle_reasons), NVML_SUCCESS);
  EXPECT_EQ(idle_clock, 345u);
  EXPECT_EQ(idle_reasons, static_cast<unsigned long long>(nvmlClocksEventReasonGpuIdle));

  ASSERT_THAT(node().StartProcess("0", {.pid = 7, .name = "x", .memory_bytes = 30ULL << 30}, 100),
              assay::testing::IsOk());
  nvmlUtilization_t utilization{};
  unsigned int power = 0;
  unsigned int clock = 0;
  unsigned int cold = 0;
  unsigned int warm = 0;
  unsigned long long energy = 0;
  unsigned long long later_energy = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetUtilizationRates(Device(0), &utilization), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetPowerUsage(Device(0), &power), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetClockInfo(Device(0), NVML_CLOCK_SM, &clock), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetTemperature(Device(0), NVML_TEMPERATURE_GPU, &cold), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetTotalEnergyConsumption(Device(0), &energy), NVML_SUCCESS);
  EXPECT_GE(utilization.gpu, 97u);
  EXPECT_GT(power, 600'000u);
  EXPECT_LE(power, 700'000u);
  EXPECT_EQ(clock, 1980u);
  EXPECT_EQ(cold, 30u) << "no time has passed";
  // Ten minutes later.
  ASSERT_THAT(node().StepClock(std::chrono::minutes(10)), assay::testing::IsOk());
  ASSERT_EQ(nvml().nvmlDeviceGetTemperature(Device(0), NVML_TEMPERATURE_GPU, &warm), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetTotalEnergyConsumption(Device(0), &later_energy), NVML_SUCCESS);
  EXPECT_NEAR(warm, 65, 2);
  const double joules = static_cast<double>(later_energy - energy) / 1000;
  EXPECT_NEAR(joules, 600.0 * 679, 600.0 * 20) << "about 679 W for 600 s";
}

TEST_F(ContractTest, APowerLimitTakesClocksAway) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "setters are root's";
  }
  ASSERT_THAT(node().StartProcess("0", {.pid = 7, .name = "x", .memory_bytes = 1 << 20}, 100),
              assay::testing::IsOk());
  ASSERT_EQ(nvml().nvmlDeviceSetPowerManagementLimit(Device(0), 300'000), NVML_SUCCESS);
  unsigned int power = 0;
  unsigned int clock = 0;
  unsigned long long reasons = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetPowerUsage(Device(0), &power), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetClockInfo(Device(0), NVML_CLOCK_SM, &clock), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceGetCurrentClocksEventReasons(Device(0), &reasons), NVML_SUCCESS);
  EXPECT_LE(power, 300'000u);
  EXPECT_LT(clock, 1000u);
  EXPECT_NE(reasons & nvmlClocksEventReasonSwPowerCap, 0u);
  EXPECT_EQ(nvml().nvmlDeviceSetPowerManagementLimit(Device(0), 199'999),
            NVML_ERROR_INVALID_ARGUMENT);
}

// A driver must be able to taint this one GPU, and not all eight.
TEST_F(ContractTest, ALostGpuStillTellsWhoItIs) {
  const std::vector<std::string> uuids = ListUuids();
  const nvmlDevice_t device = Device(4);
  ASSERT_THAT(node().Inject("4", control::LostFault{}), assay::testing::IsOk());
  EXPECT_EQ(ListUuids(), uuids) << "it stays in the list";
  nvmlMemory_t memory{};
  EXPECT_EQ(nvml().nvmlDeviceGetMemoryInfo(device, &memory), NVML_ERROR_GPU_IS_LOST);
  unsigned int number = 99;
  EXPECT_EQ(nvml().nvmlDeviceGetIndex(device, &number), NVML_SUCCESS);
  EXPECT_EQ(number, 4u);
  EXPECT_EQ(nvml().nvmlDeviceGetMinorNumber(device, &number), NVML_SUCCESS);
  EXPECT_EQ(number, 4u);
  nvmlPciInfo_t pci{};
  EXPECT_EQ(nvml().nvmlDeviceGetPciInfo_v3(device, &pci), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlDeviceGetMemoryInfo(Device(3), &memory), NVML_SUCCESS) << "the others work";
  ASSERT_THAT(node().Heal("4"), assay::testing::IsOk());
  EXPECT_EQ(nvml().nvmlDeviceGetMemoryInfo(device, &memory), NVML_SUCCESS);
}

TEST_F(ContractTest, AnUnpluggedGpuIsGoneUntilItIsBack) {
  const std::vector<std::string> uuids = ListUuids();
  const nvmlDevice_t device = Device(2);
  ASSERT_THAT(node().Unplug("2"), assay::testing::IsOk());
  EXPECT_EQ(ListUuids().size(), 7u);
  char uuid[96];
  EXPECT_EQ(nvml().nvmlDeviceGetUUID(device, uuid, sizeof(uuid)), NVML_ERROR_GPU_IS_LOST);
  nvmlDevice_t found = nullptr;
  EXPECT_EQ(nvml().nvmlDeviceGetHandleByUUID(uuids[2].c_str(), &found), NVML_ERROR_NOT_FOUND);
  unsigned int index = 0;
  EXPECT_EQ(nvml().nvmlDeviceGetIndex(Device(6), &index), NVML_SUCCESS);
  EXPECT_EQ(index, 6u);
  ASSERT_THAT(node().Replug("2"), assay::testing::IsOk());
  EXPECT_EQ(ListUuids(), uuids);
  EXPECT_EQ(nvml().nvmlDeviceGetUUID(device, uuid, sizeof(uuid)), NVML_SUCCESS);
}

TEST_F(ContractTest, InAContainerOnlyGpusWithADeviceNodeAreListed) {
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  setenv("ASSAY_FAKEGPU_DEV", dir().c_str(), 1);
  std::ofstream(dir() / "nvidia1") << "";
  std::ofstream(dir() / "nvidia6") << "";
  ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  unsigned int count = 0;
  unsigned int minor = 0;
  EXPECT_EQ(nvml().nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(nvml().nvmlDeviceGetMinorNumber(Device(1), &minor), NVML_SUCCESS);
  EXPECT_EQ(minor, 6u);
}

TEST_F(ContractTest, WithoutADriverInitSaysSo) {
  unsigned int count = 0;
  ASSERT_THAT(node().UnloadDriver(), assay::testing::IsOk());
  EXPECT_EQ(nvml().nvmlDeviceGetCount_v2(&count), NVML_ERROR_DRIVER_NOT_LOADED);
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlInit_v2(), NVML_ERROR_DRIVER_NOT_LOADED);
  ASSERT_THAT(node().LoadDriver(), assay::testing::IsOk());
  EXPECT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  std::ofstream(state_path()) << "not a state file, though long enough" << std::string(8192, ' ');
  EXPECT_EQ(nvml().nvmlInit_v2(), NVML_ERROR_LIB_RM_VERSION_MISMATCH);
  std::filesystem::remove(state_path());
  EXPECT_EQ(nvml().nvmlInit_v2(), NVML_ERROR_DRIVER_NOT_LOADED);
}

TEST_F(ContractTest, AReplacedNodeLeavesItsClientsWithoutADriver) {
  ASSERT_THAT(control::Node::Create(state_path(), "fixtures/nodes/dgx-a100.yaml",
                                    {.seed = 0, .replace = true}),
              assay::testing::IsOk());
  unsigned int count = 0;
  EXPECT_EQ(nvml().nvmlDeviceGetCount_v2(&count), NVML_ERROR_DRIVER_NOT_LOADED);
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  char name[96];
  ASSERT_EQ(nvml().nvmlDeviceGetName(Device(0), name, sizeof(name)), NVML_SUCCESS);
  EXPECT_STREQ(name, "NVIDIA A100-SXM4-80GB");
}

TEST_F(ContractTest, AFunctionCanBeMadeToFail) {
  ASSERT_THAT(node().Inject("1", control::ReturnFault{"nvmlDeviceGetName", 999}),
              assay::testing::IsOk());
  char name[96];
  EXPECT_EQ(nvml().nvmlDeviceGetName(Device(1), name, sizeof(name)), NVML_ERROR_UNKNOWN);
  EXPECT_EQ(nvml().nvmlDeviceGetName(Device(2), name, sizeof(name)), NVML_SUCCESS);
  ASSERT_THAT(node().Heal("1"), assay::testing::IsOk());
  EXPECT_EQ(nvml().nvmlDeviceGetName(Device(1), name, sizeof(name)), NVML_SUCCESS);
}

// How many of `calls` calls of a getter of GPU 1 were faulted.
int FaultedCalls(const NvmlFunctions& nvml, nvmlDevice_t device, int calls) {
  int faulted = 0;
  for (int i = 0; i < calls; ++i) {
    unsigned int minor = 0;
    faulted += nvml.nvmlDeviceGetMinorNumber(device, &minor) == NVML_ERROR_TIMEOUT ? 1 : 0;
  }
  return faulted;
}

TEST_F(ContractTest, AReturnFaultMayBeOfSomeCalls) {
  control::ReturnFault fault{"nvmlDeviceGetMinorNumber", NVML_ERROR_TIMEOUT};
  fault.skip = 3;
  fault.times = 2;
  ASSERT_THAT(node().Inject("1", fault), assay::testing::IsOk());
  EXPECT_EQ(FaultedCalls(nvml(), Device(2), 10), 0);
  EXPECT_EQ(FaultedCalls(nvml(), Device(1), 3), 0);
  EXPECT_EQ(FaultedCalls(nvml(), Device(1), 2), 2);
  EXPECT_EQ(FaultedCalls(nvml(), Device(1), 10), 0);
  EXPECT_TRUE(InChild([&] { return FaultedCalls(nvml(), Device(1), 10) == 0; }))
      << "a child goes on counting";
  ASSERT_THAT(node().Inject("1", fault), assay::testing::IsOk());
  EXPECT_EQ(FaultedCalls(nvml(), Device(1), 10), 2) << "injected anew, counted anew";
}

TEST_F(ContractTest, AReturnFaultMayBeOfAShareOfTheCalls) {
  control::ReturnFault fault{"nvmlDeviceGetMinorNumber", NVML_ERROR_TIMEOUT};
  fault.percent = 30;
  ASSERT_THAT(node().Inject("1", fault), assay::testing::IsOk());
  EXPECT_NEAR(FaultedCalls(nvml(), Device(1), 1000), 300, 60);
}

TEST_F(ContractTest, AReturnFaultMayBeOfOneProcess) {
  control::ReturnFault fault{"*", NVML_ERROR_TIMEOUT};
  fault.pid = static_cast<std::uint32_t>(getpid());
  const nvmlDevice_t device = Device(1);
  ASSERT_THAT(node().Inject("1", fault), assay::testing::IsOk());
  EXPECT_EQ(FaultedCalls(nvml(), device, 5), 5);
  EXPECT_TRUE(InChild([&] { return FaultedCalls(nvml(), device, 5) == 0; }));
}

TEST_F(ContractTest, AFaultedFunctionAnswersLate) {
  control::ReturnFault fault{"nvmlDeviceGetMinorNumber", /*code=*/0};
  fault.delay_ms = 20;
  fault.times = 1;
  ASSERT_THAT(node().Inject("1", fault), assay::testing::IsOk());
  const auto before = std::chrono::steady_clock::now();
  unsigned int minor = 0;
  EXPECT_EQ(nvml().nvmlDeviceGetMinorNumber(Device(1), &minor), NVML_SUCCESS);
  EXPECT_EQ(minor, 1u);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(20));
}

using LookUpTable = nvmlReturn_t (*)(const void**, const void*);
LookUpTable TableLookUp(const NvmlFunctions& nvml) {
  return reinterpret_cast<LookUpTable>(dlsym(nvml.handle, "nvmlInternalGetExportTable"));
}
void* const* SmiTable(const NvmlFunctions& nvml) {
  const unsigned char id[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};
  const void* table = nullptr;
  EXPECT_EQ(TableLookUp(nvml)(&table, id), NVML_SUCCESS);
  return static_cast<void* const*>(table);
}

TEST_F(ContractTest, TheExportTableServesNvidiaSmi) {
  void* const* const slots = SmiTable(nvml());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slots[0]), 0x1000u);
  using ByIndex = nvmlReturn_t (*)(unsigned int, nvmlDevice_t*, unsigned int);
  nvmlDevice_t device = nullptr;
  EXPECT_EQ(reinterpret_cast<ByIndex>(slots[81])(7, &device, 0x22), NVML_SUCCESS);
  EXPECT_EQ(device, Device(7));
  using Unknown = nvmlReturn_t (*)(nvmlDevice_t, std::uintptr_t, void*);
  EXPECT_EQ(reinterpret_cast<Unknown>(slots[165])(device, 3, nullptr), NVML_ERROR_NOT_SUPPORTED);
  const unsigned char other[16] = {};
  const void* table = nullptr;
  EXPECT_EQ(TableLookUp(nvml())(&table, other), NVML_ERROR_NOT_FOUND);
}

// As `nvidia-smi compute-policy` does, which drivers run.
TEST_F(ContractTest, ATimeSliceIsSetAndTold) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "setters are root's";
  }
  using Policy = nvmlReturn_t (*)(nvmlDevice_t, unsigned int*);
  const auto set = reinterpret_cast<Policy>(SmiTable(nvml())[192]);
  const auto get = reinterpret_cast<Policy>(SmiTable(nvml())[193]);
  unsigned int long_slice[] = {0, 3};
  EXPECT_EQ(set(Device(1), long_slice), NVML_SUCCESS);
  unsigned int too_long[] = {0, 4};
  EXPECT_EQ(set(Device(1), too_long), NVML_ERROR_INVALID_ARGUMENT);
  unsigned int other_policy[] = {1, 0};
  EXPECT_EQ(set(Device(1), other_policy), NVML_ERROR_INVALID_ARGUMENT);
  unsigned int policies[3] = {};
  EXPECT_EQ(get(Device(1), policies), NVML_SUCCESS);
  EXPECT_THAT(policies, ::testing::ElementsAre(1, 0, 3)) << "one policy: time-slice, long";
  EXPECT_EQ(get(Device(0), policies), NVML_SUCCESS);
  EXPECT_EQ(policies[2], 0u);
}

}  // namespace
}  // namespace assay::fakegpu::nvml
