// ClaimSpecs: the CDI specs of this driver, one file per claim in the CDI directory:
// <driver>-claim_<uid>.json, of kind <driver>/claim, with one device per allocated device, named
// <uid>-<device>. A name is thus never used again for something else.
//
// Files appear and go atomically; nobody else's file is touched.
//
// Thread-safe; two writers of one claim exclude each other elsewhere (driver-ref/prepare/).
#ifndef ASSAY_DRIVER_REF_CDI_CLAIM_SPECS_H_
#define ASSAY_DRIVER_REF_CDI_CLAIM_SPECS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "driver-ref/cdi/mig_capabilities.h"
#include "driver-ref/discovery/backend.h"

namespace assay::driver_ref::cdi {

// What of a device a container gets.
struct DeviceEdits {
  std::string device;                        // The device's name in the ResourceSlice.
  std::optional<std::uint32_t> minor;        // Of a GPU: of /dev/nvidia<minor>.
  std::vector<discovery::DeviceNode> nodes;  // Of another device.
  std::vector<std::string> env;
  // The container sees a device that may be another's: it has DRA_ADMIN_ACCESS=true, as in
  // Kubernetes' example driver.
  bool admin_access = false;
  // Of a MIG device: the container gets their capabilities.
  std::optional<MigInstances> mig;
};

class ClaimSpecs {
 public:
  struct Options {
    std::string driver_name;
    std::filesystem::path cdi_root = "/var/run/cdi";
    // Where the host's device nodes lie.
    std::filesystem::path dev_root = "/dev";
    // Where the kernel tells the numbers of MIG capabilities.
    std::filesystem::path proc_root = "/proc";
    // The host's NVML, mounted into containers; empty: not mounted.
    std::filesystem::path nvml_library;
  };

  explicit ClaimSpecs(Options options) : options_(std::move(options)) {}

  // The CDI name under which a container asks for the device.
  std::string DeviceId(const std::string& uid, const std::string& device) const;

  // Writes the claim's file, or leaves it where it is already as it should be. Without devices
  // there is no file. kNotFound: the kernel does not tell of a MIG device's capabilities.
  Status Write(const std::string& uid, const std::vector<DeviceEdits>& devices) const;
  // A file that is not there is no error.
  Status Remove(const std::string& uid) const;

  // The UIDs of the claims that have a file.
  Result<std::set<std::string>> Claims() const;
  // The devices that the claim's file names; kNotFound, kInvalidArgument.
  Result<std::vector<std::string>> DevicesOf(const std::string& uid) const;

 private:
  std::string FileName(const std::string& uid) const;
  Result<std::string> Format(const std::string& uid, const std::vector<DeviceEdits>& devices) const;

  Options options_;
};

}  // namespace assay::driver_ref::cdi

#endif  // ASSAY_DRIVER_REF_CDI_CLAIM_SPECS_H_
