#include "driver-ref/prepare/preparer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "driver-ref/discovery/torus.h"
#include "driver-ref/mutants.h"
#include "driver-ref/prepare/allocation.h"

namespace assay::driver_ref::prepare {
namespace {

// The kubelet gives a call 45 s. Waiting for an earlier call of the same claim, reading the claim,
// looking at the hardware and the lock stay well below that together.
constexpr Duration kTurnTimeout = std::chrono::seconds(20);
constexpr Duration kLookTimeout = std::chrono::seconds(2);
constexpr Duration kLockTimeout = std::chrono::seconds(10);

// Whether two claims may not hold the devices at the same time: an administrator's access and
// shares of a device exclude nobody (KEP-5018, KEP-5075).
bool Excludes(const DeviceRecord& a, const DeviceRecord& b) {
  const bool admin = (a.admin_access || b.admin_access) && !mutants::Is("admin-needs-free");
  return HaveCommonHardware(a, b) && !admin &&
         (!(a.share_id && b.share_id) || mutants::Is("shares-exclude-each-other"));
}

// Domains that reach over nodes are no node's devices: whoever knows the rack publishes them, as
// devices of this driver in a pool of their own, for the nodes that they have.
constexpr std::string_view kDomainPool = "nvlink-domains";

bool IsInDomain(const discovery::Picture& picture, const std::string& device) {
  return std::ranges::any_of(picture.inventory.gpus, [&](const discovery::Gpu& gpu) {
    return !gpu.fabric_clique.empty() && discovery::DomainName(gpu.fabric_clique) == device;
  });
}

// Notes in `device` which hardware it is.
void SetHardware(const discovery::NodeDevice& source, DeviceRecord& device) {
  if (source.profile != nullptr) {
    device.partition.emplace().place = source.place();
  }
  for (const discovery::PlainDevice* part : source.parts) {
    device.parts.push_back(part->name);
  }
}

std::string Upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

// What containers are told of a device of a tree (DEVICE_TREE.md).
void AddPlainEdits(const discovery::NodeDevice& source, cdi::DeviceEdits& edits) {
  std::string chips;
  for (const discovery::PlainDevice* part : source.parts) {
    edits.nodes.insert(edits.nodes.end(), part->nodes.begin(), part->nodes.end());
    const std::string& id = !part->serial.empty()       ? part->serial
                            : !part->pci_bus_id.empty() ? part->pci_bus_id
                                                        : part->name;
    edits.env.push_back("DRA_DEVICE_" + Upper(part->name) + "=" + id);
    if (part->index) {
      chips += (chips.empty() ? "" : ",") + std::to_string(*part->index);
    }
  }
  if (const std::optional<discovery::Box> box = discovery::BoxOf(source.parts)) {
    edits.env.push_back(Upper(source.name) + "_TOPOLOGY=" + box->ShapeText());
    edits.env.push_back(Upper(source.name) + "_CHIPS=" + chips);
  }
}

// One that a crash left half-way is not: it is rolled back like a new one.
bool IsPrepared(const ClaimRecord* record) {
  return record != nullptr && record->state == ClaimRecord::State::kPrepared;
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
    if (mutants::Is("no-claim-lock")) {
      return OkStatus();
    }
    held_ = turn_->mu.try_lock_for(kTurnTimeout);
    return held_ ? OkStatus()
                 : DeadlineExceededError("an earlier call for this claim is still running");
  }
  // An Unprepare that came later than this call has run before it.
  bool overtaken() const {
    return turn_->last_unprepare > arrival_ && !mutants::Is("no-claim-lock");
  }
  void SetUnprepared() { turn_->last_unprepare = arrival_; }

 private:
  Preparer* preparer_;
  std::string uid_;
  std::uint64_t arrival_ = 0;
  std::shared_ptr<Turn> turn_;
  bool held_ = false;
};

Preparer::Preparer(Options options, Checkpoint& checkpoint, const cdi::ClaimSpecs& specs,
                   const cdi::MetadataFiles& metadata, discovery::Monitor& monitor,
                   ClaimSource claims, Observer observer)
    : options_(std::move(options)),
      checkpoint_(&checkpoint),
      specs_(&specs),
      metadata_(&metadata),
      monitor_(&monitor),
      claims_(std::move(claims)),
      observer_(std::move(observer)),
      partitions_(options_.partitioner),
      configuration_(options_.configurator) {}

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
  ClaimRecord record{.uid = claim.uid,
                     .namespace_ = claim.namespace_,
                     .name = claim.name,
                     .state = ClaimRecord::State::kStarted,
                     .boot_id = options_.boot_id,
                     .devices = {}};
  ASSAY_ASSIGN_OR_RETURN(record.devices, DevicesOf(object, claim.uid, options_.driver_name));
  ASSAY_ASSIGN_OR_RETURN(const discovery::Picture picture, monitor_->Refresh(kLookTimeout));
  ASSAY_RETURN_IF_ERROR(Locate(record.devices, picture));
  cdi::ClaimMetadata metadata;
  if (options_.attributes) {
    metadata = MetadataOf(object, options_.driver_name, [&](const std::string& device) {
      return options_.attributes(picture, device);
    });
  }

  ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Lock lock, checkpoint_->Acquire(kLockTimeout));
  if (cancelled()) {
    return CancelledError("the kubelet no longer waits");
  }
  ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Contents known, checkpoint_->Load());
  if (!mutants::Is("no-overlap-check")) {
    ASSAY_RETURN_IF_ERROR(CheckFree(claim, record.devices, known, picture));
  }
  const auto found = known.claims.find(claim.uid);
  const ClaimRecord* const former = found == known.claims.end() ? nullptr : &found->second;
  if (mutants::Is("trusts-checkpoint") && IsPrepared(former)) {
    return Answer(*former);
  }
  if (mutants::Is("prepare-appends") && IsPrepared(former)) {
    std::vector<PreparedDevice> answer = Answer(*former);
    std::ranges::copy(Answer(*former), std::back_inserter(answer));
    return answer;
  }
  ASSAY_RETURN_IF_ERROR(Commit(record, metadata, picture, former));
  if (observer_ && !record.devices.empty()) {
    observer_(object, record.devices, picture);
  }
  return Answer(record);
}

Status Preparer::Locate(std::vector<DeviceRecord>& devices,
                        const discovery::Picture& picture) const {
  for (DeviceRecord& device : devices) {
    const std::string subject = "device " + device.pool + "/" + device.device;
    if (device.pool == kDomainPool) {
      if (!IsInDomain(picture, device.device)) {
        return NotFoundError(subject + " is an NVLink domain that no GPU of this node is in");
      }
      continue;
    }
    const std::optional<discovery::NodeDevice> source = picture.Find(device.device);
    if (mutants::Is("foreign-devices") && !source) {
      continue;
    }
    if (device.pool != options_.pool_name || !source) {
      return NotFoundError(subject + " is not on this node");
    }
    const std::string& needs = source->needs();
    if (needs == "lost" || (mutants::Is("taint-stops-claims") && !needs.empty()) ||
        (mutants::Is("admin-minds-taints") && device.admin_access && !needs.empty())) {
      return UnavailableError(subject + " does not answer any more");
    }
    const std::string profile = source->profile != nullptr ? source->profile->name : "";
    if (!device.mig_profile.empty() && device.mig_profile != profile) {
      return InvalidArgumentError(subject + " is no partition of the MIG profile " +
                                  device.mig_profile + ", which the claim's configuration expects");
    }
    SetHardware(*source, device);
  }
  return OkStatus();
}

Status Preparer::CheckFree(const ClaimReference& claim, const std::vector<DeviceRecord>& devices,
                           const Checkpoint::Contents& known,
                           const discovery::Picture& picture) const {
  for (const DeviceRecord& a : devices) {
    for (const DeviceRecord& b : devices) {
      if (a.device != b.device && Excludes(a, b)) {
        return FailedPreconditionError("the claim has both device " + a.pool + "/" + a.device +
                                       " and device " + b.pool + "/" + b.device +
                                       ", which exclude each other");
      }
    }
  }
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
    const Result<std::vector<DeviceRecord>> held = HeldInSpec(uid, picture);
    for (const DeviceRecord& device : devices) {
      const bool may_be_held =
          !held.ok() || std::ranges::any_of(*held, [&](const DeviceRecord& other) {
            return HaveCommonHardware(device, other);
          });
      if (!device.admin_access && may_be_held) {
        return FailedPreconditionError("device " + device.pool + "/" + device.device +
                                       " may be prepared for claim " + uid +
                                       ", whose state cannot be read: " + damage.message());
      }
    }
  }
  return OkStatus();
}

Result<std::vector<DeviceRecord>> Preparer::HeldInSpec(const std::string& uid,
                                                       const discovery::Picture& picture) const {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, specs_->DevicesOf(uid));
  std::vector<DeviceRecord> devices;
  for (const std::string& name : names) {
    DeviceRecord& device = devices.emplace_back();
    device.pool = options_.pool_name;
    device.device = name;
    const std::optional<discovery::NodeDevice> source = picture.Find(name);
    if (source) {
      SetHardware(*source, device);
    }
  }
  return devices;
}

std::vector<cdi::DeviceEdits> Preparer::EditsFor(const std::vector<DeviceRecord>& devices,
                                                 const discovery::Picture& picture) const {
  std::vector<cdi::DeviceEdits> edits;
  for (const DeviceRecord& device : devices) {
    // Shares of a device are one CDI device.
    if (std::ranges::find(edits, device.device, &cdi::DeviceEdits::device) != edits.end() &&
        !mutants::Is("first-device-again")) {
      continue;
    }
    const std::optional<discovery::NodeDevice> source = picture.Find(device.device);
    cdi::DeviceEdits& added = edits.emplace_back();
    added.device = device.device;
    added.admin_access = device.admin_access;
    if (device.pool == kDomainPool) {
      added.env.push_back("NVLINK_DOMAIN=" + device.device);
      continue;
    }
    if (source && source->gpu == nullptr) {
      AddPlainEdits(*source, added);
      continue;
    }
    added.minor = source ? source->gpu->minor : 0;
    // An administrator's container has the GPU alone where there is no partition yet.
    if (device.partition && !device.partition->uuid.empty()) {
      added.mig = cdi::MigInstances{.gpu_minor = *added.minor,
                                    .gpu_instance = device.partition->gpu_instance,
                                    .compute_instance = device.partition->compute_instance};
    }
  }
  return edits;
}

Status Preparer::Commit(ClaimRecord& record, const cdi::ClaimMetadata& metadata,
                        const discovery::Picture& picture, const ClaimRecord* former) {
  const bool prepared = IsPrepared(former);
  ASSAY_RETURN_IF_ERROR(configuration_.Note(record.devices, former, picture));
  // A claim that is prepared stays so while its spec is written anew.
  Status status = prepared ? OkStatus() : checkpoint_->Save(record);
  if (status.ok()) {
    status = partitions_.MakeReady(record.devices, picture, prepared);
  }
  if (status.ok()) {
    status = configuration_.Apply(record.devices);
  }
  if (status.ok()) {
    status = metadata_->Write(metadata);
  }
  if (status.ok()) {
    status = specs_->Write(record.uid, EditsFor(record.devices, picture));
  }
  if (status.ok()) {
    record.state = ClaimRecord::State::kPrepared;
    status = checkpoint_->Save(record);
  }
  if (!status.ok() && !prepared) {
    if (const Status undone = Forget(record.uid, record.devices); !undone.ok()) {
      spdlog::error("claim {}: cannot be rolled back: {}", record.uid, undone.ToString());
    }
  }
  return status;
}

std::vector<PreparedDevice> Preparer::Answer(const ClaimRecord& record) const {
  std::vector<PreparedDevice> answer;
  std::set<std::string> told;  // Requests whose metadata comes with an earlier device.
  for (const DeviceRecord& device : record.devices) {
    PreparedDevice& added = answer.emplace_back(PreparedDevice{
        .allocation = device, .cdi_device_ids = {specs_->DeviceId(record.uid, device.device)}});
    for (const std::string& request : device.requests) {
      const bool first = told.insert(request).second || mutants::Is("metadata-of-each");
      if (options_.attributes && first) {
        added.cdi_device_ids.push_back(metadata_->DeviceId(record.uid, request));
      }
    }
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
  const Result<ClaimRecord> record = checkpoint_->Load(claim.uid);
  if (mutants::Is("forgets-unknown-claims") && !record.ok()) {
    return NotFoundError("the claim is not prepared");
  }
  if (mutants::Is("admin-frees-device") && record.ok() && !record->devices.empty() &&
      record->devices.front().admin_access) {
    ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Contents known, checkpoint_->Load());
    for (const auto& [uid, other] : known.claims) {
      ASSAY_RETURN_IF_ERROR(checkpoint_->Remove(uid));
    }
  }
  // Partitions of which no readable record tells are ended by RemoveOrphans.
  const Status forgotten =
      Forget(claim.uid, record.ok() ? record->devices : std::vector<DeviceRecord>());
  if (!mutants::Is("hides-unprepare-errors")) {
    ASSAY_RETURN_IF_ERROR(forgotten);
  }
  turn.SetUnprepared();
  return OkStatus();
}

// The spec goes first: while it is there, a runtime could still use the device. The record goes
// last: it says what there is to end. Metadata goes also where a driver that was started otherwise
// left it.
Status Preparer::Forget(const std::string& uid, const std::vector<DeviceRecord>& devices) {
  if (!mutants::Is("keeps-spec")) {
    ASSAY_RETURN_IF_ERROR(specs_->Remove(uid));
  }
  ASSAY_RETURN_IF_ERROR(metadata_->Remove(uid));
  ASSAY_RETURN_IF_ERROR(partitions_.End(devices));
  ASSAY_RETURN_IF_ERROR(configuration_.Restore(devices));
  return checkpoint_->Remove(uid);
}

Status Preparer::RemoveOrphans() {
  std::vector<ClaimRecord> records;
  const Result<discovery::Picture> picture = monitor_->Refresh(kLookTimeout);
  {
    ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Lock lock, checkpoint_->Acquire(kLockTimeout));
    ASSAY_ASSIGN_OR_RETURN(const Checkpoint::Contents known, checkpoint_->Load());
    ASSAY_RETURN_IF_ERROR(RemoveUnknownSpecs(known));
    if (picture.ok()) {
      EndUnknownPartitions(known, *picture);
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

Status Preparer::RemoveUnknownSpecs(const Checkpoint::Contents& known) {
  ASSAY_ASSIGN_OR_RETURN(std::set<std::string> left, specs_->Claims());
  ASSAY_ASSIGN_OR_RETURN(std::set<std::string> metadata, metadata_->Claims());
  left.merge(metadata);
  for (const std::string& uid : left) {
    if (!known.claims.contains(uid) && !known.damaged.contains(uid) &&
        !mutants::Is("state-in-memory")) {
      spdlog::info("removing the CDI specs of claim {}, which is not prepared", uid);
      ASSAY_RETURN_IF_ERROR(specs_->Remove(uid));
      ASSAY_RETURN_IF_ERROR(metadata_->Remove(uid));
    }
  }
  return OkStatus();
}

void Preparer::EndUnknownPartitions(const Checkpoint::Contents& known,
                                    const discovery::Picture& picture) {
  std::vector<DeviceRecord> held;
  for (const auto& [uid, record] : known.claims) {
    held.insert(held.end(), record.devices.begin(), record.devices.end());
  }
  for (const auto& [uid, damage] : known.damaged) {
    const Result<std::vector<DeviceRecord>> devices = HeldInSpec(uid, picture);
    if (!devices.ok()) {
      return;  // Any of them may be its.
    }
    held.insert(held.end(), devices->begin(), devices->end());
  }
  partitions_.EndUnknown(held, picture);
}

}  // namespace assay::driver_ref::prepare
