// ClaimCache: the claims that the kubelet has prepared or begun to prepare, which pods use them and
// what their drivers answered, kept in a checkpoint file in the kubelet's own format
// (Kubernetes 1.36, cm/dra/claiminfo.go and cm/dra/state).
//
// Whether a claim is prepared is not in the file: after a restart drivers are asked again.
//
// Not thread-safe.
#ifndef ASSAY_CONTROLPLANE_NODE_CLAIM_CACHE_H_
#define ASSAY_CONTROLPLANE_NODE_CLAIM_CACHE_H_

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "controlplane/node/driver_connection.h"

namespace assay::controlplane::node {

struct ClaimInfo {
  std::string uid;
  std::string namespace_;
  std::string name;
  std::set<std::string> pod_uids;
  // Of every driver with a device in the allocation; empty until it has answered.
  std::map<std::string, std::vector<PreparedDevice>> devices;
  // Level 1.37, by driver: the calls that are not made, "NodePrepareResources" for instance.
  std::map<std::string, std::set<std::string>> skipped_operations;
  bool prepared = false;

  bool Skips(const std::string& driver, const std::string& operation) const {
    const auto found = skipped_operations.find(driver);
    return found != skipped_operations.end() && found->second.contains(operation);
  }

  ClaimReference Reference() const { return {namespace_, name, uid}; }
  // The CDI ids of the devices that serve `request`; all for "" and for devices without requests.
  std::vector<std::string> CdiDeviceIds(const std::string& request) const;
};

class ClaimCache {
 public:
  // An empty path: nothing is written.
  explicit ClaimCache(std::filesystem::path checkpoint) : checkpoint_(std::move(checkpoint)) {}

  // Reads the file, if there is one. kDataLoss for a damaged one: a kubelet does not start then.
  Status Load();
  Status Save() const;

  // Null where there is none.
  ClaimInfo* Find(const std::string& namespace_name, const std::string& name);
  ClaimInfo& Add(ClaimInfo info);
  void Remove(const std::string& namespace_name, const std::string& name);
  bool IsUsedBy(const std::string& pod_uid) const;
  // By namespace and name.
  const std::map<std::pair<std::string, std::string>, ClaimInfo>& claims() const { return claims_; }

 private:
  std::filesystem::path checkpoint_;
  std::map<std::pair<std::string, std::string>, ClaimInfo> claims_;
};

// The text of a checkpoint file, and back. kDataLoss.
std::string FormatCheckpoint(const std::vector<ClaimInfo>& claims);
Result<std::vector<ClaimInfo>> ParseCheckpoint(const std::string& text);

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_CLAIM_CACHE_H_
