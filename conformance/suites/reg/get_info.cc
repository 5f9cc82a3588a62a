// Plugin registration: what GetInfo must answer so that the kubelet accepts the driver.

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using PluginInfoAnswer = Case;
using controlplane::node::PluginInfo;
using controlplane::node::ServiceName;

constexpr std::string_view kVersions[] = {"v1.DRAPlugin", "v1beta1.DRAPlugin"};

bool IsDraVersion(const std::string& version) {
  return std::ranges::find(kVersions, version) != std::end(kVersions);
}

bool IsHealthVersion(const std::string& version) {
  return version == "v1.DRAResourceHealth" || version == "v1alpha1.DRAResourceHealth";
}

DECIDES("REG-03");
TEST_F(PluginInfoAnswer, GetInfoIsServedUnderItsUnversionedPackage) {
  const Result<std::string> answer =
      driver().registrar().CallRaw("/pluginregistration.Registration/GetInfo", "", kCallLimit);
  EXPECT_DRIVER(answer.ok()) << "/pluginregistration.Registration/GetInfo failed: "
                             << answer.status().ToString();
}

DECIDES("REG-04");
TEST_F(PluginInfoAnswer, GetInfoAnswersWithinASecondWhileAPrepareWaits) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const auto fault =
      lab().api_server().faults().Add({.match = DriverRequests({"get"}, {"resourceclaims"}),
                                       .action = controlplane::apiserver::Fault::Hang(),
                                       .times = 0});
  auto prepare = driver().service().StartPrepare({ReferenceTo(claim)}, Version(), kCallLimit);
  // A driver that reads claims from a cache does not ask; then there is nothing to wait for.
  WaitUntil(std::chrono::milliseconds(500),
            [&] { return lab().api_server().faults().hits(fault) > 0; });
  const Result<PluginInfo> info = driver().registrar().GetInfo();
  EXPECT_DRIVER(info.ok()) << "GetInfo did not answer within 1 s while a claim was prepared: "
                           << info.status().ToString();
  prepare->Cancel();
}

DECIDES("REG-05");
TEST_F(PluginInfoAnswer, TypeIsDraPlugin) {
  const std::string& type = driver().registration().info.type;
  EXPECT_DRIVER(type == "DRAPlugin")
      << "GetInfo answered the type '" << type << "', not 'DRAPlugin'";
}

DECIDES("REG-06");
TEST_F(PluginInfoAnswer, NameIsTheDriverOfItsSlices) {
  const std::string& name = driver().registration().info.name;
  for (const ResourceSlice& slice : Slices()) {
    EXPECT_DRIVER(slice.spec.driver == name)
        << "GetInfo names '" << name << "', a slice '" << slice.spec.driver << "'";
  }
}

DECIDES("REG-07");
TEST_F(PluginInfoAnswer, NameIsADnsSubdomainOfItsVendor) {
  const std::string& name = driver().registration().info.name;
  EXPECT_DRIVER(name.size() <= 63) << "the driver name has " << name.size() << " characters";
  EXPECT_DRIVER(name.find('.') != std::string::npos)
      << "the driver name '" << name << "' has no domain";
  bool label_begins = true;
  char previous = '.';
  for (const char c : name + ".") {
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool legal = alphanumeric || (c == '-' && !label_begins) ||
                       (c == '.' && !label_begins && previous != '-');
    ASSERT_DRIVER(legal) << "the driver name '" << name << "' is no DNS-1123 subdomain";
    label_begins = c == '.';
    previous = c;
  }
}

DECIDES("REG-11", "REG-12");
TEST_F(PluginInfoAnswer, ListsADraVersionThatTheKubeletKnows) {
  const std::vector<std::string>& versions = driver().registration().info.supported_versions;
  ASSERT_DRIVER(!versions.empty()) << "GetInfo answered no supported_versions";
  EXPECT_DRIVER(std::ranges::any_of(versions, IsDraVersion))
      << "supported_versions has neither v1.DRAPlugin nor v1beta1.DRAPlugin: " << Join(versions);
}

DECIDES("REG-13");
TEST_F(PluginInfoAnswer, ListsTheNewestDraVersionFirst) {
  std::vector<std::string> versions = driver().registration().info.supported_versions;
  std::erase_if(versions, [](const std::string& version) { return !IsDraVersion(version); });
  const bool has_v1 = std::ranges::find(versions, "v1.DRAPlugin") != versions.end();
  EXPECT_DRIVER(!has_v1 || versions.front() == "v1.DRAPlugin")
      << "the kubelet takes the first that it knows, which is " << versions.front();
}

DECIDES("REG-14");
TEST_F(PluginInfoAnswer, OffersBothDraVersions) {
  const std::vector<std::string>& versions = driver().registration().info.supported_versions;
  for (const std::string_view version : kVersions) {
    EXPECT_DRIVER(std::ranges::find(versions, version) != versions.end())
        << version << " is not offered, only " << Join(versions);
  }
}

DECIDES("REG-15");
TEST_F(PluginInfoAnswer, ServesEveryVersionThatItOffers) {
  for (const std::string& offered : driver().registration().info.supported_versions) {
    if (!IsDraVersion(offered)) {
      continue;
    }
    const DraVersion version =
        offered == ServiceName(DraVersion::kV1) ? DraVersion::kV1 : DraVersion::kV1beta1;
    const auto prepared = TryPrepare({}, version);
    EXPECT_DRIVER(prepared.status().code() != StatusCode::kUnimplemented)
        << offered << " is offered, but NodePrepareResources is not implemented";
    const auto unprepared = TryUnprepare({}, version);
    EXPECT_DRIVER(unprepared.status().code() != StatusCode::kUnimplemented)
        << offered << " is offered, but NodeUnprepareResources is not implemented";
  }
}

DECIDES("REG-16");
TEST_F(PluginInfoAnswer, OffersNothingThatTheKubeletDoesNotKnow) {
  for (const std::string& version : driver().registration().info.supported_versions) {
    EXPECT_DRIVER(IsDraVersion(version) || IsHealthVersion(version))
        << "supported_versions has the unknown '" << version << "'";
  }
}

DECIDES("REG-20");
TEST_F(PluginInfoAnswer, IsTheSameEachTime) {
  const PluginInfo& first = driver().registration().info;
  for (int i = 0; i < 3; ++i) {
    const Result<PluginInfo> again = driver().registrar().GetInfo();
    ASSERT_DRIVER(again.ok()) << "a repeated GetInfo failed: " << again.status().ToString();
    EXPECT_DRIVER(*again == first) << "a repeated GetInfo answered something else";
  }
}

DECIDES("REG-28");
TEST_F(PluginInfoAnswer, ToleratesWhatItDoesNotKnow) {
  // Field 99, a string: a newer kubelet may send what this driver never heard of.
  const std::string unknown_field = "\x9a\x06\x03new";
  const Result<std::string> info = driver().registrar().CallRaw(
      "/pluginregistration.Registration/GetInfo", unknown_field, kCallLimit);
  EXPECT_DRIVER(info.ok()) << "GetInfo with an unknown field failed: " << info.status().ToString();
  const Result<std::string> method =
      driver().registrar().CallRaw("/pluginregistration.Registration/NoSuchMethod", "", kCallLimit);
  EXPECT_DRIVER(method.status().code() == StatusCode::kUnimplemented)
      << "an unknown method answered " << method.status().ToString() << ", not UNIMPLEMENTED";
}

}  // namespace
}  // namespace assay::conformance
