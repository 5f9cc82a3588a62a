#include "conformance/rules/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/testing/status_matchers.h"

namespace assay::conformance {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsNull;
using ::testing::NotNull;

std::string WithRules(const std::string& rules, int count = 1) {
  return "ruleSet: '1'\nanchor: a\n"
         "needs: {kubelet: k, apiserver: a, devices: d, files: f, lifecycle: l, runtime: r}\n"
         "features:\n  health: {kep: 4680, text: t}\n"
         "sources:\n  MGR: manager.go\n"
         "areas:\n  - {id: REG, kep: 4381, rules: " +
         std::to_string(count) + ", title: T}\nrules:\n" + rules;
}

TEST(RuleSetTest, EmbeddedRulesAreTheWholeList) {
  const RuleSet& rules = RuleSet::Embedded();
  EXPECT_EQ(rules.rules().size(), 328U);
  std::map<Severity, int> severities;
  int derived = 0;
  int decisive = 0;
  for (const Rule& rule : rules.rules()) {
    ++severities[rule.severity];
    derived += rule.derived ? 1 : 0;
    decisive += rule.Decisive() ? 1 : 0;
    EXPECT_FALSE(rule.text.empty()) << rule.id;
    EXPECT_FALSE(rule.needs.empty()) << rule.id;
  }
  EXPECT_EQ(severities[Severity::kMust], 232);
  EXPECT_EQ(severities[Severity::kShould], 94);
  EXPECT_EQ(severities[Severity::kMay], 2);
  EXPECT_EQ(derived, 79);
  EXPECT_EQ(decisive, 197);
}

TEST(RuleSetTest, IdsAreUnique) {
  std::set<std::string> ids;
  for (const Rule& rule : RuleSet::Embedded().rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
  }
}

TEST(RuleSetTest, EveryFeatureAndSourceIsUsed) {
  const RuleSet& rules = RuleSet::Embedded();
  for (const Feature& feature : rules.features()) {
    EXPECT_TRUE(std::ranges::any_of(rules.rules(), [&](const Rule& rule) {
      return rule.feature == feature.name;
    })) << feature.name;
  }
  for (const Source& source : rules.sources()) {
    EXPECT_TRUE(std::ranges::any_of(rules.rules(), [&](const Rule& rule) {
      return ("; " + rule.source).find("; " + source.tag) != std::string::npos;
    })) << source.tag;
  }
}

TEST(RuleSetTest, FindsARuleById) {
  const Rule* rule = RuleSet::Embedded().Find("HLTH-03");
  ASSERT_THAT(rule, NotNull());
  EXPECT_EQ(rule->kep, 4680);
  EXPECT_EQ(rule->feature, "device-health");
  EXPECT_THAT(RuleSet::Embedded().Find("HLTH-99"), IsNull());
}

TEST(RuleSetTest, AcceptsARule) {
  ASSAY_ASSERT_OK_AND_ASSIGN(
      const RuleSet rules,
      RuleSet::Parse(WithRules("  - {id: REG-01, severity: must, derived: true, text: t, "
                               "source: 'MGR:1', needs: [kubelet], feature: health, kep: 4680}\n"),
                     "r.yaml"));
  ASSERT_EQ(rules.rules().size(), 1U);
  EXPECT_FALSE(rules.rules()[0].Decisive());
  EXPECT_EQ(rules.rules()[0].kep, 4680);
}

TEST(RuleSetTest, RefusesWhatIsNotAsTheHeadSays) {
  const auto parse = [](const std::string& rules, int count = 1) {
    return RuleSet::Parse(WithRules(rules, count), "r.yaml");
  };
  EXPECT_THAT(
      parse("  - {id: REG-01, severity: must, text: t, source: 'MGR:1', needs: [gpu]}\n"),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("r.yaml:11: rules[0].needs: 'gpu'")));
  EXPECT_THAT(parse("  - {id: REG-01, severity: shall, text: t, source: 'MGR:1', needs: []}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected must, should or may")));
  EXPECT_THAT(parse("  - {id: REG-01, severity: must, text: t, source: 'XX:1', needs: []}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("source tag 'XX'")));
  EXPECT_THAT(parse("  - {id: REG-02, severity: must, text: t, source: 'MGR:1', needs: []}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected the id REG-01")));
  EXPECT_THAT(parse("  - {id: ABC-01, severity: must, text: t, source: 'MGR:1', needs: []}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no area")));
  EXPECT_THAT(parse("  - {id: REG-01, severity: must, text: t, source: 'MGR:1', needs: []}\n", 2),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("REG has 1 rules, not 2")));
  EXPECT_THAT(parse("  - {id: REG-01, severity: must, text: t, source: 'MGR:1', needs: [], "
                    "feature: wings}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'wings' is not in `features`")));
  EXPECT_THAT(parse("  - {id: REG-01, level: must, text: t, source: 'MGR:1', needs: []}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("level")));
}

}  // namespace
}  // namespace assay::conformance
