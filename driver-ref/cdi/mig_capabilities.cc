#include "driver-ref/cdi/mig_capabilities.h"

#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

namespace assay::driver_ref::cdi {
namespace {

// "508 nvidia-caps"
std::optional<int> MajorIn(const std::filesystem::path& devices) {
  std::ifstream in(devices);
  for (std::string word, before; in >> word; before = word) {
    if (word == "nvidia-caps" && !before.empty()) {
      return std::atoi(before.c_str());
    }
  }
  return std::nullopt;
}

// "gpu0/gi3/ci0/access 31"
std::optional<int> MinorIn(const std::filesystem::path& minors, const std::string& capability) {
  std::ifstream in(minors);
  for (std::string name, minor; in >> name >> minor;) {
    if (name == capability) {
      return std::atoi(minor.c_str());
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<MigCapability>> CapabilitiesOf(const MigInstances& instances,
                                                  const std::filesystem::path& proc_root) {
  const std::filesystem::path devices = proc_root / "devices";
  const std::optional<int> major = MajorIn(devices);
  if (!major) {
    return NotFoundError(devices.string() + " has no nvidia-caps");
  }
  const std::string gpu_instance =
      "gpu" + std::to_string(instances.gpu_minor) + "/gi" + std::to_string(instances.gpu_instance);
  const std::string compute_instance =
      gpu_instance + "/ci" + std::to_string(instances.compute_instance);
  std::vector<MigCapability> capabilities;
  for (const std::string& instance : {gpu_instance, compute_instance}) {
    const std::filesystem::path minors = proc_root / "driver/nvidia-caps/mig-minors";
    const std::optional<int> minor = MinorIn(minors, instance + "/access");
    if (!minor) {
      return NotFoundError(minors.string() + " has no " + instance + "/access");
    }
    capabilities.push_back({.major = *major, .minor = *minor});
  }
  return capabilities;
}

}  // namespace assay::driver_ref::cdi
