#include "conformance/rules/rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/yaml/yaml.h"

namespace assay::conformance {
namespace {

constexpr std::array<std::pair<std::string_view, Need>, 6> kNeeds = {{
    {"kubelet", Need::kKubelet},
    {"apiserver", Need::kApiServer},
    {"devices", Need::kDevices},
    {"files", Need::kFiles},
    {"lifecycle", Need::kLifecycle},
    {"runtime", Need::kRuntime},
}};

// The tags of "MGR:405-409; KUB dra/v1/api.proto:4": each word that begins an entry.
std::vector<std::string> SourceTags(std::string_view source) {
  std::vector<std::string> tags;
  while (!source.empty()) {
    const std::size_t end = std::min(source.find("; "), source.size());
    const std::string_view entry = source.substr(0, end);
    tags.emplace_back(entry.substr(0, entry.find_first_of(": ")));
    source.remove_prefix(std::min(end + 2, source.size()));
  }
  return tags;
}

}  // namespace

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kMust:
      return "MUST";
    case Severity::kShould:
      return "SHOULD";
    case Severity::kMay:
      return "MAY";
  }
  return "?";
}

class RuleSetParser {
 public:
  Result<RuleSet> Parse(const yaml::Node& root) {
    ASSAY_RETURN_IF_ERROR(
        root.CheckKeys({"ruleSet", "anchor", "needs", "features", "sources", "areas", "rules"}));
    ASSAY_ASSIGN_OR_RETURN(set_.version_, root.GetString("ruleSet"));
    ASSAY_ASSIGN_OR_RETURN(set_.anchor_, root.GetString("anchor"));
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* needs, root.Require("needs"));
    ASSAY_RETURN_IF_ERROR(CheckNeeds(*needs));
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* features, root.Require("features"));
    ASSAY_RETURN_IF_ERROR(ParseFeatures(*features));
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* sources, root.Require("sources"));
    ASSAY_RETURN_IF_ERROR(ParseSources(*sources));
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* areas, root.Require("areas"));
    ASSAY_RETURN_IF_ERROR(ParseAreas(*areas));
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* rules, root.Require("rules"));
    if (!rules->IsSequence()) {
      return rules->Error("expected a list of rules");
    }
    for (const yaml::Node& node : rules->items()) {
      ASSAY_RETURN_IF_ERROR(ParseRule(node));
    }
    for (const yaml::Node& node : areas->items()) {
      ASSAY_RETURN_IF_ERROR(CheckCount(node));
    }
    return std::move(set_);
  }

 private:
  static Status CheckNeeds(const yaml::Node& node) {
    ASSAY_RETURN_IF_ERROR(
        node.CheckKeys({"kubelet", "apiserver", "devices", "files", "lifecycle", "runtime"}));
    for (const auto& [name, need] : kNeeds) {
      ASSAY_RETURN_IF_ERROR(node.GetString(name).status());
    }
    return OkStatus();
  }

  Status ParseFeatures(const yaml::Node& node) {
    if (!node.IsMapping()) {
      return node.Error("expected a mapping from feature to its description");
    }
    for (const auto& [name, value] : node.entries()) {
      ASSAY_RETURN_IF_ERROR(value.CheckKeys({"kep", "text"}));
      Feature feature{.name = name, .text = {}, .kep = 0};
      ASSAY_ASSIGN_OR_RETURN(feature.text, value.GetString("text"));
      ASSAY_ASSIGN_OR_RETURN(feature.kep, Kep(value));
      set_.features_.push_back(std::move(feature));
    }
    return OkStatus();
  }

  Status ParseSources(const yaml::Node& node) {
    if (!node.IsMapping()) {
      return node.Error("expected a mapping from tag to source");
    }
    for (const auto& [tag, value] : node.entries()) {
      ASSAY_ASSIGN_OR_RETURN(std::string text, value.AsString());
      set_.sources_.push_back({.tag = tag, .text = std::move(text)});
    }
    return OkStatus();
  }

  Status ParseAreas(const yaml::Node& node) {
    if (!node.IsSequence()) {
      return node.Error("expected a list of areas");
    }
    for (const yaml::Node& item : node.items()) {
      ASSAY_RETURN_IF_ERROR(item.CheckKeys({"id", "kep", "rules", "title"}));
      Area area;
      ASSAY_ASSIGN_OR_RETURN(area.id, item.GetString("id"));
      ASSAY_ASSIGN_OR_RETURN(area.title, item.GetString("title"));
      ASSAY_ASSIGN_OR_RETURN(area.kep, Kep(item));
      if (FindArea(area.id) != nullptr) {
        return item.Error("area " + area.id + " is listed twice");
      }
      set_.areas_.push_back(std::move(area));
    }
    return OkStatus();
  }

  Status ParseRule(const yaml::Node& node) {
    ASSAY_RETURN_IF_ERROR(
        node.CheckKeys({"id", "severity", "derived", "text", "source", "needs", "feature", "kep"}));
    Rule rule;
    ASSAY_ASSIGN_OR_RETURN(rule.id, node.GetString("id"));
    ASSAY_RETURN_IF_ERROR(NameRule(node, rule));
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* severity, node.Require("severity"));
    ASSAY_ASSIGN_OR_RETURN(rule.severity, ParseSeverity(*severity));
    ASSAY_ASSIGN_OR_RETURN(rule.derived, node.GetBoolOr("derived", false));
    ASSAY_ASSIGN_OR_RETURN(rule.text, node.GetString("text"));
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* source, node.Require("source"));
    ASSAY_ASSIGN_OR_RETURN(rule.source, source->AsString());
    for (const std::string& tag : SourceTags(rule.source)) {
      if (std::ranges::find(set_.sources_, tag, &Source::tag) == set_.sources_.end()) {
        return source->Error("the source tag '" + tag + "' is not in `sources`");
      }
    }
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* needs, node.Require("needs"));
    ASSAY_RETURN_IF_ERROR(ParseNeeds(*needs, rule));
    if (const yaml::Node* feature = node.Find("feature"); feature != nullptr) {
      ASSAY_ASSIGN_OR_RETURN(rule.feature, feature->AsString());
      if (set_.FindFeature(rule.feature) == nullptr) {
        return feature->Error("'" + rule.feature + "' is not in `features`");
      }
    }
    if (node.Find("kep") != nullptr) {
      ASSAY_ASSIGN_OR_RETURN(rule.kep, Kep(node));
    }
    set_.rules_.push_back(std::move(rule));
    return OkStatus();
  }

  // The area from the id, whose number follows on the one before in its area.
  Status NameRule(const yaml::Node& node, Rule& rule) {
    rule.area = rule.id.substr(0, rule.id.find('-'));
    const Area* area = FindArea(rule.area);
    if (area == nullptr) {
      return node.Error("'" + rule.id + "' begins with no area of `areas`");
    }
    rule.kep = area->kep;
    const int number = ++counts_[rule.area];
    const std::string expected = rule.area + (number < 10 ? "-0" : "-") + std::to_string(number);
    if (rule.id != expected) {
      return node.Error("expected the id " + expected + ", found " + rule.id);
    }
    return OkStatus();
  }

  static Result<Severity> ParseSeverity(const yaml::Node& node) {
    ASSAY_ASSIGN_OR_RETURN(const std::string text, node.AsString());
    if (text == "must") {
      return Severity::kMust;
    }
    if (text == "should") {
      return Severity::kShould;
    }
    if (text == "may") {
      return Severity::kMay;
    }
    return node.Error("expected must, should or may");
  }

  static Status ParseNeeds(const yaml::Node& node, Rule& rule) {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, node.AsStrings());
    for (const std::string& name : names) {
      const auto* need = std::ranges::find(kNeeds, name, &std::pair<std::string_view, Need>::first);
      if (need == kNeeds.end()) {
        return node.Error("'" + name + "' is not in `needs`");
      }
      rule.needs.push_back(need->second);
    }
    return OkStatus();
  }

  static Result<int> Kep(const yaml::Node& node) {
    ASSAY_ASSIGN_OR_RETURN(const std::int64_t kep, node.GetInt64("kep"));
    if (kep <= 0 || kep > 99999) {
      return node.Error("kep: expected the number of a KEP");
    }
    return static_cast<int>(kep);
  }

  Status CheckCount(const yaml::Node& node) {
    ASSAY_ASSIGN_OR_RETURN(const std::int64_t expected, node.GetInt64("rules"));
    ASSAY_ASSIGN_OR_RETURN(const std::string id, node.GetString("id"));
    if (counts_[id] != expected) {
      return node.Error(id + " has " + std::to_string(counts_[id]) + " rules, not " +
                        std::to_string(expected));
    }
    return OkStatus();
  }

  const Area* FindArea(std::string_view id) const {
    const auto area = std::ranges::find(set_.areas_, id, &Area::id);
    return area == set_.areas_.end() ? nullptr : &*area;
  }

  RuleSet set_;
  std::map<std::string, int> counts_;
};

Result<RuleSet> RuleSet::Parse(std::string_view text, std::string_view file_name) {
  ASSAY_ASSIGN_OR_RETURN(const yaml::Node root, yaml::Parse(text, file_name));
  return RuleSetParser().Parse(root);
}

const RuleSet& RuleSet::Embedded() {
  static const RuleSet* const rules = [] {
    Result<RuleSet> parsed = Parse(EmbeddedRulesText(), "rules.yaml");
    ASSAY_CHECK(parsed.ok()) << parsed.status().ToString();
    return new RuleSet(*std::move(parsed));
  }();
  return *rules;
}

const Rule* RuleSet::Find(std::string_view id) const {
  const auto rule = std::ranges::find(rules_, id, &Rule::id);
  return rule == rules_.end() ? nullptr : &*rule;
}

const Feature* RuleSet::FindFeature(std::string_view name) const {
  const auto feature = std::ranges::find(features_, name, &Feature::name);
  return feature == features_.end() ? nullptr : &*feature;
}

}  // namespace assay::conformance
