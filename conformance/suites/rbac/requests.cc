// How the driver treats the API server: what it asks for, and as whom.

#include <algorithm>
#include <string>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using ApiRequests = Case;
using controlplane::apiserver::RequestRecord;

// Everything since the lab began.
constexpr std::uint64_t kFromTheStart = 0;

std::string Name(const RequestRecord& record) {
  return record.info.verb + " " + record.info.resource +
         (record.info.subresource.empty() ? "" : "/" + record.info.subresource);
}

DECIDES("RBAC-01");
TEST_F(ApiRequests, NeedNoMoreThanTheKepGrants) {
  Prepare(Allocated({AnyDevice()}));
  for (const RequestRecord& record : Requests(kFromTheStart)) {
    EXPECT_DRIVER(record.code != 403 || record.injected)
        << "the driver asked for what KEP-4381 does not grant it: " << Name(record);
  }
}

DECIDES("RBAC-02");
TEST_F(ApiRequests, WriteOnlyTheOwnNodesSlices) {
  for (const ResourceSlice& slice : Slices()) {
    EXPECT_DRIVER(slice.spec.node_name.value_or("") == kNodeName)
        << "the driver published a slice for '" << slice.spec.node_name.value_or("")
        << "'; a policy that restricts it to its node refuses that";
  }
}

DECIDES("RBAC-03");
TEST_F(ApiRequests, DoWithoutWhatIsOptional) {
  // KEP-4381 needs slices, the claim that is prepared, and its node; a cluster may grant no more.
  for (const char* resource :
       {"events", "leases", "configmaps", "pods", "deviceclasses", "resourceclaims/status",
        "resourceclaims/driver", "devicetaintrules"}) {
    lab().api_server().faults().Add({.match = DriverRequests({}, {resource}),
                                     .action = controlplane::apiserver::Fault::Forbidden(),
                                     .times = 0});
  }
  KillAndRestartDriver();
  const ResourceClaim claim = Allocated({AnyDevice()});
  const std::string error = PrepareError(claim);
  EXPECT_DRIVER(error.empty()) << "where only what KEP-4381 needs is granted, Prepare fails: "
                               << error;
  const std::string later = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(later.empty()) << "where only what KEP-4381 needs is granted, Unprepare fails: "
                               << later;
  EXPECT_DRIVER(driver().process().running())
      << "where only what KEP-4381 needs is granted, the driver ends";
}

DECIDES("RBAC-04");
TEST_F(ApiRequests, WatchNoClaimsPodsOrSecretsOfTheCluster) {
  // Who sets binding conditions has to see which devices are allocated.
  const bool may_watch_claims = lab().profile().Declares("binding-conditions");
  Prepare(Allocated({AnyDevice()}));
  for (const RequestRecord& record : Requests(kFromTheStart)) {
    const bool many = record.info.verb == "list" || record.info.verb == "watch";
    const bool sensitive = (record.info.resource == "resourceclaims" && !may_watch_claims) ||
                           record.info.resource == "pods" || record.info.resource == "secrets";
    EXPECT_DRIVER(!(many && sensitive && record.info.namespace_.empty()))
        << "the driver asked for " << Name(record) << " of the whole cluster";
  }
}

DECIDES("RBAC-05");
TEST_F(ApiRequests, SelectTheirSlices) {
  for (const RequestRecord& record : Requests(kFromTheStart)) {
    const bool many = record.info.verb == "list" || record.info.verb == "watch";
    EXPECT_DRIVER(!many || record.info.resource != "resourceslices" ||
                  record.field_selector.find("spec.driver") != std::string::npos ||
                  record.field_selector.find("spec.nodeName") != std::string::npos ||
                  record.field_selector.find("spec.pool.name") != std::string::npos)
        << "the driver asked for all slices of the cluster, without a field selector";
  }
}

DECIDES("RBAC-06");
TEST_F(ApiRequests, SayWhoTheyAreFrom) {
  for (const RequestRecord& record : Requests(kFromTheStart)) {
    ASSERT_DRIVER(record.user_agent.find('/') != std::string::npos &&
                  !record.user_agent.starts_with("Go-http-client"))
        << "the user agent '" << record.user_agent << "' does not name driver and version";
  }
}

}  // namespace
}  // namespace assay::conformance
