// The driver's flags, and the file that may hold them (--config): a YAML mapping from the name of a
// flag to its value. What the command line says counts more.
//
// Thread-safe: values.
#ifndef ASSAY_DRIVER_REF_OPTIONS_H_
#define ASSAY_DRIVER_REF_OPTIONS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "driver-ref/logging.h"
#include "driver-ref/webhook/webhook_server.h"

namespace assay::driver_ref {

struct Options {
  std::string driver_name = "gpu.assay.dev";
  std::string node_name;
  std::string instance_id;
  std::filesystem::path kubeconfig;
  std::string nvml_library = "libnvidia-ml.so.1";
  bool no_gpus = false;
  std::filesystem::path sysfs_devices;  // Empty: no other devices.
  std::filesystem::path nvidia_smi;     // Empty: time slices are not set.
  std::filesystem::path kubelet_root = "/var/lib/kubelet";
  std::filesystem::path registry_dir;  // Empty: <kubelet-root>/plugins_registry.
  std::filesystem::path plugin_dir;    // Empty: <kubelet-root>/plugins/<driver name>.
  std::filesystem::path state_dir;     // Empty: the plugin directory.
  std::filesystem::path cdi_root = "/var/run/cdi";
  std::filesystem::path dev_root = "/dev";
  std::filesystem::path proc_root = "/proc";
  std::filesystem::path sysfs_root = "/sys";
  std::filesystem::path boot_id_file = "/proc/sys/kernel/random/boot_id";
  std::string taint_effect = "NoSchedule";
  bool claim_status = false;
  bool device_metadata = false;
  bool bind_to_fabric = false;
  LogFormat log_format = LogFormat::kText;
  std::optional<std::uint16_t> status_port;  // 0: any free one.
  // Set: this is not the kubelet plugin, but the webhook.
  std::optional<webhook::WebhookOptions> webhook;
  bool share_gpus = false;
  bool mig = false;
};

// The options with every default filled in; nothing if what was asked for (--help, --version) has
// been printed. kInvalidArgument: one line that says what is wrong.
Result<std::optional<Options>> ParseOptions(int argc, const char* const* argv);

}  // namespace assay::driver_ref

#endif  // ASSAY_DRIVER_REF_OPTIONS_H_
