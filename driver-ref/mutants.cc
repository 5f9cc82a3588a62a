#include "driver-ref/mutants.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace assay::driver_ref::mutants {

#ifdef ASSAY_MUTANTS
namespace {

constexpr Mutant kAll[] = {
    // Registration.
    {"wrong-plugin-type", "REG-05", "registers as a DevicePlugin"},
    {"oldest-version-first", "REG-13", "lists v1beta1 before v1"},
    {"refuses-notification", "REG-17", "answers NotifyRegistrationStatus with an error"},
    // NodePrepareResources.
    {"prepare-appends", "PREP-01", "a repeated Prepare answers every device once more"},
    {"foreign-devices", "PREP-17", "does not look at the driver of an allocation result"},
    {"keeps-subrequest", "PREP-23", "answers \"request/subrequest\" as the request's name"},
    {"first-request-only", "PREP-26", "names one request of a device that several got"},
    {"first-device-again", "PREP-32", "prepares the claim's first device for every result"},
    {"no-claim-lock", "PREP-44", "lets calls for one claim run at the same time"},
    {"no-overlap-check", "PREP-45", "hands a device out that another claim holds"},
    // NodeUnprepareResources.
    {"forgets-unknown-claims", "UNPR-02", "answers an unknown claim with an error"},
    {"unprepare-asks-api", "UNPR-03", "fails when the claim is gone from the API server"},
    {"keeps-spec", "UNPR-09", "leaves the claim's CDI spec behind"},
    {"hides-unprepare-errors", "UNPR-13", "answers that it unprepared when it could not"},
    {"batch-fails-together", "UNPR-14", "fails the whole call for one claim"},
    // Checkpoint.
    {"state-in-memory", "CKPT-02", "keeps no state on disk"},
    {"corrupt-is-fatal", "CKPT-06", "ends when a state file cannot be read"},
    {"damage-stops-all", "CKPT-08", "prepares nothing while one record cannot be read"},
    {"trusts-checkpoint", "CKPT-09", "does not write a CDI spec that is gone again"},
    {"ignores-save-errors", "CKPT-15", "prepares claims whose state cannot be written"},
    // CDI.
    {"empty-edits", "CDI-06", "writes devices without container edits"},
    {"shared-names", "CDI-07", "names CDI devices without the claim"},
    // ResourceSlices.
    {"no-owner", "SLICE-04", "publishes slices without owner reference"},
    {"one-generation", "SLICE-10", "changes the number of slices within a generation"},
    {"names-by-index", "SLICE-16", "names devices by their index"},
    {"attribute-too-long", "SLICE-22", "publishes strings as long as they come"},
    {"publishes-once", "SLICE-34", "does not bring a deleted slice back"},
    // Admin access.
    {"admin-needs-free", "ADMIN-01", "treats admin access as a claim on the device"},
    // Partitions.
    {"overlapping-partitions", "SHAR-02", "hands out partitions that have memory in common"},
    // Device metadata.
    {"metadata-by-claim", "META-02",
     "puts files of claims made from templates by the claim's name"},
    {"metadata-of-each", "META-05", "asks for a request's metadata with each of its devices"},
    {"keeps-metadata", "META-10", "leaves the claim's metadata behind"},
    // Binding conditions.
    {"never-bound", "BIND-04", "does not say of a device that is ready that it is bound"},
    {"never-fails", "BIND-05", "does not say of a device that it cannot be bound"},
    {"prepares-unbound", "BIND-09", "prepares a claim whose device is not bound yet"},
    // Configuration.
    {"lenient-config", "CONF-03", "ignores fields of a configuration that it does not know"},
    {"config-needs-request", "CONF-06", "applies no configuration that names no request"},
    // Health.
    {"reports-one-device", "HLTH-03", "reports the health of the first device only"},
    {"never-taints", "HLTH-22", "does not taint a device that is unhealthy"},
    // Taints.
    {"taint-without-domain", "TAINT-01", "gives taints a key without the driver's domain"},
    {"keeps-taint", "TAINT-05", "never takes a taint back"},
    {"taint-time-moves", "TAINT-06", "sends taints without the time at which they came"},
    {"taint-stops-claims", "TAINT-08", "refuses claims that tolerate a device's taint"},
    // Device status.
    {"status-replaces-others", "STAT-02", "replaces the whole list of devices"},
    {"status-of-one-device", "STAT-03", "writes the status of a claim's first device only"},
    {"status-without-condition", "STAT-04", "writes no condition"},
    {"status-by-name", "STAT-07", "goes on trying, for whatever claim has the name by then"},
    {"status-every-time", "STAT-10", "writes the status anew with each Prepare"},
    // API requests.
    {"lists-all-slices", "RBAC-05", "asks for the slices of the whole cluster"},
    // Rolling update.
    {"one-registration-socket", "ROLL-01", "gives all instances one registration socket"},
    // Sharing.
    {"forgets-shares", "PREP-31", "answers without the IDs of shares"},
    {"shares-exclude-each-other", "SHAR-06", "gives a share of a device to one claim only"},
    {"drops-subrequests", "SHAR-01", "prepares no result of a subrequest"},
    // What is asked of the allocation alone.
    {"config-from-spec", "PREP-49", "takes the configuration from the claim's spec"},
    {"config-of-alternatives", "CONF-07", "applies what is for an alternative not chosen"},
    // Claims that are odd.
    {"crashes-without-allocation", "LIFE-10", "ends when a claim is not allocated"},
    {"anonymous-errors", "LIFE-11", "does not say which claim an error is of"},
    // Administrators.
    {"admin-frees-device", "ADMIN-04", "gives the device away with a claim of admin access"},
    {"admin-minds-taints", "ADMIN-07", "refuses administrators a device that needs attention"},
    // The cluster and the kubelet.
    {"needs-claim-status", "RBAC-03", "ends where it may not write the status of claims"},
    {"publishes-empty-first", "SLICE-49", "publishes an empty pool before it knows its devices"},
    {"health-once", "HLTH-09", "does not send health again that is as it was"},
    {"ignores-lost-sockets", "LIFE-07", "does not notice that its sockets are gone"},
    // The end.
    {"keeps-sockets", "LIFE-02", "leaves its sockets behind"},
};

}  // namespace

std::span<const Mutant> All() { return kAll; }

bool Is(std::string_view name) {
  static const char* const kChosen = std::getenv("ASSAY_MUTANT");
  ASSAY_CHECK(std::ranges::find(kAll, name, &Mutant::name) != std::end(kAll))
      << "mutant " << name << " is not in the table";
  return kChosen != nullptr && name == kChosen;
}
#else
std::span<const Mutant> All() { return {}; }
#endif

}  // namespace assay::driver_ref::mutants
