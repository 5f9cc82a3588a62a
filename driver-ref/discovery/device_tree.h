// DeviceTree: the backend for devices that a tree of files tells of, as sysfs does: a directory a
// device, a file an attribute. DEVICE_TREE.md describes the files. It adds them to what another
// backend finds.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_DISCOVERY_DEVICE_TREE_H_
#define ASSAY_DRIVER_REF_DISCOVERY_DEVICE_TREE_H_

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "driver-ref/discovery/backend.h"

namespace assay::driver_ref::discovery {

class DeviceTree : public Backend {
 public:
  // `others` may be null: there is nothing else.
  explicit DeviceTree(std::filesystem::path root, std::unique_ptr<Backend> others = nullptr)
      : root_(std::move(root)), others_(std::move(others)) {}

  // A device that cannot be told from its files is left out, an attribute that has no value of its
  // kind too; the log says so once. kUnavailable where the tree itself cannot be read.
  Result<Inventory> Discover() override;
  // Of the other backend: a tree reports nothing on its own, what changes is seen when it is looked
  // at.
  Result<std::optional<XidEvent>> WaitForXid(Duration timeout) override;
  Partitioner* partitioner() override { return others_ ? others_->partitioner() : nullptr; }
  Configurator* configurator() override { return others_ ? others_->configurator() : nullptr; }

 private:
  std::filesystem::path root_;
  std::unique_ptr<Backend> others_;
  std::mutex mu_;
  std::set<std::string> told_;  // What the log says already. Guarded by mu_.
};

// What the directory of a device tells, and what is wrong with it: "nic-0/numa_node: \"one\" is no
// number". Nothing where it tells of no device.
std::optional<PlainDevice> ReadDevice(const std::filesystem::path& directory,
                                      std::vector<std::string>& problems);

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_DEVICE_TREE_H_
