#include "controlplane/node/claim_cache.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "base/file.h"

namespace assay::controlplane::node {
namespace {

using Json = nlohmann::ordered_json;

// CRC-32 of IEEE 802.3, as Go's hash/crc32 computes it.
std::uint32_t Crc32(std::string_view text) {
  static const std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) {
        value = (value & 1) != 0 ? (value >> 1) ^ 0xEDB88320U : value >> 1;
      }
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : text) {
    crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  }
  return ~crc;
}

// Go writes an empty list as null where it was never made.
Json ListOrNull(const std::vector<std::string>& items) {
  return items.empty() ? Json(nullptr) : Json(items);
}

Json ToJson(const ClaimInfo& claim) {
  Json pods = Json::object();
  for (const std::string& uid : claim.pod_uids) {
    pods[uid] = Json::object();
  }
  Json drivers = Json::object();
  for (const auto& [driver, devices] : claim.devices) {
    Json list = devices.empty() ? Json(nullptr) : Json::array();
    for (const PreparedDevice& device : devices) {
      list.push_back({{"PoolName", device.pool_name},
                      {"DeviceName", device.device_name},
                      {"ShareID", device.share_id ? Json(*device.share_id) : Json(nullptr)},
                      {"RequestNames", ListOrNull(device.request_names)},
                      {"CDIDeviceIDs", ListOrNull(device.cdi_device_ids)}});
    }
    drivers[driver] = {{"Devices", std::move(list)}};
    // The place is not upstream's, which is not known; others pass over what they do not know.
    if (const auto skipped = claim.skipped_operations.find(driver);
        skipped != claim.skipped_operations.end()) {
      drivers[driver]["SkipNodeOperations"] = skipped->second;
    }
  }
  return {{"ClaimUID", claim.uid},
          {"ClaimName", claim.name},
          {"Namespace", claim.namespace_},
          {"PodUIDs", std::move(pods)},
          {"DriverState", std::move(drivers)}};
}

std::vector<std::string> Strings(const Json& json) {
  return json.is_null() ? std::vector<std::string>() : json.get<std::vector<std::string>>();
}

ClaimInfo FromJson(const Json& json) {
  ClaimInfo claim;
  claim.uid = json.at("ClaimUID");
  claim.name = json.at("ClaimName");
  claim.namespace_ = json.at("Namespace");
  for (const auto& pod : json.at("PodUIDs").items()) {
    claim.pod_uids.insert(pod.key());
  }
  for (const auto& driver : json.at("DriverState").items()) {
    std::vector<PreparedDevice>& devices = claim.devices[driver.key()];
    if (const auto skipped = driver.value().find("SkipNodeOperations");
        skipped != driver.value().end()) {
      claim.skipped_operations[driver.key()] = skipped->get<std::set<std::string>>();
    }
    for (const Json& device : driver.value().at("Devices")) {
      PreparedDevice& added = devices.emplace_back();
      added.pool_name = device.at("PoolName");
      added.device_name = device.at("DeviceName");
      if (device.contains("ShareID") && !device.at("ShareID").is_null()) {
        added.share_id = device.at("ShareID").get<std::string>();
      }
      added.request_names = Strings(device.at("RequestNames"));
      added.cdi_device_ids = Strings(device.at("CDIDeviceIDs"));
    }
  }
  return claim;
}

}  // namespace

std::vector<std::string> ClaimInfo::CdiDeviceIds(const std::string& request) const {
  std::vector<std::string> ids;
  for (const auto& [driver, list] : devices) {
    for (const PreparedDevice& device : list) {
      if (request.empty() || device.request_names.empty() ||
          std::ranges::count(device.request_names, request) != 0) {
        ids.insert(ids.end(), device.cdi_device_ids.begin(), device.cdi_device_ids.end());
      }
    }
  }
  return ids;
}

std::string FormatCheckpoint(const std::vector<ClaimInfo>& claims) {
  Json list = Json::array();
  for (const ClaimInfo& claim : claims) {
    list.push_back(ToJson(claim));
  }
  const Json data = {{"kind", "DRACheckpoint"},
                     {"apiVersion", "checkpoint.dra.kubelet.k8s.io/v1"},
                     {"ClaimInfoStateList", std::move(list)}};
  const std::string text = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json{{"Data", text}, {"Checksum", Crc32(text)}}.dump();
}

Result<std::vector<ClaimInfo>> ParseCheckpoint(const std::string& text) {
  try {
    const Json envelope = Json::parse(text);
    const auto& data = envelope.at("Data").get_ref<const std::string&>();
    if (envelope.at("Checksum") != Crc32(data)) {
      return DataLossError("checkpoint is corrupted");
    }
    std::vector<ClaimInfo> claims;
    const Json content = Json::parse(data);
    for (const Json& claim : content.at("ClaimInfoStateList")) {
      claims.push_back(FromJson(claim));
    }
    return claims;
  } catch (const Json::exception& error) {
    return DataLossError(error.what());
  }
}

Status ClaimCache::Load() {
  if (checkpoint_.empty()) {
    return OkStatus();
  }
  const Result<std::string> text = ReadFile(checkpoint_);
  if (!text.ok()) {
    return text.status().code() == StatusCode::kNotFound ? OkStatus() : text.status();
  }
  Result<std::vector<ClaimInfo>> claims = ParseCheckpoint(*text);
  if (!claims.ok()) {
    return DataLossError("could not restore state from checkpoint: " + claims.status().message() +
                         ", please drain node and remove DRA state file " + checkpoint_.string());
  }
  for (ClaimInfo& claim : *claims) {
    Add(std::move(claim));
  }
  return OkStatus();
}

Status ClaimCache::Save() const {
  if (checkpoint_.empty()) {
    return OkStatus();
  }
  std::vector<ClaimInfo> claims;
  for (const auto& [key, claim] : claims_) {
    claims.push_back(claim);
  }
  return WriteFileAtomically(checkpoint_, FormatCheckpoint(claims), {.mode = 0600});
}

ClaimInfo* ClaimCache::Find(const std::string& namespace_name, const std::string& name) {
  const auto found = claims_.find({namespace_name, name});
  return found == claims_.end() ? nullptr : &found->second;
}

ClaimInfo& ClaimCache::Add(ClaimInfo info) {
  const auto key = std::pair(info.namespace_, info.name);
  return claims_.insert_or_assign(key, std::move(info)).first->second;
}

void ClaimCache::Remove(const std::string& namespace_name, const std::string& name) {
  claims_.erase({namespace_name, name});
}

bool ClaimCache::IsUsedBy(const std::string& pod_uid) const {
  return std::ranges::any_of(
      claims_, [&](const auto& entry) { return entry.second.pod_uids.contains(pod_uid); });
}

}  // namespace assay::controlplane::node
