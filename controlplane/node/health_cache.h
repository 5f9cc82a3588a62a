// HealthCache: what drivers said of their devices' health, until it is too old to count
// (Kubernetes 1.36, cm/dra/healthinfo.go; KEP-4680).
//
// Age is measured from when a message came; the driver's own time does not count. One that says
// nothing for its time-out is unknown.
//
// Not thread-safe.
#ifndef ASSAY_CONTROLPLANE_NODE_HEALTH_CACHE_H_
#define ASSAY_CONTROLPLANE_NODE_HEALTH_CACHE_H_

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "controlplane/node/driver_connection.h"

namespace assay::controlplane::node {

struct HealthState {
  DeviceHealthState health = DeviceHealthState::kUnknown;
  std::string message;

  friend bool operator==(const HealthState&, const HealthState&) = default;
};

// "Healthy", "Unhealthy" or "Unknown", as in a pod's status.
std::string_view HealthName(DeviceHealthState health);

class HealthCache {
 public:
  // Pool and name.
  using DeviceKey = std::pair<std::string, std::string>;

  // `file`: where the kubelet keeps the cache; empty: nowhere.
  HealthCache(const Clock& clock, std::filesystem::path file)
      : clock_(&clock), file_(std::move(file)) {}

  HealthState Get(const std::string& driver, const std::string& pool,
                  const std::string& device) const;

  // A message of the driver. Returns the devices whose health or message is another now; one that
  // the message no longer has becomes unknown once its time-out has passed.
  std::set<DeviceKey> Update(const std::string& driver, const std::vector<DeviceHealth>& devices);
  // The driver is gone. Returns its devices.
  std::set<DeviceKey> Clear(const std::string& driver);

 private:
  struct Entry {
    HealthState state;
    WallTime received;
    Duration timeout;
  };
  bool IsStale(const Entry& entry) const;
  void Write() const;

  const Clock* clock_;  // Outlives this.
  std::filesystem::path file_;
  std::map<std::string, std::map<DeviceKey, Entry>> drivers_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_HEALTH_CACHE_H_
