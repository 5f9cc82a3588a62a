// assay: certifies Kubernetes DRA drivers without the hardware.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>

#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

constexpr int kExitTrouble = 2;

constexpr const char* kDescription =
    R"(Certifies Kubernetes DRA (Dynamic Resource Allocation) drivers without the hardware:
a fake node with fake GPUs, a Kubernetes control plane in one process, and tests for
the rules that a driver must keep.)";

constexpr const char* kMainFooter = R"help(
Examples:
  assay certify                            certify the reference driver
  assay certify --testee my-driver.yaml    certify your own
  assay verify assay-report/bundle.json    is what somebody sent you what a run said?
  assay rules --area PREP                  what is asked of NodePrepareResources
  assay lab                                a cluster to try kubectl on
  assay allocate -f cluster.yaml           would these claims fit, and where?
  assay explain -f cluster.yaml            and if not, why, and what would help?

Exit codes: 0 conformant or done, 1 not conformant, 2 wrong use or trouble.
`assay COMMAND --help` tells more of each.)help";

int Run(int argc, char** argv) {
  CLI::App app(kDescription, "assay");
  app.footer(kMainFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("assay ") + ASSAY_VERSION);
  const Command certify = AddCertify(app);
  const Command verify = AddVerify(app);
  const Command rules = AddRules(app);
  const Command lab = AddLab(app);
  const Command allocate = AddAllocate(app);
  const Command explain = AddExplain(app);
  const Command what_if = AddWhatIf(app);
  const Command completion = AddCompletion(app);
  app.add_subcommand("version", "Print the version");
  // CLI11 would only say that a command is missing.
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  if (argc > 1 && argv[1][0] != '-' &&
      std::ranges::find(commands, std::string(argv[1]), &CLI::App::get_name) == commands.end()) {
    std::cerr << "assay: there is no command '" << argv[1] << "'; see assay --help\n";
    return kExitTrouble;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "assay" : "assay " + chosen.front()->get_name();
    std::cerr << command << ": " << error.what() << "; see " << command << " --help\n";
    return kExitTrouble;
  }
  const std::string name = app.get_subcommands().front()->get_name();
  if (name == "version") {
    std::cout << "assay " << ASSAY_VERSION << "\n";
    return 0;
  }
  const Command& command = name == "certify"    ? certify
                           : name == "verify"   ? verify
                           : name == "rules"    ? rules
                           : name == "lab"      ? lab
                           : name == "allocate" ? allocate
                           : name == "explain"  ? explain
                           : name == "what-if"  ? what_if
                                                : completion;
  const Result<int> exit = command();
  if (!exit.ok()) {
    std::cerr << "assay " << name << ": " << exit.status().message() << "\n";
    return kExitTrouble;
  }
  return *exit;
}

}  // namespace
}  // namespace assay::tools

int main(int argc, char** argv) { return assay::tools::Run(argc, argv); }
