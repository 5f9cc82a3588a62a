#include "driver-ref/prepare/configuration.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>

namespace assay::driver_ref::prepare {
namespace {

using discovery::GpuSettings;

const SettingsRecord* FormerSettings(const ClaimRecord* former, const DeviceRecord& device) {
  if (former == nullptr) {
    return nullptr;
  }
  const auto found = std::ranges::find_if(former->devices, [&](const DeviceRecord& other) {
    return other.pool == device.pool && other.device == device.device && other.settings;
  });
  return found == former->devices.end() ? nullptr : &*found->settings;
}

// Of `now` what `wanted` changes.
Result<GpuSettings> Before(const GpuSettings& wanted, const GpuSettings& now) {
  GpuSettings before;
  if (wanted.power_limit_mw) {
    if (!now.power_limit_mw) {
      return InvalidArgumentError("powerLimitWatts: the GPU has no power limit");
    }
    before.power_limit_mw = now.power_limit_mw;
  }
  if (wanted.compute_mode) {
    if (!now.compute_mode) {
      return InvalidArgumentError("computeMode: the GPU has no compute mode");
    }
    before.compute_mode = now.compute_mode;
  }
  if (wanted.time_slice) {
    if (!now.time_slice) {
      return InvalidArgumentError(
          "sharing: this driver has no nvidia-smi to set time slices with (--nvidia-smi)");
    }
    before.time_slice = now.time_slice;
  }
  return before;
}

}  // namespace

Status Configuration::Note(std::vector<DeviceRecord>& devices, const ClaimRecord* former,
                           const discovery::Picture& picture) const {
  for (DeviceRecord& device : devices) {
    if (!device.settings) {
      continue;
    }
    const std::string subject = "device " + device.pool + "/" + device.device;
    const std::optional<discovery::NodeDevice> source = picture.Find(device.device);
    if (configurator_ == nullptr || !source || source->gpu == nullptr ||
        source->profile != nullptr || device.share_id) {
      return InvalidArgumentError(subject + " takes no GpuConfig: that is for whole GPUs alone");
    }
    if (const SettingsRecord* known = FormerSettings(former, device)) {
      device.settings->gpu = known->gpu;
      device.settings->before = known->before;
      continue;
    }
    device.settings->gpu = source->gpu->uuid;
    ASSAY_ASSIGN_OR_RETURN(const GpuSettings now, configurator_->Read(source->gpu->uuid));
    Result<GpuSettings> before = Before(device.settings->wanted, now);
    if (!before.ok()) {
      return before.status().WithContext(subject);
    }
    device.settings->before = *before;
  }
  return OkStatus();
}

Status Configuration::Apply(const std::vector<DeviceRecord>& devices) const {
  for (const DeviceRecord& device : devices) {
    if (device.settings) {
      ASSAY_RETURN_IF_ERROR(configurator_->Write(device.settings->gpu, device.settings->wanted));
    }
  }
  return OkStatus();
}

Status Configuration::Restore(const std::vector<DeviceRecord>& devices) const {
  for (const DeviceRecord& device : devices) {
    if (!device.settings || configurator_ == nullptr) {
      continue;
    }
    const Status status = configurator_->Write(device.settings->gpu, device.settings->before);
    if (discovery::IsGone(status)) {
      spdlog::warn("settings of {} are gone with it: {}", device.settings->gpu, status.ToString());
    } else {
      ASSAY_RETURN_IF_ERROR(status);
    }
  }
  return OkStatus();
}

}  // namespace assay::driver_ref::prepare
