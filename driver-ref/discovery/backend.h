// Backend: where the driver learns of its devices. One implementation over NVML (driver-ref/nvml/),
// one over a tree of files (device_tree.h); a test's is a fake.
//
// Implementations are thread-safe; WaitForXid is for one thread.
#ifndef ASSAY_DRIVER_REF_DISCOVERY_BACKEND_H_
#define ASSAY_DRIVER_REF_DISCOVERY_BACKEND_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/meta/quantity.h"
#include "base/clock.h"
#include "base/result.h"

namespace assay::driver_ref::discovery {

// A way to divide a GPU: what a GPU instance of the profile has of it, and where it can lie (NVML,
// "Multi Instance GPU Management").
struct MigProfile {
  std::uint32_t id = 0;  // As the GPU numbers its profiles.
  std::string name;      // "1g.10gb"
  std::uint64_t memory_bytes = 0;
  std::uint32_t multiprocessors = 0;
  std::uint32_t copy_engines = 0;
  std::uint32_t decoders = 0;
  std::uint32_t encoders = 0;
  std::uint32_t jpeg_engines = 0;
  std::uint32_t ofa_engines = 0;
  std::uint32_t size = 0;             // In memory slices.
  std::vector<std::uint32_t> starts;  // The memory slices at which it can begin.

  friend bool operator==(const MigProfile&, const MigProfile&) = default;
};

// Whether a GPU is part of the NVLink fabric that its node's switches make. Until it is, it can be
// used for nothing.
enum class Fabric { kNone, kPending, kReady, kFailed };

// One GPU as the hardware tells of itself. What it does not tell is empty.
struct Gpu {
  std::string uuid;         // "GPU-8c2e1f2a-..."
  std::uint32_t minor = 0;  // Of /dev/nvidia<minor>.
  std::string model;
  std::string brand;
  std::string architecture;
  std::string compute_capability;  // "9.0"
  std::string pci_bus_id;          // "0000:1b:00.0", as sysfs writes it.
  std::uint64_t memory_bytes = 0;
  Fabric fabric = Fabric::kNone;
  std::string fabric_error;  // Of kFailed.
  // "<cluster UUID>.<clique>" of kReady: those with the same reach each other over NVLink. Empty
  // where the fabric is the node's own.
  std::string fabric_clique;

  // What it needs before it can be used, empty if nothing: "lost", "reset", "reboot", "drain".
  std::string needs;

  // How it can be divided; empty: not at all, or nobody shall.
  std::vector<MigProfile> mig_profiles;
  // Whether it can be used undivided: not where MIG mode is on and a reset alone turns it off.
  bool whole = true;

  friend bool operator==(const Gpu&, const Gpu&) = default;
};

// A device node that a container gets.
struct DeviceNode {
  std::string path;  // Below /dev: "accel0".
  std::int64_t major = 0;
  std::int64_t minor = 0;

  friend bool operator==(const DeviceNode&, const DeviceNode&) = default;
};

// How much of something a device has; claims share it in steps where there is a step (KEP-5075).
struct PlainCapacity {
  api::meta::Quantity total;
  std::optional<api::meta::Quantity> step;

  friend bool operator==(const PlainCapacity&, const PlainCapacity&) = default;
};

// A device of any other kind, as a device tree tells of it (DEVICE_TREE.md). What it does not tell
// is empty.
struct PlainDevice {
  std::string name;  // "nic-0": a DNS label.
  std::string kind;  // "nic"
  std::string vendor;
  std::string model;
  std::string serial;
  std::string pci_bus_id;  // "0000:3b:00.0"
  std::string pcie_root;   // "pci0000:3a"
  std::optional<std::int64_t> numa_node;
  std::optional<std::int64_t> index;  // By which programs in containers know it.
  std::string link_domain;
  std::string clique;                                    // Within the domain.
  std::optional<std::array<std::uint32_t, 3>> position;  // In a torus.
  std::vector<std::string> links;                        // The names of its neighbours.
  std::string interface;                                 // Of a network device.
  std::string hardware_address;
  std::vector<DeviceNode> nodes;
  std::map<std::string, PlainCapacity> capacity;

  // As of a GPU.
  std::string needs;

  friend bool operator==(const PlainDevice&, const PlainDevice&) = default;
};

struct Inventory {
  std::string driver_version;        // "580.95.05"
  std::string cuda_version;          // "13.0"
  std::vector<Gpu> gpus;             // By UUID.
  std::vector<PlainDevice> devices;  // Others, by name.

  friend bool operator==(const Inventory&, const Inventory&) = default;
};

// An error that the hardware reported on its own.
struct XidEvent {
  std::string uuid;
  std::uint64_t xid = 0;
};

// Whether an error says that the GPU is not there, is lost, or has no driver now: whatever was set
// or made of it is gone too.
inline bool IsGone(const Status& status) {
  return status.code() == StatusCode::kNotFound || status.code() == StatusCode::kDataLoss ||
         status.code() == StatusCode::kUnavailable;
}

class Configurator;
class Partitioner;

class Backend {
 public:
  virtual ~Backend() = default;

  // Everything there is now. kUnavailable while the hardware's driver is not there.
  virtual Result<Inventory> Discover() = 0;

  // The next error, or nothing after `timeout`.
  virtual Result<std::optional<XidEvent>> WaitForXid(Duration timeout) = 0;

  // Who divides GPUs; null where nobody can. Lives as long as this.
  virtual Partitioner* partitioner() { return nullptr; }
  // Who sets what can be set of them; null where nobody can. Lives as long as this.
  virtual Configurator* configurator() { return nullptr; }
};

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_BACKEND_H_
