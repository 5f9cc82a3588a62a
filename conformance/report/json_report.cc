#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "conformance/report/report.h"

namespace assay::conformance {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<Outcome, const char*> kOutcomes[] = {
    {Outcome::kPassed, "passed"},
    {Outcome::kFailed, "failed"},
    {Outcome::kFailedAsExpected, "failed as expected"},
    {Outcome::kNotApplicable, "not applicable"},
    {Outcome::kNotDecidable, "not decidable here"},
    {Outcome::kHarnessError, "harness error"}};

std::string OutcomeName(Outcome outcome) {
  return std::ranges::find(kOutcomes, outcome, &std::pair<Outcome, const char*>::first)->second;
}

double Milliseconds(Duration duration) {
  return static_cast<double>(duration.count() / 1000) / 1000;
}

Json CaseJson(const CaseResult& result) {
  Json out = {{"case", result.FullName()},
              {"rules", result.rules},
              {"outcome", OutcomeName(result.outcome)}};
  if (!result.message.empty()) {
    out["message"] = result.message;
  }
  if (!result.details.empty()) {
    out["details"] = result.details;
  }
  for (const Exchange& each : result.exchange) {
    Json entry = {
        {"milliseconds", Milliseconds(each.after)}, {"from", each.from}, {"what", each.what}};
    if (!each.detail.empty()) {
      entry["detail"] = each.detail;
    }
    out["exchange"].push_back(std::move(entry));
  }
  out["file"] = result.file;
  out["line"] = result.line;
  out["milliseconds"] = Milliseconds(result.elapsed);
  return out;
}

Json RuleJson(const RuleVerdict& result) {
  const Rule& rule = *result.rule;
  Json out = {{"id", rule.id},
              {"area", rule.area},
              {"kep", rule.kep},
              {"severity", std::string(SeverityName(rule.severity))},
              {"derived", rule.derived},
              {"text", rule.text},
              {"verdict", std::string(VerdictName(result.verdict))}};
  if (!result.message.empty()) {
    out["message"] = result.message;
  }
  out["cases"] = result.cases;
  return out;
}

}  // namespace

std::string JsonReport(const RuleSet& rules, const RunResult& result) {
  Json out = {{"assay", result.assay_version},
              {"ruleSet", rules.version()},
              {"anchor", rules.anchor()},
              {"testee", result.testee},
              {"driver", result.driver},
              {"filter", result.filter},
              {"shard", result.shard},
              {"started", FormatRfc3339(result.started)},
              {"milliseconds", Milliseconds(result.elapsed)},
              {"conclusion", std::string(ConclusionName(result.conclusion))}};
  Json counts = Json::object();
  for (const auto& [verdict, count] : CountVerdicts(result.rules)) {
    counts[std::string(VerdictName(verdict))] = count;
  }
  out["counts"] = std::move(counts);
  out["brokenExpectations"] = result.broken_expectations;
  out["trouble"] = result.trouble;
  out["devices"] = Json::array();
  for (const DeviceSummary& each : result.devices) {
    out["devices"].push_back({{"pool", each.pool},
                              {"name", each.name},
                              {"facts", each.facts},
                              {"consumes", each.consumes}});
  }
  out["rules"] = Json::array();
  for (const RuleVerdict& rule : result.rules) {
    out["rules"].push_back(RuleJson(rule));
  }
  out["cases"] = Json::array();
  for (const CaseResult& each : result.cases) {
    out["cases"].push_back(CaseJson(each));
  }
  // A testee's output may be any bytes.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<RunResult> ParseJsonReport(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  const auto wrong = [](const std::string& problem) {
    return InvalidArgumentError("expected the report.json of a run: " + problem);
  };
  RunResult result;
  try {
    result.assay_version = json.at("assay");
    result.testee = json.at("testee");
    result.driver = json.at("driver");
    result.filter = json.at("filter");
    result.shard = json.at("shard");
    result.broken_expectations = json.at("brokenExpectations");
    result.trouble = json.at("trouble");
    const std::string conclusion = json.at("conclusion");
    const auto known = std::ranges::find(kAllConclusions, conclusion, ConclusionName);
    if (known == std::end(kAllConclusions)) {
      return wrong("the conclusion '" + conclusion + "'");
    }
    result.conclusion = *known;
    for (const Json& each : json.at("cases")) {
      const std::string name = each.at("case");
      const std::size_t dot = name.find('.');
      const std::string outcome = each.at("outcome");
      const auto* found =
          std::ranges::find_if(kOutcomes, [&](const auto& pair) { return pair.second == outcome; });
      if (dot == std::string::npos || found == std::end(kOutcomes)) {
        return wrong("the case '" + name + "' that '" + outcome + "'");
      }
      result.cases.push_back({.suite = name.substr(0, dot),
                              .name = name.substr(dot + 1),
                              .rules = each.at("rules"),
                              .outcome = found->first,
                              .message = each.value("message", ""),
                              .details = each.value("details", ""),
                              .exchange = {},
                              .file = each.at("file"),
                              .line = each.at("line")});
    }
  } catch (const Json::exception& error) {
    return wrong(error.what());
  }
  return result;
}

Result<EarlierRun> ParseEarlierRun(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  EarlierRun run;
  try {
    run.started = json.at("started");
    for (const Json& rule : json.at("rules")) {
      run.verdicts[rule.at("id")] = rule.at("verdict");
    }
  } catch (const Json::exception& error) {
    return InvalidArgumentError("expected the report.json of an earlier run: " +
                                std::string(error.what()));
  }
  return run;
}

}  // namespace assay::conformance
