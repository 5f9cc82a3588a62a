#include "driver-ref/nvml/nvml_backend.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "driver-ref/nvml/mig.h"
#include "driver-ref/nvml/nvml_configurator.h"
#include "driver-ref/nvml/session.h"

namespace assay::driver_ref::nvml {
namespace {

using discovery::Fabric;
using discovery::Gpu;
using discovery::Inventory;
using discovery::XidEvent;

std::string BrandName(nvmlBrandType_t brand) {
  switch (brand) {
    case NVML_BRAND_QUADRO:
      return "Quadro";
    case NVML_BRAND_TESLA:
      return "Tesla";
    case NVML_BRAND_GEFORCE:
      return "GeForce";
    case NVML_BRAND_TITAN:
      return "Titan";
    case NVML_BRAND_QUADRO_RTX:
      return "QuadroRTX";
    case NVML_BRAND_NVIDIA_RTX:
      return "NvidiaRTX";
    case NVML_BRAND_NVIDIA:
      return "Nvidia";
    case NVML_BRAND_GEFORCE_RTX:
      return "GeForceRTX";
    case NVML_BRAND_TITAN_RTX:
      return "TitanRTX";
    default:
      return "";
  }
}

std::string ArchitectureName(nvmlDeviceArchitecture_t architecture) {
  switch (architecture) {
    case NVML_DEVICE_ARCH_KEPLER:
      return "Kepler";
    case NVML_DEVICE_ARCH_MAXWELL:
      return "Maxwell";
    case NVML_DEVICE_ARCH_PASCAL:
      return "Pascal";
    case NVML_DEVICE_ARCH_VOLTA:
      return "Volta";
    case NVML_DEVICE_ARCH_TURING:
      return "Turing";
    case NVML_DEVICE_ARCH_AMPERE:
      return "Ampere";
    case NVML_DEVICE_ARCH_ADA:
      return "Ada Lovelace";
    case NVML_DEVICE_ARCH_HOPPER:
      return "Hopper";
    case NVML_DEVICE_ARCH_BLACKWELL:
      return "Blackwell";
    case NVML_DEVICE_ARCH_RUBIN:
      return "Rubin";
    default:
      return "";
  }
}

std::string RecoveryName(unsigned int action) {
  switch (action) {
    case NVML_GPU_RECOVERY_ACTION_NONE:
      return "";
    case NVML_GPU_RECOVERY_ACTION_NODE_REBOOT:
      return "reboot";
    case NVML_GPU_RECOVERY_ACTION_DRAIN_P2P:
    case NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET:
      return "drain";
    default:
      return "reset";
  }
}

// The file that `function` was loaded from.
std::string PathOf(void* function) {
  Dl_info info{};
  if (::dladdr(function, &info) == 0 || info.dli_fname == nullptr) {
    return "";
  }
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(info.dli_fname, error);
  return error ? "" : path.string();
}

// As sysfs writes it; NVML pads the domain to eight digits.
std::string BusId(const nvmlPciInfo_t& pci) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04x:%02x:%02x.0", pci.domain, pci.bus, pci.device);
  return text.data();
}

}  // namespace

struct NvmlBackend::Impl : Session {
  ~Impl() {
    if (event_set != nullptr) {
      f.event_set_free(event_set);
    }
    if (initialized) {
      f.shutdown();
    }
    // Not dlclose: threads of the library may still be about to return.
  }

  // After the kernel driver went, NVML answers nothing until it is initialised again. Only the
  // thread that waits for events may do so, for it may be inside of the library. Call with mu held.
  void ResetIfGone() {
    if (!std::exchange(gone, false)) {
      return;
    }
    if (event_set != nullptr) {
      f.event_set_free(event_set);
      event_set = nullptr;
    }
    registered.clear();
    uuid_of.clear();
    f.shutdown();
    initialized = false;
  }

  static std::string Clique(const nvmlGpuFabricInfo_t& info) {
    std::string uuid;
    for (std::size_t i = 0; i < sizeof(info.clusterUuid); ++i) {
      std::array<char, 3> digits{};
      std::snprintf(digits.data(), digits.size(), "%02x", info.clusterUuid[i]);
      uuid += i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
      uuid += digits.data();
    }
    const bool known = uuid.find_first_not_of("0-") != std::string::npos;
    return known ? uuid + "." + std::to_string(info.cliqueId) : "";
  }

  void DescribeFabric(nvmlDevice_t device, Gpu& gpu) {
    nvmlGpuFabricInfo_t info{};
    if (f.fabric_info == nullptr || f.fabric_info(device, &info) != NVML_SUCCESS) {
      return;
    }
    gpu.fabric_error.clear();
    gpu.fabric_clique.clear();
    switch (info.state) {
      case NVML_GPU_FABRIC_STATE_NOT_STARTED:
      case NVML_GPU_FABRIC_STATE_IN_PROGRESS:
        gpu.fabric = Fabric::kPending;
        break;
      case NVML_GPU_FABRIC_STATE_COMPLETED:
        // Only now the status says something.
        gpu.fabric = info.status == NVML_SUCCESS ? Fabric::kReady : Fabric::kFailed;
        if (info.status == NVML_SUCCESS) {
          gpu.fabric_clique = Clique(info);
        } else {
          gpu.fabric_error = f.error_string(info.status);
        }
        break;
      default:
        gpu.fabric = Fabric::kNone;
    }
  }

  // What a lost GPU no longer answers stays as it was.
  Gpu Describe(nvmlDevice_t device, Gpu gpu) {
    std::array<char, NVML_DEVICE_NAME_V2_BUFFER_SIZE> name{};
    if (f.name(device, name.data(), name.size()) == NVML_SUCCESS) {
      gpu.model = name.data();
    }
    if (unsigned int minor = 0; f.minor_number(device, &minor) == NVML_SUCCESS) {
      gpu.minor = minor;
    }
    if (nvmlBrandType_t brand = NVML_BRAND_UNKNOWN; f.brand(device, &brand) == NVML_SUCCESS) {
      gpu.brand = BrandName(brand);
    }
    if (nvmlDeviceArchitecture_t arch = 0; f.architecture(device, &arch) == NVML_SUCCESS) {
      gpu.architecture = ArchitectureName(arch);
    }
    int major = 0;
    int minor = 0;
    if (f.compute_capability(device, &major, &minor) == NVML_SUCCESS) {
      gpu.compute_capability = std::to_string(major) + "." + std::to_string(minor);
    }
    if (nvmlPciInfo_t pci{}; f.pci_info(device, &pci) == NVML_SUCCESS) {
      gpu.pci_bus_id = BusId(pci);
    }
    nvmlMemory_t memory{};
    const nvmlReturn_t memory_code = f.memory_info(device, &memory);
    if (memory_code == NVML_SUCCESS) {
      gpu.memory_bytes = memory.total;
    }
    DescribeFabric(device, gpu);
    nvmlFieldValue_t action{};
    action.fieldId = NVML_FI_DEV_GET_GPU_RECOVERY_ACTION;
    gpu.needs.clear();
    if (memory_code == NVML_ERROR_GPU_IS_LOST) {
      gpu.needs = "lost";
    } else if (f.field_values(device, 1, &action) == NVML_SUCCESS &&
               action.nvmlReturn == NVML_SUCCESS) {
      gpu.needs = RecoveryName(action.value.uiVal);
    } else if (sticky_xids.contains(gpu.uuid)) {
      // An NVML that does not tell what a GPU needs: an error counts until the next start.
      gpu.needs = "reset";
    }
    if (options.divide) {
      DescribeDivision(*this, device, gpu);
    }
    return gpu;
  }

  explicit Impl(Options o) : options(std::move(o)) {}

  Options options;
  MigPartitioner partitioner{*this};
  NvmlConfigurator configurator{*this, NvidiaSmi(options.nvidia_smi)};
  std::map<std::string, Gpu> known;   // By UUID. Guarded by mu.
  std::set<std::string> sticky_xids;  // Guarded by mu.
  // Used by the one thread that waits for events, but made and freed under mu.
  nvmlEventSet_t event_set = nullptr;
  std::set<std::string> registered;             // UUIDs in event_set. Guarded by mu.
  std::map<nvmlDevice_t, std::string> uuid_of;  // Guarded by mu.
};

NvmlBackend::NvmlBackend(std::unique_ptr<Impl> impl, std::string library_path)
    : impl_(std::move(impl)), library_path_(std::move(library_path)) {}
NvmlBackend::~NvmlBackend() = default;

Result<std::unique_ptr<NvmlBackend>> NvmlBackend::Load(const std::string& library_path,
                                                       const Options& options) {
  void* const library = ::dlopen(library_path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return NotFoundError(::dlerror());
  }
  auto impl = std::make_unique<Impl>(options);
  ASSAY_RETURN_IF_ERROR(FindAll(library, impl->f).WithContext(library_path));
  std::string path = PathOf(reinterpret_cast<void*>(impl->f.init));
  return std::unique_ptr<NvmlBackend>(new NvmlBackend(std::move(impl), std::move(path)));
}

discovery::Partitioner* NvmlBackend::partitioner() { return &impl_->partitioner; }
discovery::Configurator* NvmlBackend::configurator() { return &impl_->configurator; }

Result<Inventory> NvmlBackend::Discover() {
  Impl& nvml = *impl_;
  const std::lock_guard<std::mutex> lock(nvml.mu);
  ASSAY_RETURN_IF_ERROR(nvml.Initialize());
  unsigned int count = 0;
  if (Status status = nvml.Error(nvml.f.count(&count), "nvmlDeviceGetCount_v2"); !status.ok()) {
    nvml.gone = status.code() == StatusCode::kUnavailable;
    return status;
  }
  Inventory inventory;
  std::array<char, NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE> version{};
  if (nvml.f.driver_version(version.data(), version.size()) == NVML_SUCCESS) {
    inventory.driver_version = version.data();
  }
  if (int cuda = 0; nvml.f.cuda_version(&cuda) == NVML_SUCCESS) {
    inventory.cuda_version = std::to_string(cuda / 1000) + "." + std::to_string(cuda % 1000 / 10);
  }
  for (unsigned int i = 0; i < count; ++i) {
    nvmlDevice_t device = nullptr;
    std::array<char, NVML_DEVICE_UUID_V2_BUFFER_SIZE> uuid{};
    if (nvml.f.handle_by_index(i, &device) != NVML_SUCCESS ||
        nvml.f.uuid(device, uuid.data(), uuid.size()) != NVML_SUCCESS) {
      continue;  // Gone since it was counted, or no access to it.
    }
    nvml.uuid_of[device] = uuid.data();
    Gpu& known = nvml.known[uuid.data()];
    known.uuid = uuid.data();
    known = nvml.Describe(device, known);
    inventory.gpus.push_back(known);
  }
  std::ranges::sort(inventory.gpus, {}, &Gpu::uuid);
  return inventory;
}

Result<std::optional<XidEvent>> NvmlBackend::WaitForXid(Duration timeout) {
  Impl& nvml = *impl_;
  nvmlEventSet_t set = nullptr;
  {
    const std::lock_guard<std::mutex> lock(nvml.mu);
    nvml.ResetIfGone();
    ASSAY_RETURN_IF_ERROR(nvml.Initialize());
    if (nvml.event_set == nullptr) {
      ASSAY_RETURN_IF_ERROR(
          nvml.Error(nvml.f.event_set_create(&nvml.event_set), "nvmlEventSetCreate"));
    }
    for (const auto& [device, uuid] : nvml.uuid_of) {
      if (!nvml.registered.contains(uuid) &&
          nvml.f.register_events(device, nvmlEventTypeXidCriticalError, nvml.event_set) ==
              NVML_SUCCESS) {
        nvml.registered.insert(uuid);
      }
    }
    set = nvml.event_set;
  }
  nvmlEventData_t event{};
  const auto timeout_ms = static_cast<unsigned int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
  const nvmlReturn_t code = nvml.f.event_set_wait(set, &event, timeout_ms);
  if (code == NVML_ERROR_TIMEOUT) {
    return std::optional<XidEvent>();
  }
  ASSAY_RETURN_IF_ERROR(nvml.Error(code, "nvmlEventSetWait_v2"));
  const std::lock_guard<std::mutex> lock(nvml.mu);
  std::optional<XidEvent> result =
      XidEvent{.uuid = nvml.uuid_of[event.device], .xid = event.eventData};
  // XIDs that an application causes by itself say nothing about the GPU (NVIDIA, "XID Errors").
  static const std::set<std::uint64_t> kOfApplications = {13, 31, 43, 45, 68, 109};
  if (!kOfApplications.contains(result->xid)) {
    nvml.sticky_xids.insert(result->uuid);
  }
  return result;
}

}  // namespace assay::driver_ref::nvml
