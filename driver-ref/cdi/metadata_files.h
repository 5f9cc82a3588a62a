// MetadataFiles: what containers can read about their devices (KEP-5304, "DRA: device attributes
// downward API"): for each request of a claim a JSON file, and a CDI spec that mounts it at
//
//   /var/run/kubernetes.io/dra-device-attributes/resourceclaims/<claim>/<request>/<driver>-metadata.json
//   .../resourceclaimtemplates/<name in the pod>/<request>/...     a claim made from a template
//
// Paths, names and format are those of Kubernetes' helper library (dynamic-resource-allocation,
// kubeletplugin/metadata.go and api/metadata). On the host the files of a claim lie under its UID:
// that is this driver's own business, and a claim of the same name that comes later has others.
//
// Files appear and go atomically. A container keeps the file that was there when it started.
//
// Thread-safe; two writers of one claim exclude each other elsewhere (driver-ref/prepare/).
#ifndef ASSAY_DRIVER_REF_CDI_METADATA_FILES_H_
#define ASSAY_DRIVER_REF_CDI_METADATA_FILES_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/resource/types.h"
#include "base/result.h"

namespace assay::driver_ref::cdi {

struct DeviceMetadata {
  std::string pool;
  std::string device;
  std::map<std::string, api::resource::DeviceAttribute> attributes;
  std::optional<api::resource::NetworkDeviceData> network_data;
};

struct ClaimMetadata {
  std::string namespace_;
  std::string name;
  std::string uid;
  // pod.spec.resourceClaims[].name, of a claim made from a template.
  std::optional<std::string> pod_claim_name;
  // By request, as in the allocation: "request" or "request/subrequest".
  std::map<std::string, std::vector<DeviceMetadata>> requests;
};

// "request" of "request/subrequest", and of "request".
std::string BaseRequest(const std::string& request_ref);

class MetadataFiles {
 public:
  struct Options {
    std::string driver_name;
    std::filesystem::path cdi_root = "/var/run/cdi";
    // Where the files lie on the host.
    std::filesystem::path directory;
  };

  explicit MetadataFiles(Options options) : options_(std::move(options)) {}

  // The CDI name under which a container asks for the file of `request`, without a subrequest.
  std::string DeviceId(const std::string& uid, const std::string& request) const;

  // Writes the claim's files and their specs, or leaves them where they are already as they should
  // be. A file that changes gets the next generation.
  Status Write(const ClaimMetadata& claim) const;
  // The specs first. What is not there is no error.
  Status Remove(const std::string& uid) const;
  // The UIDs of the claims of which anything is there.
  Result<std::set<std::string>> Claims() const;

 private:
  std::string SpecPrefix(const std::string& uid) const;
  std::filesystem::path HostPath(const std::string& uid, const std::string& request) const;
  std::string Format(const ClaimMetadata& claim, const std::string& request_ref,
                     std::int64_t generation) const;
  Status WriteFile(const ClaimMetadata& claim, const std::string& request_ref) const;
  std::string FormatSpec(const ClaimMetadata& claim, const std::string& request) const;

  Options options_;
};

}  // namespace assay::driver_ref::cdi

#endif  // ASSAY_DRIVER_REF_CDI_METADATA_FILES_H_
