#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report/report.h"

namespace assay::conformance {
namespace {

struct Style {
  std::string_view red;
  std::string_view green;
  std::string_view yellow;
  std::string_view bold;
  std::string_view off;
};

constexpr Style kPlain = {"", "", "", "", ""};
constexpr Style kColor = {"\033[31m", "\033[32m", "\033[33m", "\033[1m", "\033[0m"};

std::string RoundedSeconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", std::chrono::duration<double>(duration).count());
  return text;
}

std::string Level(const Rule& rule) {
  return std::string(SeverityName(rule.severity)) + (rule.derived ? ", derived" : "");
}

// One block per rule with `verdict`.
void AppendRules(const RunResult& result, Verdict verdict, std::string_view color,
                 const Style& style, std::string& out) {
  for (const RuleVerdict& each : result.rules) {
    if (each.verdict != verdict) {
      continue;
    }
    out.append(color).append(VerdictName(verdict)).append(style.off).append("  ");
    out.append(style.bold).append(each.rule->id).append(style.off);
    out.append(" (").append(Level(*each.rule)).append(") ").append(each.rule->text).append("\n");
    if (!each.message.empty()) {
      out.append("      ").append(each.message).append("\n");
    }
    std::string cases;
    for (const std::string& name : each.cases) {
      cases.append(cases.empty() ? "" : ":").append(name);
    }
    if (!cases.empty()) {
      out.append("      again: --filter ").append(cases).append("\n");
    }
  }
}

// "      device-health: HLTH-01 ... (23 rules)": the ids with `verdict`, by area.
void AppendIds(const RuleSet& rules, const RunResult& result, Verdict verdict, std::string& out) {
  for (const Area& area : rules.areas()) {
    std::string ids;
    for (const RuleVerdict& each : result.rules) {
      if (each.rule->area == area.id && each.verdict == verdict) {
        ids.append(" ").append(each.rule->id.substr(area.id.size() + 1));
      }
    }
    if (!ids.empty()) {
      out.append("  ").append(area.id).append(ids).append("\n");
    }
  }
}

void AppendTable(const RuleSet& rules, const RunResult& result, std::string& out) {
  char line[160];
  std::snprintf(line, sizeof(line), "%-6s %6s %6s %6s %8s %6s %11s %8s  %s\n", "area", "rules",
                "pass", "fail", "expected", "n/a", "undecidable", "untested", "title");
  out.append(line);
  for (const Area& area : rules.areas()) {
    std::vector<RuleVerdict> of_area;
    std::ranges::copy_if(result.rules, std::back_inserter(of_area),
                         [&](const RuleVerdict& each) { return each.rule->area == area.id; });
    const std::map<Verdict, int> counts = CountVerdicts(of_area);
    std::snprintf(line, sizeof(line), "%-6s %6zu %6d %6d %8d %6d %11d %8d  ", area.id.c_str(),
                  of_area.size(), counts.at(Verdict::kPass), counts.at(Verdict::kFail),
                  counts.at(Verdict::kExpectedFailure), counts.at(Verdict::kNotApplicable),
                  counts.at(Verdict::kNotDecidable) + counts.at(Verdict::kHarnessError),
                  counts.at(Verdict::kUntested) + counts.at(Verdict::kNotSelected));
    out.append(line).append(area.title).append("\n");
  }
}

}  // namespace

std::string TextReport(const RuleSet& rules, const RunResult& result, TextReportOptions options) {
  const Style& style = options.color ? kColor : kPlain;
  std::string out;
  AppendRules(result, Verdict::kFail, style.red, style, out);
  AppendRules(result, Verdict::kExpectedFailure, style.yellow, style, out);
  AppendRules(result, Verdict::kHarnessError, style.red, style, out);
  for (const std::string& broken : result.broken_expectations) {
    out.append(style.red).append("expectation").append(style.off).append("  ");
    out.append(broken).append("\n");
  }
  for (const std::string& trouble : result.trouble) {
    out.append(style.red).append("trouble").append(style.off).append("  ");
    out.append(trouble).append("\n");
  }
  out.append("\n");
  AppendTable(rules, result, out);
  for (const auto& [verdict, title] :
       {std::pair{Verdict::kNotDecidable, "Not decidable here:"},
        std::pair{Verdict::kNotApplicable, "Not applicable (the feature is not declared):"},
        std::pair{Verdict::kNotSelected, "Not selected in this run:"},
        std::pair{Verdict::kUntested, "No test decides these rules yet:"}}) {
    std::string ids;
    AppendIds(rules, result, verdict, ids);
    if (!ids.empty()) {
      out.append("\n").append(title).append("\n").append(ids);
    }
  }
  const std::map<Verdict, int> counts = CountVerdicts(result.rules);
  out.append("\n").append(std::to_string(counts.at(Verdict::kPass))).append(" rules pass, ");
  out.append(std::to_string(counts.at(Verdict::kFail))).append(" fail, ");
  out.append(std::to_string(counts.at(Verdict::kExpectedFailure))).append(" fail as expected, ");
  out.append(std::to_string(counts.at(Verdict::kNotApplicable))).append(" do not apply, ");
  out.append(std::to_string(counts.at(Verdict::kNotDecidable))).append(" are not decidable here, ");
  out.append(std::to_string(counts.at(Verdict::kHarnessError))).append(" met harness errors, ");
  out.append(std::to_string(counts.at(Verdict::kUntested) + counts.at(Verdict::kNotSelected)));
  out.append(" were not tested; ").append(std::to_string(result.cases.size()));
  out.append(" cases in ").append(RoundedSeconds(result.elapsed)).append(".\n");
  const bool good = ExitCode(result.conclusion) == 0;
  out.append(style.bold).append(good ? style.green : style.red).append(result.testee).append(": ");
  out.append(ConclusionSentence(result.conclusion)).append(style.off).append("\n");
  return out;
}

}  // namespace assay::conformance
