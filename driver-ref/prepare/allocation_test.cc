#include "driver-ref/prepare/allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>

namespace assay::driver_ref::prepare {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

using api::resource::ResourceClaim;

constexpr char kDriver[] = "gpu.example.com";

ResourceClaim Claim() {
  ResourceClaim claim;
  claim.metadata.namespace_ = "default";
  claim.metadata.name = "pod-gpus-x7z2p";
  claim.metadata.uid = "uid-1";
  auto& results = claim.status.allocation.emplace().devices.results;
  for (const auto& [request, driver, device] : {std::tuple{"gpu/large", kDriver, "gpu-0"},
                                                {"gpu/large", kDriver, "gpu-1"},
                                                {"net", "nic.example.com", "nic-0"}}) {
    auto& result = results.emplace_back();
    result.request = request;
    result.driver = driver;
    result.pool = "node-1";
    result.device = device;
  }
  return claim;
}

cdi::ClaimMetadata MetadataOf(const ResourceClaim& claim) {
  return prepare::MetadataOf(claim, kDriver, [](const std::string& device) {
    std::map<std::string, api::resource::DeviceAttribute> attributes;
    attributes["name"].string = device;
    return attributes;
  });
}

TEST(MetadataOfTest, TellsOfTheOwnDevicesByRequest) {
  ResourceClaim claim = Claim();
  auto& status = claim.status.devices.emplace_back();
  status.driver = kDriver;
  status.pool = "node-1";
  status.device = "gpu-1";
  status.network_data.emplace().interface_name = "net1";
  const cdi::ClaimMetadata metadata = MetadataOf(claim);
  EXPECT_EQ(metadata.uid, "uid-1");
  ASSERT_THAT(metadata.requests, ElementsAre(Pair("gpu/large", SizeIs(2))));
  const auto& devices = metadata.requests.at("gpu/large");
  EXPECT_EQ(devices[0].attributes.at("name").string, "gpu-0");
  EXPECT_FALSE(devices[0].network_data);
  EXPECT_EQ(devices[1].network_data->interface_name, "net1");
}

// Users can set the annotation too, and it becomes part of a path.
TEST(MetadataOfTest, AClaimOfATemplateHasTheNameOfItsPod) {
  ResourceClaim claim = Claim();
  EXPECT_FALSE(MetadataOf(claim).pod_claim_name);
  for (const char* no_name : {"", "..", "a/../../etc", "Gpus"}) {
    claim.metadata.annotations["resource.kubernetes.io/pod-claim-name"] = no_name;
    EXPECT_FALSE(MetadataOf(claim).pod_claim_name) << no_name;
  }
  claim.metadata.annotations["resource.kubernetes.io/pod-claim-name"] = "gpus";
  EXPECT_EQ(MetadataOf(claim).pod_claim_name, "gpus");
}

}  // namespace
}  // namespace assay::driver_ref::prepare
