#include "driver-ref/cdi/metadata_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::driver_ref::cdi {
namespace {

using ::assay::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr char kDriver[] = "gpu.example.com";
constexpr char kUid[] = "6f1c-1";

class MetadataFilesTest : public ::testing::Test {
 protected:
  MetadataFilesTest() : dir_(*TempDir::Create()) {}

  static ClaimMetadata Claim() {
    DeviceMetadata gpu{.pool = "node-1", .device = "gpu-0", .attributes = {}, .network_data = {}};
    gpu.attributes["productName"].string = "H100";
    gpu.attributes["driverVersion"].version = "580.95.5";
    gpu.attributes["index"].int_ = 7;
    DeviceMetadata nic{.pool = "node-1", .device = "nic-0", .attributes = {}, .network_data = {}};
    nic.network_data.emplace().interface_name = "net1";
    nic.network_data->ips = {"10.0.0.2/24"};
    return {.namespace_ = "default",
            .name = "claim",
            .uid = kUid,
            .pod_claim_name = std::nullopt,
            .requests = {{"gpu", {gpu}}, {"net/fast", {nic}}}};
  }
  fs::path HostFile(const std::string& request) const {
    return dir_.path() / "metadata" / kUid / request / "metadata.json";
  }
  // The objects of a file, newest version first.
  static std::vector<Json> Objects(const fs::path& path) {
    std::ifstream in(path);
    std::vector<Json> objects;
    while (in.good() && (in >> std::ws).peek() != std::ifstream::traits_type::eof()) {
      in >> objects.emplace_back();
    }
    return objects;
  }
  Json Spec(const std::string& request) const {
    return Json::parse(
        *ReadFile(dir_.path() / "cdi" /
                  (std::string(kDriver) + "_metadata_" + kUid + "_" + request + ".json")));
  }
  std::size_t Files() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path())) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }

  TempDir dir_;
  MetadataFiles files_{
      {.driver_name = kDriver, .cdi_root = dir_ / "cdi", .directory = dir_ / "metadata"}};
};

TEST_F(MetadataFilesTest, TellsOfEachRequestInEachVersion) {
  ASSERT_THAT(files_.Write(Claim()), IsOk());
  const std::vector<Json> objects = Objects(HostFile("gpu"));
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects[0]["apiVersion"], "metadata.resource.k8s.io/v1beta1");
  Json expected = {
      {"kind", "DeviceMetadata"},
      {"apiVersion", "metadata.resource.k8s.io/v1alpha1"},
      {"metadata", {{"name", "claim"}, {"namespace", "default"}, {"uid", kUid}, {"generation", 1}}},
      {"requests",
       {{{"name", "gpu"},
         {"devices",
          {{{"driver", kDriver},
            {"pool", "node-1"},
            {"name", "gpu-0"},
            {"attributes",
             {{"productName", {{"string", "H100"}}},
              {"driverVersion", {{"version", "580.95.5"}}},
              {"index", {{"int", 7}}}}}}}}}}}};
  EXPECT_EQ(objects[1], expected);

  // The path has the request's name, the content that of the subrequest too.
  const Json net = Objects(HostFile("net")).at(0).at("requests").at(0);
  EXPECT_EQ(net["name"], "net/fast");
  EXPECT_EQ(net["devices"][0]["networkData"],
            (Json{{"interfaceName", "net1"}, {"ips", {"10.0.0.2/24"}}}));
  EXPECT_FALSE(net["devices"][0].contains("attributes"));
}

// The golden is what Kubernetes' own library reads and writes alike (tools/peers/metadata).
TEST_F(MetadataFilesTest, LooksAsKubernetesLibraryWritesIt) {
  ClaimMetadata claim = Claim();
  claim.pod_claim_name = "gpus";
  DeviceMetadata& device = claim.requests["gpu"].emplace_back(claim.requests["net/fast"][0]);
  device.attributes["dual"].bool_ = false;
  device.attributes["resource.kubernetes.io/pcieRoot"].string = "pci0000:17";
  device.network_data->hardware_address = "ea:9f:cb:40:b7:7b";
  ASSERT_THAT(files_.Write(claim), IsOk());
  const std::string text = *ReadFile(HostFile("gpu"));
  const fs::path golden = "driver-ref/cdi/testdata/metadata.json";
  if (std::getenv("ASSAY_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(golden) << text;
  }
  EXPECT_EQ(text, ReadFile(golden).value_or("")) << "to accept: ASSAY_UPDATE_GOLDENS=1 ctest -R "
                                                    "MetadataFilesTest";
}

TEST_F(MetadataFilesTest, AFileIsReadableByAllAndMountedReadOnly) {
  ASSERT_THAT(files_.Write(Claim()), IsOk());
  struct stat info = {};
  ASSERT_EQ(::stat(HostFile("gpu").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  EXPECT_EQ(files_.DeviceId(kUid, "gpu"), "gpu.example.com/metadata=6f1c-1_gpu");
  EXPECT_EQ(Spec("gpu"),
            (Json{{"cdiVersion", "0.5.0"},
                  {"kind", "gpu.example.com/metadata"},
                  {"devices",
                   {{{"name", "6f1c-1_gpu"},
                     {"containerEdits",
                      {{"mounts",
                        {{{"hostPath", HostFile("gpu").string()},
                          {"containerPath",
                           "/var/run/kubernetes.io/dra-device-attributes/resourceclaims/claim/gpu/"
                           "gpu.example.com-metadata.json"},
                          {"options", {"ro", "bind"}}}}}}}}}}}));
}

TEST_F(MetadataFilesTest, AClaimOfATemplateGoesByItsNameInThePod) {
  ClaimMetadata claim = Claim();
  claim.name = "pod-gpus-x7z2p";
  claim.pod_claim_name = "gpus";
  ASSERT_THAT(files_.Write(claim), IsOk());
  EXPECT_EQ(Objects(HostFile("gpu")).at(0)["podClaimName"], "gpus");
  EXPECT_EQ(Spec("net")["devices"][0]["containerEdits"]["mounts"][0]["containerPath"],
            "/var/run/kubernetes.io/dra-device-attributes/resourceclaimtemplates/gpus/net/"
            "gpu.example.com-metadata.json");
}

TEST_F(MetadataFilesTest, WhatChangesHasTheNextGenerationAndWhatDoesNotStays) {
  ClaimMetadata claim = Claim();
  ASSERT_THAT(files_.Write(claim), IsOk());
  claim.requests["gpu"][0].attributes["driverVersion"].version = "580.126.9";
  ASSERT_THAT(files_.Write(claim), IsOk());
  ASSERT_THAT(files_.Write(claim), IsOk());
  EXPECT_EQ(Objects(HostFile("gpu")).at(0)["metadata"]["generation"], 2);
  EXPECT_EQ(Objects(HostFile("net")).at(0)["metadata"]["generation"], 1);
  // What is no such file is replaced.
  std::ofstream(HostFile("net")) << "{\"metadata\": 1}";
  ASSERT_THAT(files_.Write(claim), IsOk());
  EXPECT_EQ(Objects(HostFile("net")).at(1)["metadata"]["generation"], 1);
}

TEST_F(MetadataFilesTest, RemovesWhatACrashLeftOfAClaimAndOfNoOther) {
  ASSERT_THAT(files_.Write(Claim()), IsOk());
  ClaimMetadata other = Claim();
  other.uid = "6f1c-12";
  ASSERT_THAT(files_.Write(other), IsOk());
  // Half-written: a spec's temporary file, and a file without its spec.
  std::ofstream(dir_ / "cdi/.gpu.example.com_metadata_dead_gpu.json.tmp") << "{";
  fs::create_directories(dir_ / "metadata/beef/gpu");
  // Another driver's, whose name starts alike.
  const fs::path foreign = dir_ / "cdi/gpu.example.com-2_metadata_6f1c-1_gpu.json";
  std::ofstream(foreign) << "{}";

  EXPECT_THAT(*files_.Claims(), ElementsAre("6f1c-1", "6f1c-12", "beef", "dead"));
  for (const char* uid : {kUid, "beef", "dead", "never-there"}) {
    EXPECT_THAT(files_.Remove(uid), IsOk());
  }
  EXPECT_THAT(*files_.Claims(), ElementsAre("6f1c-12"));
  EXPECT_TRUE(fs::exists(foreign));
  ASSERT_THAT(files_.Remove("6f1c-12"), IsOk());
  EXPECT_THAT(*files_.Claims(), IsEmpty());
  EXPECT_EQ(Files(), 1u) << "the other driver's alone";
}

}  // namespace
}  // namespace assay::driver_ref::cdi
