#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report/internal/escape.h"
#include "conformance/report/report.h"

namespace assay::conformance {
namespace {

using internal::EscapeMarkup;

std::string Seconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", std::chrono::duration<double>(duration).count());
  return text;
}

std::string Element(std::string_view element, std::string_view message, std::string_view body) {
  std::string out = "      <" + std::string(element) + " message=\"" + EscapeMarkup(message) + "\"";
  return out +
         (body.empty() ? "/>\n" : ">" + EscapeMarkup(body) + "</" + std::string(element) + ">\n");
}

std::string Case(const CaseResult& result) {
  std::string out = "    <testcase classname=\"" + EscapeMarkup(result.suite) + "\" name=\"" +
                    EscapeMarkup(result.name) + "\" time=\"" + Seconds(result.elapsed) +
                    "\" file=\"" + EscapeMarkup(result.file) + "\" line=\"" +
                    std::to_string(result.line) + "\">\n";
  out += "      <properties>\n";
  for (const std::string& rule : result.rules) {
    out += "        <property name=\"rule\" value=\"" + EscapeMarkup(rule) + "\"/>\n";
  }
  out += "      </properties>\n";
  switch (result.outcome) {
    case Outcome::kPassed:
      break;
    case Outcome::kFailed:
      out += Element("failure", result.message, result.details);
      break;
    case Outcome::kHarnessError:
      out += Element("error", result.message, result.details);
      break;
    case Outcome::kFailedAsExpected:
      out += Element("skipped", "expected failure: " + result.message, result.details);
      break;
    case Outcome::kNotApplicable:
      out += Element("skipped", "not applicable: " + result.message, {});
      break;
    case Outcome::kNotDecidable:
      out += Element("skipped", "not decidable here: " + result.message, {});
      break;
  }
  return out + "    </testcase>\n";
}

struct Suite {
  std::string cases;
  int tests = 0;
  int failures = 0;
  int errors = 0;
  int skipped = 0;
  Duration elapsed{};
};

void Add(const CaseResult& result, Suite& suite) {
  suite.cases += Case(result);
  ++suite.tests;
  suite.elapsed += result.elapsed;
  suite.failures += result.outcome == Outcome::kFailed ? 1 : 0;
  suite.errors += result.outcome == Outcome::kHarnessError ? 1 : 0;
  suite.skipped += result.outcome == Outcome::kFailedAsExpected ||
                           result.outcome == Outcome::kNotApplicable ||
                           result.outcome == Outcome::kNotDecidable
                       ? 1
                       : 0;
}

std::string Attributes(const Suite& suite) {
  return "tests=\"" + std::to_string(suite.tests) + "\" failures=\"" +
         std::to_string(suite.failures) + "\" errors=\"" + std::to_string(suite.errors) +
         "\" skipped=\"" + std::to_string(suite.skipped) + "\" time=\"" + Seconds(suite.elapsed) +
         "\"";
}

// Rules without a case, expectations that broke and trouble: a case each, so that a CI system that
// reads nothing else shows them.
Suite RunSuite(const RunResult& result) {
  Suite suite;
  const auto add = [&](const std::string& name, std::string_view element,
                       const std::string& message, int& counter) {
    suite.cases += "    <testcase classname=\"assay\" name=\"" + EscapeMarkup(name) + "\">\n" +
                   Element(element, message, {}) + "    </testcase>\n";
    ++suite.tests;
    ++counter;
  };
  for (const RuleVerdict& rule : result.rules) {
    if (rule.verdict == Verdict::kUntested) {
      add(rule.rule->id, "skipped", "no test decides this rule", suite.skipped);
    } else if (rule.verdict == Verdict::kNotSelected) {
      add(rule.rule->id, "skipped", "not selected in this run", suite.skipped);
    }
  }
  for (const std::string& broken : result.broken_expectations) {
    add("expectations", "failure", broken, suite.failures);
  }
  for (const std::string& trouble : result.trouble) {
    add("run", "error", trouble, suite.errors);
  }
  return suite;
}

}  // namespace

std::string JunitReport(const RuleSet& rules, const RunResult& result) {
  std::vector<std::pair<std::string, Suite>> suites;  // In the order of the run.
  for (const CaseResult& each : result.cases) {
    if (suites.empty() || suites.back().first != each.suite) {
      suites.emplace_back(each.suite, Suite());
    }
    Add(each, suites.back().second);
  }
  suites.emplace_back("assay", RunSuite(result));
  Suite total;
  std::string body;
  for (const auto& [name, suite] : suites) {
    body += "  <testsuite name=\"" + EscapeMarkup(name) + "\" " + Attributes(suite) +
            " timestamp=\"" + FormatRfc3339(result.started) + "\">\n";
    if (name == "assay") {
      body += "    <properties>\n";
      for (const auto& [key, value] :
           {std::pair<std::string, std::string>{"testee", result.testee},
            {"driver", result.driver},
            {"ruleSet", rules.version()},
            {"conclusion", std::string(ConclusionName(result.conclusion))}}) {
        body += "      <property name=\"" + key + "\" value=\"" + EscapeMarkup(value) + "\"/>\n";
      }
      body += "    </properties>\n";
    }
    body += suite.cases + "  </testsuite>\n";
    total.tests += suite.tests;
    total.failures += suite.failures;
    total.errors += suite.errors;
    total.skipped += suite.skipped;
    total.elapsed += suite.elapsed;
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"" +
         EscapeMarkup(result.testee) + "\" " + Attributes(total) + ">\n" + body + "</testsuites>\n";
}

}  // namespace assay::conformance
