// Writes entries of kernel_files.h below a directory, and takes them away again.
//
// Not thread-safe; one writer a directory.
#ifndef ASSAY_FAKEGPU_HOST_FILE_TREE_H_
#define ASSAY_FAKEGPU_HOST_FILE_TREE_H_

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "fakegpu/host/kernel_files.h"

namespace assay::fakegpu::host {

// What stands for a device where the caller may make none (mknod is root's, outside of user
// namespaces).
enum class WithoutDevices {
  kLeaveOut,
  kBindNull,  // /dev/null, mounted there: in a mount namespace of one's own.
};

struct WriteOptions {
  WithoutDevices without_devices = WithoutDevices::kLeaveOut;
};
struct Written {
  std::size_t devices_refused = 0;
};
// Makes each entry at `root` + its path, with the directories that it needs.
Result<Written> WriteEntries(const std::filesystem::path& root, const std::vector<Entry>& entries,
                             WriteOptions options = {});

// Takes entries away, and what directories are empty then; those that are not there are skipped.
void RemoveEntries(const std::filesystem::path& root, const std::vector<Entry>& entries);

}  // namespace assay::fakegpu::host

#endif  // ASSAY_FAKEGPU_HOST_FILE_TREE_H_
