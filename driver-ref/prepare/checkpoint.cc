#include "driver-ref/prepare/checkpoint.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file.h"
#include "driver-ref/mutants.h"
#include "driver-ref/prepare/gpu_config.h"

namespace assay::driver_ref::prepare {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::string_view kExtension = ".json";
// flock(2) has no time-out: try again this often. Its holders are done in milliseconds.
constexpr Duration kLockRetry = std::chrono::milliseconds(2);

std::string Sha256(const std::string& text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex = "sha256:";
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

Json ToJson(const discovery::Partition& partition) {
  return {{"gpu", partition.place.gpu},
          {"profile", partition.place.profile},
          {"start", partition.place.start},
          {"size", partition.place.size},
          {"uuid", partition.uuid},
          {"gpuInstance", partition.gpu_instance},
          {"computeInstance", partition.compute_instance}};
}

discovery::Partition PartitionFromJson(const Json& json) {
  return {.place = {.gpu = json.at("gpu"),
                    .profile = json.at("profile"),
                    .start = json.at("start"),
                    .size = json.at("size")},
          .uuid = json.at("uuid"),
          .gpu_instance = json.at("gpuInstance"),
          .compute_instance = json.at("computeInstance")};
}

Json ToJson(const discovery::GpuSettings& settings) {
  Json json = Json::object();
  if (settings.power_limit_mw) {
    json["powerLimitMilliwatts"] = *settings.power_limit_mw;
  }
  if (settings.compute_mode) {
    json["computeMode"] = ComputeModeName(*settings.compute_mode);
  }
  if (settings.time_slice) {
    json["timeSlice"] = TimeSliceName(*settings.time_slice);
  }
  return json;
}

discovery::GpuSettings SettingsFromJson(const Json& json) {
  discovery::GpuSettings settings;
  if (json.contains("powerLimitMilliwatts")) {
    settings.power_limit_mw = json.at("powerLimitMilliwatts").get<std::uint32_t>();
  }
  settings.compute_mode = ParseComputeMode(json.value("computeMode", ""));
  settings.time_slice = ParseTimeSlice(json.value("timeSlice", ""));
  return settings;
}

Json ToJson(const ClaimRecord& record) {
  Json devices = Json::array();
  for (const DeviceRecord& device : record.devices) {
    Json json = {{"pool", device.pool}, {"device", device.device}, {"requests", device.requests}};
    if (device.share_id) {
      json["shareID"] = *device.share_id;
    }
    if (device.admin_access) {
      json["adminAccess"] = true;
    }
    if (device.partition) {
      json["partition"] = ToJson(*device.partition);
    }
    if (!device.parts.empty()) {
      json["parts"] = device.parts;
    }
    if (device.settings) {
      json["settings"] = {{"gpu", device.settings->gpu},
                          {"wanted", ToJson(device.settings->wanted)},
                          {"before", ToJson(device.settings->before)}};
    }
    devices.push_back(std::move(json));
  }
  return {{"uid", record.uid},
          {"namespace", record.namespace_},
          {"name", record.name},
          {"state", record.state == ClaimRecord::State::kPrepared ? "prepared" : "started"},
          {"bootID", record.boot_id},
          {"devices", std::move(devices)}};
}

ClaimRecord FromJson(const Json& json) {
  ClaimRecord record{.uid = json.at("uid"),
                     .namespace_ = json.at("namespace"),
                     .name = json.at("name"),
                     .state = json.at("state") == "prepared" ? ClaimRecord::State::kPrepared
                                                             : ClaimRecord::State::kStarted,
                     .boot_id = json.at("bootID"),
                     .devices = {}};
  for (const Json& device : json.at("devices")) {
    DeviceRecord& added = record.devices.emplace_back();
    added.pool = device.at("pool");
    added.device = device.at("device");
    added.requests = device.at("requests").get<std::vector<std::string>>();
    if (device.contains("shareID")) {
      added.share_id = device.at("shareID").get<std::string>();
    }
    added.admin_access = device.value("adminAccess", false);
    if (device.contains("partition")) {
      added.partition = PartitionFromJson(device.at("partition"));
    }
    added.parts = device.value("parts", std::vector<std::string>());
    if (device.contains("settings")) {
      const Json& settings = device.at("settings");
      added.settings = SettingsRecord{.gpu = settings.at("gpu"),
                                      .wanted = SettingsFromJson(settings.at("wanted")),
                                      .before = SettingsFromJson(settings.at("before"))};
    }
  }
  return record;
}

}  // namespace

std::string FormatRecord(const ClaimRecord& record) {
  const std::string data = ToJson(record).dump();
  return Json{{"version", kVersion}, {"checksum", Sha256(data)}, {"data", data}}.dump(2) + "\n";
}

Result<ClaimRecord> ParseRecord(const std::string& text) {
  try {
    const Json envelope = Json::parse(text);
    const auto& data = envelope.at("data").get_ref<const std::string&>();
    if (envelope.at("checksum") != Sha256(data)) {
      return DataLossError("the checksum does not match");
    }
    return FromJson(Json::parse(data));
  } catch (const Json::exception& error) {
    return DataLossError(error.what());
  }
}

Checkpoint::Checkpoint(std::filesystem::path state_dir)
    : directory_(state_dir / "claims"), lock_file_(state_dir / "lock") {}

Status Checkpoint::Open() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) {
    return ErrnoError(error.value(), "creating " + directory_.string());
  }
  ASSAY_ASSIGN_OR_RETURN(const Lock lock, Acquire(std::chrono::seconds(10)));
  for (std::filesystem::directory_iterator it(directory_, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') && name.ends_with(".tmp")) {
      std::filesystem::remove(it->path(), error);
    }
  }
  if (mutants::Is("corrupt-is-fatal")) {
    ASSAY_ASSIGN_OR_RETURN(const Contents contents, Load());
    return contents.damaged.empty() ? OkStatus() : contents.damaged.begin()->second;
  }
  return OkStatus();
}

Checkpoint::Lock::Lock(Lock&& other) noexcept
    : threads_(std::move(other.threads_)), fd_(std::exchange(other.fd_, -1)) {}

Checkpoint::Lock::~Lock() {
  if (fd_ >= 0) {
    ::close(fd_);  // Releases the lock.
  }
}

Result<Checkpoint::Lock> Checkpoint::Acquire(Duration timeout) {
  const MonotonicTime deadline = Clock::Real().Monotonic() + timeout;
  std::unique_lock<std::timed_mutex> threads(threads_, timeout);
  if (!threads.owns_lock()) {
    return DeadlineExceededError("the state directory is locked by another call");
  }
  const int fd = ::open(lock_file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return ErrnoError(errno, "opening " + lock_file_.string());
  }
  Lock lock(std::move(threads), fd);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return ErrnoError(errno, "locking " + lock_file_.string());
    }
    if (Clock::Real().Monotonic() >= deadline) {
      return DeadlineExceededError(lock_file_.string() + " is locked by another process");
    }
    std::this_thread::sleep_for(kLockRetry);
  }
  return lock;
}

Result<Checkpoint::Contents> Checkpoint::Load() const {
  Contents contents;
  if (mutants::Is("state-in-memory")) {
    contents.claims = memory_;
    return contents;
  }
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory_, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() != kExtension) {
      continue;
    }
    const std::string uid = it->path().stem().string();
    if (const Result<ClaimRecord> record = Load(uid); record.ok()) {
      contents.claims.emplace(uid, *record);
    } else {
      contents.damaged.emplace(uid, record.status());
    }
  }
  if (error && !mutants::Is("ignores-save-errors")) {
    return ErrnoError(error.value(), "reading " + directory_.string());
  }
  if (mutants::Is("damage-stops-all") && !contents.damaged.empty()) {
    return contents.damaged.begin()->second;
  }
  return contents;
}

Result<ClaimRecord> Checkpoint::Load(const std::string& uid) const {
  if (mutants::Is("state-in-memory")) {
    const auto found = memory_.find(uid);
    return found == memory_.end() ? Result<ClaimRecord>(NotFoundError(uid)) : found->second;
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(File(uid)));
  Result<ClaimRecord> record = ParseRecord(text);
  if (!record.ok()) {
    return record.status().WithContext(File(uid).string());
  }
  if (record->uid != uid) {
    return DataLossError(File(uid).string() + " is of claim " + record->uid);
  }
  return record;
}

Status Checkpoint::Save(const ClaimRecord& record) {
  if (mutants::Is("state-in-memory")) {
    memory_[record.uid] = record;
    return OkStatus();
  }
  const Status written =
      WriteFileAtomically(File(record.uid), FormatRecord(record), {.mode = 0600});
  return mutants::Is("ignores-save-errors") ? OkStatus() : written;
}

Status Checkpoint::Remove(const std::string& uid) {
  memory_.erase(uid);
  if (::unlink(File(uid).c_str()) != 0 && errno != ENOENT) {
    return ErrnoError(errno, "removing " + File(uid).string());
  }
  return OkStatus();
}

bool Checkpoint::IsUid(const std::string& uid) {
  return !uid.empty() && uid.size() <= 64 && std::ranges::all_of(uid, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::filesystem::path Checkpoint::File(const std::string& uid) const {
  return directory_ / (uid + std::string(kExtension));
}

}  // namespace assay::driver_ref::prepare
