#include "fakegpu/capture/capture.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "fakegpu/capture/ask.h"
#include "fakegpu/capture/board.h"

namespace assay::fakegpu::capture {
namespace {

namespace fs = std::filesystem;

// Where a GPU stands.
struct Place {
  nvmlDevice_t device = nullptr;
  nvmlPciInfo_t pci{};
  std::string address;  // "0000:1b:00.0"
  unsigned int root_bus = 0;
  unsigned int switch_number = 0;
  unsigned int numa_node = 0;
  std::string board;  // The file of its profile.
};

std::string Address(const nvmlPciInfo_t& pci) {
  char text[32];
  std::snprintf(text, sizeof(text), "%04x:%02x:%02x.0", pci.domain, pci.bus, pci.device);
  return text;
}

std::string Text(const Status& status, unsigned int gpu) {
  return "GPU " + std::to_string(gpu) + ": " + status.message();
}

// "0-55, 112-167", of at most the four ranges that a profile has room for.
std::string CpuRanges(const NvmlLibrary& nvml, nvmlDevice_t device) {
  constexpr std::size_t kWords = 64;
  constexpr std::size_t kBits = 8 * sizeof(unsigned long);
  constexpr int kMostRanges = 4;
  unsigned long set[kWords] = {};
  (void)ASSAY_ASK(nvml, nvmlDeviceGetCpuAffinity, device, kWords, set);
  const auto near = [&](std::size_t cpu) {
    return cpu < kWords * kBits && (set[cpu / kBits] >> (cpu % kBits) & 1) != 0;
  };
  std::string ranges;
  int count = 0;
  for (std::size_t cpu = 0; cpu < kWords * kBits && count < kMostRanges; ++cpu) {
    if (!near(cpu)) {
      continue;
    }
    std::size_t last = cpu;
    while (near(last + 1)) {
      ++last;
    }
    ranges += (ranges.empty() ? "" : ", ") + std::to_string(cpu) + "-" + std::to_string(last);
    cpu = last;
    ++count;
  }
  return ranges;
}

unsigned int NumaNode(const NvmlLibrary& nvml, nvmlDevice_t device, const fs::path& sys) {
  const Result<std::string> text = ReadFile(sys / "numa_node");
  if (text.ok() && std::atoi(text->c_str()) >= 0) {
    return static_cast<unsigned int>(std::atoi(text->c_str()));
  }
  constexpr unsigned int kWords = 16;
  unsigned long set[kWords] = {};
  (void)ASSAY_ASK(nvml, nvmlDeviceGetMemoryAffinity, device, kWords, set, NVML_AFFINITY_SCOPE_NODE);
  for (unsigned int word = 0; word < kWords; ++word) {
    if (set[word] != 0) {
      return word * 64 + static_cast<unsigned int>(__builtin_ctzl(set[word]));
    }
  }
  return 0;
}

// The bus of the PCIe root that sysfs shows above a device.
std::optional<unsigned int> RootBus(const fs::path& sys) {
  std::error_code error;
  for (const fs::path& part : fs::canonical(sys, error)) {
    unsigned int domain = 0;
    unsigned int bus = 0;
    if (std::sscanf(part.c_str(), "pci%x:%x", &domain, &bus) == 2) {
      return bus;
    }
  }
  return std::nullopt;
}

// GPUs below one host bridge share a root, GPUs below one switch a switch: as NVML says, where
// sysfs says nothing of the roots.
void FindRoots(const NvmlLibrary& nvml, const fs::path& pci_devices, std::vector<Place>& places) {
  unsigned int switches = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    Place& place = places[i];
    place.root_bus = RootBus(pci_devices / place.address).value_or(place.pci.bus);
    for (std::size_t j = 0; j < i; ++j) {
      nvmlGpuTopologyLevel_t level = NVML_TOPOLOGY_SYSTEM;
      if (ASSAY_ASK(nvml, nvmlDeviceGetTopologyCommonAncestor, places[j].device, place.device,
                    &level) != NVML_SUCCESS) {
        continue;
      }
      if (level <= NVML_TOPOLOGY_HOSTBRIDGE) {
        place.root_bus = places[j].root_bus;
      }
      if (level <= NVML_TOPOLOGY_MULTIPLE) {
        if (places[j].switch_number == 0) {
          places[j].switch_number = ++switches;
        }
        place.switch_number = places[j].switch_number;
      }
    }
  }
}

std::string GpuLine(const NvmlLibrary& nvml, const Place& place) {
  unsigned int module = 0;
  (void)ASSAY_ASK(nvml, nvmlDeviceGetModuleId, place.device, &module);
  unsigned int minor = 0;
  const bool has_minor =
      ASSAY_ASK(nvml, nvmlDeviceGetMinorNumber, place.device, &minor) == NVML_SUCCESS;
  char uuid[NVML_DEVICE_UUID_V2_BUFFER_SIZE] = {};
  (void)ASSAY_ASK(nvml, nvmlDeviceGetUUID, place.device, uuid, sizeof(uuid));
  char serial[NVML_DEVICE_SERIAL_BUFFER_SIZE] = {};
  (void)ASSAY_ASK(nvml, nvmlDeviceGetSerial, place.device, serial, sizeof(serial));
  return "  - {profile: " + Quoted(place.board) + ", pci: " + Quoted(place.address) +
         ", root_bus: " + std::to_string(place.root_bus) +
         (place.switch_number == 0 ? "" : ", switch: " + std::to_string(place.switch_number)) +
         ", numa_node: " + std::to_string(place.numa_node) + ", cpus: [" +
         CpuRanges(nvml, place.device) + "], module_id: " + std::to_string(module) +
         (has_minor ? ", minor: " + std::to_string(minor) : "") +
         (uuid[0] == '\0' ? "" : ", uuid: " + std::string(uuid)) +
         (serial[0] == '\0' ? "" : ", serial: " + Quoted(serial)) + "}\n";
}

// Where the NVLinks go: to switches, and in pairs to other GPUs.
std::string Links(const NvmlLibrary& nvml, const std::vector<Place>& places) {
  std::vector<std::string> switches;
  unsigned int switch_device = 0;
  std::set<std::pair<std::size_t, std::size_t>> bridges;
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (unsigned int link = 0; link < NVML_NVLINK_MAX_LINKS; ++link) {
      nvmlPciInfo_t remote{};
      nvmlIntNvLinkDeviceType_t type = NVML_NVLINK_DEVICE_TYPE_UNKNOWN;
      if (ASSAY_ASK(nvml, nvmlDeviceGetNvLinkRemotePciInfo_v2, places[i].device, link, &remote) !=
              NVML_SUCCESS ||
          ASSAY_ASK(nvml, nvmlDeviceGetNvLinkRemoteDeviceType, places[i].device, link, &type) !=
              NVML_SUCCESS) {
        continue;
      }
      const std::string address = Address(remote);
      if (type == NVML_NVLINK_DEVICE_TYPE_SWITCH &&
          std::find(switches.begin(), switches.end(), address) == switches.end()) {
        switches.push_back(address);
        switch_device = remote.pciDeviceId >> 16;
      }
      for (std::size_t j = i + 1; type == NVML_NVLINK_DEVICE_TYPE_GPU && j < places.size(); ++j) {
        if (places[j].address == address) {
          bridges.emplace(i, j);
        }
      }
    }
  }
  std::string text;
  if (!switches.empty()) {
    text += "\nnvswitch:\n  device_id: " + std::to_string(switch_device) + "\n  addresses: [";
    for (std::size_t i = 0; i < switches.size(); ++i) {
      text += (i == 0 ? "" : ", ") + Quoted(switches[i]);
    }
    text += "]\n";
  }
  if (!bridges.empty()) {
    text += "\nnvlink_bridges:\n";
    for (const auto& [first, second] : bridges) {
      text += "  - {gpus: [" + std::to_string(first) + ", " + std::to_string(second) + "]}\n";
    }
  }
  return text;
}

// What is beyond the node: its NVLink domain, its rack.
std::string Surroundings(const NvmlLibrary& nvml, nvmlDevice_t device) {
  std::string text;
  nvmlGpuFabricInfo_t fabric{};
  if (ASSAY_ASK(nvml, nvmlDeviceGetGpuFabricInfo, device, &fabric) == NVML_SUCCESS &&
      std::any_of(std::begin(fabric.clusterUuid), std::end(fabric.clusterUuid),
                  [](unsigned char byte) { return byte != 0; })) {
    std::string uuid;
    for (std::size_t i = 0; i < std::size(fabric.clusterUuid); ++i) {
      char byte[4];
      std::snprintf(byte, sizeof(byte), "%02x", fabric.clusterUuid[i]);
      uuid += (i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "") + std::string(byte);
    }
    text += "\nfabric:\n  cluster_uuid: " + uuid +
            "\n  clique: " + std::to_string(fabric.cliqueId) + "\n";
  }
  nvmlPlatformInfo_t platform{};
  platform.version = nvmlPlatformInfo_v2;
  if (ASSAY_ASK(nvml, nvmlDeviceGetPlatformInfo, device, &platform) == NVML_SUCCESS &&
      platform.chassisSerialNumber[0] != '\0') {
    const auto* serial = reinterpret_cast<const char*>(platform.chassisSerialNumber);
    text +=
        "\nplatform:\n  chassis_serial: " +
        Quoted(std::string_view(serial, strnlen(serial, sizeof(platform.chassisSerialNumber)))) +
        "\n  slot: " + std::to_string(platform.slotNumber) +
        "\n  tray: " + std::to_string(platform.trayIndex) +
        "\n  host: " + std::to_string(platform.hostId) +
        "\n  switched: " + (platform.peerType != 0 ? "true" : "false") + "\n";
  }
  return text;
}

Result<std::string> Driver(const NvmlLibrary& nvml) {
  char version[NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE] = {};
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(nvml, nvmlSystemGetDriverVersion, version, sizeof(version)));
  int cuda = 0;
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(nvml, nvmlSystemGetCudaDriverVersion_v2, &cuda));
  nvmlSystemDriverBranchInfo_t branch{};
  branch.version = nvmlSystemDriverBranchInfo_v1;
  if (ASSAY_ASK(nvml, nvmlSystemGetDriverBranch, &branch, sizeof(branch.branch)) != NVML_SUCCESS) {
    // As they are called; drivers before 560 do not tell.
    const std::string text = version;
    std::snprintf(branch.branch, sizeof(branch.branch), "r%s_00",
                  text.substr(0, text.find('.')).c_str());
  }
  return "driver:\n  version: " + Quoted(version) + "\n  branch: " + Quoted(branch.branch) +
         "\n  cuda: " +
         Quoted(std::to_string(cuda / 1000) + "." + std::to_string(cuda % 1000 / 10)) + "\n";
}

// Puts a board's profile among the files, once for all GPUs of its kind; the name it has there.
std::string FileOf(const BoardProfile& board, std::map<std::string, std::string>& files) {
  for (int copy = 1;; ++copy) {
    const std::string name = board.name + (copy == 1 ? "" : "-" + std::to_string(copy)) + ".yaml";
    const auto [file, added] = files.emplace(name, board.yaml);
    if (added || file->second == board.yaml) {
      return name;
    }
  }
}

}  // namespace

Result<std::map<std::string, std::string>> Capture(const CaptureOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<NvmlLibrary> nvml,
                         NvmlLibrary::Load(options.library));
  unsigned int count = 0;
  ASSAY_RETURN_IF_ERROR(ASSAY_REQUIRE(*nvml, nvmlDeviceGetCount_v2, &count));
  std::map<std::string, std::string> files;
  std::vector<Place> places(count);
  for (unsigned int i = 0; i < count; ++i) {
    Place& place = places[i];
    Status status = ASSAY_REQUIRE(*nvml, nvmlDeviceGetHandleByIndex_v2, i, &place.device);
    if (status.ok()) {
      status = ASSAY_REQUIRE(*nvml, nvmlDeviceGetPciInfo_v3, place.device, &place.pci);
    }
    if (!status.ok()) {
      return FailedPreconditionError(Text(status, i));
    }
    place.address = Address(place.pci);
    place.numa_node = NumaNode(*nvml, place.device, options.pci_devices / place.address);
    const Result<BoardProfile> board = CaptureBoard(*nvml, place.device);
    if (!board.ok()) {
      return FailedPreconditionError(Text(board.status(), i));
    }
    place.board = FileOf(*board, files);
  }
  FindRoots(*nvml, options.pci_devices, places);
  ASSAY_ASSIGN_OR_RETURN(const std::string driver, Driver(*nvml));
  std::string node = "# Captured with fakegpuctl capture.\nname: captured\nseed: 1\n" + driver;
  node += Links(*nvml, places);
  node += count == 0 ? "" : Surroundings(*nvml, places.front().device);
  node += count == 0 ? "\ngpus: []\n" : "\ngpus:\n";
  for (const Place& place : places) {
    node += GpuLine(*nvml, place);
  }
  files[kNodeFile] = std::move(node);
  return files;
}

}  // namespace assay::fakegpu::capture
