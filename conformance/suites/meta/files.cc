// What containers can read about their devices (KEP-5304), seen from inside: through the CDI
// devices that Prepare answers, as a runtime applies them. Where the files lie on the host is the
// driver's own business.

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "api/json/json.h"
#include "base/file.h"
#include "conformance/runner/case.h"
#include "controlplane/node/cdi/registry.h"
#include "controlplane/node/cdi/spec.h"

namespace assay::conformance {
namespace {

namespace cdi = controlplane::node::cdi;
using api::resource::Device;
using Json = nlohmann::json;

constexpr std::string_view kRoot = "/var/run/kubernetes.io/dra-device-attributes/";
constexpr std::string_view kGroup = "metadata.resource.k8s.io/";
// Newest first.
constexpr std::array<std::string_view, 2> kVersions = {"v1beta1", "v1alpha1"};

class Metadata : public Case {
 protected:
  struct File {
    std::filesystem::path host_path;
    std::vector<std::string> options;  // Of the mount.
    std::vector<Json> objects;         // Its stream; less where it is no JSON.
    bool whole = true;                 // It is JSON up to its end.

    // In the newest version that is known here.
    const Json* Object() const {
      for (const std::string_view version : kVersions) {
        for (const Json& object : objects) {
          if (object.value("apiVersion", "") == std::string(kGroup) + std::string(version)) {
            return &object;
          }
        }
      }
      return nullptr;
    }
  };

  // By its path in a container that uses the whole claim, or one request of it.
  std::map<std::string, File> FilesOf(const PreparedClaim& claim, const std::string& request = "") {
    std::vector<std::string> ids;
    for (const PreparedDevice& device : claim.devices) {
      if (request.empty() || std::ranges::count(device.request_names, request) != 0) {
        ids.insert(ids.end(), device.cdi_device_ids.begin(), device.cdi_device_ids.end());
      }
    }
    const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
    const Result<cdi::ContainerEdits> edits = registry.EditsFor(ids);
    std::map<std::string, File> files;
    if (!edits.ok()) {
      EXPECT_DRIVER(false) << "the CDI devices do not resolve: " << edits.status().message();
      return files;
    }
    for (const cdi::Mount& mount : edits->mounts) {
      if (mount.container_path.starts_with(kRoot)) {
        files[mount.container_path] = Read(mount);
      }
    }
    return files;
  }
  // The one file of a claim with one request; the case ends where there is another number.
  File OnlyFile(const PreparedClaim& claim) {
    const std::map<std::string, File> files = FilesOf(claim);
    ASSERT_DRIVER(files.size() == 1)
        << "a container with one request finds " << files.size() << " files about its devices";
    return files.begin()->second;
  }
  std::string PathFor(const std::string& directory, const std::string& claim,
                      const std::string& request) {
    return std::string(kRoot) + directory + "/" + claim + "/" + request + "/" +
           lab().profile().driver + "-metadata.json";
  }
  static std::string Names(const std::map<std::string, File>& files) {
    std::vector<std::string> names;
    for (const auto& [path, file] : files) {
      names.push_back(path);
    }
    return names.empty() ? "no file" : Join(names);
  }

 private:
  static File Read(const cdi::Mount& mount) {
    File file{.host_path = mount.host_path, .options = mount.options, .objects = {}};
    std::istringstream in(ReadFile(mount.host_path).value_or(""));
    try {
      while ((in >> std::ws).peek() != std::istringstream::traits_type::eof()) {
        Json object;
        in >> object;
        file.objects.push_back(std::move(object));
      }
    } catch (const Json::exception&) {
      file.whole = false;
    }
    return file;
  }
};

DECIDES("META-01", "META-11");
TEST_F(Metadata, AFileForEachRequestIsAtItsPath) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim claim = MakeClaim({.requests = {{.name = "left", .devices = {devices[0]}},
                                                      {.name = "right", .devices = {devices[1]}}}});
  const PreparedClaim prepared = Prepare(claim);
  const std::map<std::string, File> all = FilesOf(prepared);
  for (const char* request : {"left", "right"}) {
    const std::string path = PathFor("resourceclaims", claim.metadata.name, request);
    EXPECT_DRIVER(all.contains(path))
        << "a container finds no file " << path << ", but " << Names(all);
    const std::map<std::string, File> own = FilesOf(prepared, request);
    EXPECT_DRIVER(own.size() == 1 && own.contains(path))
        << "a container with the request '" << request << "' alone finds " << Names(own);
  }
}

DECIDES("META-02");
TEST_F(Metadata, AClaimOfATemplateGoesByItsNameInThePod) {
  ResourceClaim claim = Allocated({AnyDevice()});
  claim.metadata.annotations["resource.kubernetes.io/pod-claim-name"] = "from-template";
  Harness(lab().admin().Update(claim));
  const std::map<std::string, File> files = FilesOf(Prepare(claim));
  const std::string path =
      PathFor("resourceclaimtemplates", "from-template", claim.spec.devices.requests[0].name);
  EXPECT_DRIVER(files.contains(path))
      << "a container finds no file " << path << ", but " << Names(files);
  for (const auto& [name, file] : files) {
    const Json* const object = file.Object();
    EXPECT_DRIVER(object != nullptr && object->value("podClaimName", "") == "from-template")
        << "podClaimName is not the claim's name in the pod";
  }
}

DECIDES("META-03");
TEST_F(Metadata, ThePathHasTheRequestAndTheContentTheSubrequest) {
  const ResourceClaim claim =
      MakeClaim({.requests = {{.name = "gpu", .devices = {AnyDevice()}, .subrequest = "large"}}});
  const std::map<std::string, File> files = FilesOf(Prepare(claim));
  const auto file = files.find(PathFor("resourceclaims", claim.metadata.name, "gpu"));
  ASSERT_DRIVER(file != files.end()) << "a container finds " << Names(files);
  const Json* const object = file->second.Object();
  EXPECT_DRIVER(object != nullptr && (*object)["requests"][0]["name"] == "gpu/large")
      << "the file does not name the request 'gpu/large'";
}

DECIDES("META-04", "META-13");
TEST_F(Metadata, FilesAreMountedReadOnlyAndReadableByAll) {
  const File file = OnlyFile(Prepare(Allocated({AnyDevice()})));
  EXPECT_DRIVER(std::ranges::count(file.options, "ro") == 1) << "the mount is not read-only";
  EXPECT_DRIVER(std::ranges::any_of(file.options, [](const std::string& option) {
    return option == "bind" || option == "rbind";
  })) << "the mount is no bind mount";
  struct stat info = {};
  Harness(::stat(file.host_path.c_str(), &info) == 0 ? OkStatus()
                                                     : NotFoundError(file.host_path.string()));
  EXPECT_DRIVER((info.st_mode & 0444) == 0444 && (info.st_mode & 0022) == 0)
      << "the file's mode does not let every user of the container read it, and root alone write "
         "it";
}

DECIDES("META-05");
TEST_F(Metadata, EachRequestsFileIsAskedForOnce) {
  const PreparedClaim prepared = Prepare(Allocated(SomeDevices(2)));
  std::map<std::string, int> asked;
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  for (const PreparedDevice& device : prepared.devices) {
    for (const std::string& id : device.cdi_device_ids) {
      const auto resolved = registry.Resolve(id);
      for (std::size_t i = 0; resolved.ok() && i < resolved->device->container_edits.mounts.size();
           ++i) {
        const std::string& path = resolved->device->container_edits.mounts[i].container_path;
        asked[path] += path.starts_with(kRoot) ? 1 : 0;
      }
    }
  }
  std::erase_if(asked, [](const auto& each) { return each.second == 0; });
  EXPECT_DRIVER(asked.size() == 1 && asked.begin()->second == 1)
      << "the two devices of one request ask for " << asked.size()
      << " files about them, the first of them " << (asked.empty() ? 0 : asked.begin()->second)
      << " times";
}

DECIDES("META-06", "META-07");
TEST_F(Metadata, AFileIsAStreamOfVersionsNewestFirst) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const File file = OnlyFile(Prepare(claim));
  ASSERT_DRIVER(file.whole) << "the file is no stream of JSON objects";
  EXPECT_DRIVER(file.Object() != nullptr) << "the file has neither v1beta1 nor v1alpha1";
  std::size_t last = 0;
  for (const Json& object : file.objects) {
    EXPECT_DRIVER(object.value("kind", "") == "DeviceMetadata")
        << "an object of the file has the kind '" << object.value("kind", "") << "'";
    const std::string version = object.value("apiVersion", "");
    EXPECT_DRIVER(version.starts_with(kGroup))
        << "an object of the file has the apiVersion '" << version << "'";
    for (std::size_t i = 0; i < kVersions.size(); ++i) {
      if (version == std::string(kGroup) + std::string(kVersions[i])) {
        EXPECT_DRIVER(i >= last) << "an older version stands before " << version;
        last = i;
      }
    }
    const Json& metadata = object.value("metadata", Json::object());
    EXPECT_DRIVER(metadata.value("name", "") == claim.metadata.name &&
                  metadata.value("namespace", "") == claim.metadata.namespace_ &&
                  metadata.value("uid", "") == claim.metadata.uid)
        << "the file does not have the claim's name, namespace and UID";
    EXPECT_DRIVER(metadata.value("generation", 0) >= 1)
        << "the generation is " << metadata.value("generation", 0);
  }
}

DECIDES("META-08");
TEST_F(Metadata, DevicesHaveTheAttributesOfTheirSlice) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const File file = OnlyFile(Prepare(Allocated(devices)));
  const Json* const object = file.Object();
  ASSERT_DRIVER(object != nullptr) << "the file has neither v1beta1 nor v1alpha1";
  std::map<std::string, Json> told;
  for (const Json& device : (*object)["requests"][0]["devices"]) {
    EXPECT_DRIVER(device.value("driver", "") == lab().profile().driver)
        << "a device has the driver '" << device.value("driver", "") << "'";
    told[device.value("pool", "") + "/" + device.value("name", "")] = device;
  }
  std::set<std::string> wanted;
  for (const ResourceSlice& slice : Slices()) {
    for (const Device& device : slice.spec.devices) {
      const std::string name = slice.spec.pool.name + "/" + device.name;
      if (!std::ranges::any_of(devices, [&](const DeviceRef& each) {
            return each.pool + "/" + each.name == name;
          })) {
        continue;
      }
      wanted.insert(name);
      ASSERT_DRIVER(told.contains(name)) << "the file has no device " << name;
      Json attributes = Json::object();
      for (const auto& [key, value] : device.attributes) {
        attributes[key] = Json::parse(api::json::EncodeAs(value));
      }
      EXPECT_DRIVER(told[name].value("attributes", Json::object()) == attributes)
          << "the attributes of " << name << " are not those of its slice";
    }
  }
  EXPECT_DRIVER(told.size() == wanted.size())
      << "the file has " << told.size() << " devices, the claim " << wanted.size();
}

DECIDES("META-10");
TEST_F(Metadata, UnprepareTakesTheFilesAway) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const std::map<std::string, std::string> before = CdiFiles();
  const File file = OnlyFile(Prepare(claim));
  Unprepare(claim);
  EXPECT_DRIVER(!std::filesystem::exists(file.host_path))
      << "after Unprepare there is still the file about the claim's devices";
  EXPECT_DRIVER(CdiFiles() == before) << "after Unprepare CDI specs are left";
}

DECIDES("META-12");
TEST_F(Metadata, ARestartKeepsThemAndPrepareBringsThemBack) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const File file = OnlyFile(Prepare(claim));
  KillAndRestartDriver();
  EXPECT_DRIVER(std::filesystem::exists(file.host_path))
      << "a restart takes the file about a prepared claim's devices away";
  std::error_code error;
  std::filesystem::remove(file.host_path, error);
  const File again = OnlyFile(Prepare(claim));
  EXPECT_DRIVER(again.Object() != nullptr) << "Prepare does not bring a file back that is gone";
}

}  // namespace
}  // namespace assay::conformance
