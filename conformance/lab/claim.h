// Claims as a scheduler leaves them for a driver: created, allocated, reserved for a pod.
//
// Thread-safe: values; functions as their client.
#ifndef ASSAY_CONFORMANCE_LAB_CLAIM_H_
#define ASSAY_CONFORMANCE_LAB_CLAIM_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/meta/quantity.h"
#include "api/resource/types.h"
#include "base/result.h"
#include "conformance/lab/lab.h"
#include "controlplane/node/driver_connection.h"

namespace assay::conformance {

// A published device.
struct DeviceRef {
  std::string pool;
  std::string name;
  std::string driver;  // Empty: the lab's.
  // The value of the profile's `devices.key` attribute, else the name: what hooks know it by.
  std::string key;
  // Of an allocation of a part of it (KEP-5075).
  std::string share_id;
  std::map<std::string, api::meta::Quantity> consumed_capacity;
  // Of the allocation of a device that is bound first (KEP-5007).
  std::vector<std::string> binding_conditions;
  std::vector<std::string> binding_failure_conditions;

  friend bool operator==(const DeviceRef& a, const DeviceRef& b) {
    return a.pool == b.pool && a.name == b.name && a.driver == b.driver;
  }
};

struct RequestOptions {
  std::string name = "devices";
  std::vector<DeviceRef> devices;  // What it was allocated.
  // Where not empty, the request has this one alternative, and results name "name/subrequest".
  std::string subrequest;
  // The alternative before it, which was not chosen; empty: there is none.
  std::string other_subrequest;
  bool admin_access = false;
  // Tolerates taints with this key, whatever their effect; empty: none.
  std::string tolerated_taint;
};

struct ConfigOptions {
  std::string source = "FromClaim";
  std::string driver;      // Empty: the lab's.
  std::string parameters;  // JSON
  std::vector<std::string> requests;
};

struct ClaimOptions {
  std::string name;  // Empty: made from the case's name.
  std::string namespace_ = std::string(kNamespace);
  std::vector<RequestOptions> requests;
  bool allocated = true;
  // Allocation's config; the profile's `claims.config` is added unless told otherwise.
  std::vector<ConfigOptions> configs;
  bool profile_config = true;
  // The configurations of the claim's spec, of which the allocation does not tell.
  std::vector<ConfigOptions> spec_configs;
  int pods = 1;  // That it is reserved for.
  std::vector<std::string> finalizers;
};

// Creates the claim, and where `allocated` its status. kInvalidArgument and the like come from the
// API server: a mistake of the suite, not of the driver.
Result<api::resource::ResourceClaim> CreateClaim(Lab& lab, const ClaimOptions& options);

controlplane::node::ClaimReference ReferenceTo(const api::resource::ResourceClaim& claim);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_LAB_CLAIM_H_
