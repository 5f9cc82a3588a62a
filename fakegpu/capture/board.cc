#include "fakegpu/capture/board.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>
#include <vector>

#include "fakegpu/capture/ask.h"

namespace assay::fakegpu::capture {
namespace {

constexpr unsigned int kMaxMemoryClocks = 4;  // Of a profile.
constexpr unsigned int kMilli = 1000;
constexpr unsigned long long kMebibyte = 1024 * 1024;

using Lines = std::string;

void Add(Lines& lines, const char* key, std::string_view value) {
  lines += std::string(key) + ": " + std::string(value) + "\n";
}
void Add(Lines& lines, const char* key, unsigned long long value) {
  Add(lines, key, std::to_string(value));
}

// A function that fills in one number for a device.
using NumberFunction = nvmlReturn_t (*)(nvmlDevice_t, unsigned int*);

class BoardReader {
 public:
  BoardReader(const NvmlLibrary& nvml, nvmlDevice_t device) : nvml_(nvml), device_(device) {
    nvmlUtilization_t load{};
    // Without an answer (MIG) the readings are taken for idle ones as well as may be.
    idle_ = ASSAY_ASK(nvml_, nvmlDeviceGetUtilizationRates, device_, &load) != NVML_SUCCESS ||
            load.gpu == 0;
  }

  Result<BoardProfile> Read() {
    ASSAY_RETURN_IF_ERROR(ReadBoard());
    ASSAY_RETURN_IF_ERROR(ReadPci());
    ASSAY_RETURN_IF_ERROR(ReadMemory());
    ASSAY_RETURN_IF_ERROR(ReadClocks());
    ASSAY_RETURN_IF_ERROR(ReadPower());
    ASSAY_RETURN_IF_ERROR(ReadTemperature());
    ReadFirmware();
    ReadLinks();
    ReadPowerProfiles();
    ReadMig();
    return BoardProfile{.name = name_, .yaml = std::move(yaml_)};
  }

 private:
  Result<unsigned int> Number(NumberFunction function, const char* name) const {
    unsigned int number = 0;
    ASSAY_RETURN_IF_ERROR(nvml_.ToStatus(
        function == nullptr ? NVML_ERROR_FUNCTION_NOT_FOUND : function(device_, &number), name));
    return number;
  }
  unsigned int NumberOr(NumberFunction function, unsigned int fallback) const {
    const Result<unsigned int> number = Number(function, "");
    return number.ok() ? *number : fallback;
  }
#define ASSAY_NUMBER(name) Number(nvml_.functions().name, #name)
#define ASSAY_NUMBER_OR(name, fallback) NumberOr(nvml_.functions().name, fallback)

  Status ReadBoard();
  Status ReadPci();
  Status ReadMemory();
  Status ReadClocks();
  Status ReadPower();
  Status ReadTemperature();
  void ReadFirmware();
  void ReadLinks();
  void ReadPowerProfiles();
  void ReadMig();
  std::string MigRow(unsigned int index, unsigned int& memory_slices) const;
  unsigned int Clock(nvmlClockType_t type, unsigned int fallback) const;
  unsigned long long Field(unsigned int field) const;
  std::vector<unsigned int> GraphicsClocks(unsigned int memory_mhz) const;

  const NvmlLibrary& nvml_;
  nvmlDevice_t device_;
  bool idle_ = true;
  std::string name_;
  Lines yaml_;
};

const char* BrandWord(nvmlBrandType_t brand) {
  switch (brand) {
    case NVML_BRAND_QUADRO:
    case NVML_BRAND_QUADRO_RTX:
      return "quadro";
    case NVML_BRAND_TESLA:
      return "tesla";
    case NVML_BRAND_GEFORCE:
    case NVML_BRAND_GEFORCE_RTX:
      return "geforce";
    case NVML_BRAND_NVIDIA_RTX:
      return "nvidia-rtx";
    default:
      return "nvidia";
  }
}

Result<const char*> ArchitectureWord(unsigned int architecture) {
  constexpr unsigned int kTuring = 6;
  constexpr const char* kWords[] = {"turing", "ampere", "ada", "hopper", "blackwell"};
  if (architecture < kTuring || architecture - kTuring >= std::size(kWords)) {
    return UnimplementedError("architecture " + std::to_string(architecture) +
                              " of NVML: profiles know those from Turing to Blackwell");
  }
  return kWords[architecture - kTuring];
}

// NVML tells cores, not multiprocessors.
unsigned int CoresOfMultiprocessor(int major, int minor) {
  const bool wide = major > 8 || (major == 8 && minor > 0);
  return wide ? 128 : 64;
}

std::string FileName(std::string_view product) {
  std::string name;
  for (const char c : product) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalnum(letter) != 0) {
      name += static_cast<char>(std::tolower(letter));
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (name.ends_with('-')) {
    name.pop_back();
  }
  return name;
}

Status BoardReader::ReadBoard() {
  char product[NVML_DEVICE_NAME_V2_BUFFER_SIZE] = {};
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(nvml_, nvmlDeviceGetName, device_, product, sizeof(product)));
  name_ = FileName(product);
  nvmlBrandType_t brand = NVML_BRAND_NVIDIA;
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetBrand, device_, &brand);
  ASSAY_ASSIGN_OR_RETURN(const unsigned int architecture, ASSAY_NUMBER(nvmlDeviceGetArchitecture));
  ASSAY_ASSIGN_OR_RETURN(const char* architecture_word, ArchitectureWord(architecture));
  int major = 0;
  int minor = 0;
  ASSAY_RETURN_IF_ERROR(
      ASSAY_REQUIRE(nvml_, nvmlDeviceGetCudaComputeCapability, device_, &major, &minor));
  ASSAY_ASSIGN_OR_RETURN(const unsigned int cores, ASSAY_NUMBER(nvmlDeviceGetNumGpuCores));
  Add(yaml_, "name", Quoted(name_));
  Add(yaml_, "product", Quoted(product));
  Add(yaml_, "brand", BrandWord(brand));
  Add(yaml_, "architecture", architecture_word);
  Add(yaml_, "compute_capability", Quoted(std::to_string(major) + "." + std::to_string(minor)));
  Add(yaml_, "cores", cores);
  Add(yaml_, "multiprocessors", std::max(1U, cores / CoresOfMultiprocessor(major, minor)));
  Add(yaml_, "fans", ASSAY_NUMBER_OR(nvmlDeviceGetNumFans, 0));
  unsigned int capacity = 0;
  const bool encodes = ASSAY_ASK(nvml_, nvmlDeviceGetEncoderCapacity, device_,
                                 NVML_ENCODER_QUERY_H264, &capacity) == NVML_SUCCESS;
  Add(yaml_, "encoders", encodes ? 1 : 0);
  nvmlEnableState_t ecc = NVML_FEATURE_DISABLED;
  nvmlEnableState_t pending = NVML_FEATURE_DISABLED;
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetEccMode, device_, &ecc, &pending);
  Add(yaml_, "ecc", ecc == NVML_FEATURE_ENABLED ? "true" : "false");
  unsigned int corrected = 0, uncorrected = 0, rows_pending = 0, failed = 0;
  const bool remaps = ASSAY_ASK(nvml_, nvmlDeviceGetRemappedRows, device_, &corrected, &uncorrected,
                                &rows_pending, &failed) == NVML_SUCCESS;
  Add(yaml_, "memory_repair", remaps ? "remap-rows" : "retire-pages");
  return OkStatus();
}

Status BoardReader::ReadPci() {
  nvmlPciInfo_t pci{};
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(nvml_, nvmlDeviceGetPciInfo_v3, device_, &pci));
  ASSAY_ASSIGN_OR_RETURN(const unsigned int generation,
                         ASSAY_NUMBER(nvmlDeviceGetMaxPcieLinkGeneration));
  ASSAY_ASSIGN_OR_RETURN(const unsigned int width, ASSAY_NUMBER(nvmlDeviceGetMaxPcieLinkWidth));
  yaml_ += "\npci:\n";
  Add(yaml_, "  device_id", pci.pciDeviceId >> 16);
  Add(yaml_, "  subsystem_id", pci.pciSubSystemId >> 16);
  Add(yaml_, "  generation", generation);
  Add(yaml_, "  width", width);
  return OkStatus();
}

Status BoardReader::ReadMemory() {
  nvmlMemory_v2_t memory{};
  memory.version = nvmlMemory_v2;
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(nvml_, nvmlDeviceGetMemoryInfo_v2, device_, &memory));
  ASSAY_ASSIGN_OR_RETURN(const unsigned int bus, ASSAY_NUMBER(nvmlDeviceGetMemoryBusWidth));
  nvmlBAR1Memory_t bar1{};
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(nvml_, nvmlDeviceGetBAR1MemoryInfo, device_, &bar1));
  yaml_ += "\nmemory:\n";
  Add(yaml_, "  total_mib", memory.total / kMebibyte);
  Add(yaml_, "  reserved_mib", memory.reserved / kMebibyte);
  Add(yaml_, "  bus_bits", bus);
  Add(yaml_, "  bar1_mib", bar1.bar1Total / kMebibyte);
  return OkStatus();
}

unsigned int BoardReader::Clock(nvmlClockType_t type, unsigned int fallback) const {
  unsigned int mhz = 0;
  return ASSAY_ASK(nvml_, nvmlDeviceGetDefaultApplicationsClock, device_, type, &mhz) ==
                     NVML_SUCCESS &&
                 mhz != 0
             ? mhz
             : fallback;
}

// Highest first; empty where the library does not tell.
std::vector<unsigned int> BoardReader::GraphicsClocks(unsigned int memory_mhz) const {
  unsigned int count = 0;
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetSupportedGraphicsClocks, device_, memory_mhz, &count,
                  nullptr);
  std::vector<unsigned int> clocks(count);
  if (count == 0 || ASSAY_ASK(nvml_, nvmlDeviceGetSupportedGraphicsClocks, device_, memory_mhz,
                              &count, clocks.data()) != NVML_SUCCESS) {
    return {};
  }
  clocks.resize(std::min<std::size_t>(count, clocks.size()));
  return clocks;
}

Status BoardReader::ReadClocks() {
  unsigned int most = 0;
  unsigned int video = 0;
  unsigned int memory = 0;
  ASSAY_RETURN_IF_ERROR(
      ASSAY_REQUIRE(nvml_, nvmlDeviceGetMaxClockInfo, device_, NVML_CLOCK_GRAPHICS, &most));
  ASSAY_RETURN_IF_ERROR(
      ASSAY_REQUIRE(nvml_, nvmlDeviceGetMaxClockInfo, device_, NVML_CLOCK_VIDEO, &video));
  ASSAY_RETURN_IF_ERROR(
      ASSAY_REQUIRE(nvml_, nvmlDeviceGetMaxClockInfo, device_, NVML_CLOCK_MEM, &memory));
  unsigned int count = 0;
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetSupportedMemoryClocks, device_, &count, nullptr);
  std::vector<unsigned int> memories(count);
  if (count == 0 || ASSAY_ASK(nvml_, nvmlDeviceGetSupportedMemoryClocks, device_, &count,
                              memories.data()) != NVML_SUCCESS) {
    memories = {memory};
  }
  memories.resize(std::min<std::size_t>(memories.size(), kMaxMemoryClocks));
  const std::vector<unsigned int> graphics = GraphicsClocks(memories.front());
  const unsigned int least = graphics.empty() ? most : graphics.back();
  unsigned int now = least;
  if (idle_) {
    (void)ASSAY_ASK(nvml_, nvmlDeviceGetClockInfo, device_, NVML_CLOCK_GRAPHICS, &now);
  }
  std::string list;
  for (const unsigned int mhz : memories) {
    list += (list.empty() ? "" : ", ") + std::to_string(mhz);
  }
  yaml_ += "\nclocks:\n";
  Add(yaml_, "  graphics_max_mhz", most);
  Add(yaml_, "  graphics_min_mhz", std::min(least, std::max(now, 1U)));
  Add(yaml_, "  graphics_idle_mhz", std::clamp(now, 1U, most));
  Add(yaml_, "  graphics_step_mhz", graphics.size() > 1 ? graphics[0] - graphics[1] : 15);
  Add(yaml_, "  video_max_mhz", video);
  Add(yaml_, "  memory_mhz", "[" + list + "]");
  Add(yaml_, "  application_graphics_mhz", std::min(most, Clock(NVML_CLOCK_GRAPHICS, most)));
  Add(yaml_, "  application_memory_mhz", Clock(NVML_CLOCK_MEM, memories.front()));
  return OkStatus();
}

Status BoardReader::ReadPower() {
  unsigned int least = 0;
  unsigned int most = 0;
  ASSAY_RETURN_IF_ERROR(
      ASSAY_REQUIRE(nvml_, nvmlDeviceGetPowerManagementLimitConstraints, device_, &least, &most));
  ASSAY_ASSIGN_OR_RETURN(const unsigned int usual,
                         ASSAY_NUMBER(nvmlDeviceGetPowerManagementDefaultLimit));
  // A loaded board does not show what it takes when idle: a tenth stands in.
  const unsigned int now =
      idle_ ? ASSAY_NUMBER_OR(nvmlDeviceGetPowerUsage, usual / 10) : usual / 10;
  yaml_ += "\npower:\n";
  Add(yaml_, "  min_w", least / kMilli);
  Add(yaml_, "  default_w", usual / kMilli);
  Add(yaml_, "  max_w", most / kMilli);
  yaml_ += idle_ ? "" : "  # A stand-in: the board was at work.\n";
  Add(yaml_, "  idle_w", std::clamp((now + kMilli / 2) / kMilli, 1U, usual / kMilli));
  return OkStatus();
}

Status BoardReader::ReadTemperature() {
  unsigned int shutdown = 0;
  unsigned int slowdown = 0;
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(nvml_, nvmlDeviceGetTemperatureThreshold, device_,
                                      NVML_TEMPERATURE_THRESHOLD_SHUTDOWN, &shutdown));
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(nvml_, nvmlDeviceGetTemperatureThreshold, device_,
                                      NVML_TEMPERATURE_THRESHOLD_SLOWDOWN, &slowdown));
  unsigned int gpu_most = slowdown;
  unsigned int memory_most = slowdown;
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetTemperatureThreshold, device_,
                  NVML_TEMPERATURE_THRESHOLD_GPU_MAX, &gpu_most);
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetTemperatureThreshold, device_,
                  NVML_TEMPERATURE_THRESHOLD_MEM_MAX, &memory_most);
  unsigned int now = 0;
  ASSAY_RETURN_IF_ERROR(
      ASSAY_REQUIRE(nvml_, nvmlDeviceGetTemperature, device_, NVML_TEMPERATURE_GPU, &now));
  constexpr unsigned int kIdle = 30;
  const unsigned int idle = std::clamp(idle_ ? now : kIdle, 1U, slowdown);
  yaml_ += "\ntemperature:\n";
  yaml_ += idle_ ? "" : "  # A stand-in: the board was at work.\n";
  Add(yaml_, "  idle_c", idle);
  yaml_ += "  # A stand-in: NVML tells no temperature under full load but by loading the board.\n";
  Add(yaml_, "  load_c", (idle + 2 * slowdown) / 3);
  Add(yaml_, "  gpu_max_c", gpu_most);
  Add(yaml_, "  slowdown_c", slowdown);
  Add(yaml_, "  shutdown_c", shutdown);
  Add(yaml_, "  memory_max_c", memory_most);
  return OkStatus();
}

void BoardReader::ReadFirmware() {
  char part[NVML_DEVICE_PART_NUMBER_BUFFER_SIZE] = {};
  char vbios[NVML_DEVICE_VBIOS_VERSION_BUFFER_SIZE] = {};
  char image[NVML_DEVICE_INFOROM_VERSION_BUFFER_SIZE] = {};
  char oem[NVML_DEVICE_INFOROM_VERSION_BUFFER_SIZE] = {};
  char ecc[NVML_DEVICE_INFOROM_VERSION_BUFFER_SIZE] = {};
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetBoardPartNumber, device_, part, sizeof(part));
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetVbiosVersion, device_, vbios, sizeof(vbios));
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetInforomImageVersion, device_, image, sizeof(image));
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetInforomVersion, device_, NVML_INFOROM_OEM, oem, sizeof(oem));
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetInforomVersion, device_, NVML_INFOROM_ECC, ecc, sizeof(ecc));
  yaml_ += "\nfirmware:\n";
  Add(yaml_, "  part_number", Quoted(part));
  Add(yaml_, "  vbios", Quoted(vbios));
  Add(yaml_, "  inforom_image", Quoted(image));
  Add(yaml_, "  inforom_oem", Quoted(oem));
  Add(yaml_, "  inforom_ecc", Quoted(ecc));
}

// NVML counts minor versions too; profiles do not.
unsigned int NvLinkGeneration(unsigned int version) {
  switch (version) {
    case NVML_NVLINK_VERSION_1_0:
      return 1;
    case NVML_NVLINK_VERSION_2_0:
    case NVML_NVLINK_VERSION_2_2:
      return 2;
    case NVML_NVLINK_VERSION_3_0:
    case NVML_NVLINK_VERSION_3_1:
      return 3;
    default:
      return version - 2;
  }
}

// 0 where there is no such value.
unsigned long long BoardReader::Field(unsigned int field) const {
  nvmlFieldValue_t value{};
  value.fieldId = field;
  if (ASSAY_ASK(nvml_, nvmlDeviceGetFieldValues, device_, 1, &value) != NVML_SUCCESS ||
      value.nvmlReturn != NVML_SUCCESS) {
    return 0;
  }
  switch (value.valueType) {
    case NVML_VALUE_TYPE_UNSIGNED_INT:
      return value.value.uiVal;
    case NVML_VALUE_TYPE_UNSIGNED_LONG:
    case NVML_VALUE_TYPE_UNSIGNED_LONG_LONG:
      return value.value.ullVal;
    default:
      return 0;
  }
}

void BoardReader::ReadLinks() {
  unsigned int links = 0;
  for (unsigned int link = 0; link < NVML_NVLINK_MAX_LINKS; ++link) {
    nvmlEnableState_t state = NVML_FEATURE_DISABLED;
    links += ASSAY_ASK(nvml_, nvmlDeviceGetNvLinkState, device_, link, &state) == NVML_SUCCESS;
  }
  unsigned int version = 0;
  const unsigned long long mbps = Field(NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON);
  if (links != 0 && mbps != 0 &&
      ASSAY_ASK(nvml_, nvmlDeviceGetNvLinkVersion, device_, 0, &version) == NVML_SUCCESS) {
    yaml_ += "\nnvlink:\n";
    Add(yaml_, "  version", NvLinkGeneration(version));
    Add(yaml_, "  links", links);
    Add(yaml_, "  mbps", mbps);
  }
  const unsigned long long c2c_links = Field(NVML_FI_DEV_C2C_LINK_COUNT);
  const unsigned long long c2c_mbps = Field(NVML_FI_DEV_C2C_LINK_GET_MAX_BW);
  if (c2c_links != 0 && c2c_mbps != 0) {
    yaml_ += "\nc2c:\n";
    Add(yaml_, "  links", c2c_links);
    Add(yaml_, "  mbps", c2c_mbps);
  }
}

void BoardReader::ReadPowerProfiles() {
  auto info = std::make_unique<nvmlWorkloadPowerProfileProfilesInfo_t>();
  info->version = nvmlWorkloadPowerProfileProfilesInfo_v1;
  if (ASSAY_ASK(nvml_, nvmlDeviceWorkloadPowerProfileGetProfilesInfo, device_, info.get()) !=
      NVML_SUCCESS) {
    return;
  }
  // All that have names are in a mask's first word.
  const auto has = [](const nvmlMask255_t& mask, unsigned int id) {
    return (mask.mask[0] >> id & 1) != 0;
  };
  yaml_ += "\npower_profiles:\n";
  for (unsigned int id = 0; id < NVML_POWER_PROFILE_MAX; ++id) {
    if (!has(info->perfProfilesMask, id)) {
      continue;
    }
    std::string conflicts;
    for (unsigned int other = 0; other < NVML_POWER_PROFILE_MAX; ++other) {
      if (has(info->perfProfile[id].conflictingMask, other)) {
        conflicts += (conflicts.empty() ? "" : ", ") + std::to_string(other);
      }
    }
    yaml_ += "  - {id: " + std::to_string(id) +
             ", priority: " + std::to_string(info->perfProfile[id].priority) + ", conflicts: [" +
             conflicts + "]}\n";
  }
}

// One row of the MIG table; empty where the board has no such profile.
std::string BoardReader::MigRow(unsigned int index, unsigned int& memory_slices) const {
  nvmlGpuInstanceProfileInfo_v2_t info{};
  info.version = nvmlGpuInstanceProfileInfo_v2;
  if (ASSAY_ASK(nvml_, nvmlDeviceGetGpuInstanceProfileInfoV, device_, index, &info) !=
      NVML_SUCCESS) {
    return "";
  }
  unsigned int count = 0;
  (void)ASSAY_ASK(nvml_, nvmlDeviceGetGpuInstancePossiblePlacements_v2, device_, info.id, nullptr,
                  &count);
  std::vector<nvmlGpuInstancePlacement_t> placements(count);
  if (count == 0 || ASSAY_ASK(nvml_, nvmlDeviceGetGpuInstancePossiblePlacements_v2, device_,
                              info.id, placements.data(), &count) != NVML_SUCCESS) {
    return "";
  }
  placements.resize(std::min<std::size_t>(count, placements.size()));
  std::string starts;
  for (const nvmlGpuInstancePlacement_t& placement : placements) {
    starts += (starts.empty() ? "" : ", ") + std::to_string(placement.start);
    memory_slices = std::max(memory_slices, placement.start + placement.size);
  }
  char memory[32];
  // Exact: a 1024th has ten digits after the point.
  std::snprintf(memory, sizeof(memory), "%.10f", static_cast<double>(info.memorySizeMB) / 1024);
  const std::string name = info.name;
  const std::size_t attribute = name.find_first_of("+-");
  const auto field = [](const char* key, unsigned int value) {
    return std::string(", ") + key + ": " + std::to_string(value);
  };
  return "    - {index: " + std::to_string(index) + field("id", info.id) +
         field("slices", info.sliceCount) + field("instances", info.instanceCount) +
         ", memory_gib: " + memory + field("multiprocessors", info.multiprocessorCount) +
         field("copy_engines", info.copyEngineCount) + field("decoders", info.decoderCount) +
         field("encoders", info.encoderCount) + field("jpeg_engines", info.jpegCount) +
         field("ofa_engines", info.ofaCount) + field("size", placements.front().size) +
         ", starts: [" + starts + "]" +
         (attribute == name.npos ? "" : ", attribute: " + Quoted(name.substr(attribute))) + "}\n";
}

void BoardReader::ReadMig() {
  unsigned int current = 0;
  unsigned int pending = 0;
  if (ASSAY_ASK(nvml_, nvmlDeviceGetMigMode, device_, &current, &pending) != NVML_SUCCESS) {
    return;
  }
  unsigned int memory_slices = 0;
  std::string rows;
  for (unsigned int index = 0; index < NVML_GPU_INSTANCE_PROFILE_COUNT; ++index) {
    rows += MigRow(index, memory_slices);
  }
  if (rows.empty()) {
    yaml_ += "\n# It has MIG, but told no table of it: its MIG mode was off.\n";
    return;
  }
  yaml_ += "\nmig:\n";
  Add(yaml_, "  memory_slices", memory_slices);
  yaml_ += "  profiles:\n" + rows;
}

}  // namespace

Result<BoardProfile> CaptureBoard(const NvmlLibrary& nvml, nvmlDevice_t device) {
  return BoardReader(nvml, device).Read();
}

}  // namespace assay::fakegpu::capture
