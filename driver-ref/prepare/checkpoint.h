// Checkpoint: which claims are prepared, or being prepared, on disk: one file per claim in
// <state>/claims, so that one that is damaged does not take the others with it.
//
// A file is {"version", "checksum", "data"}: the claim's record is JSON text in `data`, and the
// checksum is over that text. A reader ignores fields that it does not know, so that an older
// driver reads what a newer one wrote. Files are replaced atomically and synced.
//
// Two driver processes may share the directory during a rolling update: nothing is cached, and
// whoever reads and writes holds the lock, which the kernel releases when its holder dies.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_PREPARE_CHECKPOINT_H_
#define ASSAY_DRIVER_REF_PREPARE_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "driver-ref/discovery/configurator.h"
#include "driver-ref/discovery/partitioner.h"

namespace assay::driver_ref::prepare {

struct SettingsRecord {
  std::string gpu;  // Its UUID.
  discovery::GpuSettings wanted;
  discovery::GpuSettings before;  // What the same settings were before.

  friend bool operator==(const SettingsRecord&, const SettingsRecord&) = default;
};

struct DeviceRecord {
  std::string pool;
  std::string device;
  std::vector<std::string> requests;
  std::optional<std::string> share_id;
  bool admin_access = false;
  // Where the device is a partition: its place, and what was made there once it is prepared.
  std::optional<discovery::Partition> partition;
  // What the claim expects the partition to be; empty: nothing. Not kept: it is looked at anew.
  std::string mig_profile = {};
  // Where it is of a device tree: the names of the devices that it is made of.
  std::vector<std::string> parts = {};
  // What the claim sets of its GPU.
  std::optional<SettingsRecord> settings;

  friend bool operator==(const DeviceRecord&, const DeviceRecord&) = default;
};

struct ClaimRecord {
  // kStarted is written before anything else changes: what a crash leaves behind is known.
  enum class State { kStarted, kPrepared };

  std::string uid;
  std::string namespace_;
  std::string name;
  State state = State::kStarted;
  std::string boot_id;  // Of the kernel that ran when the claim was prepared.
  std::vector<DeviceRecord> devices;

  friend bool operator==(const ClaimRecord&, const ClaimRecord&) = default;
};

class Checkpoint {
 public:
  explicit Checkpoint(std::filesystem::path state_dir);

  // Makes the directories and removes what a crash left half-written.
  Status Open();

  // Excludes every other user of the directory while it lives.
  class Lock {
   public:
    ~Lock();
    Lock(Lock&&) noexcept;
    Lock& operator=(Lock&&) = delete;

   private:
    friend class Checkpoint;
    Lock(std::unique_lock<std::timed_mutex> threads, int fd)
        : threads_(std::move(threads)), fd_(fd) {}
    std::unique_lock<std::timed_mutex> threads_;
    int fd_;
  };
  // kDeadlineExceeded after `timeout`.
  Result<Lock> Acquire(Duration timeout);

  struct Contents {
    std::map<std::string, ClaimRecord> claims;  // By UID.
    std::map<std::string, Status> damaged;      // UID to what is wrong with its file.
  };
  // Call the following with the lock held.
  Result<Contents> Load() const;
  // Of one claim: kNotFound without a file, kDataLoss where that is damaged.
  Result<ClaimRecord> Load(const std::string& uid) const;
  Status Save(const ClaimRecord& record);
  // A claim that has no file is no error.
  Status Remove(const std::string& uid);

  // Whether `uid` can name a file here: letters, digits and '-', at most 64.
  static bool IsUid(const std::string& uid);

 private:
  std::filesystem::path File(const std::string& uid) const;

  std::filesystem::path directory_;
  std::filesystem::path lock_file_;
  std::timed_mutex threads_;
  // Only the mutant that keeps its state in memory.
  std::map<std::string, ClaimRecord> memory_;
};

// The text of a record's file, and back. kDataLoss says what is wrong.
std::string FormatRecord(const ClaimRecord& record);
Result<ClaimRecord> ParseRecord(const std::string& text);

}  // namespace assay::driver_ref::prepare

#endif  // ASSAY_DRIVER_REF_PREPARE_CHECKPOINT_H_
