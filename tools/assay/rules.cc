#include "conformance/rules/rules.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/runner/registry.h"
#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

using conformance::DecidedRules;
using conformance::Rule;
using conformance::RuleSet;

constexpr const char* kRulesFooter = R"help(
Examples:
  assay rules                    every rule
  assay rules --area CDI         one area
  assay rules PREP-45 UNPR-03    these, with their sources and the cases that decide them
  assay rules --untested         those that no case decides yet
  assay rules --output json      for programs

MUST rules decide the certificate; SHOULD and MAY rules are reported. A rule marked "derived" is
stated by no upstream text, and never refuses a certificate.)help";

struct RulesOptions {
  std::vector<std::string> ids;
  std::string area;
  std::string output = "text";
  bool untested = false;
};

// The meaning of each tag in "MGR:405-409; API:131", a line each.
void PrintSources(const RuleSet& rules, const Rule& rule) {
  std::string_view rest = rule.source;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find("; "), rest.size());
    const std::string_view entry = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 2, rest.size()));
    const std::string tag(entry.substr(0, entry.find_first_of(": ")));
    for (const conformance::Source& source : rules.sources()) {
      if (source.tag == tag) {
        std::cout << "  source   " << entry << "  (" << source.text << ")\n";
      }
    }
  }
}

void PrintLong(const RuleSet& rules, const Rule& rule, const DecidedRules& decided) {
  std::cout << rule.id << "  " << SeverityName(rule.severity) << (rule.derived ? ", derived" : "")
            << "  KEP-" << rule.kep << "\n  " << rule.text << "\n";
  if (!rule.feature.empty()) {
    std::cout << "  applies  where " << rule.feature
              << " is declared: " << rules.FindFeature(rule.feature)->text << "\n";
  }
  PrintSources(rules, rule);
  const auto cases = decided.find(rule.id);
  if (cases == decided.end()) {
    std::cout << "  tested   by no case yet\n";
    return;
  }
  for (const std::string& name : cases->second) {
    std::cout << "  tested   " << name << "\n";
  }
}

nlohmann::ordered_json ToJson(const Rule& rule, const DecidedRules& decided) {
  const auto cases = decided.find(rule.id);
  return {{"id", rule.id},
          {"area", rule.area},
          {"kep", rule.kep},
          {"severity", std::string(SeverityName(rule.severity))},
          {"derived", rule.derived},
          {"text", rule.text},
          {"source", rule.source},
          {"feature", rule.feature},
          {"cases", cases == decided.end() ? std::vector<std::string>() : cases->second}};
}

Result<int> Rules(const RulesOptions& options) {
  const RuleSet& rules = RuleSet::Embedded();
  ASSAY_ASSIGN_OR_RETURN(const auto cases, conformance::AllCases(rules));
  const DecidedRules decided = conformance::RulesDecidedBy(cases);
  for (const std::string& id : options.ids) {
    if (rules.Find(id) == nullptr) {
      return InvalidArgumentError("there is no rule '" + id + "'; expected one such as PREP-01");
    }
  }
  if (!options.area.empty() && std::ranges::find(rules.areas(), options.area,
                                                 &conformance::Area::id) == rules.areas().end()) {
    std::string known;
    for (const conformance::Area& area : rules.areas()) {
      known += (known.empty() ? "" : ", ") + area.id;
    }
    return InvalidArgumentError("--area: there is no area '" + options.area +
                                "'; expected one of " + known);
  }
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  int shown = 0;
  for (const Rule& rule : rules.rules()) {
    const bool named = !options.ids.empty();
    if ((named && std::ranges::find(options.ids, rule.id) == options.ids.end()) ||
        (!options.area.empty() && rule.area != options.area) ||
        (options.untested && decided.contains(rule.id))) {
      continue;
    }
    ++shown;
    if (options.output == "json") {
      json.push_back(ToJson(rule, decided));
    } else if (named) {
      PrintLong(rules, rule, decided);
    } else {
      std::cout << rule.id << "  " << SeverityName(rule.severity) << (rule.derived ? "*" : "")
                << "  " << rule.text << "\n";
    }
  }
  if (options.output == "json") {
    std::cout << json.dump(2) << "\n";
  } else if (options.ids.empty()) {
    std::cout << shown << " rules of rule set " << rules.version() << " (" << rules.anchor()
              << "); * derived\n";
  }
  return 0;
}

}  // namespace

Command AddRules(CLI::App& app) {
  auto options = std::make_shared<RulesOptions>();
  CLI::App* command = app.add_subcommand("rules", "Show the rules that drivers are certified by");
  command->footer(kRulesFooter);
  command->add_option("rule", options->ids, "Rules to show in full");
  command->add_option("--area", options->area, "Only this area, such as PREP");
  command->add_flag("--untested", options->untested, "Only rules that no case decides");
  command->add_option("--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  return [options] { return Rules(*options); };
}

}  // namespace assay::tools
