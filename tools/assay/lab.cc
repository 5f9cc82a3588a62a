#include "conformance/lab/lab.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/client/informer.h"
#include "api/core/types.h"
#include "api/manifest/manifests.h"
#include "api/resource/types.h"
#include "base/temp_dir.h"
#include "conformance/testee/profile.h"
#include "conformance/testee/spawner.h"
#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

using api::core::Pod;
using api::resource::ResourceClaim;

constexpr const char* kLabFooter = R"help(
Examples:
  assay lab                                  a cluster with one node, eight fake GPUs and a driver
  assay lab --testee my-driver.yaml          the same with your driver
  assay lab -f share/assay/claims/pod-with-one-gpu.yaml
                                             and what becomes of a pod with a claim
  assay lab --driver-flag=--taint-effect=NoExecute
                                             the driver with one more flag
  assay lab --nodes 3 --feature-gates GenericWorkload=true,GangScheduling=true
                                             nodes that are alike, and what Kubernetes has off
  assay lab --no-driver --kubeconfig ./kc    only the cluster and the node

Then, in another terminal:
  export KUBECONFIG=...                      as the lab prints it
  kubectl get nodes,resourceslices,deviceclasses
  kubectl apply -f share/assay/claims/pod-with-one-gpu.yaml

Pods are scheduled and their claims prepared; the node records what a runtime is told. With --runc
containers run. Ctrl-C ends the lab and removes all of it.)help";

struct LabOptions {
  std::string testee;
  std::vector<std::string> files;
  std::string kubeconfig;
  std::string level = "1.36";
  std::string feature_gates;
  std::vector<std::string> driver_flags;
  std::size_t nodes = 1;
  bool no_driver = false;
  bool run_containers = false;
};

// Tells on stdout what becomes of pods and claims. Lives on the cluster's loop.
class Teller {
 public:
  explicit Teller(api::client::Client& client) : pods_(client), claims_(client) {
    pods_.AddHandlers({.on_add = [this](const auto& pod) { Tell(*pod); },
                       .on_update = [this](const auto&, const auto& pod) { Tell(*pod); },
                       .on_delete = [this](const auto& pod) { Say(Name("pod", *pod), "gone"); }});
    claims_.AddHandlers(
        {.on_add = [this](const auto& claim) { Tell(*claim); },
         .on_update = [this](const auto&, const auto& claim) { Tell(*claim); },
         .on_delete = [this](const auto& claim) { Say(Name("claim", *claim), "gone"); }});
    pods_.Start();
    claims_.Start();
  }

 private:
  template <typename T>
  static std::string Name(const std::string& kind, const T& object) {
    return kind + " " + object.metadata.namespace_ + "/" + object.metadata.name;
  }

  void Tell(const Pod& pod) {
    std::string state = pod.status.phase.empty() ? "Pending" : pod.status.phase;
    for (const auto& condition : pod.status.conditions) {
      if (condition.type == "PodScheduled" && condition.status == "False") {
        state += ": " + condition.message;
      }
    }
    Say(Name("pod", pod), state);
  }
  void Tell(const ResourceClaim& claim) {
    std::string state = "not allocated";
    if (claim.status.allocation) {
      state = "has";
      for (const auto& result : claim.status.allocation->devices.results) {
        state += " " + result.device;
      }
    }
    Say(Name("claim", claim), state);
  }
  void Say(const std::string& name, const std::string& state) {
    std::string& last = last_[name];
    if (last != state) {
      last = state;
      std::cout << name << ": " << state << std::endl;
    }
  }

  api::client::Informer<Pod> pods_;
  api::client::Informer<ResourceClaim> claims_;
  std::map<std::string, std::string> last_;
};

// The first has the cluster that the others are nodes of, and ends last.
struct Nodes {
  std::vector<TempDir> roots;
  std::unique_ptr<conformance::Lab> first;
  std::vector<std::unique_ptr<conformance::Lab>> others;
};

Result<Nodes> OpenNodes(const LabOptions& options, const conformance::Profile& profile,
                        conformance::Spawner& spawner) {
  conformance::LabOptions node{.profile = profile,
                               .spawner = &spawner,
                               .bin_directory = BinDirectory(),
                               .whole_cluster = true,
                               .run_containers = options.run_containers};
  ASSAY_ASSIGN_OR_RETURN(node.compatibility,
                         api::Compatibility::Parse(options.level, options.feature_gates));
  Nodes nodes;
  for (std::size_t i = 0; i < options.nodes; ++i) {
    ASSAY_ASSIGN_OR_RETURN(TempDir root, TempDir::Create());
    nodes.roots.push_back(std::move(root));
  }
  node.root = nodes.roots[0].path();
  ASSAY_ASSIGN_OR_RETURN(nodes.first, conformance::Lab::Open(node));
  node.cluster = &nodes.first->cluster();
  for (std::size_t i = 2; i <= options.nodes; ++i) {
    node.root = nodes.roots[i - 1].path();
    node.node_name = std::string(conformance::kNodeName) + "-" + std::to_string(i);
    node.seed = i;
    ASSAY_ASSIGN_OR_RETURN(auto other, conformance::Lab::Open(node));
    nodes.others.push_back(std::move(other));
  }
  return nodes;
}

// Starts its driver, if asked for, and says what there is.
Status ShowNode(conformance::Lab& node, const LabOptions& options) {
  std::cout << "Node:       " << node.node_name() << ", files below "
            << node.directories().root.string() << "\n";
  if (options.run_containers) {
    std::cout << "Containers: runc --root " << (node.directories().root / "runc" / "state").string()
              << " list\n";
  }
  if (options.no_driver) {
    return OkStatus();
  }
  ASSAY_RETURN_IF_ERROR(node.EnsureDriver().status());
  ASSAY_ASSIGN_OR_RETURN(const auto slices, node.Slices());
  std::size_t devices = 0;
  for (const auto& slice : slices) {
    devices += slice.spec.devices.size();
  }
  std::cout << "Driver:     " << node.profile().driver << ", " << devices << " devices\n";
  return OkStatus();
}

Result<int> RunLab(const LabOptions& options) {
  const conformance::RuleSet& rules = conformance::RuleSet::Embedded();
  const std::filesystem::path testee = options.testee.empty()
                                           ? ShareDirectory() / "testees" / "driver-ref.yaml"
                                           : std::filesystem::path(options.testee);
  ASSAY_ASSIGN_OR_RETURN(conformance::Profile profile, conformance::LoadProfile(testee, rules));
  profile.start.insert(profile.start.end(), options.driver_flags.begin(),
                       options.driver_flags.end());
  ASSAY_ASSIGN_OR_RETURN(const auto spawner, conformance::Spawner::Start());
  std::vector<api::Object> objects;
  for (const std::string& file : options.files) {
    ASSAY_ASSIGN_OR_RETURN(std::vector<api::Object> read, api::manifest::ReadManifests(file));
    std::ranges::move(read, std::back_inserter(objects));
  }
  CatchInterrupts();
  ASSAY_ASSIGN_OR_RETURN(const Nodes nodes, OpenNodes(options, profile, *spawner));
  conformance::Lab* const lab = nodes.first.get();
  std::filesystem::path kubeconfig = lab->cluster().kubeconfig();
  if (!options.kubeconfig.empty()) {
    const std::filesystem::path wanted = std::filesystem::absolute(options.kubeconfig);
    std::error_code error;
    std::filesystem::copy_file(kubeconfig, wanted,
                               std::filesystem::copy_options::overwrite_existing, error);
    if (error) {
      return ErrnoError(error.value(), "--kubeconfig " + wanted.string());
    }
    kubeconfig = wanted;
  }
  std::cout << "API server: " << lab->cluster().server() << "\n";
  ASSAY_RETURN_IF_ERROR(ShowNode(*lab, options));
  for (const auto& node : nodes.others) {
    ASSAY_RETURN_IF_ERROR(ShowNode(*node, options));
  }
  std::cout << "\n  export KUBECONFIG=" << kubeconfig.string()
            << "\n  kubectl get resourceslices,resourceclaims,pods -A\n\nCtrl-C ends the lab.\n"
            << std::flush;
  std::unique_ptr<Teller> teller;
  if (!objects.empty()) {
    lab->cluster().RunOnLoop([&] { teller = std::make_unique<Teller>(lab->admin().client()); });
  }
  Status created;
  for (const api::Object& object : objects) {
    const std::string what = std::string(object.kind().kind) + " " + object.name();
    created = lab->admin().CreateObject(object).status().WithContext(what);
    if (!created.ok()) {
      break;
    }
  }
  if (created.ok()) {
    WaitForInterrupt();
  }
  lab->cluster().RunOnLoop([&] { teller.reset(); });
  ASSAY_RETURN_IF_ERROR(created);
  std::cout << "Ending the lab.\n";
  return 0;
}

}  // namespace

Command AddLab(CLI::App& app) {
  auto options = std::make_shared<LabOptions>();
  CLI::App* command =
      app.add_subcommand("lab", "Keep a cluster with a fake node up, for kubectl and others");
  command->footer(kLabFooter);
  command->add_option("--testee", options->testee,
                      "The driver that runs on the node [the reference driver]");
  command->add_option("-f,--filename", options->files,
                      "Create these manifests' objects, and tell what becomes of pods and claims");
  command->add_option("--kubeconfig", options->kubeconfig, "Also write the kubeconfig here");
  command
      ->add_option("--driver-flag", options->driver_flags,
                   "One more argument for the driver, beyond those that the testee names")
      ->allow_extra_args(false);
  command->add_option("--nodes", options->nodes, "How many nodes, each with its devices and driver")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--level", options->level, "Kubernetes' version: 1.36 or 1.37")
      ->capture_default_str();
  command->add_option("--feature-gates", options->feature_gates,
                      "Turn Kubernetes' gates on and off: A=true,B=false");
  command->add_flag("--no-driver", options->no_driver, "Start no driver");
  command->add_flag("--runc", options->run_containers,
                    "Run containers, with runc, as root; their image is this machine's own files");
  return [options] { return RunLab(*options); };
}

}  // namespace assay::tools
