#include "driver-ref/cdi/metadata_files.h"

#include <array>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "api/json/json.h"
#include "base/file.h"
#include "driver-ref/cdi/spec_file.h"
#include "driver-ref/mutants.h"

namespace assay::driver_ref::cdi {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kContainerDirectory = "/var/run/kubernetes.io/dra-device-attributes";
// Newest first: a reader takes the first that it knows. Kubernetes 1.36 knows v1alpha1 alone.
constexpr std::array<std::string_view, 2> kApiVersions = {"metadata.resource.k8s.io/v1beta1",
                                                          "metadata.resource.k8s.io/v1alpha1"};
// The oldest version in which names may start with a digit.
constexpr std::string_view kCdiVersion = "0.5.0";

Json ToJson(const DeviceMetadata& device, const std::string& driver_name) {
  Json json = {{"driver", driver_name}, {"pool", device.pool}, {"name", device.device}};
  for (const auto& [name, attribute] : device.attributes) {
    json["attributes"][name] = Json::parse(api::json::EncodeAs(attribute));
  }
  if (device.network_data) {
    json["networkData"] = Json::parse(api::json::EncodeAs(*device.network_data));
  }
  return json;
}

// Of a file as Format writes it; 0 if it is none.
std::int64_t GenerationOf(const std::string& text) {
  try {
    Json first;
    std::istringstream(text) >> first;
    return first.at("metadata").at("generation").get<std::int64_t>();
  } catch (const Json::exception&) {
    return 0;
  }
}

}  // namespace

std::string BaseRequest(const std::string& request_ref) {
  return request_ref.substr(0, request_ref.find('/'));
}

std::string MetadataFiles::DeviceId(const std::string& uid, const std::string& request) const {
  return options_.driver_name + "/metadata=" + uid + "_" + request;
}

std::string MetadataFiles::SpecPrefix(const std::string& uid) const {
  return options_.driver_name + "_metadata_" + uid + "_";
}

std::filesystem::path MetadataFiles::HostPath(const std::string& uid,
                                              const std::string& request) const {
  return options_.directory / uid / request / "metadata.json";
}

std::string MetadataFiles::Format(const ClaimMetadata& claim, const std::string& request_ref,
                                  std::int64_t generation) const {
  Json devices = Json::array();
  for (const DeviceMetadata& device : claim.requests.at(request_ref)) {
    devices.push_back(ToJson(device, options_.driver_name));
  }
  std::string text;
  for (const std::string_view version : kApiVersions) {
    Json object = {{"kind", "DeviceMetadata"},
                   {"apiVersion", version},
                   {"metadata",
                    {{"name", claim.name},
                     {"namespace", claim.namespace_},
                     {"uid", claim.uid},
                     {"generation", generation}}}};
    if (claim.pod_claim_name) {
      object["podClaimName"] = *claim.pod_claim_name;
    }
    object["requests"] = Json::array({{{"name", request_ref}, {"devices", devices}}});
    text += object.dump(2) + "\n";
  }
  return text;
}

Status MetadataFiles::WriteFile(const ClaimMetadata& claim, const std::string& request_ref) const {
  const std::filesystem::path path = HostPath(claim.uid, BaseRequest(request_ref));
  std::int64_t generation = 1;
  if (const Result<std::string> present = ReadFile(path); present.ok()) {
    const std::int64_t last = GenerationOf(*present);
    if (*present == Format(claim, request_ref, last)) {
      return OkStatus();
    }
    generation = last + 1;
  }
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) {
    return ErrnoError(error.value(), "creating " + path.parent_path().string());
  }
  return WriteFileAtomically(path, Format(claim, request_ref, generation), {.mode = 0644});
}

std::string MetadataFiles::FormatSpec(const ClaimMetadata& claim,
                                      const std::string& request) const {
  const bool of_template = claim.pod_claim_name && !mutants::Is("metadata-by-claim");
  const std::filesystem::path in_container =
      std::filesystem::path(kContainerDirectory) /
      (of_template ? "resourceclaimtemplates" : "resourceclaims") /
      (of_template ? *claim.pod_claim_name : claim.name) / request /
      (options_.driver_name + "-metadata.json");
  const std::string id = DeviceId(claim.uid, request);
  const Json mount = {{"hostPath", HostPath(claim.uid, request).string()},
                      {"containerPath", in_container.string()},
                      {"options", {"ro", "bind"}}};
  const Json spec = {
      {"cdiVersion", kCdiVersion},
      {"kind", id.substr(0, id.find('='))},
      {"devices", Json::array({{{"name", id.substr(id.find('=') + 1)},
                                {"containerEdits", {{"mounts", Json::array({mount})}}}}})}};
  return spec.dump(2) + "\n";
}

Status MetadataFiles::Write(const ClaimMetadata& claim) const {
  for (const auto& [request_ref, devices] : claim.requests) {
    ASSAY_RETURN_IF_ERROR(WriteFile(claim, request_ref));
    const std::string request = BaseRequest(request_ref);
    ASSAY_RETURN_IF_ERROR(
        WriteSpecFile(options_.cdi_root / (SpecPrefix(claim.uid) + request + ".json"),
                      FormatSpec(claim, request)));
  }
  return OkStatus();
}

Status MetadataFiles::Remove(const std::string& uid) const {
  if (mutants::Is("keeps-metadata")) {
    return OkStatus();
  }
  ASSAY_ASSIGN_OR_RETURN(const std::set<std::string> specs,
                         SpecFiles(options_.cdi_root, SpecPrefix(uid)));
  for (const std::string& name : specs) {
    ASSAY_RETURN_IF_ERROR(RemoveSpecFile(options_.cdi_root / name));
  }
  const std::filesystem::path directory = options_.directory / uid;
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  return error ? ErrnoError(error.value(), "removing " + directory.string()) : OkStatus();
}

Result<std::set<std::string>> MetadataFiles::Claims() const {
  const std::string prefix = options_.driver_name + "_metadata_";
  ASSAY_ASSIGN_OR_RETURN(const std::set<std::string> specs, SpecFiles(options_.cdi_root, prefix));
  std::set<std::string> uids;
  for (const std::string& name : specs) {
    const std::string rest = name.substr(prefix.size());
    if (const std::size_t end = rest.find('_'); end != std::string::npos) {
      uids.insert(rest.substr(0, end));
    }
  }
  std::error_code error;
  for (std::filesystem::directory_iterator it(options_.directory, error), end; !error && it != end;
       it.increment(error)) {
    uids.insert(it->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return ErrnoError(error.value(), "reading " + options_.directory.string());
  }
  return uids;
}

}  // namespace assay::driver_ref::cdi
