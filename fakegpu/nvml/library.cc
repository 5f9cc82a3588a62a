#include "fakegpu/nvml/library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fakegpu/nvml/live_list.h"

namespace assay::fakegpu::nvml {
namespace {

constexpr char kStateVariable[] = "ASSAY_FAKEGPU_STATE";
constexpr char kDefaultState[] = "/run/assay/fakegpu/state";
constexpr char kDevicesVariable[] = "ASSAY_FAKEGPU_DEV";

nvmlReturn_t ReturnCode(layout::OpenError error) {
  switch (error) {
    case layout::OpenError::kNone:
      return NVML_SUCCESS;
    case layout::OpenError::kNotFound:
      return NVML_ERROR_DRIVER_NOT_LOADED;
    case layout::OpenError::kNoPermission:
      return NVML_ERROR_NO_PERMISSION;
    case layout::OpenError::kForeign:
    case layout::OpenError::kCorrupt:
      return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    case layout::OpenError::kSystem:
      return NVML_ERROR_OPERATING_SYSTEM;
  }
  return NVML_ERROR_UNKNOWN;
}

// Where the device nodes are looked for; null where every GPU is visible. The node binds the state
// read-only into containers, so a read-only mount is how a container is told from the host.
const char* DevicesDirectory(const char* state_path) {
  const char* directory = getenv(kDevicesVariable);
  if (directory != nullptr) {
    return directory[0] != '\0' ? directory : nullptr;
  }
  struct statvfs mount{};
  if (statvfs(state_path, &mount) == 0 && (mount.f_flag & ST_RDONLY) != 0) {
    return "/dev";
  }
  return nullptr;
}

}  // namespace

constinit internal::LibraryInstance internal::library_instance;

nvmlReturn_t Library::Init() {
  const MutexLock lock(mu_);
  if (references_ == 0) {
    const nvmlReturn_t result = OpenState();
    if (result != NVML_SUCCESS) {
      return result;
    }
  }
  ++references_;
  return NVML_SUCCESS;
}

nvmlReturn_t Library::Shutdown() {
  const MutexLock lock(mu_);
  if (references_ == 0) {
    return NVML_ERROR_UNINITIALIZED;
  }
  if (--references_ == 0) {
    region_.store(nullptr, std::memory_order_release);
  }
  return NVML_SUCCESS;
}

nvmlReturn_t Library::OpenState() {
  const char* path = getenv(kStateVariable);
  if (path == nullptr || path[0] == '\0') {
    path = kDefaultState;
  }
  if (strlen(path) >= sizeof(path_)) {
    return NVML_ERROR_OPERATING_SYSTEM;
  }
  OpenCallLog(path);
  // Opened anew each time: the node may have been made anew meanwhile.
  layout::Region& region = mappings_[1 - current_];
  region.Close();
  const layout::OpenError error = region.Open(path);
  if (error != layout::OpenError::kNone) {
    return ReturnCode(error);
  }
  if (region.Read([](const layout::Copy& copy) { return copy.node().driver_loaded; }) == 0) {
    region.Close();
    return NVML_ERROR_DRIVER_NOT_LOADED;
  }
  strcpy(path_, path);
  FindVisible(region);
  current_ = 1 - current_;
  region_.store(&region, std::memory_order_release);
  return NVML_SUCCESS;
}

// Before the state, so that an Init that fails is logged too.
void Library::OpenCallLog(const char* state_path) {
  layout::CallLog* current = call_log();
  layout::CallLog& next = call_logs_[current == &call_logs_[0] ? 1 : 0];
  next.Close();
  if (next.Open(state_path, /*writable=*/true) != layout::OpenError::kNone) {
    call_log_.store(nullptr, std::memory_order_release);
  } else if (current != nullptr && current->header().instance_id == next.header().instance_id) {
    next.Close();  // The process keeps its place in it.
  } else {
    call_log_.store(&next, std::memory_order_release);
  }
}

void Library::FindVisible(const layout::Region& region) {
  const char* directory = DevicesDirectory(path_);
  memset(visible_, directory == nullptr ? 0xff : 0, sizeof(visible_));
  if (directory == nullptr) {
    return;
  }
  for (std::uint32_t slot = 0; slot < region.gpu_capacity(); ++slot) {
    const std::uint32_t minor = region.Read([slot](const layout::Copy& copy) {
      return slot < copy.gpu_count() ? copy.gpu(slot).identity.minor : 0;
    });
    char node[4096];
    const int length = snprintf(node, sizeof(node), "%s/nvidia%u", directory, minor);
    if (length > 0 && static_cast<std::size_t>(length) < sizeof(node) && access(node, F_OK) == 0) {
      visible_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
  }
}

}  // namespace assay::fakegpu::nvml
