// NVML's handles, enums, structs and unions, in every version that 13.3 has of them.
//
// C and C++. Layouts are held to those of nvidia-ml-py by abi_layout_test.py.
#ifndef ASSAY_FAKEGPU_ABI_TYPES_H_
#define ASSAY_FAKEGPU_ABI_TYPES_H_

#include "fakegpu/abi/constants.h"
#include "fakegpu/abi/field_ids.h"

typedef struct nvmlDevice_st* nvmlDevice_t;

typedef struct nvmlGpuInstance_st* nvmlGpuInstance_t;

typedef struct {
  unsigned int version;
  unsigned int domain;
  unsigned int bus;
  unsigned int device;
  unsigned int pciDeviceId;
  unsigned int pciSubSystemId;
  unsigned int baseClass;
  unsigned int subClass;
  char busId[NVML_DEVICE_PCI_BUS_ID_BUFFER_SIZE];
} nvmlPciInfoExt_v1_t;

typedef nvmlPciInfoExt_v1_t nvmlPciInfoExt_t;

typedef struct nvmlPciInfo_st {
  char busIdLegacy[NVML_DEVICE_PCI_BUS_ID_BUFFER_V2_SIZE];
  unsigned int domain;
  unsigned int bus;
  unsigned int device;
  unsigned int pciDeviceId;
  unsigned int pciSubSystemId;
  char busId[NVML_DEVICE_PCI_BUS_ID_BUFFER_SIZE];
} nvmlPciInfo_t;

typedef struct nvmlEccErrorCounts_st {
  unsigned long long l1Cache;
  unsigned long long l2Cache;
  unsigned long long deviceMemory;
  unsigned long long registerFile;
} nvmlEccErrorCounts_t;

typedef struct nvmlUtilization_st {
  unsigned int gpu;
  unsigned int memory;
} nvmlUtilization_t;

typedef struct nvmlMemory_st {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
} nvmlMemory_t;

typedef struct nvmlMemory_v2_st {
  unsigned int version;
  unsigned long long total;
  unsigned long long reserved;
  unsigned long long free;
  unsigned long long used;
} nvmlMemory_v2_t;

typedef struct nvmlBAR1Memory_st {
  unsigned long long bar1Total;
  unsigned long long bar1Free;
  unsigned long long bar1Used;
} nvmlBAR1Memory_t;

typedef struct nvmlProcessInfo_v1_st {
  unsigned int pid;
  unsigned long long usedGpuMemory;
} nvmlProcessInfo_v1_t;

typedef struct nvmlProcessInfo_v2_st {
  unsigned int pid;
  unsigned long long usedGpuMemory;
  unsigned int gpuInstanceId;
  unsigned int computeInstanceId;
} nvmlProcessInfo_v2_t, nvmlProcessInfo_t;

typedef struct {
  unsigned int pid;
  unsigned long long usedGpuMemory;
  unsigned int gpuInstanceId;
  unsigned int computeInstanceId;
  unsigned long long usedGpuCcProtectedMemory;
} nvmlProcessDetail_v1_t;

typedef enum nvmlProcessMode_enum {
  NVML_PROCESS_MODE_COMPUTE = 0,
  NVML_PROCESS_MODE_GRAPHICS = 1,
  NVML_PROCESS_MODE_MPS = 2,
  NVML_PROCESS_MODE_ALL = 3,
  NVML_PROCESS_MODE_MAX = NVML_PROCESS_MODE_ALL + 1
} nvmlProcessMode_t;

typedef struct {
  unsigned int version;
  unsigned int mode;
  unsigned int numProcArrayEntries;
  nvmlProcessDetail_v1_t* procArray;
} nvmlProcessDetailList_v1_t;

typedef nvmlProcessDetailList_v1_t nvmlProcessDetailList_t;

typedef struct nvmlDeviceAttributes_st {
  unsigned int multiprocessorCount;
  unsigned int sharedCopyEngineCount;
  unsigned int sharedDecoderCount;
  unsigned int sharedEncoderCount;
  unsigned int sharedJpegCount;
  unsigned int sharedOfaCount;
  unsigned int gpuInstanceSliceCount;
  unsigned int computeInstanceSliceCount;
  unsigned long long memorySizeMB;
} nvmlDeviceAttributes_t;

typedef struct {
  unsigned int isC2cEnabled;
} nvmlC2cModeInfo_v1_t;

typedef enum {
  NVML_DEVICE_ADDRESSING_MODE_NONE = 0,
  NVML_DEVICE_ADDRESSING_MODE_HMM = 1,
  NVML_DEVICE_ADDRESSING_MODE_ATS = 2,
} nvmlDeviceAddressingModeType_t;

typedef struct {
  unsigned int version;
  unsigned int value;
} nvmlDeviceAddressingMode_v1_t;

typedef nvmlDeviceAddressingMode_v1_t nvmlDeviceAddressingMode_t;

typedef struct {
  unsigned int version;
  unsigned int bChannelRepairPending;
  unsigned int bTpcRepairPending;
} nvmlRepairStatus_v1_t;

typedef nvmlRepairStatus_v1_t nvmlRepairStatus_t;

typedef struct {
  unsigned int bUnrepairableMemory;
} nvmlUnrepairableMemoryStatus_v1_t;

typedef struct nvmlRowRemapperHistogramValues_st {
  unsigned int max;
  unsigned int high;
  unsigned int partial;
  unsigned int low;
  unsigned int none;
} nvmlRowRemapperHistogramValues_t;

typedef enum nvmlBridgeChipType_enum {
  NVML_BRIDGE_CHIP_PLX = 0,
  NVML_BRIDGE_CHIP_BRO4 = 1
} nvmlBridgeChipType_t;

typedef enum nvmlNvLinkUtilizationCountUnits_enum {
  NVML_NVLINK_COUNTER_UNIT_CYCLES = 0,
  NVML_NVLINK_COUNTER_UNIT_PACKETS = 1,
  NVML_NVLINK_COUNTER_UNIT_BYTES = 2,
  NVML_NVLINK_COUNTER_UNIT_RESERVED = 3,
  NVML_NVLINK_COUNTER_UNIT_COUNT
} nvmlNvLinkUtilizationCountUnits_t;

typedef enum nvmlNvLinkUtilizationCountPktTypes_enum {
  NVML_NVLINK_COUNTER_PKTFILTER_NOP = 0x1,
  NVML_NVLINK_COUNTER_PKTFILTER_READ = 0x2,
  NVML_NVLINK_COUNTER_PKTFILTER_WRITE = 0x4,
  NVML_NVLINK_COUNTER_PKTFILTER_RATOM = 0x8,
  NVML_NVLINK_COUNTER_PKTFILTER_NRATOM = 0x10,
  NVML_NVLINK_COUNTER_PKTFILTER_FLUSH = 0x20,
  NVML_NVLINK_COUNTER_PKTFILTER_RESPDATA = 0x40,
  NVML_NVLINK_COUNTER_PKTFILTER_RESPNODATA = 0x80,
  NVML_NVLINK_COUNTER_PKTFILTER_ALL = 0xFF
} nvmlNvLinkUtilizationCountPktTypes_t;

typedef struct nvmlNvLinkUtilizationControl_st {
  nvmlNvLinkUtilizationCountUnits_t units;
  nvmlNvLinkUtilizationCountPktTypes_t pktfilter;
} nvmlNvLinkUtilizationControl_t;

typedef enum nvmlNvLinkCapability_enum {
  NVML_NVLINK_CAP_P2P_SUPPORTED = 0,
  NVML_NVLINK_CAP_SYSMEM_ACCESS = 1,
  NVML_NVLINK_CAP_P2P_ATOMICS = 2,
  NVML_NVLINK_CAP_SYSMEM_ATOMICS = 3,
  NVML_NVLINK_CAP_SLI_BRIDGE = 4,
  NVML_NVLINK_CAP_VALID = 5,
  NVML_NVLINK_CAP_COUNT
} nvmlNvLinkCapability_t;

typedef enum nvmlNvLinkErrorCounter_enum {
  NVML_NVLINK_ERROR_DL_REPLAY = 0,
  NVML_NVLINK_ERROR_DL_RECOVERY = 1,
  NVML_NVLINK_ERROR_DL_CRC_FLIT = 2,
  NVML_NVLINK_ERROR_DL_CRC_DATA = 3,
  NVML_NVLINK_ERROR_DL_ECC_DATA = 4,
  NVML_NVLINK_ERROR_COUNT
} nvmlNvLinkErrorCounter_t;

typedef enum nvmlIntNvLinkDeviceType_enum {
  NVML_NVLINK_DEVICE_TYPE_GPU = 0x00,
  NVML_NVLINK_DEVICE_TYPE_IBMNPU = 0x01,
  NVML_NVLINK_DEVICE_TYPE_SWITCH = 0x02,
  NVML_NVLINK_DEVICE_TYPE_UNKNOWN = 0xFF
} nvmlIntNvLinkDeviceType_t;

typedef enum nvmlGpuLevel_enum {
  NVML_TOPOLOGY_INTERNAL = 0,
  NVML_TOPOLOGY_SINGLE = 10,
  NVML_TOPOLOGY_MULTIPLE = 20,
  NVML_TOPOLOGY_HOSTBRIDGE = 30,
  NVML_TOPOLOGY_NODE = 40,
  NVML_TOPOLOGY_SYSTEM = 50
} nvmlGpuTopologyLevel_t;

typedef enum nvmlGpuP2PStatus_enum {
  NVML_P2P_STATUS_OK = 0,
  NVML_P2P_STATUS_CHIPSET_NOT_SUPPORED,
  NVML_P2P_STATUS_CHIPSET_NOT_SUPPORTED = NVML_P2P_STATUS_CHIPSET_NOT_SUPPORED,
  NVML_P2P_STATUS_GPU_NOT_SUPPORTED,
  NVML_P2P_STATUS_IOH_TOPOLOGY_NOT_SUPPORTED,
  NVML_P2P_STATUS_DISABLED_BY_REGKEY,
  NVML_P2P_STATUS_NOT_SUPPORTED,
  NVML_P2P_STATUS_UNKNOWN
} nvmlGpuP2PStatus_t;

typedef enum nvmlGpuP2PCapsIndex_enum {
  NVML_P2P_CAPS_INDEX_READ = 0,
  NVML_P2P_CAPS_INDEX_WRITE = 1,
  NVML_P2P_CAPS_INDEX_NVLINK = 2,
  NVML_P2P_CAPS_INDEX_ATOMICS = 3,
  NVML_P2P_CAPS_INDEX_PCI = 4,
  NVML_P2P_CAPS_INDEX_PROP = NVML_P2P_CAPS_INDEX_PCI,
  NVML_P2P_CAPS_INDEX_UNKNOWN = 5,
} nvmlGpuP2PCapsIndex_t;

typedef struct nvmlBridgeChipInfo_st {
  nvmlBridgeChipType_t type;
  unsigned int fwVersion;
} nvmlBridgeChipInfo_t;

typedef struct nvmlBridgeChipHierarchy_st {
  unsigned char bridgeCount;
  nvmlBridgeChipInfo_t bridgeChipInfo[NVML_MAX_PHYSICAL_BRIDGE];
} nvmlBridgeChipHierarchy_t;

typedef enum nvmlSamplingType_enum {
  NVML_TOTAL_POWER_SAMPLES = 0,
  NVML_GPU_UTILIZATION_SAMPLES = 1,
  NVML_MEMORY_UTILIZATION_SAMPLES = 2,
  NVML_ENC_UTILIZATION_SAMPLES = 3,
  NVML_DEC_UTILIZATION_SAMPLES = 4,
  NVML_PROCESSOR_CLK_SAMPLES = 5,
  NVML_MEMORY_CLK_SAMPLES = 6,
  NVML_MODULE_POWER_SAMPLES = 7,
  NVML_JPG_UTILIZATION_SAMPLES = 8,
  NVML_OFA_UTILIZATION_SAMPLES = 9,
  NVML_SAMPLINGTYPE_COUNT
} nvmlSamplingType_t;

typedef enum nvmlPcieUtilCounter_enum {
  NVML_PCIE_UTIL_TX_BYTES = 0,
  NVML_PCIE_UTIL_RX_BYTES = 1,
  NVML_PCIE_UTIL_COUNT
} nvmlPcieUtilCounter_t;

typedef enum nvmlValueType_enum {
  NVML_VALUE_TYPE_DOUBLE = 0,
  NVML_VALUE_TYPE_UNSIGNED_INT = 1,
  NVML_VALUE_TYPE_UNSIGNED_LONG = 2,
  NVML_VALUE_TYPE_UNSIGNED_LONG_LONG = 3,
  NVML_VALUE_TYPE_SIGNED_LONG_LONG = 4,
  NVML_VALUE_TYPE_SIGNED_INT = 5,
  NVML_VALUE_TYPE_UNSIGNED_SHORT = 6,
  NVML_VALUE_TYPE_COUNT
} nvmlValueType_t;

typedef union nvmlValue_st {
  double dVal;
  int siVal;
  unsigned int uiVal;
  unsigned long ulVal;
  unsigned long long ullVal;
  signed long long sllVal;
  unsigned short usVal;
} nvmlValue_t;

typedef struct nvmlSample_st {
  unsigned long long timeStamp;
  nvmlValue_t sampleValue;
} nvmlSample_t;

typedef enum nvmlPerfPolicyType_enum {
  NVML_PERF_POLICY_POWER = 0,
  NVML_PERF_POLICY_THERMAL = 1,
  NVML_PERF_POLICY_SYNC_BOOST = 2,
  NVML_PERF_POLICY_BOARD_LIMIT = 3,
  NVML_PERF_POLICY_LOW_UTILIZATION = 4,
  NVML_PERF_POLICY_RELIABILITY = 5,
  NVML_PERF_POLICY_TOTAL_APP_CLOCKS = 10,
  NVML_PERF_POLICY_TOTAL_BASE_CLOCKS = 11,
  NVML_PERF_POLICY_COUNT
} nvmlPerfPolicyType_t;

typedef struct nvmlViolationTime_st {
  unsigned long long referenceTime;
  unsigned long long violationTime;
} nvmlViolationTime_t;

typedef enum {
  NVML_THERMAL_TARGET_NONE = 0,
  NVML_THERMAL_TARGET_GPU = 1,
  NVML_THERMAL_TARGET_MEMORY = 2,
  NVML_THERMAL_TARGET_POWER_SUPPLY = 4,
  NVML_THERMAL_TARGET_BOARD = 8,
  NVML_THERMAL_TARGET_VCD_BOARD = 9,
  NVML_THERMAL_TARGET_VCD_INLET = 10,
  NVML_THERMAL_TARGET_VCD_OUTLET = 11,
  NVML_THERMAL_TARGET_ALL = 15,
  NVML_THERMAL_TARGET_UNKNOWN = -1,
} nvmlThermalTarget_t;

typedef enum {
  NVML_THERMAL_CONTROLLER_NONE = 0,
  NVML_THERMAL_CONTROLLER_GPU_INTERNAL,
  NVML_THERMAL_CONTROLLER_ADM1032,
  NVML_THERMAL_CONTROLLER_ADT7461,
  NVML_THERMAL_CONTROLLER_MAX6649,
  NVML_THERMAL_CONTROLLER_MAX1617,
  NVML_THERMAL_CONTROLLER_LM99,
  NVML_THERMAL_CONTROLLER_LM89,
  NVML_THERMAL_CONTROLLER_LM64,
  NVML_THERMAL_CONTROLLER_G781,
  NVML_THERMAL_CONTROLLER_ADT7473,
  NVML_THERMAL_CONTROLLER_SBMAX6649,
  NVML_THERMAL_CONTROLLER_VBIOSEVT,
  NVML_THERMAL_CONTROLLER_OS,
  NVML_THERMAL_CONTROLLER_NVSYSCON_CANOAS,
  NVML_THERMAL_CONTROLLER_NVSYSCON_E551,
  NVML_THERMAL_CONTROLLER_MAX6649R,
  NVML_THERMAL_CONTROLLER_ADT7473S,
  NVML_THERMAL_CONTROLLER_UNKNOWN = -1,
} nvmlThermalController_t;

typedef struct {
  unsigned int count;
  struct {
    nvmlThermalController_t controller;
    int defaultMinTemp;
    int defaultMaxTemp;
    int currentTemp;
    nvmlThermalTarget_t target;
  } sensor[NVML_MAX_THERMAL_SENSORS_PER_GPU];
} nvmlGpuThermalSettings_t;

typedef enum nvmlCoolerControl_enum {
  NVML_THERMAL_COOLER_SIGNAL_NONE = 0,
  NVML_THERMAL_COOLER_SIGNAL_TOGGLE = 1,
  NVML_THERMAL_COOLER_SIGNAL_VARIABLE = 2,
  NVML_THERMAL_COOLER_SIGNAL_COUNT
} nvmlCoolerControl_t;

typedef enum nvmlCoolerTarget_enum {
  NVML_THERMAL_COOLER_TARGET_NONE = 1 << 0,
  NVML_THERMAL_COOLER_TARGET_GPU = 1 << 1,
  NVML_THERMAL_COOLER_TARGET_MEMORY = 1 << 2,
  NVML_THERMAL_COOLER_TARGET_POWER_SUPPLY = 1 << 3,
  NVML_THERMAL_COOLER_TARGET_GPU_RELATED =
      (NVML_THERMAL_COOLER_TARGET_GPU | NVML_THERMAL_COOLER_TARGET_MEMORY |
       NVML_THERMAL_COOLER_TARGET_POWER_SUPPLY)
} nvmlCoolerTarget_t;

typedef struct {
  unsigned int version;
  unsigned int index;
  nvmlCoolerControl_t signalType;
  nvmlCoolerTarget_t target;
} nvmlCoolerInfo_v1_t;

typedef nvmlCoolerInfo_v1_t nvmlCoolerInfo_t;

typedef enum {
  NVML_UUID_TYPE_NONE = 0,
  NVML_UUID_TYPE_ASCII = 1,
  NVML_UUID_TYPE_BINARY = 2,
} nvmlUUIDType_t;

typedef union {
  char str[NVML_DEVICE_UUID_ASCII_LEN];
  unsigned char bytes[NVML_DEVICE_UUID_BINARY_LEN];
} nvmlUUIDValue_t;

typedef struct {
  unsigned int version;
  unsigned int type;
  nvmlUUIDValue_t value;
} nvmlUUID_v1_t;

typedef nvmlUUID_v1_t nvmlUUID_t;

typedef struct {
  unsigned int version;
  unsigned long long value;
} nvmlPdi_v1_t;

typedef nvmlPdi_v1_t nvmlPdi_t;

typedef struct {
  unsigned int timeRun;
} nvmlBBXTimeData_v1_t;

typedef enum nvmlEnableState_enum {
  NVML_FEATURE_DISABLED = 0,
  NVML_FEATURE_ENABLED = 1
} nvmlEnableState_t;

typedef struct {
  unsigned int version;
  nvmlEnableState_t encryptionState;
} nvmlDramEncryptionInfo_v1_t;

typedef nvmlDramEncryptionInfo_v1_t nvmlDramEncryptionInfo_t;

typedef enum nvmlBrandType_enum {
  NVML_BRAND_UNKNOWN = 0,
  NVML_BRAND_QUADRO = 1,
  NVML_BRAND_TESLA = 2,
  NVML_BRAND_NVS = 3,
  NVML_BRAND_GRID = 4,
  NVML_BRAND_GEFORCE = 5,
  NVML_BRAND_TITAN = 6,
  NVML_BRAND_NVIDIA_VAPPS = 7,
  NVML_BRAND_NVIDIA_VPC = 8,
  NVML_BRAND_NVIDIA_VCS = 9,
  NVML_BRAND_NVIDIA_VWS = 10,
  NVML_BRAND_NVIDIA_CLOUD_GAMING = 11,
  NVML_BRAND_NVIDIA_VGAMING = NVML_BRAND_NVIDIA_CLOUD_GAMING,
  NVML_BRAND_QUADRO_RTX = 12,
  NVML_BRAND_NVIDIA_RTX = 13,
  NVML_BRAND_NVIDIA = 14,
  NVML_BRAND_GEFORCE_RTX = 15,
  NVML_BRAND_TITAN_RTX = 16,
  NVML_BRAND_COUNT = 18,
} nvmlBrandType_t;

typedef enum nvmlTemperatureThresholds_enum {
  NVML_TEMPERATURE_THRESHOLD_SHUTDOWN = 0,
  NVML_TEMPERATURE_THRESHOLD_SLOWDOWN = 1,
  NVML_TEMPERATURE_THRESHOLD_MEM_MAX = 2,
  NVML_TEMPERATURE_THRESHOLD_GPU_MAX = 3,
  NVML_TEMPERATURE_THRESHOLD_ACOUSTIC_MIN = 4,
  NVML_TEMPERATURE_THRESHOLD_ACOUSTIC_CURR = 5,
  NVML_TEMPERATURE_THRESHOLD_ACOUSTIC_MAX = 6,
  NVML_TEMPERATURE_THRESHOLD_GPS_CURR = 7,
  NVML_TEMPERATURE_THRESHOLD_COUNT
} nvmlTemperatureThresholds_t;

typedef enum nvmlTemperatureSensors_enum {
  NVML_TEMPERATURE_GPU = 0,
  NVML_TEMPERATURE_COUNT
} nvmlTemperatureSensors_t;

typedef struct {
  unsigned int version;
  int marginTemperature;
} nvmlMarginTemperature_v1_t;

typedef nvmlMarginTemperature_v1_t nvmlMarginTemperature_t;

typedef enum nvmlComputeMode_enum {
  NVML_COMPUTEMODE_DEFAULT = 0,
  NVML_COMPUTEMODE_EXCLUSIVE_THREAD = 1,
  NVML_COMPUTEMODE_PROHIBITED = 2,
  NVML_COMPUTEMODE_EXCLUSIVE_PROCESS = 3,
  NVML_COMPUTEMODE_COUNT
} nvmlComputeMode_t;

typedef struct nvmlClkMonFaultInfo_struct {
  unsigned int clkApiDomain;
  unsigned int clkDomainFaultMask;
} nvmlClkMonFaultInfo_t;

typedef struct nvmlClkMonStatus_status {
  unsigned int bGlobalStatus;
  unsigned int clkMonListSize;
  nvmlClkMonFaultInfo_t clkMonList[MAX_CLK_DOMAINS];
} nvmlClkMonStatus_t;

typedef enum nvmlMemoryErrorType_enum {
  NVML_MEMORY_ERROR_TYPE_CORRECTED = 0,
  NVML_MEMORY_ERROR_TYPE_UNCORRECTED = 1,
  NVML_MEMORY_ERROR_TYPE_COUNT
} nvmlMemoryErrorType_t;

typedef enum nvmlEccCounterType_enum {
  NVML_VOLATILE_ECC = 0,
  NVML_AGGREGATE_ECC = 1,
  NVML_ECC_COUNTER_TYPE_COUNT
} nvmlEccCounterType_t;

typedef enum nvmlClockType_enum {
  NVML_CLOCK_GRAPHICS = 0,
  NVML_CLOCK_SM = 1,
  NVML_CLOCK_MEM = 2,
  NVML_CLOCK_VIDEO = 3,
  NVML_CLOCK_COUNT
} nvmlClockType_t;

typedef enum nvmlClockId_enum {
  NVML_CLOCK_ID_CURRENT = 0,
  NVML_CLOCK_ID_APP_CLOCK_TARGET = 1,
  NVML_CLOCK_ID_APP_CLOCK_DEFAULT = 2,
  NVML_CLOCK_ID_CUSTOMER_BOOST_MAX = 3,
  NVML_CLOCK_ID_COUNT
} nvmlClockId_t;

typedef enum nvmlDriverModel_enum {
  NVML_DRIVER_WDDM = 0,
  NVML_DRIVER_WDM = 1,
  NVML_DRIVER_MCDM = 2
} nvmlDriverModel_t;

typedef enum nvmlPStates_enum {
  NVML_PSTATE_0 = 0,
  NVML_PSTATE_1 = 1,
  NVML_PSTATE_2 = 2,
  NVML_PSTATE_3 = 3,
  NVML_PSTATE_4 = 4,
  NVML_PSTATE_5 = 5,
  NVML_PSTATE_6 = 6,
  NVML_PSTATE_7 = 7,
  NVML_PSTATE_8 = 8,
  NVML_PSTATE_9 = 9,
  NVML_PSTATE_10 = 10,
  NVML_PSTATE_11 = 11,
  NVML_PSTATE_12 = 12,
  NVML_PSTATE_13 = 13,
  NVML_PSTATE_14 = 14,
  NVML_PSTATE_15 = 15,
  NVML_PSTATE_UNKNOWN = 32
} nvmlPstates_t;

typedef struct {
  unsigned int version;
  nvmlClockType_t type;
  nvmlPstates_t pstate;
  int clockOffsetMHz;
  int minClockOffsetMHz;
  int maxClockOffsetMHz;
} nvmlClockOffset_v1_t;

typedef nvmlClockOffset_v1_t nvmlClockOffset_t;

typedef struct {
  unsigned int version;
  unsigned int fan;
  unsigned int speed;
} nvmlFanSpeedInfo_v1_t;

typedef nvmlFanSpeedInfo_v1_t nvmlFanSpeedInfo_t;

typedef struct {
  unsigned int version;
  char str[NVML_PERF_MODES_BUFFER_SIZE];
} nvmlDevicePerfModes_v1_t;

typedef nvmlDevicePerfModes_v1_t nvmlDevicePerfModes_t;

typedef struct {
  unsigned int version;
  char str[NVML_PERF_MODES_BUFFER_SIZE];
} nvmlDeviceCurrentClockFreqs_v1_t;

typedef nvmlDeviceCurrentClockFreqs_v1_t nvmlDeviceCurrentClockFreqs_t;

typedef struct {
  unsigned int currentMode;
  unsigned int mode;
  unsigned int supportedPowerMizerModes;
} nvmlDevicePowerMizerModes_v1_t;

typedef enum nvmlGom_enum {
  NVML_GOM_ALL_ON = 0,
  NVML_GOM_COMPUTE = 1,
  NVML_GOM_LOW_DP = 2
} nvmlGpuOperationMode_t;

typedef enum nvmlInforomObject_enum {
  NVML_INFOROM_OEM = 0,
  NVML_INFOROM_ECC = 1,
  NVML_INFOROM_POWER = 2,
  NVML_INFOROM_DEN = 3,
  NVML_INFOROM_COUNT
} nvmlInforomObject_t;

typedef enum nvmlReturn_enum {
  NVML_SUCCESS = 0,
  NVML_ERROR_UNINITIALIZED = 1,
  NVML_ERROR_INVALID_ARGUMENT = 2,
  NVML_ERROR_NOT_SUPPORTED = 3,
  NVML_ERROR_NO_PERMISSION = 4,
  NVML_ERROR_ALREADY_INITIALIZED = 5,
  NVML_ERROR_NOT_FOUND = 6,
  NVML_ERROR_INSUFFICIENT_SIZE = 7,
  NVML_ERROR_INSUFFICIENT_POWER = 8,
  NVML_ERROR_DRIVER_NOT_LOADED = 9,
  NVML_ERROR_TIMEOUT = 10,
  NVML_ERROR_IRQ_ISSUE = 11,
  NVML_ERROR_LIBRARY_NOT_FOUND = 12,
  NVML_ERROR_FUNCTION_NOT_FOUND = 13,
  NVML_ERROR_CORRUPTED_INFOROM = 14,
  NVML_ERROR_GPU_IS_LOST = 15,
  NVML_ERROR_RESET_REQUIRED = 16,
  NVML_ERROR_OPERATING_SYSTEM = 17,
  NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
  NVML_ERROR_IN_USE = 19,
  NVML_ERROR_MEMORY = 20,
  NVML_ERROR_NO_DATA = 21,
  NVML_ERROR_VGPU_ECC_NOT_SUPPORTED = 22,
  NVML_ERROR_INSUFFICIENT_RESOURCES = 23,
  NVML_ERROR_FREQ_NOT_SUPPORTED = 24,
  NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25,
  NVML_ERROR_DEPRECATED = 26,
  NVML_ERROR_NOT_READY = 27,
  NVML_ERROR_GPU_NOT_FOUND = 28,
  NVML_ERROR_INVALID_STATE = 29,
  NVML_ERROR_RESET_TYPE_NOT_SUPPORTED = 30,
  NVML_ERROR_UNKNOWN = 999
} nvmlReturn_t;

typedef enum nvmlMemoryLocation_enum {
  NVML_MEMORY_LOCATION_L1_CACHE = 0,
  NVML_MEMORY_LOCATION_L2_CACHE = 1,
  NVML_MEMORY_LOCATION_DRAM = 2,
  NVML_MEMORY_LOCATION_DEVICE_MEMORY = 2,
  NVML_MEMORY_LOCATION_REGISTER_FILE = 3,
  NVML_MEMORY_LOCATION_TEXTURE_MEMORY = 4,
  NVML_MEMORY_LOCATION_TEXTURE_SHM = 5,
  NVML_MEMORY_LOCATION_CBU = 6,
  NVML_MEMORY_LOCATION_SRAM = 7,
  NVML_MEMORY_LOCATION_COUNT
} nvmlMemoryLocation_t;

typedef enum nvmlPageRetirementCause_enum {
  NVML_PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS = 0,
  NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR = 1,
  NVML_PAGE_RETIREMENT_CAUSE_COUNT
} nvmlPageRetirementCause_t;

typedef enum nvmlRestrictedAPI_enum {
  NVML_RESTRICTED_API_SET_APPLICATION_CLOCKS = 0,
  NVML_RESTRICTED_API_SET_AUTO_BOOSTED_CLOCKS = 1,
  NVML_RESTRICTED_API_COUNT
} nvmlRestrictedAPI_t;

typedef struct nvmlProcessUtilizationSample_st {
  unsigned int pid;
  unsigned long long timeStamp;
  unsigned int smUtil;
  unsigned int memUtil;
  unsigned int encUtil;
  unsigned int decUtil;
} nvmlProcessUtilizationSample_t;

typedef struct {
  unsigned long long timeStamp;
  unsigned int pid;
  unsigned int smUtil;
  unsigned int memUtil;
  unsigned int encUtil;
  unsigned int decUtil;
  unsigned int jpgUtil;
  unsigned int ofaUtil;
} nvmlProcessUtilizationInfo_v1_t;

typedef struct {
  unsigned int version;
  unsigned int processSamplesCount;
  unsigned long long lastSeenTimeStamp;
  nvmlProcessUtilizationInfo_v1_t* procUtilArray;
} nvmlProcessesUtilizationInfo_v1_t;

typedef nvmlProcessesUtilizationInfo_v1_t nvmlProcessesUtilizationInfo_t;

typedef struct {
  unsigned int version;
  unsigned long long aggregateUncParity;
  unsigned long long aggregateUncSecDed;
  unsigned long long aggregateCor;
  unsigned long long volatileUncParity;
  unsigned long long volatileUncSecDed;
  unsigned long long volatileCor;
  unsigned long long aggregateUncBucketL2;
  unsigned long long aggregateUncBucketSm;
  unsigned long long aggregateUncBucketPcie;
  unsigned long long aggregateUncBucketMcu;
  unsigned long long aggregateUncBucketOther;
  unsigned int bThresholdExceeded;
} nvmlEccSramErrorStatus_v1_t;

typedef nvmlEccSramErrorStatus_v1_t nvmlEccSramErrorStatus_t;

typedef struct {
  unsigned int version;
  unsigned char ibGuid[16];
  unsigned char rackGuid[16];
  unsigned char chassisPhysicalSlotNumber;
  unsigned char computeSlotIndex;
  unsigned char nodeIndex;
  unsigned char peerType;
  unsigned char moduleId;
} nvmlPlatformInfo_v1_t;

typedef struct {
  unsigned int version;
  unsigned char ibGuid[16];
  unsigned char chassisSerialNumber[16];
  unsigned char slotNumber;
  unsigned char trayIndex;
  unsigned char hostId;
  unsigned char peerType;
  unsigned char moduleId;
} nvmlPlatformInfo_v2_t;

typedef nvmlPlatformInfo_v2_t nvmlPlatformInfo_t;

typedef struct {
  char value[NVML_DEVICE_HOSTNAME_BUFFER_SIZE];
} nvmlHostname_v1_t;

typedef struct {
  unsigned int unit;
  unsigned int location;
  unsigned int sublocation;
  unsigned int extlocation;
  unsigned int address;
  unsigned int isParity;
  unsigned int count;
} nvmlEccSramUniqueUncorrectedErrorEntry_v1_t;

typedef struct {
  unsigned int version;
  unsigned int entryCount;
  nvmlEccSramUniqueUncorrectedErrorEntry_v1_t* entries;
} nvmlEccSramUniqueUncorrectedErrorCounts_v1_t;

typedef nvmlEccSramUniqueUncorrectedErrorCounts_v1_t nvmlEccSramUniqueUncorrectedErrorCounts_t;

typedef struct nvmlRemappedRowsInfo_v2_t {
  unsigned int corrActiveRemaps;
  unsigned int corrInactiveRemaps;
  unsigned int uncActiveRemaps;
  unsigned int uncInactiveRemaps;
  unsigned int bPending;
  unsigned int bFailureOccurred;
} nvmlRemappedRowsInfo_v2_t;

typedef struct {
  unsigned int version;
  unsigned long long pollMask;
} nvmlRusdSettings_v1_t;

typedef unsigned int nvmlDeviceArchitecture_t;

typedef unsigned int nvmlBusType_t;

typedef unsigned int nvmlFanControlPolicy_t;

typedef unsigned int nvmlPowerSource_t;

typedef enum nvmlGpuUtilizationDomainId_t {
  NVML_GPU_UTILIZATION_DOMAIN_GPU = 0,
  NVML_GPU_UTILIZATION_DOMAIN_FB = 1,
  NVML_GPU_UTILIZATION_DOMAIN_VID = 2,
  NVML_GPU_UTILIZATION_DOMAIN_BUS = 3,
} nvmlGpuUtilizationDomainId_t;

typedef struct nvmlGpuDynamicPstatesInfo_st {
  unsigned int flags;
  struct {
    unsigned int bIsPresent;
    unsigned int percentage;
    unsigned int incThreshold;
    unsigned int decThreshold;
  } utilization[NVML_MAX_GPU_UTILIZATIONS];
} nvmlGpuDynamicPstatesInfo_t;

typedef unsigned char nvmlPowerScopeType_t;

typedef struct {
  unsigned int version;
  nvmlPowerScopeType_t powerScope;
  unsigned int powerValueMw;
} nvmlPowerValue_v2_t;

typedef enum nvmlGpuVirtualizationMode {
  NVML_GPU_VIRTUALIZATION_MODE_NONE = 0,
  NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH = 1,
  NVML_GPU_VIRTUALIZATION_MODE_VGPU = 2,
  NVML_GPU_VIRTUALIZATION_MODE_HOST_VGPU = 3,
  NVML_GPU_VIRTUALIZATION_MODE_HOST_VSGA = 4
} nvmlGpuVirtualizationMode_t;

typedef enum nvmlHostVgpuMode_enum {
  NVML_HOST_VGPU_MODE_NON_SRIOV = 0,
  NVML_HOST_VGPU_MODE_SRIOV = 1
} nvmlHostVgpuMode_t;

typedef enum nvmlVgpuVmIdType {
  NVML_VGPU_VM_ID_DOMAIN_ID = 0,
  NVML_VGPU_VM_ID_UUID = 1
} nvmlVgpuVmIdType_t;

typedef enum nvmlVgpuGuestInfoState_enum {
  NVML_VGPU_INSTANCE_GUEST_INFO_STATE_UNINITIALIZED = 0,
  NVML_VGPU_INSTANCE_GUEST_INFO_STATE_INITIALIZED = 1
} nvmlVgpuGuestInfoState_t;

typedef enum {
  NVML_GRID_LICENSE_FEATURE_CODE_UNKNOWN = 0,
  NVML_GRID_LICENSE_FEATURE_CODE_VGPU = 1,
  NVML_GRID_LICENSE_FEATURE_CODE_NVIDIA_RTX = 2,
  NVML_GRID_LICENSE_FEATURE_CODE_VWORKSTATION = NVML_GRID_LICENSE_FEATURE_CODE_NVIDIA_RTX,
  NVML_GRID_LICENSE_FEATURE_CODE_GAMING = 3,
  NVML_GRID_LICENSE_FEATURE_CODE_COMPUTE = 4
} nvmlGridLicenseFeatureCode_t;

typedef enum nvmlVgpuCapability_enum {
  NVML_VGPU_CAP_NVLINK_P2P = 0,
  NVML_VGPU_CAP_GPUDIRECT = 1,
  NVML_VGPU_CAP_MULTI_VGPU_EXCLUSIVE = 2,
  NVML_VGPU_CAP_EXCLUSIVE_TYPE = 3,
  NVML_VGPU_CAP_EXCLUSIVE_SIZE = 4,
  NVML_VGPU_CAP_COUNT
} nvmlVgpuCapability_t;

typedef enum nvmlVgpuDriverCapability_enum {
  NVML_VGPU_DRIVER_CAP_HETEROGENEOUS_MULTI_VGPU = 0,
  NVML_VGPU_DRIVER_CAP_WARM_UPDATE = 1,
  NVML_VGPU_DRIVER_CAP_COUNT
} nvmlVgpuDriverCapability_t;

typedef enum nvmlDeviceVgpuCapability_enum {
  NVML_DEVICE_VGPU_CAP_FRACTIONAL_MULTI_VGPU = 0,
  NVML_DEVICE_VGPU_CAP_HETEROGENEOUS_TIMESLICE_PROFILES = 1,
  NVML_DEVICE_VGPU_CAP_HETEROGENEOUS_TIMESLICE_SIZES = 2,
  NVML_DEVICE_VGPU_CAP_READ_DEVICE_BUFFER_BW = 3,
  NVML_DEVICE_VGPU_CAP_WRITE_DEVICE_BUFFER_BW = 4,
  NVML_DEVICE_VGPU_CAP_DEVICE_STREAMING = 5,
  NVML_DEVICE_VGPU_CAP_MINI_QUARTER_GPU = 6,
  NVML_DEVICE_VGPU_CAP_COMPUTE_MEDIA_ENGINE_GPU = 7,
  NVML_DEVICE_VGPU_CAP_WARM_UPDATE = 8,
  NVML_DEVICE_VGPU_CAP_HOMOGENEOUS_PLACEMENTS = 9,
  NVML_DEVICE_VGPU_CAP_MIG_TIMESLICING_SUPPORTED = 10,
  NVML_DEVICE_VGPU_CAP_MIG_TIMESLICING_ENABLED = 11,
  NVML_DEVICE_VGPU_CAP_COUNT
} nvmlDeviceVgpuCapability_t;

typedef unsigned int nvmlVgpuTypeId_t;

typedef unsigned int nvmlVgpuInstance_t;

typedef struct {
  unsigned int version;
  unsigned int mode;
} nvmlVgpuHeterogeneousMode_v1_t;

typedef nvmlVgpuHeterogeneousMode_v1_t nvmlVgpuHeterogeneousMode_t;

typedef struct {
  unsigned int version;
  unsigned int placementId;
} nvmlVgpuPlacementId_v1_t;

typedef nvmlVgpuPlacementId_v1_t nvmlVgpuPlacementId_t;

typedef struct {
  unsigned int version;
  unsigned int placementSize;
  unsigned int count;
  unsigned int* placementIds;
} nvmlVgpuPlacementList_v1_t;

typedef struct {
  unsigned int version;
  unsigned int placementSize;
  unsigned int count;
  unsigned int* placementIds;
  unsigned int mode;
} nvmlVgpuPlacementList_v2_t;

typedef nvmlVgpuPlacementList_v2_t nvmlVgpuPlacementList_t;

typedef struct {
  unsigned int version;
  unsigned long long bar1Size;
} nvmlVgpuTypeBar1Info_v1_t;

typedef nvmlVgpuTypeBar1Info_v1_t nvmlVgpuTypeBar1Info_t;

typedef struct nvmlVgpuInstanceUtilizationSample_st {
  nvmlVgpuInstance_t vgpuInstance;
  unsigned long long timeStamp;
  nvmlValue_t smUtil;
  nvmlValue_t memUtil;
  nvmlValue_t encUtil;
  nvmlValue_t decUtil;
} nvmlVgpuInstanceUtilizationSample_t;

typedef struct {
  unsigned long long timeStamp;
  nvmlVgpuInstance_t vgpuInstance;
  nvmlValue_t smUtil;
  nvmlValue_t memUtil;
  nvmlValue_t encUtil;
  nvmlValue_t decUtil;
  nvmlValue_t jpgUtil;
  nvmlValue_t ofaUtil;
} nvmlVgpuInstanceUtilizationInfo_v1_t;

typedef struct {
  unsigned int version;
  nvmlValueType_t sampleValType;
  unsigned int vgpuInstanceCount;
  unsigned long long lastSeenTimeStamp;
  nvmlVgpuInstanceUtilizationInfo_v1_t* vgpuUtilArray;
} nvmlVgpuInstancesUtilizationInfo_v1_t;

typedef nvmlVgpuInstancesUtilizationInfo_v1_t nvmlVgpuInstancesUtilizationInfo_t;

typedef struct nvmlVgpuProcessUtilizationSample_st {
  nvmlVgpuInstance_t vgpuInstance;
  unsigned int pid;
  char processName[NVML_VGPU_NAME_BUFFER_SIZE];
  unsigned long long timeStamp;
  unsigned int smUtil;
  unsigned int memUtil;
  unsigned int encUtil;
  unsigned int decUtil;
} nvmlVgpuProcessUtilizationSample_t;

typedef struct {
  char processName[NVML_VGPU_NAME_BUFFER_SIZE];
  unsigned long long timeStamp;
  nvmlVgpuInstance_t vgpuInstance;
  unsigned int pid;
  unsigned int smUtil;
  unsigned int memUtil;
  unsigned int encUtil;
  unsigned int decUtil;
  unsigned int jpgUtil;
  unsigned int ofaUtil;
} nvmlVgpuProcessUtilizationInfo_v1_t;

typedef struct {
  unsigned int version;
  unsigned int vgpuProcessCount;
  unsigned long long lastSeenTimeStamp;
  nvmlVgpuProcessUtilizationInfo_v1_t* vgpuProcUtilArray;
} nvmlVgpuProcessesUtilizationInfo_v1_t;

typedef nvmlVgpuProcessesUtilizationInfo_v1_t nvmlVgpuProcessesUtilizationInfo_t;

typedef struct {
  unsigned int version;
  unsigned long long size;
} nvmlVgpuRuntimeState_v1_t;

typedef nvmlVgpuRuntimeState_v1_t nvmlVgpuRuntimeState_t;

typedef union {
  struct {
    unsigned int avgFactor;
    unsigned int timeslice;
  } vgpuSchedDataWithARR;
  struct {
    unsigned int timeslice;
  } vgpuSchedData;
} nvmlVgpuSchedulerParams_t;

typedef struct nvmlVgpuSchedulerLogEntries_st {
  unsigned long long timestamp;
  unsigned long long timeRunTotal;
  unsigned long long timeRun;
  unsigned int swRunlistId;
  unsigned long long targetTimeSlice;
  unsigned long long cumulativePreemptionTime;
} nvmlVgpuSchedulerLogEntry_t;

typedef struct nvmlVgpuSchedulerLog_st {
  unsigned int engineId;
  unsigned int schedulerPolicy;
  unsigned int arrMode;
  nvmlVgpuSchedulerParams_t schedulerParams;
  unsigned int entriesCount;
  nvmlVgpuSchedulerLogEntry_t logEntries[NVML_SCHEDULER_SW_MAX_LOG_ENTRIES];
} nvmlVgpuSchedulerLog_t;

typedef struct nvmlVgpuSchedulerGetState_st {
  unsigned int schedulerPolicy;
  unsigned int arrMode;
  nvmlVgpuSchedulerParams_t schedulerParams;
} nvmlVgpuSchedulerGetState_t;

typedef union {
  struct {
    unsigned int avgFactor;
    unsigned int frequency;
  } vgpuSchedDataWithARR;
  struct {
    unsigned int timeslice;
  } vgpuSchedData;
} nvmlVgpuSchedulerSetParams_t;

typedef struct nvmlVgpuSchedulerSetState_st {
  unsigned int schedulerPolicy;
  unsigned int enableARRMode;
  nvmlVgpuSchedulerSetParams_t schedulerParams;
} nvmlVgpuSchedulerSetState_t;

typedef struct nvmlVgpuSchedulerCapabilities_st {
  unsigned int supportedSchedulers[NVML_SUPPORTED_VGPU_SCHEDULER_POLICY_COUNT];
  unsigned int maxTimeslice;
  unsigned int minTimeslice;
  unsigned int isArrModeSupported;
  unsigned int maxFrequencyForARR;
  unsigned int minFrequencyForARR;
  unsigned int maxAvgFactorForARR;
  unsigned int minAvgFactorForARR;
} nvmlVgpuSchedulerCapabilities_t;

typedef struct nvmlVgpuLicenseExpiry_st {
  unsigned int year;
  unsigned short month;
  unsigned short day;
  unsigned short hour;
  unsigned short min;
  unsigned short sec;
  unsigned char status;
} nvmlVgpuLicenseExpiry_t;

typedef struct nvmlVgpuLicenseInfo_st {
  unsigned char isLicensed;
  nvmlVgpuLicenseExpiry_t licenseExpiry;
  unsigned int currentState;
} nvmlVgpuLicenseInfo_t;

typedef struct nvmlGridLicenseExpiry_st {
  unsigned int year;
  unsigned short month;
  unsigned short day;
  unsigned short hour;
  unsigned short min;
  unsigned short sec;
  unsigned char status;
} nvmlGridLicenseExpiry_t;

typedef struct nvmlGridLicensableFeature_st {
  nvmlGridLicenseFeatureCode_t featureCode;
  unsigned int featureState;
  char licenseInfo[NVML_GRID_LICENSE_BUFFER_SIZE];
  char productName[NVML_GRID_LICENSE_BUFFER_SIZE];
  unsigned int featureEnabled;
  nvmlGridLicenseExpiry_t licenseExpiry;
} nvmlGridLicensableFeature_t;

typedef struct nvmlGridLicensableFeatures_st {
  int isGridLicenseSupported;
  unsigned int licensableFeaturesCount;
  nvmlGridLicensableFeature_t gridLicensableFeatures[NVML_GRID_LICENSE_FEATURE_MAX_COUNT];
} nvmlGridLicensableFeatures_t;

typedef enum nvmlDeviceGpuRecoveryAction_s {
  NVML_GPU_RECOVERY_ACTION_NONE = 0,
  NVML_GPU_RECOVERY_ACTION_GPU_RESET = 1,
  NVML_GPU_RECOVERY_ACTION_NODE_REBOOT = 2,
  NVML_GPU_RECOVERY_ACTION_DRAIN_P2P = 3,
  NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET = 4,
  NVML_GPU_RECOVERY_ACTION_RECOVER_IMEX_DOMAIN = 5,
} nvmlDeviceGpuRecoveryAction_t;

typedef struct {
  unsigned int version;
  unsigned int vgpuCount;
  nvmlVgpuTypeId_t* vgpuTypeIds;
} nvmlVgpuTypeIdInfo_v1_t;

typedef nvmlVgpuTypeIdInfo_v1_t nvmlVgpuTypeIdInfo_t;

typedef struct {
  unsigned int version;
  nvmlVgpuTypeId_t vgpuTypeId;
  unsigned int maxInstancePerGI;
} nvmlVgpuTypeMaxInstance_v1_t;

typedef nvmlVgpuTypeMaxInstance_v1_t nvmlVgpuTypeMaxInstance_t;

typedef struct {
  unsigned int version;
  unsigned int vgpuCount;
  nvmlVgpuInstance_t* vgpuInstances;
} nvmlActiveVgpuInstanceInfo_v1_t;

typedef nvmlActiveVgpuInstanceInfo_v1_t nvmlActiveVgpuInstanceInfo_t;

typedef struct {
  unsigned int version;
  unsigned int engineId;
  unsigned int schedulerPolicy;
  unsigned int enableARRMode;
  nvmlVgpuSchedulerSetParams_t schedulerParams;
} nvmlVgpuSchedulerState_v1_t;

typedef nvmlVgpuSchedulerState_v1_t nvmlVgpuSchedulerState_t;

typedef struct {
  unsigned int version;
  unsigned int engineId;
  unsigned int schedulerPolicy;
  unsigned int arrMode;
  nvmlVgpuSchedulerParams_t schedulerParams;
} nvmlVgpuSchedulerStateInfo_v1_t;

typedef nvmlVgpuSchedulerStateInfo_v1_t nvmlVgpuSchedulerStateInfo_t;

typedef struct {
  unsigned int version;
  unsigned int engineId;
  unsigned int schedulerPolicy;
  unsigned int arrMode;
  nvmlVgpuSchedulerParams_t schedulerParams;
  unsigned int entriesCount;
  nvmlVgpuSchedulerLogEntry_t logEntries[NVML_SCHEDULER_SW_MAX_LOG_ENTRIES];
} nvmlVgpuSchedulerLogInfo_v1_t;

typedef nvmlVgpuSchedulerLogInfo_v1_t nvmlVgpuSchedulerLogInfo_t;

typedef struct {
  unsigned int version;
  nvmlVgpuTypeId_t vgpuTypeId;
  unsigned int count;
  unsigned int* placementIds;
  unsigned int placementSize;
} nvmlVgpuCreatablePlacementInfo_v1_t;

typedef nvmlVgpuCreatablePlacementInfo_v1_t nvmlVgpuCreatablePlacementInfo_t;

typedef struct {
  unsigned int engineId;
  unsigned int schedulerPolicy;
  unsigned int avgFactor;
  unsigned int timeslice;
} nvmlVgpuSchedulerStateInfo_v2_t;

typedef struct {
  unsigned long long timestamp;
  unsigned long long timeRunTotal;
  unsigned long long timeRun;
  unsigned int swRunlistId;
  unsigned long long targetTimeSlice;
  unsigned long long cumulativePreemptionTime;
  unsigned int weight;
} nvmlVgpuSchedulerLogEntry_v2_t;

typedef struct {
  unsigned int engineId;
  unsigned int schedulerPolicy;
  unsigned int avgFactor;
  unsigned int timeslice;
  unsigned int entriesCount;
  nvmlVgpuSchedulerLogEntry_v2_t logEntries[NVML_SCHEDULER_SW_MAX_LOG_ENTRIES];
} nvmlVgpuSchedulerLogInfo_v2_t;

typedef struct {
  unsigned int engineId;
  unsigned int schedulerPolicy;
  unsigned int avgFactor;
  unsigned int frequency;
} nvmlVgpuSchedulerState_v2_t;

typedef struct nvmlNvLinkPowerThres_st {
  unsigned int lowPwrThreshold;
} nvmlNvLinkPowerThres_t;

typedef struct nvmlFieldValue_st {
  unsigned int fieldId;
  unsigned int scopeId;
  long long timestamp;
  long long latencyUsec;
  nvmlValueType_t valueType;
  nvmlReturn_t nvmlReturn;
  nvmlValue_t value;
} nvmlFieldValue_t;

typedef struct nvmlUnit_st* nvmlUnit_t;

typedef struct nvmlHwbcEntry_st {
  unsigned int hwbcId;
  char firmwareVersion[32];
} nvmlHwbcEntry_t;

typedef enum nvmlFanState_enum { NVML_FAN_NORMAL = 0, NVML_FAN_FAILED = 1 } nvmlFanState_t;

typedef enum nvmlLedColor_enum {
  NVML_LED_COLOR_GREEN = 0,
  NVML_LED_COLOR_AMBER = 1
} nvmlLedColor_t;

typedef struct nvmlLedState_st {
  char cause[256];
  nvmlLedColor_t color;
} nvmlLedState_t;

typedef struct nvmlUnitInfo_st {
  char name[96];
  char id[96];
  char serial[96];
  char firmwareVersion[96];
} nvmlUnitInfo_t;

typedef struct nvmlPSUInfo_st {
  char state[256];
  unsigned int current;
  unsigned int voltage;
  unsigned int power;
} nvmlPSUInfo_t;

typedef struct nvmlUnitFanInfo_st {
  unsigned int speed;
  nvmlFanState_t state;
} nvmlUnitFanInfo_t;

typedef struct nvmlUnitFanSpeeds_st {
  nvmlUnitFanInfo_t fans[24];
  unsigned int count;
} nvmlUnitFanSpeeds_t;

typedef struct nvmlEventSet_st* nvmlEventSet_t;

typedef struct nvmlEventData_st {
  nvmlDevice_t device;
  unsigned long long eventType;
  unsigned long long eventData;
  unsigned int gpuInstanceId;
  unsigned int computeInstanceId;
} nvmlEventData_t;

typedef struct nvmlSystemEventSet_st* nvmlSystemEventSet_t;

typedef struct {
  unsigned int version;
  nvmlSystemEventSet_t set;
} nvmlSystemEventSetCreateRequest_v1_t;

typedef nvmlSystemEventSetCreateRequest_v1_t nvmlSystemEventSetCreateRequest_t;

typedef struct {
  unsigned int version;
  nvmlSystemEventSet_t set;
} nvmlSystemEventSetFreeRequest_v1_t;

typedef nvmlSystemEventSetFreeRequest_v1_t nvmlSystemEventSetFreeRequest_t;

typedef struct {
  unsigned int version;
  unsigned long long eventTypes;
  nvmlSystemEventSet_t set;
} nvmlSystemRegisterEventRequest_v1_t;

typedef nvmlSystemRegisterEventRequest_v1_t nvmlSystemRegisterEventRequest_t;

typedef struct {
  unsigned long long eventType;
  unsigned int gpuId;
} nvmlSystemEventData_v1_t;

typedef struct {
  unsigned int version;
  unsigned int timeoutms;
  nvmlSystemEventSet_t set;
  nvmlSystemEventData_v1_t* data;
  unsigned int dataSize;
  unsigned int numEvent;
} nvmlSystemEventSetWaitRequest_v1_t;

typedef nvmlSystemEventSetWaitRequest_v1_t nvmlSystemEventSetWaitRequest_t;

typedef struct nvmlAccountingStats_st {
  unsigned int gpuUtilization;
  unsigned int memoryUtilization;
  unsigned long long maxMemoryUsage;
  unsigned long long time;
  unsigned long long startTime;
  unsigned int isRunning;
  unsigned int reserved[5];
} nvmlAccountingStats_t;

typedef struct {
  unsigned int pid;
  unsigned int isRunning;
  unsigned int gpuUtilization;
  unsigned int memoryUtilization;
  unsigned long long maxMemoryUsage;
  unsigned int sampleCount;
  unsigned long long sumGpuUtil;
  unsigned long long sumFbUtil;
  unsigned long long time;
  unsigned long long startTime;
} nvmlAccountingStats_v2_t;

typedef enum nvmlEncoderQueryType_enum {
  NVML_ENCODER_QUERY_H264 = 0x00,
  NVML_ENCODER_QUERY_HEVC = 0x01,
  NVML_ENCODER_QUERY_AV1 = 0x02,
  NVML_ENCODER_QUERY_UNKNOWN = 0xFF
} nvmlEncoderType_t;

typedef struct nvmlEncoderSessionInfo_st {
  unsigned int sessionId;
  unsigned int pid;
  nvmlVgpuInstance_t vgpuInstance;
  nvmlEncoderType_t codecType;
  unsigned int hResolution;
  unsigned int vResolution;
  unsigned int averageFps;
  unsigned int averageLatency;
} nvmlEncoderSessionInfo_t;

typedef enum nvmlFBCSessionType_enum {
  NVML_FBC_SESSION_TYPE_UNKNOWN = 0,
  NVML_FBC_SESSION_TYPE_TOSYS,
  NVML_FBC_SESSION_TYPE_CUDA,
  NVML_FBC_SESSION_TYPE_VID,
  NVML_FBC_SESSION_TYPE_HWENC
} nvmlFBCSessionType_t;

typedef struct nvmlFBCStats_st {
  unsigned int sessionsCount;
  unsigned int averageFPS;
  unsigned int averageLatency;
} nvmlFBCStats_t;

typedef struct nvmlFBCSessionInfo_st {
  unsigned int sessionId;
  unsigned int pid;
  nvmlVgpuInstance_t vgpuInstance;
  unsigned int displayOrdinal;
  nvmlFBCSessionType_t sessionType;
  unsigned int sessionFlags;
  unsigned int hMaxResolution;
  unsigned int vMaxResolution;
  unsigned int hResolution;
  unsigned int vResolution;
  unsigned int averageFPS;
  unsigned int averageLatency;
} nvmlFBCSessionInfo_t;

typedef enum nvmlDetachGpuState_enum {
  NVML_DETACH_GPU_KEEP = 0,
  NVML_DETACH_GPU_REMOVE
} nvmlDetachGpuState_t;

typedef enum nvmlPcieLinkState_enum {
  NVML_PCIE_LINK_KEEP = 0,
  NVML_PCIE_LINK_SHUT_DOWN
} nvmlPcieLinkState_t;

typedef struct nvmlConfComputeSystemCaps_st {
  unsigned int cpuCaps;
  unsigned int gpusCaps;
} nvmlConfComputeSystemCaps_t;

typedef struct nvmlConfComputeSystemState_st {
  unsigned int environment;
  unsigned int ccFeature;
  unsigned int devToolsMode;
} nvmlConfComputeSystemState_t;

typedef struct {
  unsigned int version;
  unsigned int environment;
  unsigned int ccFeature;
  unsigned int devToolsMode;
  unsigned int multiGpuMode;
} nvmlSystemConfComputeSettings_v1_t;

typedef nvmlSystemConfComputeSettings_v1_t nvmlSystemConfComputeSettings_t;

typedef struct nvmlConfComputeMemSizeInfo_st {
  unsigned long long protectedMemSizeKib;
  unsigned long long unprotectedMemSizeKib;
} nvmlConfComputeMemSizeInfo_t;

typedef struct nvmlConfComputeGpuCertificate_st {
  unsigned int certChainSize;
  unsigned int attestationCertChainSize;
  unsigned char certChain[NVML_GPU_CERT_CHAIN_SIZE];
  unsigned char attestationCertChain[NVML_GPU_ATTESTATION_CERT_CHAIN_SIZE];
} nvmlConfComputeGpuCertificate_t;

typedef struct nvmlConfComputeGpuAttestationReport_st {
  unsigned int isCecAttestationReportPresent;
  unsigned int attestationReportSize;
  unsigned int cecAttestationReportSize;
  unsigned char nonce[NVML_CC_GPU_CEC_NONCE_SIZE];
  unsigned char attestationReport[NVML_CC_GPU_ATTESTATION_REPORT_SIZE];
  unsigned char cecAttestationReport[NVML_CC_GPU_CEC_ATTESTATION_REPORT_SIZE];
} nvmlConfComputeGpuAttestationReport_t;

typedef struct nvmlConfComputeSetKeyRotationThresholdInfo_st {
  unsigned int version;
  unsigned long long maxAttackerAdvantage;
} nvmlConfComputeSetKeyRotationThresholdInfo_v1_t;

typedef nvmlConfComputeSetKeyRotationThresholdInfo_v1_t
    nvmlConfComputeSetKeyRotationThresholdInfo_t;

typedef struct nvmlConfComputeGetKeyRotationThresholdInfo_st {
  unsigned int version;
  unsigned long long attackerAdvantage;
} nvmlConfComputeGetKeyRotationThresholdInfo_v1_t;

typedef nvmlConfComputeGetKeyRotationThresholdInfo_v1_t
    nvmlConfComputeGetKeyRotationThresholdInfo_t;

typedef unsigned char nvmlGpuFabricState_t;

typedef struct {
  unsigned char clusterUuid[NVML_GPU_FABRIC_UUID_LEN];
  nvmlReturn_t status;
  unsigned int cliqueId;
  nvmlGpuFabricState_t state;
} nvmlGpuFabricInfo_t;

typedef struct {
  unsigned int version;
  unsigned char clusterUuid[NVML_GPU_FABRIC_UUID_LEN];
  nvmlReturn_t status;
  unsigned int cliqueId;
  nvmlGpuFabricState_t state;
  unsigned int healthMask;
} nvmlGpuFabricInfo_v2_t;

typedef struct {
  unsigned int version;
  unsigned char clusterUuid[NVML_GPU_FABRIC_UUID_LEN];
  nvmlReturn_t status;
  unsigned int cliqueId;
  nvmlGpuFabricState_t state;
  unsigned int healthMask;
  unsigned char healthSummary;
} nvmlGpuFabricInfo_v3_t;

typedef nvmlGpuFabricInfo_v3_t nvmlGpuFabricInfoV_t;

typedef unsigned long long nvmlCPERCursorHandle_t;

typedef enum {
  NVML_CPER_ACCESS_TYPE_GPU = (1 << 0),
} nvmlCPERType_t;

typedef struct {
  unsigned int cperTypeMask;
  char uuid[NVML_DEVICE_UUID_BUFFER_SIZE];
  nvmlCPERCursorHandle_t handle;
} nvmlCPERCursor_v1_t;

typedef struct {
  nvmlCPERCursor_v1_t cursor;
  unsigned char* buffer;
  unsigned int bufferSize;
} nvmlGetCPER_v1_t;

typedef struct {
  unsigned int version;
  char branch[NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE];
} nvmlSystemDriverBranchInfo_v1_t;

typedef nvmlSystemDriverBranchInfo_v1_t nvmlSystemDriverBranchInfo_t;

typedef unsigned int nvmlAffinityScope_t;

typedef struct {
  unsigned int version;
  nvmlTemperatureSensors_t sensorType;
  int temperature;
} nvmlTemperature_v1_t;

typedef nvmlTemperature_v1_t nvmlTemperature_t;

typedef enum nvmlClockLimitId_enum {
  NVML_CLOCK_LIMIT_ID_RANGE_START = 0xffffff00,
  NVML_CLOCK_LIMIT_ID_TDP,
  NVML_CLOCK_LIMIT_ID_UNLIMITED
} nvmlClockLimitId_t;

typedef enum nvmlNvlinkVersion_enum {
  NVML_NVLINK_VERSION_INVALID = 0,
  NVML_NVLINK_VERSION_1_0 = 1,
  NVML_NVLINK_VERSION_2_0 = 2,
  NVML_NVLINK_VERSION_2_2 = 3,
  NVML_NVLINK_VERSION_3_0 = 4,
  NVML_NVLINK_VERSION_3_1 = 5,
  NVML_NVLINK_VERSION_4_0 = 6,
  NVML_NVLINK_VERSION_5_0 = 7,
  NVML_NVLINK_VERSION_6_0 = 8,
} nvmlNvlinkVersion_t;

typedef struct {
  unsigned int version;
  unsigned char bwModes[NVML_NVLINK_TOTAL_SUPPORTED_BW_MODES];
  unsigned char totalBwModes;
} nvmlNvlinkSupportedBwModes_v1_t;

typedef nvmlNvlinkSupportedBwModes_v1_t nvmlNvlinkSupportedBwModes_t;

typedef struct {
  unsigned int version;
  unsigned int bIsBest;
  unsigned char bwMode;
} nvmlNvlinkGetBwMode_v1_t;

typedef nvmlNvlinkGetBwMode_v1_t nvmlNvlinkGetBwMode_t;

typedef struct {
  unsigned int version;
  unsigned int bSetBest;
  unsigned char bwMode;
} nvmlNvlinkSetBwMode_v1_t;

typedef nvmlNvlinkSetBwMode_v1_t nvmlNvlinkSetBwMode_t;

typedef struct {
  unsigned int version;
  unsigned int isNvleEnabled;
} nvmlNvLinkInfo_v1_t;

typedef struct {
  unsigned char ucodeType;
  unsigned int major;
  unsigned int minor;
  unsigned int subMinor;
} nvmlNvlinkFirmwareVersion_t;

typedef struct {
  nvmlNvlinkFirmwareVersion_t firmwareVersion[NVML_NVLINK_FIRMWARE_VERSION_LENGTH];
  unsigned int numValidEntries;
} nvmlNvlinkFirmwareInfo_t;

typedef struct {
  unsigned int version;
  unsigned int isNvleEnabled;
  nvmlNvlinkFirmwareInfo_t firmwareInfo;
} nvmlNvLinkInfo_v2_t;

typedef nvmlNvLinkInfo_v2_t nvmlNvLinkInfo_t;

typedef struct nvmlVgpuVersion_st {
  unsigned int minVersion;
  unsigned int maxVersion;
} nvmlVgpuVersion_t;

typedef struct nvmlVgpuMetadata_st {
  unsigned int version;
  unsigned int revision;
  nvmlVgpuGuestInfoState_t guestInfoState;
  char guestDriverVersion[NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE];
  char hostDriverVersion[NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE];
  unsigned int reserved[6];
  unsigned int vgpuVirtualizationCaps;
  unsigned int guestVgpuVersion;
  unsigned int opaqueDataSize;
  char opaqueData[4];
} nvmlVgpuMetadata_t;

typedef struct nvmlVgpuPgpuMetadata_st {
  unsigned int version;
  unsigned int revision;
  char hostDriverVersion[NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE];
  unsigned int pgpuVirtualizationCaps;
  unsigned int reserved[5];
  nvmlVgpuVersion_t hostSupportedVgpuRange;
  unsigned int opaqueDataSize;
  char opaqueData[4];
} nvmlVgpuPgpuMetadata_t;

typedef enum nvmlVgpuVmCompatibility_enum {
  NVML_VGPU_VM_COMPATIBILITY_NONE = 0x0,
  NVML_VGPU_VM_COMPATIBILITY_COLD = 0x1,
  NVML_VGPU_VM_COMPATIBILITY_HIBERNATE = 0x2,
  NVML_VGPU_VM_COMPATIBILITY_SLEEP = 0x4,
  NVML_VGPU_VM_COMPATIBILITY_LIVE = 0x8
} nvmlVgpuVmCompatibility_t;

typedef enum nvmlVgpuPgpuCompatibilityLimitCode_enum {
  NVML_VGPU_COMPATIBILITY_LIMIT_NONE = 0x0,
  NVML_VGPU_COMPATIBILITY_LIMIT_HOST_DRIVER = 0x1,
  NVML_VGPU_COMPATIBILITY_LIMIT_GUEST_DRIVER = 0x2,
  NVML_VGPU_COMPATIBILITY_LIMIT_GPU = 0x4,
  NVML_VGPU_COMPATIBILITY_LIMIT_OTHER = 0x80000000
} nvmlVgpuPgpuCompatibilityLimitCode_t;

typedef struct nvmlVgpuPgpuCompatibility_st {
  nvmlVgpuVmCompatibility_t vgpuVmCompatibility;
  nvmlVgpuPgpuCompatibilityLimitCode_t compatibilityLimitCode;
} nvmlVgpuPgpuCompatibility_t;

typedef struct nvmlExcludedDeviceInfo_st {
  nvmlPciInfo_t pciInfo;
  char uuid[NVML_DEVICE_UUID_BUFFER_SIZE];
} nvmlExcludedDeviceInfo_t;

typedef struct {
  unsigned dataSize;
  unsigned status;
  union {
    unsigned char inData[NVML_PRM_DATA_MAX_SIZE];
    unsigned char outData[NVML_PRM_DATA_MAX_SIZE];
  };
} nvmlPRMTLV_v1_t;

typedef enum {
  NVML_PRM_COUNTER_ID_NONE = 0,
  NVML_PRM_COUNTER_ID_PPCNT_PHYSICAL_LAYER_CTRS_LINK_DOWN_EVENTS = 1,
  NVML_PRM_COUNTER_ID_PPCNT_PHYSICAL_LAYER_CTRS_SUCCESSFUL_RECOVERY_EVENTS = 2,
  NVML_PRM_COUNTER_ID_PPCNT_RECOVERY_CTRS_TOTAL_SUCCESSFUL_RECOVERY_EVENTS = 101,
  NVML_PRM_COUNTER_ID_PPCNT_RECOVERY_CTRS_TIME_SINCE_LAST_RECOVERY = 102,
  NVML_PRM_COUNTER_ID_PPCNT_RECOVERY_CTRS_TIME_BETWEEN_LAST_TWO_RECOVERIES = 103,
  NVML_PRM_COUNTER_ID_PPCNT_PORTCOUNTERS_PORT_XMIT_WAIT = 201,
  NVML_PRM_COUNTER_ID_PPCNT_PLR_RCV_CODES = 301,
  NVML_PRM_COUNTER_ID_PPCNT_PLR_RCV_CODE_ERR = 302,
  NVML_PRM_COUNTER_ID_PPCNT_PLR_RCV_UNCORRECTABLE_CODE = 303,
  NVML_PRM_COUNTER_ID_PPCNT_PLR_XMIT_CODES = 304,
  NVML_PRM_COUNTER_ID_PPCNT_PLR_XMIT_RETRY_CODES = 305,
  NVML_PRM_COUNTER_ID_PPCNT_PLR_XMIT_RETRY_EVENTS = 306,
  NVML_PRM_COUNTER_ID_PPCNT_PLR_SYNC_EVENTS = 307,
  NVML_PRM_COUNTER_ID_PPRM_OPER_RECOVERY = 1001,
} nvmlPRMCounterId_t;

typedef struct {
  unsigned int localPort;
} nvmlPRMCounterInput_v1_t;

typedef struct {
  nvmlReturn_t status;
  nvmlValueType_t outputType;
  nvmlValue_t outputValue;
} nvmlPRMCounterValue_v1_t;

typedef struct {
  unsigned int counterId;
  nvmlPRMCounterInput_v1_t inData;
  nvmlPRMCounterValue_v1_t counterValue;
} nvmlPRMCounter_v1_t;

typedef struct {
  unsigned int numCounters;
  nvmlPRMCounter_v1_t* counters;
} nvmlPRMCounterList_v1_t;

typedef struct nvmlGpuInstancePlacement_st {
  unsigned int start;
  unsigned int size;
} nvmlGpuInstancePlacement_t;

typedef struct nvmlGpuInstanceProfileInfo_st {
  unsigned int id;
  unsigned int isP2pSupported;
  unsigned int sliceCount;
  unsigned int instanceCount;
  unsigned int multiprocessorCount;
  unsigned int copyEngineCount;
  unsigned int decoderCount;
  unsigned int encoderCount;
  unsigned int jpegCount;
  unsigned int ofaCount;
  unsigned long long memorySizeMB;
} nvmlGpuInstanceProfileInfo_t;

typedef struct nvmlGpuInstanceProfileInfo_v2_st {
  unsigned int version;
  unsigned int id;
  unsigned int isP2pSupported;
  unsigned int sliceCount;
  unsigned int instanceCount;
  unsigned int multiprocessorCount;
  unsigned int copyEngineCount;
  unsigned int decoderCount;
  unsigned int encoderCount;
  unsigned int jpegCount;
  unsigned int ofaCount;
  unsigned long long memorySizeMB;
  char name[NVML_DEVICE_NAME_V2_BUFFER_SIZE];
} nvmlGpuInstanceProfileInfo_v2_t;

typedef struct nvmlGpuInstanceProfileInfo_v3_st {
  unsigned int version;
  unsigned int id;
  unsigned int sliceCount;
  unsigned int instanceCount;
  unsigned int multiprocessorCount;
  unsigned int copyEngineCount;
  unsigned int decoderCount;
  unsigned int encoderCount;
  unsigned int jpegCount;
  unsigned int ofaCount;
  unsigned long long memorySizeMB;
  char name[NVML_DEVICE_NAME_V2_BUFFER_SIZE];
  unsigned int capabilities;
} nvmlGpuInstanceProfileInfo_v3_t;

typedef struct nvmlGpuInstanceInfo_st {
  nvmlDevice_t device;
  unsigned int id;
  unsigned int profileId;
  nvmlGpuInstancePlacement_t placement;
} nvmlGpuInstanceInfo_t;

typedef struct nvmlComputeInstancePlacement_st {
  unsigned int start;
  unsigned int size;
} nvmlComputeInstancePlacement_t;

typedef struct nvmlComputeInstanceProfileInfo_st {
  unsigned int id;
  unsigned int sliceCount;
  unsigned int instanceCount;
  unsigned int multiprocessorCount;
  unsigned int sharedCopyEngineCount;
  unsigned int sharedDecoderCount;
  unsigned int sharedEncoderCount;
  unsigned int sharedJpegCount;
  unsigned int sharedOfaCount;
} nvmlComputeInstanceProfileInfo_t;

typedef struct nvmlComputeInstanceProfileInfo_v2_st {
  unsigned int version;
  unsigned int id;
  unsigned int sliceCount;
  unsigned int instanceCount;
  unsigned int multiprocessorCount;
  unsigned int sharedCopyEngineCount;
  unsigned int sharedDecoderCount;
  unsigned int sharedEncoderCount;
  unsigned int sharedJpegCount;
  unsigned int sharedOfaCount;
  char name[NVML_DEVICE_NAME_V2_BUFFER_SIZE];
} nvmlComputeInstanceProfileInfo_v2_t;

typedef struct nvmlComputeInstanceProfileInfo_v3_st {
  unsigned int version;
  unsigned int id;
  unsigned int sliceCount;
  unsigned int instanceCount;
  unsigned int multiprocessorCount;
  unsigned int sharedCopyEngineCount;
  unsigned int sharedDecoderCount;
  unsigned int sharedEncoderCount;
  unsigned int sharedJpegCount;
  unsigned int sharedOfaCount;
  char name[NVML_DEVICE_NAME_V2_BUFFER_SIZE];
  unsigned int capabilities;
} nvmlComputeInstanceProfileInfo_v3_t;

typedef struct nvmlComputeInstanceInfo_st {
  nvmlDevice_t device;
  nvmlGpuInstance_t gpuInstance;
  unsigned int id;
  unsigned int profileId;
  nvmlComputeInstancePlacement_t placement;
} nvmlComputeInstanceInfo_t;

typedef struct nvmlComputeInstance_st* nvmlComputeInstance_t;

typedef enum {
  NVML_GPM_METRIC_GRAPHICS_UTIL = 1,
  NVML_GPM_METRIC_SM_UTIL = 2,
  NVML_GPM_METRIC_SM_OCCUPANCY = 3,
  NVML_GPM_METRIC_INTEGER_UTIL = 4,
  NVML_GPM_METRIC_ANY_TENSOR_UTIL = 5,
  NVML_GPM_METRIC_DFMA_TENSOR_UTIL = 6,
  NVML_GPM_METRIC_HMMA_TENSOR_UTIL = 7,
  NVML_GPM_METRIC_DMMA_TENSOR_UTIL = 8,
  NVML_GPM_METRIC_IMMA_TENSOR_UTIL = 9,
  NVML_GPM_METRIC_DRAM_BW_UTIL = 10,
  NVML_GPM_METRIC_FP64_UTIL = 11,
  NVML_GPM_METRIC_FP32_UTIL = 12,
  NVML_GPM_METRIC_FP16_UTIL = 13,
  NVML_GPM_METRIC_PCIE_TX_PER_SEC = 20,
  NVML_GPM_METRIC_PCIE_RX_PER_SEC = 21,
  NVML_GPM_METRIC_NVDEC_0_UTIL = 30,
  NVML_GPM_METRIC_NVDEC_1_UTIL = 31,
  NVML_GPM_METRIC_NVDEC_2_UTIL = 32,
  NVML_GPM_METRIC_NVDEC_3_UTIL = 33,
  NVML_GPM_METRIC_NVDEC_4_UTIL = 34,
  NVML_GPM_METRIC_NVDEC_5_UTIL = 35,
  NVML_GPM_METRIC_NVDEC_6_UTIL = 36,
  NVML_GPM_METRIC_NVDEC_7_UTIL = 37,
  NVML_GPM_METRIC_NVJPG_0_UTIL = 40,
  NVML_GPM_METRIC_NVJPG_1_UTIL = 41,
  NVML_GPM_METRIC_NVJPG_2_UTIL = 42,
  NVML_GPM_METRIC_NVJPG_3_UTIL = 43,
  NVML_GPM_METRIC_NVJPG_4_UTIL = 44,
  NVML_GPM_METRIC_NVJPG_5_UTIL = 45,
  NVML_GPM_METRIC_NVJPG_6_UTIL = 46,
  NVML_GPM_METRIC_NVJPG_7_UTIL = 47,
  NVML_GPM_METRIC_NVOFA_0_UTIL = 50,
  NVML_GPM_METRIC_NVOFA_1_UTIL = 51,
  NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC = 60,
  NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC = 61,
  NVML_GPM_METRIC_NVLINK_L0_RX_PER_SEC = 62,
  NVML_GPM_METRIC_NVLINK_L0_TX_PER_SEC = 63,
  NVML_GPM_METRIC_NVLINK_L1_RX_PER_SEC = 64,
  NVML_GPM_METRIC_NVLINK_L1_TX_PER_SEC = 65,
  NVML_GPM_METRIC_NVLINK_L2_RX_PER_SEC = 66,
  NVML_GPM_METRIC_NVLINK_L2_TX_PER_SEC = 67,
  NVML_GPM_METRIC_NVLINK_L3_RX_PER_SEC = 68,
  NVML_GPM_METRIC_NVLINK_L3_TX_PER_SEC = 69,
  NVML_GPM_METRIC_NVLINK_L4_RX_PER_SEC = 70,
  NVML_GPM_METRIC_NVLINK_L4_TX_PER_SEC = 71,
  NVML_GPM_METRIC_NVLINK_L5_RX_PER_SEC = 72,
  NVML_GPM_METRIC_NVLINK_L5_TX_PER_SEC = 73,
  NVML_GPM_METRIC_NVLINK_L6_RX_PER_SEC = 74,
  NVML_GPM_METRIC_NVLINK_L6_TX_PER_SEC = 75,
  NVML_GPM_METRIC_NVLINK_L7_RX_PER_SEC = 76,
  NVML_GPM_METRIC_NVLINK_L7_TX_PER_SEC = 77,
  NVML_GPM_METRIC_NVLINK_L8_RX_PER_SEC = 78,
  NVML_GPM_METRIC_NVLINK_L8_TX_PER_SEC = 79,
  NVML_GPM_METRIC_NVLINK_L9_RX_PER_SEC = 80,
  NVML_GPM_METRIC_NVLINK_L9_TX_PER_SEC = 81,
  NVML_GPM_METRIC_NVLINK_L10_RX_PER_SEC = 82,
  NVML_GPM_METRIC_NVLINK_L10_TX_PER_SEC = 83,
  NVML_GPM_METRIC_NVLINK_L11_RX_PER_SEC = 84,
  NVML_GPM_METRIC_NVLINK_L11_TX_PER_SEC = 85,
  NVML_GPM_METRIC_NVLINK_L12_RX_PER_SEC = 86,
  NVML_GPM_METRIC_NVLINK_L12_TX_PER_SEC = 87,
  NVML_GPM_METRIC_NVLINK_L13_RX_PER_SEC = 88,
  NVML_GPM_METRIC_NVLINK_L13_TX_PER_SEC = 89,
  NVML_GPM_METRIC_NVLINK_L14_RX_PER_SEC = 90,
  NVML_GPM_METRIC_NVLINK_L14_TX_PER_SEC = 91,
  NVML_GPM_METRIC_NVLINK_L15_RX_PER_SEC = 92,
  NVML_GPM_METRIC_NVLINK_L15_TX_PER_SEC = 93,
  NVML_GPM_METRIC_NVLINK_L16_RX_PER_SEC = 94,
  NVML_GPM_METRIC_NVLINK_L16_TX_PER_SEC = 95,
  NVML_GPM_METRIC_NVLINK_L17_RX_PER_SEC = 96,
  NVML_GPM_METRIC_NVLINK_L17_TX_PER_SEC = 97,
  NVML_GPM_METRIC_C2C_TOTAL_TX_PER_SEC = 100,
  NVML_GPM_METRIC_C2C_TOTAL_RX_PER_SEC = 101,
  NVML_GPM_METRIC_C2C_DATA_TX_PER_SEC = 102,
  NVML_GPM_METRIC_C2C_DATA_RX_PER_SEC = 103,
  NVML_GPM_METRIC_C2C_LINK0_TOTAL_TX_PER_SEC = 104,
  NVML_GPM_METRIC_C2C_LINK0_TOTAL_RX_PER_SEC = 105,
  NVML_GPM_METRIC_C2C_LINK0_DATA_TX_PER_SEC = 106,
  NVML_GPM_METRIC_C2C_LINK0_DATA_RX_PER_SEC = 107,
  NVML_GPM_METRIC_C2C_LINK1_TOTAL_TX_PER_SEC = 108,
  NVML_GPM_METRIC_C2C_LINK1_TOTAL_RX_PER_SEC = 109,
  NVML_GPM_METRIC_C2C_LINK1_DATA_TX_PER_SEC = 110,
  NVML_GPM_METRIC_C2C_LINK1_DATA_RX_PER_SEC = 111,
  NVML_GPM_METRIC_C2C_LINK2_TOTAL_TX_PER_SEC = 112,
  NVML_GPM_METRIC_C2C_LINK2_TOTAL_RX_PER_SEC = 113,
  NVML_GPM_METRIC_C2C_LINK2_DATA_TX_PER_SEC = 114,
  NVML_GPM_METRIC_C2C_LINK2_DATA_RX_PER_SEC = 115,
  NVML_GPM_METRIC_C2C_LINK3_TOTAL_TX_PER_SEC = 116,
  NVML_GPM_METRIC_C2C_LINK3_TOTAL_RX_PER_SEC = 117,
  NVML_GPM_METRIC_C2C_LINK3_DATA_TX_PER_SEC = 118,
  NVML_GPM_METRIC_C2C_LINK3_DATA_RX_PER_SEC = 119,
  NVML_GPM_METRIC_C2C_LINK4_TOTAL_TX_PER_SEC = 120,
  NVML_GPM_METRIC_C2C_LINK4_TOTAL_RX_PER_SEC = 121,
  NVML_GPM_METRIC_C2C_LINK4_DATA_TX_PER_SEC = 122,
  NVML_GPM_METRIC_C2C_LINK4_DATA_RX_PER_SEC = 123,
  NVML_GPM_METRIC_C2C_LINK5_TOTAL_TX_PER_SEC = 124,
  NVML_GPM_METRIC_C2C_LINK5_TOTAL_RX_PER_SEC = 125,
  NVML_GPM_METRIC_C2C_LINK5_DATA_TX_PER_SEC = 126,
  NVML_GPM_METRIC_C2C_LINK5_DATA_RX_PER_SEC = 127,
  NVML_GPM_METRIC_C2C_LINK6_TOTAL_TX_PER_SEC = 128,
  NVML_GPM_METRIC_C2C_LINK6_TOTAL_RX_PER_SEC = 129,
  NVML_GPM_METRIC_C2C_LINK6_DATA_TX_PER_SEC = 130,
  NVML_GPM_METRIC_C2C_LINK6_DATA_RX_PER_SEC = 131,
  NVML_GPM_METRIC_C2C_LINK7_TOTAL_TX_PER_SEC = 132,
  NVML_GPM_METRIC_C2C_LINK7_TOTAL_RX_PER_SEC = 133,
  NVML_GPM_METRIC_C2C_LINK7_DATA_TX_PER_SEC = 134,
  NVML_GPM_METRIC_C2C_LINK7_DATA_RX_PER_SEC = 135,
  NVML_GPM_METRIC_C2C_LINK8_TOTAL_TX_PER_SEC = 136,
  NVML_GPM_METRIC_C2C_LINK8_TOTAL_RX_PER_SEC = 137,
  NVML_GPM_METRIC_C2C_LINK8_DATA_TX_PER_SEC = 138,
  NVML_GPM_METRIC_C2C_LINK8_DATA_RX_PER_SEC = 139,
  NVML_GPM_METRIC_C2C_LINK9_TOTAL_TX_PER_SEC = 140,
  NVML_GPM_METRIC_C2C_LINK9_TOTAL_RX_PER_SEC = 141,
  NVML_GPM_METRIC_C2C_LINK9_DATA_TX_PER_SEC = 142,
  NVML_GPM_METRIC_C2C_LINK9_DATA_RX_PER_SEC = 143,
  NVML_GPM_METRIC_C2C_LINK10_TOTAL_TX_PER_SEC = 144,
  NVML_GPM_METRIC_C2C_LINK10_TOTAL_RX_PER_SEC = 145,
  NVML_GPM_METRIC_C2C_LINK10_DATA_TX_PER_SEC = 146,
  NVML_GPM_METRIC_C2C_LINK10_DATA_RX_PER_SEC = 147,
  NVML_GPM_METRIC_C2C_LINK11_TOTAL_TX_PER_SEC = 148,
  NVML_GPM_METRIC_C2C_LINK11_TOTAL_RX_PER_SEC = 149,
  NVML_GPM_METRIC_C2C_LINK11_DATA_TX_PER_SEC = 150,
  NVML_GPM_METRIC_C2C_LINK11_DATA_RX_PER_SEC = 151,
  NVML_GPM_METRIC_C2C_LINK12_TOTAL_TX_PER_SEC = 152,
  NVML_GPM_METRIC_C2C_LINK12_TOTAL_RX_PER_SEC = 153,
  NVML_GPM_METRIC_C2C_LINK12_DATA_TX_PER_SEC = 154,
  NVML_GPM_METRIC_C2C_LINK12_DATA_RX_PER_SEC = 155,
  NVML_GPM_METRIC_C2C_LINK13_TOTAL_TX_PER_SEC = 156,
  NVML_GPM_METRIC_C2C_LINK13_TOTAL_RX_PER_SEC = 157,
  NVML_GPM_METRIC_C2C_LINK13_DATA_TX_PER_SEC = 158,
  NVML_GPM_METRIC_C2C_LINK13_DATA_RX_PER_SEC = 159,
  NVML_GPM_METRIC_HOSTMEM_CACHE_HIT = 160,
  NVML_GPM_METRIC_HOSTMEM_CACHE_MISS = 161,
  NVML_GPM_METRIC_PEERMEM_CACHE_HIT = 162,
  NVML_GPM_METRIC_PEERMEM_CACHE_MISS = 163,
  NVML_GPM_METRIC_DRAM_CACHE_HIT = 164,
  NVML_GPM_METRIC_DRAM_CACHE_MISS = 165,
  NVML_GPM_METRIC_NVENC_0_UTIL = 166,
  NVML_GPM_METRIC_NVENC_1_UTIL = 167,
  NVML_GPM_METRIC_NVENC_2_UTIL = 168,
  NVML_GPM_METRIC_NVENC_3_UTIL = 169,
  NVML_GPM_METRIC_GR0_CTXSW_CYCLES_ELAPSED = 170,
  NVML_GPM_METRIC_GR0_CTXSW_CYCLES_ACTIVE = 171,
  NVML_GPM_METRIC_GR0_CTXSW_REQUESTS = 172,
  NVML_GPM_METRIC_GR0_CTXSW_CYCLES_PER_REQ = 173,
  NVML_GPM_METRIC_GR0_CTXSW_ACTIVE_PCT = 174,
  NVML_GPM_METRIC_GR1_CTXSW_CYCLES_ELAPSED = 175,
  NVML_GPM_METRIC_GR1_CTXSW_CYCLES_ACTIVE = 176,
  NVML_GPM_METRIC_GR1_CTXSW_REQUESTS = 177,
  NVML_GPM_METRIC_GR1_CTXSW_CYCLES_PER_REQ = 178,
  NVML_GPM_METRIC_GR1_CTXSW_ACTIVE_PCT = 179,
  NVML_GPM_METRIC_GR2_CTXSW_CYCLES_ELAPSED = 180,
  NVML_GPM_METRIC_GR2_CTXSW_CYCLES_ACTIVE = 181,
  NVML_GPM_METRIC_GR2_CTXSW_REQUESTS = 182,
  NVML_GPM_METRIC_GR2_CTXSW_CYCLES_PER_REQ = 183,
  NVML_GPM_METRIC_GR2_CTXSW_ACTIVE_PCT = 184,
  NVML_GPM_METRIC_GR3_CTXSW_CYCLES_ELAPSED = 185,
  NVML_GPM_METRIC_GR3_CTXSW_CYCLES_ACTIVE = 186,
  NVML_GPM_METRIC_GR3_CTXSW_REQUESTS = 187,
  NVML_GPM_METRIC_GR3_CTXSW_CYCLES_PER_REQ = 188,
  NVML_GPM_METRIC_GR3_CTXSW_ACTIVE_PCT = 189,
  NVML_GPM_METRIC_GR4_CTXSW_CYCLES_ELAPSED = 190,
  NVML_GPM_METRIC_GR4_CTXSW_CYCLES_ACTIVE = 191,
  NVML_GPM_METRIC_GR4_CTXSW_REQUESTS = 192,
  NVML_GPM_METRIC_GR4_CTXSW_CYCLES_PER_REQ = 193,
  NVML_GPM_METRIC_GR4_CTXSW_ACTIVE_PCT = 194,
  NVML_GPM_METRIC_GR5_CTXSW_CYCLES_ELAPSED = 195,
  NVML_GPM_METRIC_GR5_CTXSW_CYCLES_ACTIVE = 196,
  NVML_GPM_METRIC_GR5_CTXSW_REQUESTS = 197,
  NVML_GPM_METRIC_GR5_CTXSW_CYCLES_PER_REQ = 198,
  NVML_GPM_METRIC_GR5_CTXSW_ACTIVE_PCT = 199,
  NVML_GPM_METRIC_GR6_CTXSW_CYCLES_ELAPSED = 200,
  NVML_GPM_METRIC_GR6_CTXSW_CYCLES_ACTIVE = 201,
  NVML_GPM_METRIC_GR6_CTXSW_REQUESTS = 202,
  NVML_GPM_METRIC_GR6_CTXSW_CYCLES_PER_REQ = 203,
  NVML_GPM_METRIC_GR6_CTXSW_ACTIVE_PCT = 204,
  NVML_GPM_METRIC_GR7_CTXSW_CYCLES_ELAPSED = 205,
  NVML_GPM_METRIC_GR7_CTXSW_CYCLES_ACTIVE = 206,
  NVML_GPM_METRIC_GR7_CTXSW_REQUESTS = 207,
  NVML_GPM_METRIC_GR7_CTXSW_CYCLES_PER_REQ = 208,
  NVML_GPM_METRIC_GR7_CTXSW_ACTIVE_PCT = 209,
  NVML_GPM_METRIC_NVLINK_L18_RX_PER_SEC = 212,
  NVML_GPM_METRIC_NVLINK_L18_TX_PER_SEC = 213,
  NVML_GPM_METRIC_NVLINK_L19_RX_PER_SEC = 214,
  NVML_GPM_METRIC_NVLINK_L19_TX_PER_SEC = 215,
  NVML_GPM_METRIC_NVLINK_L20_RX_PER_SEC = 216,
  NVML_GPM_METRIC_NVLINK_L20_TX_PER_SEC = 217,
  NVML_GPM_METRIC_NVLINK_L21_RX_PER_SEC = 218,
  NVML_GPM_METRIC_NVLINK_L21_TX_PER_SEC = 219,
  NVML_GPM_METRIC_NVLINK_L22_RX_PER_SEC = 220,
  NVML_GPM_METRIC_NVLINK_L22_TX_PER_SEC = 221,
  NVML_GPM_METRIC_NVLINK_L23_RX_PER_SEC = 222,
  NVML_GPM_METRIC_NVLINK_L23_TX_PER_SEC = 223,
  NVML_GPM_METRIC_NVLINK_L24_RX_PER_SEC = 224,
  NVML_GPM_METRIC_NVLINK_L24_TX_PER_SEC = 225,
  NVML_GPM_METRIC_NVLINK_L25_RX_PER_SEC = 226,
  NVML_GPM_METRIC_NVLINK_L25_TX_PER_SEC = 227,
  NVML_GPM_METRIC_NVLINK_L26_RX_PER_SEC = 228,
  NVML_GPM_METRIC_NVLINK_L26_TX_PER_SEC = 229,
  NVML_GPM_METRIC_NVLINK_L27_RX_PER_SEC = 230,
  NVML_GPM_METRIC_NVLINK_L27_TX_PER_SEC = 231,
  NVML_GPM_METRIC_NVLINK_L28_RX_PER_SEC = 232,
  NVML_GPM_METRIC_NVLINK_L28_TX_PER_SEC = 233,
  NVML_GPM_METRIC_NVLINK_L29_RX_PER_SEC = 234,
  NVML_GPM_METRIC_NVLINK_L29_TX_PER_SEC = 235,
  NVML_GPM_METRIC_NVLINK_L30_RX_PER_SEC = 236,
  NVML_GPM_METRIC_NVLINK_L30_TX_PER_SEC = 237,
  NVML_GPM_METRIC_NVLINK_L31_RX_PER_SEC = 238,
  NVML_GPM_METRIC_NVLINK_L31_TX_PER_SEC = 239,
  NVML_GPM_METRIC_NVLINK_L32_RX_PER_SEC = 240,
  NVML_GPM_METRIC_NVLINK_L32_TX_PER_SEC = 241,
  NVML_GPM_METRIC_NVLINK_L33_RX_PER_SEC = 242,
  NVML_GPM_METRIC_NVLINK_L33_TX_PER_SEC = 243,
  NVML_GPM_METRIC_NVLINK_L34_RX_PER_SEC = 244,
  NVML_GPM_METRIC_NVLINK_L34_TX_PER_SEC = 245,
  NVML_GPM_METRIC_NVLINK_L35_RX_PER_SEC = 246,
  NVML_GPM_METRIC_NVLINK_L35_TX_PER_SEC = 247,
  NVML_GPM_METRIC_SM_CYCLES_ELAPSED = 248,
  NVML_GPM_METRIC_SM_CYCLES_ACTIVE = 249,
  NVML_GPM_METRIC_MMA_CYCLES_ACTIVE = 250,
  NVML_GPM_METRIC_DMMA_CYCLES_ACTIVE = 251,
  NVML_GPM_METRIC_HMMA_CYCLES_ACTIVE = 252,
  NVML_GPM_METRIC_IMMA_CYCLES_ACTIVE = 253,
  NVML_GPM_METRIC_DFMA_CYCLES_ACTIVE = 254,
  NVML_GPM_METRIC_PCIE_TX = 255,
  NVML_GPM_METRIC_PCIE_RX = 256,
  NVML_GPM_METRIC_INTEGER_CYCLES_ACTIVE = 257,
  NVML_GPM_METRIC_FP64_CYCLES_ACTIVE = 258,
  NVML_GPM_METRIC_FP32_CYCLES_ACTIVE = 259,
  NVML_GPM_METRIC_FP16_CYCLES_ACTIVE = 260,
  NVML_GPM_METRIC_NVLINK_L0_RX = 261,
  NVML_GPM_METRIC_NVLINK_L0_TX = 262,
  NVML_GPM_METRIC_NVLINK_L1_RX = 263,
  NVML_GPM_METRIC_NVLINK_L1_TX = 264,
  NVML_GPM_METRIC_NVLINK_L2_RX = 265,
  NVML_GPM_METRIC_NVLINK_L2_TX = 266,
  NVML_GPM_METRIC_NVLINK_L3_RX = 267,
  NVML_GPM_METRIC_NVLINK_L3_TX = 268,
  NVML_GPM_METRIC_NVLINK_L4_RX = 269,
  NVML_GPM_METRIC_NVLINK_L4_TX = 270,
  NVML_GPM_METRIC_NVLINK_L5_RX = 271,
  NVML_GPM_METRIC_NVLINK_L5_TX = 272,
  NVML_GPM_METRIC_NVLINK_L6_RX = 273,
  NVML_GPM_METRIC_NVLINK_L6_TX = 274,
  NVML_GPM_METRIC_NVLINK_L7_RX = 275,
  NVML_GPM_METRIC_NVLINK_L7_TX = 276,
  NVML_GPM_METRIC_NVLINK_L8_RX = 277,
  NVML_GPM_METRIC_NVLINK_L8_TX = 278,
  NVML_GPM_METRIC_NVLINK_L9_RX = 279,
  NVML_GPM_METRIC_NVLINK_L9_TX = 280,
  NVML_GPM_METRIC_NVLINK_L10_RX = 281,
  NVML_GPM_METRIC_NVLINK_L10_TX = 282,
  NVML_GPM_METRIC_NVLINK_L11_RX = 283,
  NVML_GPM_METRIC_NVLINK_L11_TX = 284,
  NVML_GPM_METRIC_NVLINK_L12_RX = 285,
  NVML_GPM_METRIC_NVLINK_L12_TX = 286,
  NVML_GPM_METRIC_NVLINK_L13_RX = 287,
  NVML_GPM_METRIC_NVLINK_L13_TX = 288,
  NVML_GPM_METRIC_NVLINK_L14_RX = 289,
  NVML_GPM_METRIC_NVLINK_L14_TX = 290,
  NVML_GPM_METRIC_NVLINK_L15_RX = 291,
  NVML_GPM_METRIC_NVLINK_L15_TX = 292,
  NVML_GPM_METRIC_NVLINK_L16_RX = 293,
  NVML_GPM_METRIC_NVLINK_L16_TX = 294,
  NVML_GPM_METRIC_NVLINK_L17_RX = 295,
  NVML_GPM_METRIC_NVLINK_L17_TX = 296,
  NVML_GPM_METRIC_NVLINK_L18_RX = 297,
  NVML_GPM_METRIC_NVLINK_L18_TX = 298,
  NVML_GPM_METRIC_NVLINK_L19_RX = 299,
  NVML_GPM_METRIC_NVLINK_L19_TX = 300,
  NVML_GPM_METRIC_NVLINK_L20_RX = 301,
  NVML_GPM_METRIC_NVLINK_L20_TX = 302,
  NVML_GPM_METRIC_NVLINK_L21_RX = 303,
  NVML_GPM_METRIC_NVLINK_L21_TX = 304,
  NVML_GPM_METRIC_NVLINK_L22_RX = 305,
  NVML_GPM_METRIC_NVLINK_L22_TX = 306,
  NVML_GPM_METRIC_NVLINK_L23_RX = 307,
  NVML_GPM_METRIC_NVLINK_L23_TX = 308,
  NVML_GPM_METRIC_NVLINK_L24_RX = 309,
  NVML_GPM_METRIC_NVLINK_L24_TX = 310,
  NVML_GPM_METRIC_NVLINK_L25_RX = 311,
  NVML_GPM_METRIC_NVLINK_L25_TX = 312,
  NVML_GPM_METRIC_NVLINK_L26_RX = 313,
  NVML_GPM_METRIC_NVLINK_L26_TX = 314,
  NVML_GPM_METRIC_NVLINK_L27_RX = 315,
  NVML_GPM_METRIC_NVLINK_L27_TX = 316,
  NVML_GPM_METRIC_NVLINK_L28_RX = 317,
  NVML_GPM_METRIC_NVLINK_L28_TX = 318,
  NVML_GPM_METRIC_NVLINK_L29_RX = 319,
  NVML_GPM_METRIC_NVLINK_L29_TX = 320,
  NVML_GPM_METRIC_NVLINK_L30_RX = 321,
  NVML_GPM_METRIC_NVLINK_L30_TX = 322,
  NVML_GPM_METRIC_NVLINK_L31_RX = 323,
  NVML_GPM_METRIC_NVLINK_L31_TX = 324,
  NVML_GPM_METRIC_NVLINK_L32_RX = 325,
  NVML_GPM_METRIC_NVLINK_L32_TX = 326,
  NVML_GPM_METRIC_NVLINK_L33_RX = 327,
  NVML_GPM_METRIC_NVLINK_L33_TX = 328,
  NVML_GPM_METRIC_NVLINK_L34_RX = 329,
  NVML_GPM_METRIC_NVLINK_L34_TX = 330,
  NVML_GPM_METRIC_NVLINK_L35_RX = 331,
  NVML_GPM_METRIC_NVLINK_L35_TX = 332,
  NVML_GPM_METRIC_MAX = 333,
} nvmlGpmMetricId_t;

typedef struct nvmlGpmSample_st* nvmlGpmSample_t;

typedef struct {
  unsigned int metricId;
  nvmlReturn_t nvmlReturn;
  double value;
  struct {
    char* shortName;
    char* longName;
    char* unit;
  } metricInfo;
} nvmlGpmMetric_t;

typedef struct {
  unsigned int version;
  unsigned int numMetrics;
  nvmlGpmSample_t sample1;
  nvmlGpmSample_t sample2;
  nvmlGpmMetric_t metrics[NVML_GPM_METRIC_MAX];
} nvmlGpmMetricsGet_t;

typedef struct {
  unsigned int version;
  unsigned int isSupportedDevice;
} nvmlGpmSupport_t;

typedef struct {
  unsigned int version;
  unsigned int capMask;
} nvmlDeviceCapabilities_v1_t;

typedef nvmlDeviceCapabilities_v1_t nvmlDeviceCapabilities_t;

typedef struct {
  unsigned int mask[NVML_255_MASK_NUM_ELEMS];
} nvmlMask255_t;

typedef enum {
  NVML_POWER_PROFILE_MAX_P = 0,
  NVML_POWER_PROFILE_MAX_Q = 1,
  NVML_POWER_PROFILE_COMPUTE = 2,
  NVML_POWER_PROFILE_MEMORY_BOUND = 3,
  NVML_POWER_PROFILE_NETWORK = 4,
  NVML_POWER_PROFILE_BALANCED = 5,
  NVML_POWER_PROFILE_LLM_INFERENCE = 6,
  NVML_POWER_PROFILE_LLM_TRAINING = 7,
  NVML_POWER_PROFILE_RBM = 8,
  NVML_POWER_PROFILE_DCPCIE = 9,
  NVML_POWER_PROFILE_HMMA_SPARSE = 10,
  NVML_POWER_PROFILE_HMMA_DENSE = 11,
  NVML_POWER_PROFILE_SYNC_BALANCED = 12,
  NVML_POWER_PROFILE_HPC = 13,
  NVML_POWER_PROFILE_MIG = 14,
  NVML_POWER_PROFILE_MAX = 15,
} nvmlPowerProfileType_t;

typedef enum {
  NVML_POWER_PROFILE_OPERATION_CLEAR = 0,
  NVML_POWER_PROFILE_OPERATION_SET = 1,
  NVML_POWER_PROFILE_OPERATION_SET_AND_OVERWRITE = 2,
  NVML_POWER_PROFILE_OPERATION_MAX = 3,
} nvmlPowerProfileOperation_t;

typedef struct {
  unsigned int version;
  unsigned int profileId;
  unsigned int priority;
  nvmlMask255_t conflictingMask;
} nvmlWorkloadPowerProfileInfo_v1_t;

typedef nvmlWorkloadPowerProfileInfo_v1_t nvmlWorkloadPowerProfileInfo_t;

typedef struct {
  unsigned int version;
  nvmlMask255_t perfProfilesMask;
  nvmlWorkloadPowerProfileInfo_t perfProfile[NVML_WORKLOAD_POWER_MAX_PROFILES];
} nvmlWorkloadPowerProfileProfilesInfo_v1_t;

typedef nvmlWorkloadPowerProfileProfilesInfo_v1_t nvmlWorkloadPowerProfileProfilesInfo_t;

typedef struct {
  unsigned int version;
  nvmlMask255_t perfProfilesMask;
  nvmlMask255_t requestedProfilesMask;
  nvmlMask255_t enforcedProfilesMask;
} nvmlWorkloadPowerProfileCurrentProfiles_v1_t;

typedef nvmlWorkloadPowerProfileCurrentProfiles_v1_t nvmlWorkloadPowerProfileCurrentProfiles_t;

typedef struct {
  unsigned int version;
  nvmlMask255_t requestedProfilesMask;
} nvmlWorkloadPowerProfileRequestedProfiles_v1_t;

typedef nvmlWorkloadPowerProfileRequestedProfiles_v1_t nvmlWorkloadPowerProfileRequestedProfiles_t;

typedef struct {
  nvmlPowerProfileOperation_t operation;
  nvmlMask255_t updateProfilesMask;
} nvmlWorkloadPowerProfileUpdateProfiles_v1_t;

typedef struct {
  unsigned int version;
  unsigned int profileId;
  unsigned int paramId;
  double value;
} nvmlPowerSmoothingProfile_v1_t;

typedef nvmlPowerSmoothingProfile_v1_t nvmlPowerSmoothingProfile_t;

typedef struct {
  unsigned int version;
  nvmlEnableState_t state;
} nvmlPowerSmoothingState_v1_t;

typedef nvmlPowerSmoothingState_v1_t nvmlPowerSmoothingState_t;

#endif  // ASSAY_FAKEGPU_ABI_TYPES_H_
