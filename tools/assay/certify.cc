#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "conformance/bundle/bundle.h"
#include "conformance/report/report.h"
#include "conformance/runner/registry.h"
#include "conformance/runner/runner.h"
#include "conformance/testee/profile.h"
#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

using conformance::CaseInfo;
using conformance::RuleSet;
using conformance::RunResult;
using conformance::Shard;

constexpr const char* kCertifyFooter = R"help(
Examples:
  assay certify                              the reference driver on a fake node of 8 x H100
  assay certify --testee my-driver.yaml      the driver that this file describes
  assay certify --filter PREP-45             only what decides this rule
  assay certify --filter 'UNPR:Checkpoint.*' an area, and the cases of a suite
  assay certify --list                       every case, with the rules that it decides
  assay certify --shard 2/4                  a quarter of it, for a CI that runs the others beside

A testee file says how the driver is started, what it declares, and where its files lie;
share/assay/testees has examples. Nothing of the machine is touched: the driver gets its own
kubelet, CDI and device directories and an API server on a free port of 127.0.0.1.

The directory of --out gets report.html, report.txt, report.json, junit.xml, the driver's output, and
bundle.json, all of it in one file for `assay verify`.

Exit codes: 0 conformant (or failing just as its expectations file says), 1 not conformant,
2 trouble with the set-up or with Assay itself.)help";

struct CertifyOptions {
  std::string testee;
  std::string out = "assay-report";
  std::string filter;
  std::string shard = "1/1";
  std::string since;
  int jobs = 0;
  bool list = false;
};

Result<Shard> ParseShard(const std::string& text) {
  Shard shard;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%d/%d%c", &shard.index, &shard.count, &rest) != 2 ||
      shard.index < 1 || shard.index > shard.count) {
    return InvalidArgumentError("--shard: '" + text + "': expected I/N with I from 1 to N");
  }
  return shard;
}

Result<int> List(const RuleSet& rules, const std::string& filter, const Shard& shard) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<CaseInfo> all, conformance::AllCases(rules));
  ASSAY_ASSIGN_OR_RETURN(std::vector<CaseInfo> cases, conformance::SelectCases(all, filter));
  ASSAY_ASSIGN_OR_RETURN(cases, conformance::CasesOfShard(cases, shard));
  for (const CaseInfo& each : cases) {
    std::cout << each.FullName();
    for (const std::string& rule : each.rules) {
      std::cout << " " << rule;
    }
    std::cout << "\n";
  }
  return 0;
}

bool IsColorTerminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

Status WriteReports(const std::filesystem::path& out, const RuleSet& rules, const RunResult& result,
                    const conformance::EarlierRun* earlier) {
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (error) {
    return ErrnoError(error.value(), "--out " + out.string());
  }
  ASSAY_RETURN_IF_ERROR(
      WriteFileAtomically(out / "report.txt", conformance::TextReport(rules, result, {})));
  ASSAY_RETURN_IF_ERROR(
      WriteFileAtomically(out / "junit.xml", conformance::JunitReport(rules, result)));
  ASSAY_RETURN_IF_ERROR(
      WriteFileAtomically(out / "report.html", conformance::HtmlReport(rules, result, earlier)));
  return WriteFileAtomically(out / "report.json", conformance::JsonReport(rules, result));
}

Result<int> Certify(const CertifyOptions& options) {
  const RuleSet& rules = RuleSet::Embedded();
  ASSAY_ASSIGN_OR_RETURN(const Shard shard, ParseShard(options.shard));
  if (options.list) {
    return List(rules, options.filter, shard);
  }
  const std::filesystem::path testee = options.testee.empty()
                                           ? ShareDirectory() / "testees" / "driver-ref.yaml"
                                           : std::filesystem::path(options.testee);
  conformance::RunOptions run;
  ASSAY_ASSIGN_OR_RETURN(run.profile, conformance::LoadProfile(testee, rules));
  std::optional<conformance::EarlierRun> earlier;
  if (!options.since.empty()) {
    ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(options.since));
    Result<conformance::EarlierRun> parsed = conformance::ParseEarlierRun(text);
    if (!parsed.ok()) {
      return parsed.status().WithContext("--since " + options.since);
    }
    earlier = *std::move(parsed);
  }
  CatchInterrupts();
  const std::filesystem::path out = std::filesystem::absolute(options.out).lexically_normal();
  run.filter = options.filter;
  run.shard = shard;
  run.jobs = options.jobs;
  run.bin_directory = BinDirectory();
  run.log_directory = out / "logs";
  std::error_code error;
  std::filesystem::remove_all(run.log_directory, error);  // An earlier run's.
  run.assay_version = ASSAY_VERSION;
  run.progress = &std::cout;
  run.terminal = IsColorTerminal();
  run.interrupted = Interrupted;
  ASSAY_ASSIGN_OR_RETURN(const RunResult result, conformance::RunCertification(rules, run));
  ASSAY_RETURN_IF_ERROR(WriteReports(out, rules, result, earlier ? &*earlier : nullptr));
  ASSAY_ASSIGN_OR_RETURN(
      const std::string bundle,
      conformance::MakeBundle(rules, run.profile, result,
                              {.suite = "/proc/self/exe", .logs = run.log_directory}));
  ASSAY_RETURN_IF_ERROR(WriteFileAtomically(out / "bundle.json", bundle));
  std::cout << conformance::TextReport(rules, result, {.color = run.terminal})
            << "Report: " << (out / "report.html").string() << "\n";
  return conformance::ExitCode(result.conclusion);
}

}  // namespace

Command AddCertify(CLI::App& app) {
  auto options = std::make_shared<CertifyOptions>();
  CLI::App* command = app.add_subcommand("certify", "Certify a DRA driver");
  command->footer(kCertifyFooter);
  command->add_option("--testee", options->testee,
                      "The driver's testee file [the reference driver's]");
  command->add_option("--out", options->out, "Where the reports go")->capture_default_str();
  command->add_option("--filter", options->filter,
                      "Run only these: cases, suites, rules or areas, separated by ':'; * and ? "
                      "stand for anything");
  command
      ->add_option("--shard", options->shard,
                   "I/N: the I-th of N parts of the run, for machines that share it")
      ->capture_default_str();
  command
      ->add_option("--jobs", options->jobs,
                   "Cases that run side by side, each with a driver of its own [two a core, "
                   "the machine has cores]")
      ->check(CLI::Range(1, 256));
  command->add_option("--since", options->since,
                      "The report.json of an earlier run: the page tells what changed");
  command->add_flag("--list", options->list, "List the cases and run none");
  return [options] { return Certify(*options); };
}

}  // namespace assay::tools
