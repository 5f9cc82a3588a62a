#include "driver-ref/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <istream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/yaml/yaml.h"

namespace assay::driver_ref {
namespace {

constexpr const char* kDescription =
    R"(A DRA driver for NVIDIA GPUs and for devices that a tree of files tells of: the reference driver
of Assay, kubelet plugin part.

It finds the node's GPUs with NVML, publishes them as a ResourceSlice, and on the kubelet's request
prepares claims: it writes a CDI spec that gives a container just the claim's GPUs. A GPU that needs
attention gets a taint (<driver>/unhealthy) and is reported as UNHEALTHY.

Needs: get resourceclaims, get nodes, all verbs on resourceslices of its own node.)";

constexpr const char* kFooter = R"help(
Example, on a node with the kubelet's usual directories:
  dra-driver-ref --node-name "$(hostname)" --kubeconfig /etc/kubernetes/admin.conf

Two instances at once, as in a rolling update, need an --instance-id each (the pod's UID).
Exit codes: 0 after SIGTERM, 1 when it cannot go on, 2 for a wrong flag.)help";

// A DNS subdomain of at most 63 characters (resource.k8s.io: driver names), with a letter first,
// for it is a CDI vendor too.
bool IsDriverName(const std::string& name) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 63 || name.front() < 'a' || name.front() > 'z') {
    return false;
  }
  char before = '.';
  for (const char c : name + ".") {
    const bool fits =
        alphanumeric(c) || (c == '-' && before != '.') || (c == '.' && alphanumeric(before));
    if (!fits) {
      return false;
    }
    before = c;
  }
  return true;
}

Status CheckAbsolute(const std::string& flag, const std::filesystem::path& path) {
  return path.is_absolute()
             ? OkStatus()
             : InvalidArgumentError(flag + ": \"" + path.string() + "\" is not an absolute path");
}

Status Check(const Options& options) {
  if (!IsDriverName(options.driver_name)) {
    return InvalidArgumentError("--driver-name: \"" + options.driver_name +
                                "\" is no DNS subdomain of at most 63 characters that starts with "
                                "a letter");
  }
  if (options.node_name.empty()) {
    return InvalidArgumentError("--node-name: required (or set NODE_NAME)");
  }
  if (options.instance_id.size() > 63 || options.instance_id.find('/') != std::string::npos) {
    return InvalidArgumentError("--instance-id: at most 63 characters without \"/\"");
  }
  for (const auto& [flag, path] : {std::pair{"--kubelet-root", &options.kubelet_root},
                                   {"--registry-dir", &options.registry_dir},
                                   {"--plugin-dir", &options.plugin_dir},
                                   {"--state-dir", &options.state_dir},
                                   {"--cdi-root", &options.cdi_root},
                                   {"--dev-root", &options.dev_root}}) {
    ASSAY_RETURN_IF_ERROR(CheckAbsolute(flag, *path));
  }
  for (const auto& [flag, path] : {std::pair{"--nvidia-smi", &options.nvidia_smi},
                                   {"--sysfs-devices", &options.sysfs_devices}}) {
    if (!path->empty()) {
      ASSAY_RETURN_IF_ERROR(CheckAbsolute(flag, *path));
    }
  }
  return options.no_gpus && options.sysfs_devices.empty()
             ? InvalidArgumentError("--no-gpus: without --sysfs-devices there would be no devices")
             : OkStatus();
}

// Named as the flags are.
class YamlConfig : public CLI::Config {
 public:
  std::string to_config(const CLI::App* /*app*/, bool /*default_also*/, bool /*write_description*/,
                        std::string /*prefix*/) const override {
    return "";
  }
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> flags;
    const std::string text(std::istreambuf_iterator<char>(input), {});
    Result<yaml::Node> root = yaml::Parse(text, "--config");
    if (root.ok() && !root->IsMapping()) {
      root = root->Error("expected a mapping from flags to values");
    }
    // CLI11 reports errors so, and ParseOptions catches them.
    const auto check = [](const Status& status) {
      if (!status.ok()) {
        throw CLI::ConfigError(status.message(), CLI::ExitCodes::ConfigError);
      }
    };
    check(root.status());
    for (const auto& [name, value] : root->entries()) {
      const Result<std::string> scalar = value.AsString();
      check(scalar.status());
      flags.push_back({.parents = {}, .name = name, .inputs = {*scalar}});
    }
    return flags;
  }
};

CLI::App* AddWebhook(CLI::App& app, webhook::WebhookOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "webhook",
      "Serve a ValidatingWebhookConfiguration: opaque parameters that the driver would refuse when "
      "a claim is prepared are refused when it is made");
  command->add_option("--driver-name", options.driver_name, "Whose parameters are looked at")
      ->capture_default_str();
  command->add_option("--tls-cert-file", options.certificate, "The server's certificate, PEM")
      ->required();
  command->add_option("--tls-private-key-file", options.private_key, "Its key, PEM")->required();
  command->add_option("--bind-address", options.address, "Where to listen")->capture_default_str();
  command->add_option("--port", options.port, "0: any free one, which is logged")
      ->capture_default_str();
  return command;
}

const std::map<std::string, LogFormat> kLogFormats = {{"text", LogFormat::kText},
                                                      {"json", LogFormat::kJson}};

std::filesystem::path Or(const std::filesystem::path& given,
                         const std::filesystem::path& otherwise) {
  return given.empty() ? otherwise : given;
}

}  // namespace

Result<std::optional<Options>> ParseOptions(int argc, const char* const* argv) {
  Options options;
  if (const char* node_name = std::getenv("NODE_NAME")) {
    options.node_name = node_name;
  }
  CLI::App app(kDescription, "dra-driver-ref");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string(ASSAY_VERSION));
  app.add_option("--driver-name", options.driver_name,
                 "Name in ResourceSlices, claims and CDI specs")
      ->capture_default_str();
  app.add_option("--node-name", options.node_name,
                 "Node that this runs on; also its pool's name [$NODE_NAME]");
  app.add_option("--instance-id", options.instance_id,
                 "Makes socket names unique among instances on this node");
  app.add_option("--kubeconfig", options.kubeconfig,
                 "How to reach the API server [$KUBECONFIG, then the pod's service account]");
  app.add_option("--nvml-library", options.nvml_library, "NVML, as dlopen takes it")
      ->capture_default_str();
  app.add_flag("--no-gpus", options.no_gpus, "Look for no GPUs: there are --sysfs-devices alone");
  app.add_option("--nvidia-smi", options.nvidia_smi,
                 "NVIDIA's tool, with which time slices are set [claims may not set them]");
  app.add_option("--sysfs-devices", options.sysfs_devices,
                 "Offer the devices of this tree of files too (driver-ref/DEVICE_TREE.md)");
  app.add_option("--kubelet-root", options.kubelet_root, "The kubelet's root directory")
      ->capture_default_str();
  app.add_option("--registry-dir", options.registry_dir,
                 "Where the kubelet looks for plugins [<kubelet-root>/plugins_registry]");
  app.add_option("--plugin-dir", options.plugin_dir,
                 "Where the service socket lies [<kubelet-root>/plugins/<driver-name>]");
  app.add_option("--state-dir", options.state_dir,
                 "Where prepared claims are recorded [the plugin directory]");
  app.add_option("--cdi-root", options.cdi_root, "Where CDI specs are written")
      ->capture_default_str();
  app.add_option("--dev-root", options.dev_root, "Where the host's device nodes lie")
      ->capture_default_str();
  app.add_option("--proc-root", options.proc_root,
                 "Where numbers of MIG capabilities are looked up")
      ->capture_default_str();
  app.add_option("--sysfs-root", options.sysfs_root, "Where PCIe roots are looked up")
      ->capture_default_str();
  app.add_option("--boot-id-file", options.boot_id_file, "What identifies this boot")
      ->capture_default_str();
  app.add_option("--taint-effect", options.taint_effect, "Of GPUs that need attention")
      ->check(CLI::IsMember({"None", "NoSchedule", "NoExecute"}))
      ->capture_default_str();
  auto* const share = app.add_flag("--share-gpus", options.share_gpus,
                                   "Let claims share GPUs by their memory, in steps of 1Gi");
  app.add_flag("--mig", options.mig,
               "Offer every MIG partition of GPUs beside the whole, made when a claim wants it "
               "(KEP-4815); ends MIG instances that it has not made")
      ->excludes(share);
  app.add_flag("--claim-status", options.claim_status,
               "Tell in claims' status which devices are ready (needs associated-node:patch of "
               "resourceclaims/driver)");
  app.add_flag("--device-metadata", options.device_metadata,
               "Tell containers about their devices in files (KEP-5304), below "
               "/var/run/kubernetes.io/dra-device-attributes");
  app.add_flag("--bind-to-fabric", options.bind_to_fabric,
               "Let pods wait until their GPUs are part of the NVLink fabric (KEP-5007; needs "
               "associated-node:patch of resourceclaims/driver and list, watch of "
               "resourceclaims)");
  app.add_option("--status-port", options.status_port,
                 "Serve /metrics, /healthz and /readyz on 127.0.0.1; 0: on any free port, which is "
                 "logged [off]");
  app.add_option("--logging-format", options.log_format, "How the log is written: text or json")
      ->transform(CLI::CheckedTransformer(kLogFormats))
      ->default_str("text");
  app.set_config("--config", "", "A YAML file of flags: \"taint-effect: NoExecute\"");
  app.config_formatter(std::make_shared<YamlConfig>());
  app.allow_config_extras(CLI::config_extras_mode::error);
  webhook::WebhookOptions webhook;
  const CLI::App* const webhook_command = AddWebhook(app, webhook);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    app.exit(help);
    return std::optional<Options>();
  } catch (const CLI::ParseError& error) {
    return InvalidArgumentError(error.what());
  }
  if (webhook_command->parsed()) {
    options.webhook = std::move(webhook);
    return std::optional<Options>(std::move(options));
  }
  options.registry_dir = Or(options.registry_dir, options.kubelet_root / "plugins_registry");
  options.plugin_dir =
      Or(options.plugin_dir, options.kubelet_root / "plugins" / options.driver_name);
  options.state_dir = Or(options.state_dir, options.plugin_dir);
  ASSAY_RETURN_IF_ERROR(Check(options));
  return std::optional<Options>(std::move(options));
}

}  // namespace assay::driver_ref
