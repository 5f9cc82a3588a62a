#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocator/planner/diagnosis.h"
#include "allocator/planner/planner.h"
#include "allocator/taint_rules.h"
#include "api/compatibility.h"
#include "api/json/json.h"
#include "tools/assay/cluster_files.h"
#include "tools/assay/commands.h"
#include "tools/assay/yaml_writer.h"

namespace assay::tools {
namespace {

using allocator::Diagnosis;
using allocator::Group;
using allocator::Placement;
using allocator::Planner;
using api::core::Node;
using api::resource::ResourceClaim;
using nlohmann::ordered_json;

constexpr const char* kFilesHelp = R"help(
The files hold ResourceSlices, DeviceClasses, ResourceClaims, DeviceTaintRules and Nodes as
`kubectl get -o yaml` writes them: YAML or JSON, Lists, several documents; a directory; - is
standard input. Other kinds are left out. Without Nodes, those that slices name are taken. Claims
that are allocated already keep their devices; claims of one owner (a pod) go to one node.

The answers are those of the Kubernetes of --level, with its default feature gates but for those of
--feature-gates. DeviceTaintRules count where DRADeviceTaintRules is on, as it is at level 1.37.)help";

constexpr const char* kAllocateHelp = R"help(
Examples:
  kubectl get resourceslices,deviceclasses,resourceclaims,nodes -A -o yaml > cluster.yaml
  assay allocate -f cluster.yaml -f my-claims.yaml
  kubectl get resourceslices,deviceclasses -o yaml | assay allocate -f - -f my-claims.yaml --explain
  assay allocate -f cluster.yaml -f my-claims.yaml --policy best-fit -o yaml > allocated.yaml

Policies:
  first-fit  the devices that Kubernetes takes, on the first node where a claim fits
  best-fit   the node and the devices that strand the least for claims to come
  batch      all claims together, or none)help";

constexpr const char* kAllocateExit = R"help(
Exit codes: 0 every claim fits, 1 some do not, 2 wrong use or files.)help";

constexpr const char* kExplainHelp = R"help(
Examples:
  assay explain -f cluster.yaml -f my-claims.yaml
  assay explain -f cluster.yaml --claim default/training -o json

Each claim that is not allocated is looked at alone: why it fits on no node, by how many devices;
which claims are in its way; and the changes, each one enough, after which it would fit.)help";

constexpr const char* kWhatIfHelp = R"help(
Examples:
  assay what-if -f cluster.yaml -f backlog.yaml

Places what fits of the claims that are not allocated, by best fit, and shows what is left over,
what stays free on each node, and what would serve more claims: one more node of a kind that there
is, or devices without a taint.)help";

struct AllocateOptions {
  std::vector<std::string> files;
  std::vector<std::string> more_files;  // without -f
  std::string node;
  std::string policy = "first-fit";
  std::string output = "table";
  std::string claim;
  std::string level = "1.36";
  std::string feature_gates;
  bool upstream_defects = false;
  bool explain = false;
};

// The claims of the files, and a planner that knows everything else.
struct Question {
  ClusterFiles files;
  std::unique_ptr<Planner> planner;
  std::vector<ResourceClaim*> pending;              // in `files`
  std::vector<std::vector<ResourceClaim*>> groups;  // of these: which go to one node
};

std::string NameOf(const ResourceClaim& claim) {
  return claim.metadata.namespace_ + "/" + claim.metadata.name;
}

// What claims have to share a node with: their pod.
std::string OwnerOf(const ResourceClaim& claim) {
  for (const auto& owner : claim.metadata.owner_references) {
    if (owner.kind == "Pod") {
      return claim.metadata.namespace_ + "/" + owner.name + "/" + owner.uid;
    }
  }
  return "";
}

Result<allocator::Features> FeaturesOf(const AllocateOptions& options,
                                       const api::Compatibility& compatibility) {
  allocator::Features features = allocator::Features::FromCompatibility(compatibility);
  features.upstream_defects = options.upstream_defects;
  if (options.upstream_defects && !features.HasUpstreamDefects()) {
    return InvalidArgumentError("--upstream-defects: level " + options.level + " has none");
  }
  if (options.upstream_defects && options.policy != "first-fit") {
    return InvalidArgumentError("--upstream-defects: only --policy first-fit has them");
  }
  return features;
}

// What the scheduler does before it allocates.
void ApplyTaintRules(const api::Compatibility& compatibility, ClusterFiles& files) {
  if (files.taint_rules.empty()) {
    return;
  }
  if (!compatibility.Enabled("DRADeviceTaintRules")) {
    files.notes.push_back("left out: " + std::to_string(files.taint_rules.size()) +
                          " DeviceTaintRule; the feature gate DRADeviceTaintRules is off");
    return;
  }
  for (const auto& rule : files.taint_rules) {
    for (auto& slice : files.slices) {
      allocator::AddTaints(rule, slice);
    }
  }
}

Result<std::unique_ptr<Question>> Ask(const AllocateOptions& options) {
  std::vector<std::string> files = options.files;
  files.insert(files.end(), options.more_files.begin(), options.more_files.end());
  if (files.empty()) {
    return InvalidArgumentError("no files; give some with -f");
  }
  ASSAY_ASSIGN_OR_RETURN(const api::Compatibility compatibility,
                         api::Compatibility::Parse(options.level, options.feature_gates));
  ASSAY_ASSIGN_OR_RETURN(const allocator::Features features, FeaturesOf(options, compatibility));
  auto question = std::make_unique<Question>();
  ASSAY_ASSIGN_OR_RETURN(question->files, ReadClusterFiles(files, compatibility));
  ApplyTaintRules(compatibility, question->files);
  question->planner = std::make_unique<Planner>(allocator::PlannerOptions{.features = features});
  Planner& planner = *question->planner;
  for (const Node& node : question->files.nodes) {
    if (options.node.empty() || node.metadata.name == options.node) {
      planner.SetNode(node);
    }
  }
  if (planner.nodes().empty()) {
    return InvalidArgumentError("there is no node " + options.node);
  }
  for (const auto& slice : question->files.slices) {
    planner.SetSlice(slice);
  }
  for (const auto& device_class : question->files.classes) {
    planner.SetClass(device_class);
  }
  std::map<std::string, std::size_t> groups;
  for (ResourceClaim& claim : question->files.claims) {
    planner.SetClaim(claim);
    if (claim.status.allocation.has_value() ||
        (!options.claim.empty() && options.claim != NameOf(claim))) {
      continue;
    }
    question->pending.push_back(&claim);
    const std::string owner = OwnerOf(claim);
    const auto [group, added] =
        groups.emplace(owner.empty() ? NameOf(claim) : "pod " + owner, question->groups.size());
    if (added) {
      question->groups.emplace_back();
    }
    question->groups[group->second].push_back(&claim);
  }
  if (question->pending.empty()) {
    return InvalidArgumentError(options.claim.empty()
                                    ? "the files hold no ResourceClaim that is not allocated"
                                    : "the files hold no ResourceClaim " + options.claim +
                                          " that is not allocated");
  }
  for (const std::string& note : question->files.notes) {
    std::cerr << "note: " << note << "\n";
  }
  return question;
}

Group GroupOf(const std::vector<ResourceClaim*>& claims) { return {claims.begin(), claims.end()}; }

// Tables as kubectl prints them: columns as wide as needed, three blanks between.
void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) {
        line.append(widths[i] - row[i].size() + 3, ' ');
      }
    }
    std::cout << line << "\n";
  }
}

// ---- explanations ----

void Indent(const std::string& text) {
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    std::cout << "  " << text.substr(from, end - from) << "\n";
    from = end + 1;
  }
}

ordered_json ToJson(const allocator::RequestExplanation& request) {
  ordered_json causes = ordered_json::array();
  for (const allocator::Cause& cause : request.causes) {
    ordered_json entry = {{"cause", allocator::CauseId(cause.kind)}};
    if (!cause.detail.empty()) {
      entry["detail"] = cause.detail;
    }
    if (cause.devices > 0) {
      entry["devices"] = cause.devices;
    }
    causes.push_back(std::move(entry));
  }
  ordered_json json = {{"claim", request.claim},
                       {"request", request.request},
                       {"deviceClass", request.device_class},
                       {"devices", request.devices},
                       {"usable", request.usable},
                       {"causes", std::move(causes)}};
  if (request.wanted > 0) {
    json["wanted"] = request.wanted;
  } else {
    json["wanted"] = "All";
  }
  return json;
}

ordered_json ToJson(const Diagnosis& diagnosis) {
  ordered_json json = {{"fits", diagnosis.fits}};
  if (!diagnosis.error.empty()) {
    json["error"] = diagnosis.error;
    return json;
  }
  if (diagnosis.fits) {
    json["node"] = diagnosis.node;
    return json;
  }
  json["nodes"] = ordered_json::array();
  for (const allocator::NodeExplanation& entry : diagnosis.nodes) {
    ordered_json node = {{"nodes", entry.nodes}};
    if (!entry.explanation.error.empty()) {
      node["error"] = entry.explanation.error;
    }
    node["requests"] = ordered_json::array();
    for (const auto& request : entry.explanation.requests) {
      node["requests"].push_back(ToJson(request));
    }
    json["nodes"].push_back(std::move(node));
  }
  json["inTheWay"] = diagnosis.in_the_way;
  json["changes"] = ordered_json::array();
  for (const allocator::Change& change : diagnosis.changes) {
    ordered_json entry = {{"change", allocator::ChangeName(change.kind)},
                          {"text", change.text},
                          {"node", change.node}};
    if (!change.claims.empty()) {
      entry["claims"] = change.claims;
    }
    json["changes"].push_back(std::move(entry));
  }
  return json;
}

// ---- allocate ----

struct Answer {
  std::optional<Placement> placement;
  std::string error;
  std::optional<Diagnosis> diagnosis;
};

class Allocation {
 public:
  Allocation(const AllocateOptions& options, Question& question)
      : options_(options), question_(question), answers_(question.groups.size()) {}

  Result<int> Run() {
    if (options_.policy == "batch") {
      ASSAY_RETURN_IF_ERROR(PlaceTogether());
    } else {
      ASSAY_RETURN_IF_ERROR(PlaceOneByOne());
    }
    if (options_.output == "table") {
      PrintAsTable();
    } else if (options_.output == "json") {
      PrintAsJson();
    } else {
      PrintClaims();
    }
    return std::ranges::all_of(answers_, [](const Answer& a) { return a.placement.has_value(); })
               ? 0
               : 1;
  }

 private:
  void Take(std::size_t number, Placement placement) {
    const auto& claims = question_.groups[number];
    for (std::size_t i = 0; i < claims.size(); ++i) {
      claims[i]->status.allocation = placement.allocations[i];
      question_.planner->SetClaim(*claims[i]);
    }
    answers_[number].placement = std::move(placement);
  }

  Status Explain(std::size_t number) {
    if (options_.explain) {
      ASSAY_ASSIGN_OR_RETURN(
          answers_[number].diagnosis,
          allocator::Diagnose(*question_.planner, GroupOf(question_.groups[number])));
    }
    return OkStatus();
  }

  Status PlaceOneByOne() {
    const auto policy =
        options_.policy == "best-fit" ? allocator::Policy::kBestFit : allocator::Policy::kFirstFit;
    for (std::size_t i = 0; i < question_.groups.size(); ++i) {
      auto placement = question_.planner->Place(GroupOf(question_.groups[i]), policy);
      if (!placement.ok()) {
        answers_[i].error = placement.status().message();
      } else if (placement->has_value()) {
        Take(i, **std::move(placement));
      } else {
        ASSAY_RETURN_IF_ERROR(Explain(i));
      }
    }
    return OkStatus();
  }

  Status PlaceTogether() {
    std::vector<Group> groups;
    for (const auto& claims : question_.groups) {
      groups.push_back(GroupOf(claims));
    }
    ASSAY_ASSIGN_OR_RETURN(allocator::BatchPlacement batch, question_.planner->PlaceAll(groups));
    if (batch.placements.has_value()) {
      for (std::size_t i = 0; i < groups.size(); ++i) {
        Take(i, std::move((*batch.placements)[i]));
      }
      return OkStatus();
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const bool left = std::ranges::count(batch.unplaced, i) > 0;
      answers_[i].error =
          std::string("not all fit together") +
          (left ? (batch.proven ? "" : "; gave up after " + std::to_string(batch.steps) + " steps")
                : "; without " + std::to_string(batch.unplaced.size()) + " others it would");
      if (left) {
        ASSAY_RETURN_IF_ERROR(Explain(i));
      }
    }
    return OkStatus();
  }

  void PrintAsTable() const {
    std::vector<std::vector<std::string>> rows = {{"CLAIM", "NODE", "REQUEST", "DEVICE"}};
    for (std::size_t g = 0; g < answers_.size(); ++g) {
      const auto& claims = question_.groups[g];
      for (std::size_t i = 0; i < claims.size(); ++i) {
        if (!answers_[g].placement.has_value()) {
          rows.push_back({NameOf(*claims[i]), "<none>"});
          continue;
        }
        std::string name = NameOf(*claims[i]);
        std::string node = answers_[g].placement->node;
        for (const auto& result : claims[i]->status.allocation->devices.results) {
          rows.push_back({std::exchange(name, ""), std::exchange(node, ""), result.request,
                          result.driver + "/" + result.pool + "/" + result.device});
        }
      }
    }
    PrintTable(rows);
    bool hint = false;
    for (std::size_t g = 0; g < answers_.size(); ++g) {
      const Answer& answer = answers_[g];
      if (!answer.error.empty() || answer.diagnosis.has_value()) {
        std::cout << "\n"
                  << NameOf(*question_.groups[g].front()) << ": "
                  << (answer.error.empty() ? "does not fit" : answer.error) << "\n";
      }
      if (answer.diagnosis.has_value()) {
        Indent(answer.diagnosis->ToString());
      }
      hint = hint || (!answer.placement.has_value() && answer.error.empty() && !options_.explain);
    }
    if (hint) {
      std::cerr << "note: --explain tells why claims do not fit\n";
    }
  }

  void PrintAsJson() const {
    ordered_json all = ordered_json::array();
    for (std::size_t g = 0; g < answers_.size(); ++g) {
      const Answer& answer = answers_[g];
      for (const ResourceClaim* claim : question_.groups[g]) {
        ordered_json entry = {{"claim", NameOf(*claim)}, {"fits", answer.placement.has_value()}};
        if (answer.placement.has_value()) {
          entry["node"] = answer.placement->node;
          entry["allocation"] = ordered_json::parse(api::json::EncodeAs(*claim->status.allocation));
          if (options_.policy != "first-fit") {
            entry["stranded"] = answer.placement->cost.stranded;
            entry["gapToBound"] = answer.placement->gap();
          }
        }
        if (!answer.error.empty()) {
          entry["error"] = answer.error;
        }
        if (answer.diagnosis.has_value()) {
          entry["explanation"] = ToJson(*answer.diagnosis);
        }
        all.push_back(std::move(entry));
      }
    }
    std::cout << all.dump(2) << "\n";
  }

  // Those that fit, in the order of the files.
  void PrintClaims() const {
    ordered_json items = ordered_json::array();
    for (const ResourceClaim* claim : question_.pending) {
      if (claim->status.allocation.has_value()) {
        ordered_json item = {{"apiVersion", "resource.k8s.io/v1"}, {"kind", "ResourceClaim"}};
        item.update(ordered_json::parse(api::json::EncodeAs(*claim)));
        items.push_back(std::move(item));
      } else {
        std::cerr << "note: " << NameOf(*claim) << " does not fit\n";
      }
    }
    WriteYaml({{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}}, std::cout);
  }

  const AllocateOptions& options_;
  Question& question_;
  std::vector<Answer> answers_;  // by group
};

Result<int> Allocate(const AllocateOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Question> question, Ask(options));
  return Allocation(options, *question).Run();
}

// ---- explain ----

Result<int> Explain(const AllocateOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Question> question, Ask(options));
  ordered_json all = ordered_json::array();
  bool all_fit = true;
  for (const auto& claims : question->groups) {
    ASSAY_ASSIGN_OR_RETURN(const Diagnosis diagnosis,
                           allocator::Diagnose(*question->planner, GroupOf(claims)));
    all_fit = all_fit && diagnosis.fits;
    std::string names;
    for (const ResourceClaim* claim : claims) {
      names += (names.empty() ? "" : ", ") + NameOf(*claim);
    }
    if (options.output == "json") {
      ordered_json entry = {{"claims", ordered_json::array()}};
      for (const ResourceClaim* claim : claims) {
        entry["claims"].push_back(NameOf(*claim));
      }
      entry.update(ToJson(diagnosis));
      all.push_back(std::move(entry));
    } else {
      std::cout << names << (diagnosis.fits ? ": " : ": does not fit\n");
      if (diagnosis.fits) {
        std::cout << diagnosis.ToString();
      } else {
        Indent(diagnosis.ToString());
      }
    }
  }
  if (options.output == "json") {
    std::cout << all.dump(2) << "\n";
  }
  return all_fit ? 0 : 1;
}

// ---- what-if ----

std::string Rounded(double value) {
  std::string text = std::to_string(value);
  return text.substr(0, text.find('.') + 3);
}

void PrintForecast(const allocator::Forecast& forecast, const Question& question) {
  std::size_t claims_placed = 0;
  std::string left;
  for (std::size_t i = 0; i < question.groups.size(); ++i) {
    for (const ResourceClaim* claim : question.groups[i]) {
      if (forecast.placements[i].has_value()) {
        ++claims_placed;
      } else {
        left += "  " + NameOf(*claim) +
                (forecast.errors[i].empty() ? "" : ": " + forecast.errors[i]) + "\n";
      }
    }
  }
  std::cout << claims_placed << " of " << question.pending.size() << " claims fit";
  std::cout << (left.empty() ? "\n" : "; left over:\n" + left) << "\n";
  std::vector<std::vector<std::string>> rows = {{"NODE", "DEVICES", "IN USE", "FREE"}};
  for (const allocator::NodeState& node : forecast.nodes) {
    rows.push_back(
        {node.node, Rounded(node.size), Rounded(node.used), Rounded(node.size - node.used)});
  }
  PrintTable(rows);
  if (!left.empty()) {
    std::cout << "\nfree in all: " << Rounded(forecast.free) << "\n";
  }
  for (const allocator::Remedy& remedy : forecast.remedies) {
    std::cout << remedy.text << ": " << remedy.fits << " more would fit\n";
  }
  if (!left.empty() && forecast.remedies.empty()) {
    std::cout << "neither one more node of any kind nor a taint less would serve more\n";
  }
}

ordered_json ToJson(const allocator::Forecast& forecast, const Question& question) {
  ordered_json json = {{"claims", ordered_json::array()},
                       {"nodes", ordered_json::array()},
                       {"free", forecast.free},
                       {"remedies", ordered_json::array()}};
  for (std::size_t i = 0; i < question.groups.size(); ++i) {
    for (const ResourceClaim* claim : question.groups[i]) {
      ordered_json entry = {{"claim", NameOf(*claim)},
                            {"fits", forecast.placements[i].has_value()}};
      if (forecast.placements[i].has_value()) {
        entry["node"] = forecast.placements[i]->node;
      }
      if (!forecast.errors[i].empty()) {
        entry["error"] = forecast.errors[i];
      }
      json["claims"].push_back(std::move(entry));
    }
  }
  for (const allocator::NodeState& node : forecast.nodes) {
    json["nodes"].push_back({{"node", node.node},
                             {"devices", node.size},
                             {"inUse", node.used},
                             {"stranded", node.stranded}});
  }
  for (const allocator::Remedy& remedy : forecast.remedies) {
    json["remedies"].push_back({{"text", remedy.text}, {"wouldFit", remedy.fits}});
  }
  return json;
}

Result<int> ForeseeBacklog(const AllocateOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Question> question, Ask(options));
  std::vector<Group> groups;
  for (const auto& claims : question->groups) {
    groups.push_back(GroupOf(claims));
  }
  ASSAY_ASSIGN_OR_RETURN(const allocator::Forecast forecast,
                         allocator::WhatIf(*question->planner, groups));
  if (options.output == "json") {
    std::cout << ToJson(forecast, *question).dump(2) << "\n";
  } else {
    PrintForecast(forecast, *question);
  }
  return std::ranges::all_of(forecast.placements, [](const auto& p) { return p.has_value(); }) ? 0
                                                                                               : 1;
}

CLI::App* AddCommand(CLI::App& app, const std::string& name, const std::string& description,
                     const std::string& help, const std::vector<std::string>& outputs,
                     AllocateOptions& options) {
  CLI::App* command = app.add_subcommand(name, description);
  command->footer(help + "\n" + kFilesHelp + "\n" + kAllocateExit);
  command->add_option("-f,--filename", options.files, "A file, a directory, or - (may be repeated)")
      ->allow_extra_args(false);
  command->add_option("file", options.more_files, "The same without -f");
  command->add_option("--node", options.node, "Look at this node only");
  command->add_option("--level", options.level, "Answer as this Kubernetes does: 1.36 or 1.37")
      ->capture_default_str();
  command->add_option("--feature-gates", options.feature_gates,
                      "Turn Kubernetes' gates on and off: A=true,B=false");
  command->add_option("-o,--output", options.output, "How to print")
      ->check(CLI::IsMember(outputs))
      ->capture_default_str();
  return command;
}

}  // namespace

Command AddAllocate(CLI::App& app) {
  auto options = std::make_shared<AllocateOptions>();
  CLI::App* command = AddCommand(app, "allocate", "Allocate claims from files", kAllocateHelp,
                                 {"table", "json", "yaml"}, *options);
  command->add_option("--policy", options->policy, "Which devices to take")
      ->check(CLI::IsMember({"first-fit", "best-fit", "batch"}))
      ->capture_default_str();
  command->add_flag("--explain", options->explain, "Tell why claims do not fit");
  command->add_flag("--upstream-defects", options->upstream_defects,
                    "At level 1.36, also what v0.36.3 of Kubernetes' allocator gets wrong");
  return [options] { return Allocate(*options); };
}

Command AddExplain(CLI::App& app) {
  auto options = std::make_shared<AllocateOptions>();
  CLI::App* command = AddCommand(app, "explain", "Tell why claims from files do not fit",
                                 kExplainHelp, {"table", "json"}, *options);
  command->add_option("--claim", options->claim, "Only this one: namespace/name");
  return [options] { return Explain(*options); };
}

Command AddWhatIf(CLI::App& app) {
  auto options = std::make_shared<AllocateOptions>();
  AddCommand(app, "what-if", "What of a backlog of claims would fit, and what would help",
             kWhatIfHelp, {"table", "json"}, *options);
  return [options] { return ForeseeBacklog(*options); };
}

}  // namespace assay::tools
