// A driver root: a directory that looks as if NVIDIA's driver were installed below it, for software
// that takes such a directory (--nvidia-driver-root, NVIDIA_DRIVER_ROOT).
//
// Not thread-safe; one writer a directory.
#ifndef ASSAY_FAKEGPU_HOST_DRIVER_ROOT_H_
#define ASSAY_FAKEGPU_HOST_DRIVER_ROOT_H_

#include <cstddef>
#include <filesystem>

#include "base/result.h"

namespace assay::fakegpu::host {

struct DriverRootOptions {
  std::filesystem::path library;     // Assay's libnvidia-ml.so.1.
  std::filesystem::path nvidia_smi;  // Copied where it is named.
};
struct DriverRoot {
  std::size_t devices_refused = 0;  // The caller may make no character devices.
};
// Writes the root of the node whose state is `state` into `directory`, which must be empty or not
// there yet:
//   usr/lib64/libnvidia-ml.so.1 and .so.<driver version>, stand-ins for libcuda and others;
//   usr/bin/nvidia-smi; dev/nvidia<N> and the other devices; proc/driver/nvidia.
Result<DriverRoot> WriteDriverRoot(const std::filesystem::path& state,
                                   const std::filesystem::path& directory,
                                   const DriverRootOptions& options);

// Writes what a driver needs of that node that is told where /dev, /proc and /sys are:
// dev/nvidia<N> and the other devices, MIG capabilities' too; proc/devices and proc/driver, which
// tell their numbers; what sys has of the GPUs and what they are below.
Result<DriverRoot> WriteDevices(const std::filesystem::path& state,
                                const std::filesystem::path& directory);

// Where the library lies that was built, or installed, with the program that runs; kNotFound names
// the places looked at.
Result<std::filesystem::path> LibraryBesideProgram();

}  // namespace assay::fakegpu::host

#endif  // ASSAY_FAKEGPU_HOST_DRIVER_ROOT_H_
