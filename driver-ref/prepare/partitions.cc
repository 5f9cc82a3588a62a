#include "driver-ref/prepare/partitions.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>

#include "driver-ref/discovery/devices.h"
#include "driver-ref/mutants.h"

namespace assay::driver_ref::prepare {
namespace {

using discovery::Partition;
using discovery::PartitionPlace;

bool IsWholeOf(const DeviceRecord& device, const PartitionPlace& place) {
  return !device.partition && device.device == discovery::DeviceName(place.gpu);
}

}  // namespace

bool HaveCommonHardware(const DeviceRecord& a, const DeviceRecord& b) {
  if (a.pool != b.pool) {
    return false;
  }
  if (a.partition && b.partition && !mutants::Is("overlapping-partitions")) {
    return a.partition->place.Overlaps(b.partition->place);
  }
  const bool common_part = std::ranges::any_of(
      a.parts, [&](const std::string& part) { return std::ranges::count(b.parts, part) != 0; });
  return a.device == b.device || common_part || (a.partition && IsWholeOf(b, a.partition->place)) ||
         (b.partition && IsWholeOf(a, b.partition->place));
}

Status Partitions::MakeReady(std::vector<DeviceRecord>& devices, const discovery::Picture& picture,
                             bool again) {
  for (DeviceRecord& device : devices) {
    if (device.partition) {
      const PartitionPlace place = device.partition->place;
      ASSAY_ASSIGN_OR_RETURN(device.partition, device.admin_access ? FindPartition(place)
                                                                   : MakePartition(place, again));
      continue;
    }
    const std::optional<discovery::NodeDevice> source = picture.Find(device.device);
    if (source && source->gpu != nullptr && !source->gpu->mig_profiles.empty() &&
        !device.admin_access) {
      ASSAY_RETURN_IF_ERROR(MakeWhole(*source->gpu));
    }
  }
  return OkStatus();
}

Status Partitions::MakeWhole(const discovery::Gpu& gpu) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Partition> present, partitioner_->List(gpu.uuid));
  for (const Partition& partition : present) {
    spdlog::warn("partition {} ({}) is nobody's and ends: the whole GPU is wanted",
                 partition.place.ToString(), partition.uuid);
    ASSAY_RETURN_IF_ERROR(partitioner_->Destroy(partition.place));
  }
  return partitioner_->UseWhole(gpu.uuid);
}

Result<Partition> Partitions::FindPartition(const PartitionPlace& place) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Partition> present, partitioner_->List(place.gpu));
  const auto found = std::ranges::find(present, place, &Partition::place);
  return found != present.end() ? *found : Partition{.place = place, .uuid = ""};
}

Result<Partition> Partitions::MakePartition(const PartitionPlace& place, bool again) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Partition> present, partitioner_->List(place.gpu));
  for (const Partition& partition : present) {
    if (again && partition.place == place && !partition.uuid.empty()) {
      return partition;
    }
    if (partition.place.Overlaps(place)) {
      spdlog::warn("partition {} ({}) is nobody's and ends: its place is wanted",
                   partition.place.ToString(), partition.uuid);
      ASSAY_RETURN_IF_ERROR(partitioner_->Destroy(partition.place));
    }
  }
  ASSAY_ASSIGN_OR_RETURN(Partition made, partitioner_->Create(place));
  spdlog::info("partition {} ({}) is made", place.ToString(), made.uuid);
  return made;
}

Status Partitions::End(const std::vector<DeviceRecord>& devices) {
  for (const DeviceRecord& device : devices) {
    if (!device.partition || device.admin_access) {
      continue;
    }
    if (partitioner_ == nullptr) {
      return FailedPreconditionError("nobody here can end partition " +
                                     device.partition->place.ToString());
    }
    // It does not outlive its GPU, nor the GPU's driver.
    if (const Status status = partitioner_->Destroy(device.partition->place);
        discovery::IsGone(status)) {
      spdlog::warn("partition {} is gone: {}", device.partition->place.ToString(),
                   status.ToString());
    } else {
      ASSAY_RETURN_IF_ERROR(status);
    }
  }
  return OkStatus();
}

void Partitions::EndUnknown(const std::vector<DeviceRecord>& held,
                            const discovery::Picture& picture) {
  for (const discovery::Gpu& gpu : picture.inventory.gpus) {
    if (gpu.mig_profiles.empty() || partitioner_ == nullptr) {
      continue;
    }
    const Result<std::vector<Partition>> present = partitioner_->List(gpu.uuid);
    if (!present.ok()) {
      spdlog::warn("looking for partitions that are nobody's: {}", present.status().ToString());
      continue;
    }
    for (const Partition& partition : *present) {
      const bool known = std::ranges::any_of(held, [&](const DeviceRecord& device) {
        return device.partition && device.partition->place == partition.place;
      });
      if (!known) {
        const Status ended = partitioner_->Destroy(partition.place);
        spdlog::warn("partition {} ({}) is nobody's{}", partition.place.ToString(), partition.uuid,
                     ended.ok() ? ": ended" : " and cannot be ended: " + ended.ToString());
      }
    }
  }
}

}  // namespace assay::driver_ref::prepare
