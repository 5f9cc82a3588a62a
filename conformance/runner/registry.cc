#include "conformance/runner/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace assay::conformance {
namespace {

struct Statement {
  std::vector<std::string> rules;
  bool used = false;
};

using Statements = std::map<std::pair<std::string, int>, Statement>;

// Filled by static initialisers: made at first use.
Statements& AllStatements() {
  static Statements* const statements = new Statements;
  return *statements;
}

// Paths as the compiler has them begin with the source directory: keep what follows it.
std::string FromRoot(std::string_view path) {
  const std::size_t at = path.rfind("conformance/");
  return std::string(at == std::string_view::npos ? path : path.substr(at));
}

// As GoogleTest matches: '*' and '?'.
bool Matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) {
    return text.empty();
  }
  if (pattern.front() == '*') {
    return Matches(pattern.substr(1), text) || (!text.empty() && Matches(pattern, text.substr(1)));
  }
  return !text.empty() && (pattern.front() == '?' || pattern.front() == text.front()) &&
         Matches(pattern.substr(1), text.substr(1));
}

bool Matches(std::string_view pattern, const CaseInfo& info) {
  return Matches(pattern, info.FullName()) || Matches(pattern, info.suite) ||
         std::ranges::any_of(info.rules, [&](const std::string& rule) {
           return Matches(pattern, rule) || Matches(pattern, rule.substr(0, rule.find('-')));
         });
}

// The statement above the test at `line`, if no other test is between them.
Statement* StatementFor(const std::string& file, int line, int previous_test) {
  Statements& statements = AllStatements();
  const auto after = statements.lower_bound({file, line});
  if (after == statements.begin()) {
    return nullptr;
  }
  auto& [where, statement] = *std::prev(after);
  return where.first == file && where.second > previous_test ? &statement : nullptr;
}

Result<std::string> FeatureOf(const CaseInfo& info, const RuleSet& rules) {
  std::set<std::string> features;
  for (const std::string& id : info.rules) {
    const Rule* rule = rules.Find(id);
    if (rule == nullptr) {
      return InvalidArgumentError(info.FullName() + " decides " + id + ", which is no rule");
    }
    features.insert(rule->feature);
  }
  if (features.size() != 1) {
    return InvalidArgumentError(info.FullName() + " decides rules of several features; split it");
  }
  return *features.begin();
}

}  // namespace

bool RegisterDecides(const char* file, int line, std::initializer_list<const char*> rules) {
  Statement& statement = AllStatements()[{file, line}];
  statement.rules.assign(rules.begin(), rules.end());
  return true;
}

Result<std::vector<CaseInfo>> AllCases(const RuleSet& rules) {
  std::map<std::string, std::set<int>> test_lines;
  const auto* unit_test = ::testing::UnitTest::GetInstance();
  std::vector<const ::testing::TestInfo*> tests;
  for (int i = 0; i < unit_test->total_test_suite_count(); ++i) {
    const auto* suite = unit_test->GetTestSuite(i);
    for (int j = 0; j < suite->total_test_count(); ++j) {
      tests.push_back(suite->GetTestInfo(j));
      test_lines[tests.back()->file()].insert(tests.back()->line());
    }
  }
  std::vector<CaseInfo> cases;
  for (const ::testing::TestInfo* test : tests) {
    const std::set<int>& lines = test_lines[test->file()];
    const auto self = lines.find(test->line());
    const int previous = self == lines.begin() ? 0 : *std::prev(self);
    CaseInfo info{.suite = test->test_suite_name(),
                  .name = test->name(),
                  .file = FromRoot(test->file()),
                  .line = test->line(),
                  .rules = {},
                  .feature = {}};
    Statement* statement = StatementFor(test->file(), test->line(), previous);
    if (statement == nullptr || statement->rules.empty()) {
      return InvalidArgumentError(info.file + ":" + std::to_string(info.line) + ": " +
                                  info.FullName() + " has no DECIDES above it");
    }
    statement->used = true;
    info.rules = statement->rules;
    ASSAY_ASSIGN_OR_RETURN(info.feature, FeatureOf(info, rules));
    cases.push_back(std::move(info));
  }
  for (const auto& [where, statement] : AllStatements()) {
    if (!statement.used) {
      return InvalidArgumentError(FromRoot(where.first) + ":" + std::to_string(where.second) +
                                  ": DECIDES without a test below it");
    }
  }
  return cases;
}

std::string NotDeclared(const std::string& feature) { return feature + " is not declared"; }

DecidedRules RulesDecidedBy(const std::vector<CaseInfo>& cases) {
  DecidedRules decided;
  for (const CaseInfo& each : cases) {
    for (const std::string& rule : each.rules) {
      decided[rule].push_back(each.FullName());
    }
  }
  return decided;
}

Result<std::vector<CaseInfo>> SelectCases(const std::vector<CaseInfo>& cases,
                                          const std::string& filter) {
  std::vector<bool> selected(cases.size(), filter.empty());
  std::string_view rest = filter;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string_view pattern = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    bool found = pattern.empty();
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (Matches(pattern, cases[i])) {
        selected[i] = found = true;
      }
    }
    if (!found) {
      return InvalidArgumentError("'" + std::string(pattern) +
                                  "' selects no case; expected cases (Prepare.*), rules (PREP-01) "
                                  "or areas (PREP), separated by ':'");
    }
  }
  std::vector<CaseInfo> result;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (selected[i]) {
      result.push_back(cases[i]);
    }
  }
  return result;
}

Result<std::vector<CaseInfo>> CasesOfShard(const std::vector<CaseInfo>& cases, const Shard& shard) {
  // Groups of cases that share rules, each named by its first rule.
  std::map<std::string, std::string> parents;
  const auto group_of = [&](std::string rule) {
    for (auto at = parents.find(rule); at != parents.end() && at->second != rule;
         at = parents.find(rule)) {
      rule = at->second;
    }
    return rule;
  };
  for (const CaseInfo& each : cases) {
    const std::string group = group_of(each.rules.front());
    for (const std::string& rule : each.rules) {
      parents[group_of(rule)] = group;
    }
  }
  std::map<std::string, std::size_t> numbers;
  std::vector<CaseInfo> result;
  for (const CaseInfo& each : cases) {
    const std::size_t number =
        numbers.emplace(group_of(each.rules.front()), numbers.size()).first->second;
    if (number % static_cast<std::size_t>(shard.count) ==
        static_cast<std::size_t>(shard.index) - 1) {
      result.push_back(each);
    }
  }
  if (result.empty()) {
    return InvalidArgumentError("shard " + std::to_string(shard.index) + "/" +
                                std::to_string(shard.count) + " has no case: the " +
                                std::to_string(cases.size()) + " selected come in " +
                                std::to_string(numbers.size()) + " groups that belong together");
  }
  return result;
}

}  // namespace assay::conformance
