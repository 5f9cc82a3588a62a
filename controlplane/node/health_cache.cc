#include "controlplane/node/health_cache.h"

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace assay::controlplane::node {
namespace {

constexpr Duration kDefaultTimeout = std::chrono::seconds(30);
// core/v1: ResourceHealthMessageMaxLength.
constexpr std::size_t kMaxMessage = 1024;

std::string Truncate(const std::string& message) {
  return message.size() <= kMaxMessage ? message : message.substr(0, kMaxMessage - 3) + "...";
}

}  // namespace

std::string_view HealthName(DeviceHealthState health) {
  switch (health) {
    case DeviceHealthState::kHealthy:
      return "Healthy";
    case DeviceHealthState::kUnhealthy:
      return "Unhealthy";
    case DeviceHealthState::kUnknown:
      break;
  }
  return "Unknown";
}

bool HealthCache::IsStale(const Entry& entry) const {
  return clock_->Now() - entry.received > entry.timeout;
}

HealthState HealthCache::Get(const std::string& driver, const std::string& pool,
                             const std::string& device) const {
  const auto devices = drivers_.find(driver);
  if (devices == drivers_.end()) {
    return {};
  }
  const auto found = devices->second.find({pool, device});
  return found == devices->second.end() || IsStale(found->second) ? HealthState()
                                                                  : found->second.state;
}

std::set<HealthCache::DeviceKey> HealthCache::Update(const std::string& driver,
                                                     const std::vector<DeviceHealth>& devices) {
  std::map<DeviceKey, Entry>& known = drivers_[driver];
  std::set<DeviceKey> reported;
  std::set<DeviceKey> changed;
  for (const DeviceHealth& device : devices) {
    const DeviceKey key{device.pool_name, device.device_name};
    Entry now{.state = {device.health, Truncate(device.message)},
              .received = clock_->Now(),
              .timeout = device.health_check_timeout_seconds > 0
                             ? std::chrono::seconds(device.health_check_timeout_seconds)
                             : kDefaultTimeout};
    const auto before = known.find(key);
    if (before == known.end() || before->second.state != now.state ||
        before->second.timeout != now.timeout) {
      changed.insert(key);
    }
    reported.insert(key);
    known[key] = std::move(now);
  }
  for (auto& [key, entry] : known) {
    if (!reported.contains(key) && entry.state.health != DeviceHealthState::kUnknown &&
        IsStale(entry)) {
      entry.state = {};
      entry.received = clock_->Now();
      changed.insert(key);
    }
  }
  if (!changed.empty()) {
    Write();
  }
  return changed;
}

std::set<HealthCache::DeviceKey> HealthCache::Clear(const std::string& driver) {
  std::set<DeviceKey> devices;
  if (const auto removed = drivers_.extract(driver)) {
    for (const auto& [key, entry] : removed.mapped()) {
      devices.insert(key);
    }
    Write();
  }
  return devices;
}

// For people: it is not read back, since every driver tells everything anew when it is connected.
void HealthCache::Write() const {
  if (file_.empty()) {
    return;
  }
  nlohmann::ordered_json drivers = nlohmann::ordered_json::object();
  for (const auto& [driver, devices] : drivers_) {
    auto& list = drivers[driver]["Devices"];
    list = nlohmann::ordered_json::object();
    for (const auto& [key, entry] : devices) {
      list[key.first + "/" + key.second] = {{"PoolName", key.first},
                                            {"DeviceName", key.second},
                                            {"Health", HealthName(entry.state.health)},
                                            {"LastUpdated", FormatRfc3339(entry.received)},
                                            {"HealthCheckTimeout", entry.timeout.count()},
                                            {"Message", entry.state.message}};
    }
  }
  // A kubelet goes on too when it cannot write this file.
  (void)WriteFileAtomically(
      file_, drivers.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
      {.mode = 0600});
}

}  // namespace assay::controlplane::node
