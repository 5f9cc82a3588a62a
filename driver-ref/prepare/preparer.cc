#include "driver-ref/prepare/preparer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "driver-ref/mutants.h"
#include "driver-ref/prepare/allocation.h"

namespace assay::driver_ref::prepare {
namespace {

// The kubelet gives a call 45 s. Waiting for an earlier call of the same claim, reading the claim,
// looking at the hardware and the lock stay well below that together.
constexpr Duration kTurnTimeout = std::chrono::seconds(20);
constexpr Duration kLookTimeout = std::chrono::seconds(2);
constexpr Duration kLockTimeout = std::chrono::seconds(5);

// Whether two claims may hold the device at the same time: an administrator's access and shares of
// a device exclude nobody (KEP-5018, KEP-5075).
bool Excludes(const DeviceRecord& a, const DeviceRecord& b) {
  const bool admin = (a.admin_access || b.admin_access) && !mutants::Is("admin-needs-free");
  return a.pool == b.pool && a.device == b.device && !admin && !(a.share_id && b.share_id);
}

}  // namespace

// The right to work on a claim, in the order of arrival as far as an Unprepare is concerned.
class Preparer::ClaimLock {
 public:
  ClaimLock(Preparer& preparer, std::string uid) : preparer_(&preparer), uid_(std::move(uid)) {
    const std::lock_guard<std::mutex> lock(preparer_->mu_);
    arrival_ = ++preparer_->arrivals_;
    std::shared_ptr<Turn>& turn = preparer_->turns_[uid_];
    if (!turn) {
      turn = std::make_shared<Turn>();
    }
    ++turn->users;
    turn_ = turn;
  }
  ~ClaimLock() {
    if (held_) {
      turn_->mu.unlock();
    }
    const std::lock_guard<std::mutex> lock(preparer_->mu_);
    if (--turn_->users == 0) {
      preparer_->turns_.erase(uid_);
    }
  }
  ClaimLock(const ClaimLock&) = delete;
  ClaimLock& operator=(const ClaimLock&) = delete;

  Status Acquire() {
    held_ = turn_->mu.try_lock_for(kTurnTimeout);
    return held_ ? OkStatus()
                 : DeadlineExceededError("an earlier call for this claim is still running");
  }
  // An Unprepare that came later than this call has run before it.
  bool overtaken() const { return turn_->last_unprepare > arrival_; }
  void SetUnprepared() { turn_->last_unprepare = arrival_; }

 private:
  Preparer* preparer_;
  std::string uid_;
  std::uint64_t arrival_ = 0;
  std::shared_ptr<Turn> turn_;
  bool held_ = false;
};

Preparer::Preparer(Options options, Checkpoint& checkpoint, const cdi::ClaimSpecs& specs,
                   discovery::Monitor& monitor, ClaimSource claims, Observer observer)
    : options_(std::move(options)),
      checkpoint_(&checkpoint),
      specs_(&specs),
      monitor_(&monitor),
      claims_(std::move(claims)),
      observer_(std::move(observer)) {}

Result<std::vector<PreparedDevice>> Preparer::Prepare(const ClaimReference& claim,
                                                      const std::function<bool()>& cancelled) {
  if (!Checkpoint::IsUid(claim.uid)) {
    return InvalidArgumentError("\"" + claim.uid + "\" is no UID");
  }
  ClaimLock turn(*this, claim.uid);
  ASSAY_RETURN_IF_ERROR(turn.Acquire());
  if (turn.overtaken()) {
    return AbortedError("the claim was unprepared while this call waited");
  }
  ASSAY_ASSIGN_OR_RETURN(const api::resource::ResourceClaim object,
                         claims_(claim.namespace_, claim.name));
  ASSAY_ASSIGN_OR_RETURN(const std::vector<DeviceRecord> devices,
                         DevicesOf(object, claim.uid, options_.driver_name));
  ASSAY_ASSIGN_OR_RETURN(const discovery::Picture picture, monitor_->Refresh(kLookTimeout));
  ASSAY_ASSIGN_OR_RETURN(const std::vector<cdi::DeviceEdits> edits, EditsFor(devices, picture));

  ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Lock lock, checkpoint_->Acquire(kLockTimeout));
  if (cancelled()) {
    return CancelledError("the kubelet no longer waits");
  }
  ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Contents known, checkpoint_->Load());
  if (!mutants::Is("no-overlap-check")) {
    ASSAY_RETURN_IF_ERROR(CheckFree(claim, devices, known));
  }
  const auto before = known.claims.find(claim.uid);
  // One that a crash left half-way is rolled back like a new one.
  const bool prepared =
      before != known.claims.end() && before->second.state == ClaimRecord::State::kPrepared;
  if (mutants::Is("trusts-checkpoint") && prepared) {
    return Answer(before->second);
  }
  if (mutants::Is("prepare-appends") && prepared) {
    std::vector<PreparedDevice> answer = Answer(before->second);
    std::ranges::copy(Answer(before->second), std::back_inserter(answer));
    return answer;
  }
  Result<std::vector<PreparedDevice>> answer = Commit(claim, devices, edits, prepared);
  if (answer.ok() && observer_ && !devices.empty()) {
    observer_(claim, devices, picture);
  }
  return answer;
}

Status Preparer::CheckFree(const ClaimReference& claim, const std::vector<DeviceRecord>& devices,
                           const Checkpoint::Contents& known) const {
  for (const auto& [uid, other] : known.claims) {
    if (uid == claim.uid) {
      continue;
    }
    for (const DeviceRecord& held : other.devices) {
      if (std::ranges::any_of(devices,
                              [&](const auto& device) { return Excludes(device, held); })) {
        return FailedPreconditionError("device " + held.pool + "/" + held.device +
                                       " is prepared for claim " + other.namespace_ + "/" +
                                       other.name + " (" + uid + ")");
      }
    }
  }
  // Of a claim whose file is damaged, the CDI spec still says which devices it holds. Where that is
  // gone too, nobody knows: hand nothing out until the kubelet has unprepared it.
  for (const auto& [uid, damage] : known.damaged) {
    if (uid == claim.uid) {
      continue;
    }
    const Result<std::vector<std::string>> held = specs_->DevicesOf(uid);
    for (const DeviceRecord& device : devices) {
      if (!device.admin_access && (!held.ok() || std::ranges::count(*held, device.device) != 0)) {
        return FailedPreconditionError("device " + device.pool + "/" + device.device +
                                       " may be prepared for claim " + uid +
                                       ", whose state cannot be read: " + damage.message());
      }
    }
  }
  return OkStatus();
}

Result<std::vector<cdi::DeviceEdits>> Preparer::EditsFor(const std::vector<DeviceRecord>& devices,
                                                         const discovery::Picture& picture) const {
  std::vector<cdi::DeviceEdits> edits;
  for (const DeviceRecord& device : devices) {
    const std::string subject = "device " + device.pool + "/" + device.device;
    const discovery::Gpu* gpu = picture.FindByDeviceName(device.device);
    if (mutants::Is("foreign-devices") && gpu == nullptr) {
      edits.push_back({.device = device.device, .minor = 0});
      continue;
    }
    if (device.pool != options_.pool_name || gpu == nullptr) {
      return NotFoundError(subject + " is not on this node");
    }
    if (gpu->needs == "lost") {
      return UnavailableError(subject + " does not answer any more");
    }
    // Shares of a device are one CDI device.
    if (std::ranges::find(edits, device.device, &cdi::DeviceEdits::device) == edits.end() ||
        mutants::Is("first-device-again")) {
      edits.push_back(
          {.device = device.device, .minor = gpu->minor, .admin_access = device.admin_access});
    }
  }
  return edits;
}

Result<std::vector<PreparedDevice>> Preparer::Commit(const ClaimReference& claim,
                                                     const std::vector<DeviceRecord>& devices,
                                                     const std::vector<cdi::DeviceEdits>& edits,
                                                     bool prepared) {
  ClaimRecord record{.uid = claim.uid,
                     .namespace_ = claim.namespace_,
                     .name = claim.name,
                     .state = ClaimRecord::State::kStarted,
                     .boot_id = options_.boot_id,
                     .devices = devices};
  // A claim that is prepared stays so while its spec is written anew.
  if (!prepared) {
    if (Status status = checkpoint_->Save(record); !status.ok()) {
      ASSAY_RETURN_IF_ERROR(Forget(claim.uid));
      return status;
    }
  }
  record.state = ClaimRecord::State::kPrepared;
  Status status = specs_->Write(claim.uid, edits);
  if (status.ok()) {
    status = checkpoint_->Save(record);
  }
  if (!status.ok()) {
    if (!prepared) {
      if (const Status undone = Forget(claim.uid); !undone.ok()) {
        spdlog::error("claim {}: cannot be rolled back: {}", claim.ToString(), undone.ToString());
      }
    }
    return status;
  }
  return Answer(record);
}

std::vector<PreparedDevice> Preparer::Answer(const ClaimRecord& record) const {
  std::vector<PreparedDevice> answer;
  for (const DeviceRecord& device : record.devices) {
    answer.push_back(
        {.allocation = device, .cdi_device_ids = {specs_->DeviceId(record.uid, device.device)}});
  }
  return answer;
}

Status Preparer::Unprepare(const ClaimReference& claim) {
  if (!Checkpoint::IsUid(claim.uid)) {
    return OkStatus();  // Nothing can have been prepared under it.
  }
  ClaimLock turn(*this, claim.uid);
  ASSAY_RETURN_IF_ERROR(turn.Acquire());
  if (mutants::Is("unprepare-asks-api")) {
    ASSAY_RETURN_IF_ERROR(claims_(claim.namespace_, claim.name).status());
  }
  ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Lock lock, checkpoint_->Acquire(kLockTimeout));
  if (mutants::Is("forgets-unknown-claims")) {
    ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Contents known, checkpoint_->Load());
    if (!known.claims.contains(claim.uid)) {
      return NotFoundError("the claim is not prepared");
    }
  }
  ASSAY_RETURN_IF_ERROR(Forget(claim.uid));
  turn.SetUnprepared();
  return OkStatus();
}

// The spec goes first: while it is there, a runtime could still use the device.
Status Preparer::Forget(const std::string& uid) {
  if (!mutants::Is("keeps-spec")) {
    ASSAY_RETURN_IF_ERROR(specs_->Remove(uid));
  }
  return checkpoint_->Remove(uid);
}

Status Preparer::RemoveOrphans() {
  std::vector<ClaimRecord> records;
  {
    ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Lock lock, checkpoint_->Acquire(kLockTimeout));
    ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Contents known, checkpoint_->Load());
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> specs, specs_->Claims());
    for (const std::string& uid : specs) {
      if (!known.claims.contains(uid) && !known.damaged.contains(uid) &&
          !mutants::Is("state-in-memory")) {
        spdlog::info("removing the CDI spec of claim {}, which is not prepared", uid);
        ASSAY_RETURN_IF_ERROR(specs_->Remove(uid));
      }
    }
    for (const auto& [uid, damage] : known.damaged) {
      spdlog::error(
          "claim {}: its state cannot be read, its devices stay reserved until it is "
          "prepared again or unprepared: {}",
          uid, damage.ToString());
    }
    for (const auto& [uid, record] : known.claims) {
      records.push_back(record);
    }
  }
  for (const ClaimRecord& record : records) {
    const ClaimReference claim{record.namespace_, record.name, record.uid};
    const Result<api::resource::ResourceClaim> object = claims_(claim.namespace_, claim.name);
    const bool gone = object.ok() ? object->metadata.uid != claim.uid
                                  : object.status().code() == StatusCode::kNotFound;
    if (gone) {
      spdlog::info("claim {}: it no longer exists and is unprepared", claim.ToString());
      ASSAY_RETURN_IF_ERROR(Unprepare(claim));
    }
  }
  return OkStatus();
}

}  // namespace assay::driver_ref::prepare
