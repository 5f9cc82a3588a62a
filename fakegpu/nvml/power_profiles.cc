// Workload power profiles, which came with Blackwell's data-centre boards: what a board offers,
// what is asked for, and what of that holds.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

static_assert(layout::kMaxPowerProfiles <= NVML_255_MASK_BITS_PER_ELEM,
              "the first word of a mask has them all");

nvmlMask255_t MaskOf(std::uint32_t profiles) { return {.mask = {profiles}}; }

// The profiles that a caller names; false if there are others than the board offers.
bool ReadMask(const nvmlMask255_t& mask, const layout::PowerProfiles& board,
              std::uint32_t* profiles) {
  *profiles = mask.mask[0];
  bool offered = (*profiles & ~board.offered) == 0;
  for (unsigned int word = 1; word < NVML_255_MASK_NUM_ELEMS; ++word) {
    offered &= mask.mask[word] == 0;
  }
  return offered;
}

// The requested profiles, the most important first, each unless it conflicts with one before.
std::uint32_t Enforced(const layout::PowerProfiles& board, std::uint32_t requested) {
  std::uint32_t enforced = 0;
  std::uint32_t left = requested & board.offered;
  while (left != 0) {
    std::uint32_t next = layout::kMaxPowerProfiles;
    for (std::uint32_t id = 0; id < layout::kMaxPowerProfiles; ++id) {
      if ((left >> id & 1) != 0 && (next == layout::kMaxPowerProfiles ||
                                    board.profiles[id].priority < board.profiles[next].priority)) {
        next = id;
      }
    }
    if (next == layout::kMaxPowerProfiles) {
      break;  // Of a damaged file.
    }
    left &= ~(1U << next);
    if ((board.profiles[next].conflicts & enforced) == 0) {
      enforced |= 1U << next;
    }
  }
  return enforced;
}

// The caller's struct, of the version that there is; then a board that has profiles.
template <typename Struct>
nvmlReturn_t Check(const Struct& given, unsigned int version, const layout::GpuState& gpu) {
  if (given.version != version) {
    return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  }
  return gpu.power_profiles.offered != 0 ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t Update(layout::GpuState& gpu, int operation, const nvmlMask255_t& mask) {
  if (gpu.power_profiles.offered == 0) {
    return NVML_ERROR_NOT_SUPPORTED;
  }
  std::uint32_t named = 0;
  if (!ReadMask(mask, gpu.power_profiles, &named)) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  std::uint32_t& requested = gpu.settings.power_profiles;
  switch (operation) {
    case NVML_POWER_PROFILE_OPERATION_CLEAR:
      requested &= ~named;
      return NVML_SUCCESS;
    case NVML_POWER_PROFILE_OPERATION_SET:
      requested |= named;
      return NVML_SUCCESS;
    case NVML_POWER_PROFILE_OPERATION_SET_AND_OVERWRITE:
      requested = named;
      return NVML_SUCCESS;
    default:
      return NVML_ERROR_INVALID_ARGUMENT;
  }
}

// The two calls from before there was an operation in the struct.
nvmlReturn_t UpdateRequested(const char* function, nvmlDevice_t device, int operation,
                             const nvmlWorkloadPowerProfileRequestedProfiles_t* requested) {
  return ChangeDevice(DeviceCall{function, device, NotNull(requested)}, [&](layout::Transaction&,
                                                                            layout::GpuState& gpu) {
    const nvmlReturn_t checked =
        Check(*requested, nvmlWorkloadPowerProfileRequestedProfiles_v1, gpu);
    return checked != NVML_SUCCESS ? checked
                                   : Update(gpu, operation, requested->requestedProfilesMask);
  });
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceWorkloadPowerProfileGetProfilesInfo(
    nvmlDevice_t device, nvmlWorkloadPowerProfileProfilesInfo_t* profilesInfo) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(profilesInfo)}, [&](const Gpu& gpu) {
    const nvmlReturn_t checked =
        Check(*profilesInfo, nvmlWorkloadPowerProfileProfilesInfo_v1, gpu.state);
    if (checked != NVML_SUCCESS) {
      return checked;
    }
    const layout::PowerProfiles& board = gpu.state.power_profiles;
    profilesInfo->perfProfilesMask = MaskOf(board.offered);
    for (std::uint32_t id = 0; id < NVML_WORKLOAD_POWER_MAX_PROFILES; ++id) {
      nvmlWorkloadPowerProfileInfo_t& info = profilesInfo->perfProfile[id];
      info = {};
      if (id < layout::kMaxPowerProfiles && (board.offered >> id & 1) != 0) {
        info = {.version = nvmlWorkloadPowerProfileInfo_v1,
                .profileId = id,
                .priority = board.profiles[id].priority,
                .conflictingMask = MaskOf(board.profiles[id].conflicts)};
      }
    }
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(
    nvmlDevice_t device, nvmlWorkloadPowerProfileCurrentProfiles_t* currentProfiles) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(currentProfiles)}, [&](const Gpu& gpu) {
    const nvmlReturn_t checked =
        Check(*currentProfiles, nvmlWorkloadPowerProfileCurrentProfiles_v1, gpu.state);
    if (checked != NVML_SUCCESS) {
      return checked;
    }
    const std::uint32_t requested = gpu.state.settings.power_profiles;
    currentProfiles->perfProfilesMask = MaskOf(gpu.state.power_profiles.offered);
    currentProfiles->requestedProfilesMask = MaskOf(requested);
    currentProfiles->enforcedProfilesMask = MaskOf(Enforced(gpu.state.power_profiles, requested));
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceWorkloadPowerProfileSetRequestedProfiles(
    nvmlDevice_t device, nvmlWorkloadPowerProfileRequestedProfiles_t* requestedProfiles) {
  return UpdateRequested(__func__, device, NVML_POWER_PROFILE_OPERATION_SET, requestedProfiles);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceWorkloadPowerProfileClearRequestedProfiles(
    nvmlDevice_t device, nvmlWorkloadPowerProfileRequestedProfiles_t* requestedProfiles) {
  return UpdateRequested(__func__, device, NVML_POWER_PROFILE_OPERATION_CLEAR, requestedProfiles);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceWorkloadPowerProfileUpdateProfiles_v1(
    nvmlDevice_t device, nvmlWorkloadPowerProfileUpdateProfiles_v1_t* updateProfiles) {
  return ChangeDevice(DeviceCall{__func__, device, NotNull(updateProfiles)},
                      [&](layout::Transaction&, layout::GpuState& gpu) {
                        // A caller's number, not a value of the enumeration.
                        int operation = 0;
                        memcpy(&operation, &updateProfiles->operation, sizeof(operation));
                        return Update(gpu, operation, updateProfiles->updateProfilesMask);
                      });
}

}  // namespace assay::fakegpu::nvml
