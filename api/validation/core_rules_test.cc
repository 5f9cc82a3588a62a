// What rules_test.cc does not have: the rules of the health of devices in a pod's status, in the
// words of Kubernetes 1.36.3.

#include "api/validation/core_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"

namespace assay::api::validation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AllocatedResourcesTest : public ::testing::Test {
 protected:
  AllocatedResourcesTest() {
    pod_.metadata.namespace_ = "default";
    pod_.metadata.name = "p";
    pod_.metadata.uid = "u";
    pod_.metadata.resource_version = "1";
    auto& container = pod_.spec.containers.emplace_back();
    container.name = "main";
    container.resources.requests["example.com/gpu"] = meta::Quantity::Of("1");
    container.resources.claims.emplace_back().name = "gpu";
    auto& one = container.resources.claims.emplace_back();
    one.name = "nic";
    one.request = "port";
    pod_.status.container_statuses.emplace_back().name = "main";
  }

  // Of an entry of this name, with these devices.
  std::vector<std::string> Errors(const std::string& name,
                                  std::vector<core::ResourceHealth> resources = {}) {
    core::Pod changed = pod_;
    auto& entry = changed.status.container_statuses[0].allocated_resources_status.emplace_back();
    entry.name = name;
    entry.resources = std::move(resources);
    std::vector<std::string> texts;
    for (const FieldError& error : ValidatePodStatusUpdate(changed, pod_)) {
      texts.push_back(error.ToString());
    }
    return texts;
  }
  static core::ResourceHealth Health(const std::string& id, const std::string& health) {
    core::ResourceHealth result;
    result.resource_id = id;
    result.health = health;
    return result;
  }

  core::Pod pod_;
};

constexpr char kEntry[] = "status.containerStatuses[0].allocatedResourcesStatus[0]";

TEST_F(AllocatedResourcesTest, NamesAreThoseOfTheContainer) {
  for (const char* name : {"claim:gpu", "claim:nic/port", "example.com/gpu"}) {
    EXPECT_THAT(Errors(name), IsEmpty()) << name;
  }
  EXPECT_THAT(Errors("claim:nic"),
              ElementsAre(std::string(kEntry) +
                          ".name: Invalid value: \"claim:nic\": must match one of the container's "
                          "resource claims in a format 'claim:<claimName>/<request>' or "
                          "'claim:<claimName>' if request is empty"));
  EXPECT_THAT(Errors("example.com/other"),
              ElementsAre(std::string(kEntry) +
                          ".name: Invalid value: \"example.com/other\": must match one of the "
                          "container's resource requests"));
  pod_.status.container_statuses[0].name = "gone";
  EXPECT_THAT(Errors("claim:anything"), IsEmpty()) << "its container is not there";
}

TEST_F(AllocatedResourcesTest, DevicesAreNamedOnceAndHaveAKnownHealth) {
  EXPECT_THAT(Errors("claim:gpu", {Health("a", "Healthy"), Health("b", "Unknown")}), IsEmpty());
  EXPECT_THAT(
      Errors("claim:gpu", {Health("a", "Healthy"), Health("a", "Unhealthy")}),
      ElementsAre(std::string(kEntry) + ".resources[1].resourceID: Duplicate value: \"a\""));
  EXPECT_THAT(Errors("claim:gpu", {Health("a", "Fine")}),
              ElementsAre(std::string(kEntry) +
                          ".resources[0].health: Unsupported value: \"Fine\": supported values: "
                          "\"Healthy\", \"Unhealthy\", \"Unknown\""));
}

TEST_F(AllocatedResourcesTest, MessagesAreThereAndShort) {
  core::ResourceHealth device = Health("a", "Unhealthy");
  device.message = std::string(1024, 'x');
  EXPECT_THAT(Errors("claim:gpu", {device}), IsEmpty());
  device.message = std::string(1025, 'x');
  EXPECT_THAT(Errors("claim:gpu", {device}),
              ElementsAre(std::string(kEntry) +
                          ".resources[0].message: Too long: may not be more than 1024 bytes"));
  device.message = "";
  EXPECT_THAT(Errors("claim:gpu", {device}),
              ElementsAre(std::string(kEntry) +
                          ".resources[0].message: Required value: must be non-empty if specified"));
}

}  // namespace
}  // namespace assay::api::validation
