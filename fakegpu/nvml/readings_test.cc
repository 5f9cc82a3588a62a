// What monitoring reads beyond the plain getters: samples, throttling, accounting, GPM, field
// values, retired pages, the platform, and the system's events; on a clock that stands still.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fakegpu/layout/transaction.h"
#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

using assay::testing::IsOk;

constexpr std::uint32_t kPid = 4711;

class ReadingsTest : public NvmlTest {
 protected:
  explicit ReadingsTest(const char* node_file = "fixtures/nodes/dgx-h100.yaml")
      : NvmlTest(node_file) {}

  void SetUp() override {
    NvmlTest::SetUp();
    ASSERT_THAT(node().HoldClock(), IsOk());
  }
  void Step(int seconds) { ASSERT_THAT(node().StepClock(std::chrono::seconds(seconds)), IsOk()); }
  void StartProcess(std::uint32_t percent) {
    ASSERT_THAT(
        node().StartProcess("0", {.pid = kPid, .name = "train", .memory_bytes = 1 << 30}, percent),
        IsOk());
  }

  static nvmlFieldValue_t Field(nvmlDevice_t device, unsigned int id, unsigned int scope = 0) {
    nvmlFieldValue_t value{};
    value.fieldId = id;
    value.scopeId = scope;
    EXPECT_EQ(nvml().nvmlDeviceGetFieldValues(device, 1, &value), NVML_SUCCESS);
    return value;
  }
};

TEST_F(ReadingsTest, PowerFieldsAreOfTheGpuAndNotOfItsModule) {
  unsigned int power_mw = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetPowerUsage(Device(0), &power_mw), NVML_SUCCESS);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_POWER_INSTANT, NVML_POWER_SCOPE_GPU).value.uiVal,
            power_mw);
  for (const unsigned int scope : {NVML_POWER_SCOPE_MODULE, NVML_POWER_SCOPE_MEMORY}) {
    EXPECT_EQ(Field(Device(0), NVML_FI_DEV_POWER_INSTANT, scope).nvmlReturn,
              NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(Field(Device(0), NVML_FI_DEV_POWER_MAX_LIMIT, scope).nvmlReturn,
              NVML_ERROR_NOT_SUPPORTED);
  }
}

TEST_F(ReadingsTest, SamplesAreOfThePastAndNewerThanSeen) {
  StartProcess(80);
  Step(10);
  nvmlValueType_t type{};
  unsigned int count = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetSamples(Device(0), NVML_GPU_UTILIZATION_SAMPLES, 0, &type, &count,
                                        nullptr),
            NVML_SUCCESS);
  std::vector<nvmlSample_t> samples(count);
  ASSERT_EQ(nvml().nvmlDeviceGetSamples(Device(0), NVML_GPU_UTILIZATION_SAMPLES, 0, &type, &count,
                                        samples.data()),
            NVML_SUCCESS);
  ASSERT_GE(count, 50u) << "ten seconds of six a second";
  EXPECT_EQ(type, NVML_VALUE_TYPE_UNSIGNED_INT);
  for (unsigned int i = 0; i < count; ++i) {
    EXPECT_NEAR(samples[i].sampleValue.uiVal, 80, 3);
    if (i > 0) {
      EXPECT_GT(samples[i].timeStamp, samples[i - 1].timeStamp);
    }
  }
  const unsigned long long last = samples[count - 1].timeStamp;
  EXPECT_EQ(nvml().nvmlDeviceGetSamples(Device(0), NVML_GPU_UTILIZATION_SAMPLES, last, &type,
                                        &count, samples.data()),
            NVML_ERROR_NOT_FOUND);
  Step(1);
  count = static_cast<unsigned int>(samples.size());
  ASSERT_EQ(nvml().nvmlDeviceGetSamples(Device(0), NVML_GPU_UTILIZATION_SAMPLES, last, &type,
                                        &count, samples.data()),
            NVML_SUCCESS);
  EXPECT_EQ(count, 6u);
  EXPECT_EQ(nvml().nvmlDeviceGetSamples(Device(0), NVML_MODULE_POWER_SAMPLES, 0, &type, &count,
                                        samples.data()),
            NVML_ERROR_NOT_SUPPORTED);
}

TEST_F(ReadingsTest, TimeUnderAPowerLimitIsCounted) {
  StartProcess(100);
  Step(5);
  nvmlViolationTime_t time{};
  ASSERT_EQ(nvml().nvmlDeviceGetViolationStatus(Device(0), NVML_PERF_POLICY_POWER, &time),
            NVML_SUCCESS);
  EXPECT_EQ(time.violationTime, 0u);
  ASSERT_EQ(nvml().nvmlDeviceSetPowerManagementLimit(Device(0), 300'000), NVML_SUCCESS);
  Step(7);
  ASSERT_EQ(nvml().nvmlDeviceGetViolationStatus(Device(0), NVML_PERF_POLICY_POWER, &time),
            NVML_SUCCESS);
  EXPECT_EQ(time.violationTime, 7'000'000'000u);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_PERF_POLICY_POWER).value.ullVal, time.violationTime);
  ASSERT_EQ(nvml().nvmlDeviceSetPowerManagementLimit(Device(0), 700'000), NVML_SUCCESS);
  Step(9);
  ASSERT_EQ(nvml().nvmlDeviceGetViolationStatus(Device(0), NVML_PERF_POLICY_POWER, &time),
            NVML_SUCCESS);
  EXPECT_EQ(time.violationTime, 7'000'000'000u);
  EXPECT_EQ(
      nvml().nvmlDeviceGetViolationStatus(Device(0), static_cast<nvmlPerfPolicyType_t>(7), &time),
      NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(ReadingsTest, AccountingOutlivesTheProcess) {
  unsigned int pids[8] = {};
  unsigned int count = 8;
  EXPECT_EQ(nvml().nvmlDeviceGetAccountingPids(Device(0), &count, pids), NVML_ERROR_NOT_SUPPORTED);
  ASSERT_EQ(nvml().nvmlDeviceSetAccountingMode(Device(0), NVML_FEATURE_ENABLED), NVML_SUCCESS);
  StartProcess(50);
  Step(3);
  nvmlAccountingStats_t stats{};
  ASSERT_EQ(nvml().nvmlDeviceGetAccountingStats(Device(0), kPid, &stats), NVML_SUCCESS);
  EXPECT_EQ(stats.isRunning, 1u);
  EXPECT_EQ(stats.time, 0u);
  ASSERT_THAT(node().EndProcess("0", kPid), IsOk());
  Step(3);
  ASSERT_EQ(nvml().nvmlDeviceGetAccountingPids(Device(0), &count, pids), NVML_SUCCESS);
  ASSERT_EQ(count, 1u);
  EXPECT_EQ(pids[0], kPid);
  ASSERT_EQ(nvml().nvmlDeviceGetAccountingStats(Device(0), kPid, &stats), NVML_SUCCESS);
  EXPECT_EQ(stats.isRunning, 0u);
  EXPECT_EQ(stats.time, 3000u);
  EXPECT_EQ(stats.gpuUtilization, 50u);
  EXPECT_EQ(stats.maxMemoryUsage, 1u << 30);
  nvmlAccountingStats_v2_t second{};
  second.pid = kPid;
  ASSERT_EQ(nvml().nvmlDeviceGetAccountingStats_v2(Device(0), &second), NVML_SUCCESS);
  EXPECT_EQ(second.sumGpuUtil, 150u);
  count = 0;
  EXPECT_EQ(nvml().nvmlDeviceGetAccountingPids(Device(0), &count, nullptr),
            NVML_ERROR_INSUFFICIENT_SIZE);
  EXPECT_EQ(count, 1u);
  ASSERT_EQ(nvml().nvmlDeviceClearAccountingPids(Device(0)), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlDeviceGetAccountingStats(Device(0), kPid, &stats), NVML_ERROR_NOT_FOUND);
}

TEST_F(ReadingsTest, GpmTellsWhatHappenedBetweenTwoSamples) {
  StartProcess(40);
  nvmlGpmSample_t before = nullptr;
  nvmlGpmSample_t after = nullptr;
  ASSERT_EQ(nvml().nvmlGpmSampleAlloc(&before), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlGpmSampleAlloc(&after), NVML_SUCCESS);
  auto request = std::make_unique<nvmlGpmMetricsGet_t>();
  *request = {};
  request->version = NVML_GPM_METRICS_GET_VERSION;
  request->sample1 = before;
  request->sample2 = after;
  request->numMetrics = 5;
  request->metrics[0].metricId = NVML_GPM_METRIC_SM_UTIL;
  request->metrics[1].metricId = NVML_GPM_METRIC_DRAM_BW_UTIL;
  request->metrics[2].metricId = NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC;
  request->metrics[3].metricId = NVML_GPM_METRIC_PCIE_RX_PER_SEC;
  request->metrics[4].metricId = NVML_GPM_METRIC_C2C_TOTAL_TX_PER_SEC;
  ASSERT_EQ(nvml().nvmlGpmSampleGet(Device(0), before), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlGpmMetricsGet(request.get()), NVML_ERROR_INVALID_ARGUMENT)
      << "the second sample is not taken";
  const unsigned long long kib =
      Field(Device(0), NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, ~0U).value.ullVal;
  Step(10);
  ASSERT_EQ(nvml().nvmlGpmSampleGet(Device(0), after), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlGpmMetricsGet(request.get()), NVML_SUCCESS);
  EXPECT_NEAR(request->metrics[0].value, 40, 0.1);
  EXPECT_STREQ(request->metrics[0].metricInfo.unit, "%");
  EXPECT_NEAR(request->metrics[1].value, 20, 0.1);
  // The counters of the field values moved by as much.
  const unsigned long long moved =
      Field(Device(0), NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, ~0U).value.ullVal - kib;
  EXPECT_NEAR(request->metrics[2].value, static_cast<double>(moved) / 1024 / 10, 1);
  EXPECT_GT(request->metrics[3].value, 0);
  EXPECT_EQ(request->metrics[4].nvmlReturn, NVML_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(nvml().nvmlGpmSampleFree(before), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlGpmSampleFree(before), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(nvml().nvmlGpmMetricsGet(request.get()), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(nvml().nvmlGpmSampleFree(after), NVML_SUCCESS);
}

TEST_F(ReadingsTest, LinkErrorFieldsAgreeWithTheCountersAndCanBeCleared) {
  ASSERT_THAT(node().Inject("0", control::ParseFault("nvlink=7").value()), IsOk());
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L7).value.ullVal, 1u);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL).value.ullVal, 1u);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L0).value.ullVal, 0u);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_NVLINK_GET_STATE, 7).value.uiVal, 0u);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_NVLINK_GET_VERSION, 6).value.uiVal,
            unsigned{NVML_NVLINK_VERSION_4_0});
  nvmlFieldValue_t fields[2] = {};
  fields[0].fieldId = NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL;
  fields[1].fieldId = NVML_FI_DEV_ECC_SBE_VOL_TOTAL;
  ASSERT_EQ(nvml().nvmlDeviceClearFieldValues(Device(0), 2, fields), NVML_SUCCESS);
  EXPECT_EQ(fields[0].nvmlReturn, NVML_SUCCESS);
  EXPECT_EQ(fields[1].nvmlReturn, NVML_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L7).value.ullVal, 0u);
}

// A GPU's program waits for "completed", and only then looks at the status.
TEST_F(ReadingsTest, TheFabricIsAsTheFaultSays) {
  const auto fabric = [&] {
    nvmlGpuFabricInfoV_t info{};
    info.version = nvmlGpuFabricInfo_v3;
    EXPECT_EQ(nvml().nvmlDeviceGetGpuFabricInfoV(Device(0), &info), NVML_SUCCESS);
    return info;
  };
  ASSERT_THAT(node().Inject("0", control::ParseFault("fabric=in-progress").value()), IsOk());
  EXPECT_EQ(fabric().state, NVML_GPU_FABRIC_STATE_IN_PROGRESS);
  EXPECT_EQ(fabric().status, NVML_SUCCESS);
  ASSERT_THAT(node().Inject("0", control::ParseFault("fabric=failed").value()), IsOk());
  EXPECT_EQ(fabric().state, NVML_GPU_FABRIC_STATE_COMPLETED);
  EXPECT_EQ(fabric().status, NVML_ERROR_UNKNOWN);
  EXPECT_EQ(fabric().healthSummary, NVML_GPU_FABRIC_HEALTH_SUMMARY_UNHEALTHY);
  ASSERT_THAT(node().Heal("0"), IsOk());
  EXPECT_EQ(fabric().state, NVML_GPU_FABRIC_STATE_COMPLETED);
  EXPECT_EQ(fabric().status, NVML_SUCCESS);
}

// Drivers that bind and unbind are told to every process that asked.
TEST_F(ReadingsTest, SystemEventsTellOfDriversThatBind) {
  nvmlSystemEventSetCreateRequest_t create{.version = nvmlSystemEventSetCreateRequest_v1,
                                           .set = nullptr};
  ASSERT_EQ(nvml().nvmlSystemEventSetCreate(&create), NVML_SUCCESS);
  nvmlSystemEventData_v1_t data[4] = {};
  nvmlSystemEventSetWaitRequest_t wait{.version = nvmlSystemEventSetWaitRequest_v1,
                                       .timeoutms = 0,
                                       .set = create.set,
                                       .data = data,
                                       .dataSize = 4,
                                       .numEvent = 0};
  ASSERT_THAT(node().Unplug("1"), IsOk());
  EXPECT_EQ(nvml().nvmlSystemEventSetWait(&wait), NVML_ERROR_TIMEOUT) << "nothing is registered";
  nvmlSystemRegisterEventRequest_t registration{
      .version = nvmlSystemRegisterEventRequest_v1,
      .eventTypes = nvmlSystemEventTypeGpuDriverUnbind | nvmlSystemEventTypeGpuDriverBind,
      .set = create.set};
  ASSERT_EQ(nvml().nvmlSystemRegisterEvents(&registration), NVML_SUCCESS);
  ASSERT_THAT(node().Replug("1"), IsOk());
  ASSERT_THAT(node().Unplug("2"), IsOk());
  wait.timeoutms = 10'000;
  ASSERT_EQ(nvml().nvmlSystemEventSetWait(&wait), NVML_SUCCESS);
  ASSERT_EQ(wait.numEvent, 2u);
  EXPECT_EQ(data[0].eventType, static_cast<unsigned long long>(nvmlSystemEventTypeGpuDriverBind));
  EXPECT_EQ(data[0].gpuId, 0x4300u);
  EXPECT_EQ(data[1].eventType, static_cast<unsigned long long>(nvmlSystemEventTypeGpuDriverUnbind));
  // A set of one kind is none of the other.
  nvmlEventData_t event{};
  EXPECT_EQ(nvml().nvmlEventSetWait_v2(reinterpret_cast<nvmlEventSet_t>(create.set), &event, 0),
            NVML_ERROR_INVALID_ARGUMENT);
  nvmlSystemEventSetFreeRequest_t free{.version = nvmlSystemEventSetFreeRequest_v1,
                                       .set = create.set};
  EXPECT_EQ(nvml().nvmlSystemEventSetFree(&free), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlSystemEventSetFree(&free), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(ReadingsTest, AHostnameIsKept) {
  nvmlHostname_v1_t name{};
  std::strcpy(name.value, "rack-3");
  ASSERT_EQ(nvml().nvmlDeviceSetHostname_v1(Device(0), &name), NVML_SUCCESS);
  nvmlHostname_v1_t read{};
  ASSERT_EQ(nvml().nvmlDeviceGetHostname_v1(Device(0), &read), NVML_SUCCESS);
  EXPECT_STREQ(read.value, "rack-3");
  std::memset(name.value, 'x', sizeof(name.value));
  EXPECT_EQ(nvml().nvmlDeviceSetHostname_v1(Device(0), &name), NVML_ERROR_INVALID_ARGUMENT);
}

class RackTest : public ReadingsTest {
 protected:
  RackTest() : ReadingsTest("fixtures/nodes/gb200-nvl72.yaml") {}
};

TEST_F(RackTest, AGpuKnowsItsPlaceInTheRackAndItsFabric) {
  nvmlPlatformInfo_t platform{};
  platform.version = nvmlPlatformInfo_v2;
  ASSERT_EQ(nvml().nvmlDeviceGetPlatformInfo(Device(0), &platform), NVML_SUCCESS);
  EXPECT_EQ(platform.trayIndex, 3);
  EXPECT_EQ(platform.slotNumber, 4);
  EXPECT_EQ(platform.moduleId, 2);
  nvmlGpuFabricInfoV_t fabric{};
  fabric.version = nvmlGpuFabricInfo_v3;
  ASSERT_EQ(nvml().nvmlDeviceGetGpuFabricInfoV(Device(0), &fabric), NVML_SUCCESS);
  EXPECT_EQ(fabric.cliqueId, 1u);
  EXPECT_EQ(fabric.state, NVML_GPU_FABRIC_STATE_COMPLETED);
  EXPECT_EQ(fabric.clusterUuid[0], 0x0e);
  nvmlC2cModeInfo_v1_t c2c{};
  ASSERT_EQ(nvml().nvmlDeviceGetC2cModeInfoV(Device(0), &c2c), NVML_SUCCESS);
  EXPECT_EQ(c2c.isC2cEnabled, 1u);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_C2C_LINK_COUNT).value.uiVal, 5u);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_C2C_LINK_GET_STATUS, 5).nvmlReturn,
            NVML_ERROR_NOT_SUPPORTED);
  nvmlGpuTopologyLevel_t level{};
  ASSERT_EQ(nvml().nvmlDeviceGetTopologyCommonAncestor(Device(0), Device(1), &level), NVML_SUCCESS);
  EXPECT_EQ(level, NVML_TOPOLOGY_NODE);
  ASSERT_EQ(nvml().nvmlDeviceGetTopologyCommonAncestor(Device(0), Device(2), &level), NVML_SUCCESS);
  EXPECT_EQ(level, NVML_TOPOLOGY_SYSTEM);
  nvmlGpuP2PStatus_t status{};
  ASSERT_EQ(
      nvml().nvmlDeviceGetP2PStatus(Device(0), Device(2), NVML_P2P_CAPS_INDEX_NVLINK, &status),
      NVML_SUCCESS);
  EXPECT_EQ(status, NVML_P2P_STATUS_OK);
}

TEST_F(RackTest, BandwidthModesAreSetAndRead) {
  nvmlNvlinkSetBwMode_t set{};
  set.version = nvmlNvlinkSetBwMode_v1;
  set.bwMode = NVML_GPU_NVLINK_BW_MODE_HALF;
  ASSERT_EQ(nvml().nvmlDeviceSetNvlinkBwMode(Device(0), &set), NVML_SUCCESS);
  nvmlNvlinkGetBwMode_t get{};
  get.version = nvmlNvlinkGetBwMode_v1;
  ASSERT_EQ(nvml().nvmlDeviceGetNvlinkBwMode(Device(0), &get), NVML_SUCCESS);
  EXPECT_EQ(get.bwMode, NVML_GPU_NVLINK_BW_MODE_HALF);
  EXPECT_EQ(get.bIsBest, 0u);
  set.bwMode = NVML_GPU_NVLINK_BW_MODE_COUNT;
  EXPECT_EQ(nvml().nvmlDeviceSetNvlinkBwMode(Device(0), &set), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(RackTest, LinksSleepAfterWhatIsSet) {
  const auto threshold = [] { return Field(Device(0), NVML_FI_DEV_NVLINK_GET_POWER_THRESHOLD); };
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_NVLINK_GET_POWER_THRESHOLD_UNITS).value.uiVal,
            static_cast<unsigned int>(NVML_NVLINK_LOW_POWER_THRESHOLD_UNIT_50US));
  const unsigned int unset = threshold().value.uiVal;
  nvmlNvLinkPowerThres_t set{.lowPwrThreshold = 77};
  ASSERT_EQ(nvml().nvmlDeviceSetNvLinkDeviceLowPowerThreshold(Device(0), &set), NVML_SUCCESS);
  EXPECT_EQ(threshold().value.uiVal, 77U);
  set.lowPwrThreshold = NVML_NVLINK_LOW_POWER_THRESHOLD_MAX + 1;
  EXPECT_EQ(nvml().nvmlDeviceSetNvLinkDeviceLowPowerThreshold(Device(0), &set),
            NVML_ERROR_INVALID_ARGUMENT);
  set.lowPwrThreshold = NVML_NVLINK_LOW_POWER_THRESHOLD_RESET;
  ASSERT_EQ(nvml().nvmlDeviceSetNvLinkDeviceLowPowerThreshold(Device(0), &set), NVML_SUCCESS);
  EXPECT_EQ(threshold().value.uiVal, unset);
}

TEST_F(RackTest, TheNodesBandwidthModeIsSetWhileNobodyUsesTheLinks) {
  unsigned int mode = 99;
  ASSERT_EQ(nvml().nvmlSystemGetNvlinkBwMode(&mode), NVML_SUCCESS);
  EXPECT_EQ(mode, static_cast<unsigned int>(NVML_GPU_NVLINK_BW_MODE_FULL));
  ASSERT_EQ(nvml().nvmlSystemSetNvlinkBwMode(NVML_GPU_NVLINK_BW_MODE_HALF), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlSystemGetNvlinkBwMode(&mode), NVML_SUCCESS);
  EXPECT_EQ(mode, static_cast<unsigned int>(NVML_GPU_NVLINK_BW_MODE_HALF));
  EXPECT_EQ(nvml().nvmlSystemSetNvlinkBwMode(NVML_GPU_NVLINK_BW_MODE_COUNT),
            NVML_ERROR_INVALID_ARGUMENT);
  StartProcess(10);
  EXPECT_EQ(nvml().nvmlSystemSetNvlinkBwMode(NVML_GPU_NVLINK_BW_MODE_FULL), NVML_ERROR_IN_USE);
}

TEST_F(RackTest, PortCountersAreThoseOfTheLinks) {
  ASSERT_THAT(
      node().Inject("0", control::ParseFault("nvlink-errors=2,counter=replay,count=5").value()),
      IsOk());
  ASSERT_THAT(node().Inject("0", control::ParseFault("nvlink=2").value()), IsOk());
  nvmlPRMCounter_v1_t counters[4] = {};
  counters[0].counterId = NVML_PRM_COUNTER_ID_PPCNT_PLR_XMIT_RETRY_EVENTS;
  counters[1].counterId = NVML_PRM_COUNTER_ID_PPCNT_PHYSICAL_LAYER_CTRS_LINK_DOWN_EVENTS;
  counters[2].counterId = NVML_PRM_COUNTER_ID_PPCNT_PORTCOUNTERS_PORT_XMIT_WAIT;
  for (nvmlPRMCounter_v1_t& counter : counters) {
    counter.inData.localPort = 3;
  }
  counters[3].inData.localPort = 0;
  nvmlPRMCounterList_v1_t list{.numCounters = 4, .counters = counters};
  ASSERT_EQ(nvml().nvmlDeviceReadPRMCounters_v1(Device(0), &list), NVML_SUCCESS);
  EXPECT_EQ(counters[0].counterValue.status, NVML_SUCCESS);
  EXPECT_EQ(counters[0].counterValue.outputValue.ullVal, 5U);
  EXPECT_EQ(counters[1].counterValue.outputValue.ullVal, 1U);
  EXPECT_EQ(counters[2].counterValue.status, NVML_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(counters[3].counterValue.status, NVML_ERROR_INVALID_ARGUMENT) << "ports begin at 1";
}

class MixedTest : public ReadingsTest {
 protected:
  MixedTest() : ReadingsTest("fixtures/nodes/mixed.yaml") {}
};

TEST_F(MixedTest, ATuringBoardRetiresPages) {
  ASSERT_THAT(node().Inject("0", control::ParseFault("ecc=uncorrected").value()), IsOk());
  unsigned int count = 4;
  unsigned long long addresses[4] = {};
  unsigned long long times[4] = {};
  ASSERT_EQ(
      nvml().nvmlDeviceGetRetiredPages_v2(
          Device(0), NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR, &count, addresses, times),
      NVML_SUCCESS);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(addresses[0] % 65536, 0u);
  nvmlEnableState_t pending{};
  ASSERT_EQ(nvml().nvmlDeviceGetRetiredPagesPendingStatus(Device(0), &pending), NVML_SUCCESS);
  EXPECT_EQ(pending, NVML_FEATURE_ENABLED);
  EXPECT_EQ(Field(Device(0), NVML_FI_DEV_RETIRED_DBE).value.uiVal, 1u);
  unsigned int rows = 0;
  EXPECT_EQ(nvml().nvmlDeviceGetRemappedRows(Device(0), &rows, &rows, &rows, &rows),
            NVML_ERROR_NOT_SUPPORTED);
  // Since Ampere it is the other way round.
  EXPECT_EQ(nvml().nvmlDeviceGetRetiredPages(
                Device(3), NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR, &count, addresses),
            NVML_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(nvml().nvmlDeviceGetRemappedRows(Device(3), &rows, &rows, &rows, &rows), NVML_SUCCESS);
}

TEST_F(MixedTest, EngineLoadIsSeenEverywhere) {
  ASSERT_THAT(node().StartProcess("1",
                                  {.pid = kPid,
                                   .name = "transcode",
                                   .memory_bytes = 1 << 20,
                                   .type = control::ProcessType::kGraphics,
                                   .encoder_percent = 40,
                                   .decoder_percent = 30,
                                   .jpeg_percent = 20,
                                   .ofa_percent = 10},
                                  5),
              IsOk());
  unsigned int percent = 0;
  unsigned int period = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetJpgUtilization(Device(1), &percent, &period), NVML_SUCCESS);
  EXPECT_EQ(percent, 20U);
  ASSERT_EQ(nvml().nvmlDeviceGetOfaUtilization(Device(1), &percent, &period), NVML_SUCCESS);
  EXPECT_EQ(percent, 10U);
  ASSERT_EQ(nvml().nvmlDeviceGetEncoderCapacity(Device(1), NVML_ENCODER_QUERY_H264, &percent),
            NVML_SUCCESS);
  EXPECT_EQ(percent, 60U);
  unsigned int sessions = 0;
  unsigned int frames = 0;
  unsigned int latency_us = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetEncoderStats(Device(1), &sessions, &frames, &latency_us),
            NVML_SUCCESS);
  EXPECT_EQ(sessions, 1U);
  nvmlEncoderSessionInfo_t session{};
  ASSERT_EQ(nvml().nvmlDeviceGetEncoderSessions(Device(1), &sessions, &session), NVML_SUCCESS);
  EXPECT_EQ(session.pid, kPid);
  EXPECT_EQ(session.averageFps, frames);
  nvmlProcessInfo_t process{};
  unsigned int count = 1;
  ASSERT_EQ(nvml().nvmlDeviceGetGraphicsRunningProcesses_v3(Device(1), &count, &process),
            NVML_SUCCESS);
  EXPECT_EQ(process.pid, kPid);
  ASSERT_EQ(nvml().nvmlDeviceGetComputeRunningProcesses_v3(Device(1), &count, &process),
            NVML_SUCCESS);
  EXPECT_EQ(count, 0U);
}

TEST_F(MixedTest, OnlyBoardsThatAreDividedTellOfDivisions) {
  unsigned long long types = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetSupportedEventTypes(Device(1), &types), NVML_SUCCESS);
  EXPECT_EQ(types & nvmlEventMigConfigChange, 0U) << "an L4 has no MIG";
  ASSERT_EQ(nvml().nvmlDeviceGetSupportedEventTypes(Device(3), &types), NVML_SUCCESS);
  EXPECT_NE(types & nvmlEventMigConfigChange, 0U) << "an A30 has";
}

TEST_F(MixedTest, OnlyBoardsWithEncodersHaveCapacity) {
  unsigned int percent = 0;
  EXPECT_EQ(nvml().nvmlDeviceGetEncoderCapacity(Device(1), NVML_ENCODER_QUERY_AV1, &percent),
            NVML_SUCCESS);
  EXPECT_EQ(percent, 100u);
  EXPECT_EQ(nvml().nvmlDeviceGetEncoderCapacity(Device(0), NVML_ENCODER_QUERY_AV1, &percent),
            NVML_ERROR_NOT_SUPPORTED)
      << "a T4 has no AV1";
  EXPECT_EQ(nvml().nvmlDeviceGetEncoderCapacity(Device(4), NVML_ENCODER_QUERY_H264, &percent),
            NVML_ERROR_NOT_SUPPORTED)
      << "an A100 has no encoder";
}

}  // namespace
}  // namespace assay::fakegpu::nvml
