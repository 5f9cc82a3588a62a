#include "conformance/lab/lab.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "conformance/testee/profile.h"
#include "conformance/testee/spawner.h"
#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

constexpr const char* kLabFooter = R"help(
Examples:
  assay lab                                  a cluster with one node, eight fake GPUs and a driver
  assay lab --testee my-driver.yaml          the same with your driver
  assay lab --no-driver --kubeconfig ./kc    only the cluster and the node

Then, in another terminal:
  export KUBECONFIG=...                      as the lab prints it
  kubectl get nodes,resourceslices,deviceclasses
  kubectl apply -f share/assay/claims/pod-with-one-gpu.yaml

Pods are scheduled and their claims prepared, but no container runs: the node records what a runtime
would have been told. Ctrl-C ends the lab and removes all of it.)help";

struct LabOptions {
  std::string testee;
  std::string kubeconfig;
  bool no_driver = false;
};

Result<int> RunLab(const LabOptions& options) {
  const conformance::RuleSet& rules = conformance::RuleSet::Embedded();
  const std::filesystem::path testee = options.testee.empty()
                                           ? ShareDirectory() / "testees" / "driver-ref.yaml"
                                           : std::filesystem::path(options.testee);
  ASSAY_ASSIGN_OR_RETURN(conformance::Profile profile, conformance::LoadProfile(testee, rules));
  ASSAY_ASSIGN_OR_RETURN(const auto spawner, conformance::Spawner::Start());
  CatchInterrupts();
  ASSAY_ASSIGN_OR_RETURN(const auto lab, conformance::Lab::Open({.profile = std::move(profile),
                                                                 .spawner = spawner.get(),
                                                                 .bin_directory = BinDirectory(),
                                                                 .whole_cluster = true}));
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
  std::cout << "API server: " << lab->cluster().server() << "\n"
            << "Node:       " << conformance::kNodeName << ", files below "
            << lab->directories().root.string() << "\n";
  if (!options.no_driver) {
    const auto started = lab->EnsureDriver();
    if (!started.ok()) {
      return started.status();
    }
    ASSAY_ASSIGN_OR_RETURN(const auto slices, lab->Slices());
    std::size_t devices = 0;
    for (const auto& slice : slices) {
      devices += slice.spec.devices.size();
    }
    std::cout << "Driver:     " << lab->profile().driver << ", " << devices << " devices\n";
  }
  std::cout << "\n  export KUBECONFIG=" << kubeconfig.string()
            << "\n  kubectl get resourceslices,resourceclaims,pods -A\n\nCtrl-C ends the lab.\n"
            << std::flush;
  WaitForInterrupt();
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
  command->add_option("--kubeconfig", options->kubeconfig, "Also write the kubeconfig here");
  command->add_flag("--no-driver", options->no_driver, "Start no driver");
  return [options] { return RunLab(*options); };
}

}  // namespace assay::tools
