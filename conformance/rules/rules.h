// The rules that drivers are certified against: conformance/rules.yaml, parsed strictly and built
// into the program.
//
// Thread-safe: immutable values.
#ifndef ASSAY_CONFORMANCE_RULES_RULES_H_
#define ASSAY_CONFORMANCE_RULES_RULES_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay::conformance {

enum class Severity { kMust, kShould, kMay };
// "MUST", "SHOULD", "MAY".
std::string_view SeverityName(Severity severity);

// What a test of a rule works with.
enum class Need { kKubelet, kApiServer, kDevices, kFiles, kLifecycle, kRuntime };

struct Rule {
  std::string id;    // "PREP-01"
  std::string area;  // "PREP"
  int kep = 0;
  Severity severity = Severity::kMust;
  // Stated by no upstream text: reported, and refuses no certificate alone.
  bool derived = false;
  std::string text;
  std::string source;  // Tags of RuleSet::sources, as in "MGR:405-409; API:131".
  std::vector<Need> needs;
  std::string feature;  // Applies only where this is declared; empty: to every driver.

  // A driver that breaks this rule gets no certificate.
  bool Decisive() const { return severity == Severity::kMust && !derived; }
};

struct Area {
  std::string id;
  std::string title;
  int kep = 0;
};

struct Feature {
  std::string name;  // "device-health"
  std::string text;
  int kep = 0;
};

struct Source {
  std::string tag;
  std::string text;
};

class RuleSet {
 public:
  // kInvalidArgument "file:line: field: problem" for anything that is not as rules.yaml's head
  // says: unknown keys, unknown areas, features, needs or source tags, ids given twice or out of
  // order, areas whose count differs.
  static Result<RuleSet> Parse(std::string_view text, std::string_view file_name);
  // The rules that this program was built with.
  static const RuleSet& Embedded();

  const std::string& version() const { return version_; }
  const std::string& anchor() const { return anchor_; }
  const std::vector<Area>& areas() const { return areas_; }
  const std::vector<Feature>& features() const { return features_; }
  const std::vector<Source>& sources() const { return sources_; }
  // In the order of the file.
  const std::vector<Rule>& rules() const { return rules_; }
  // Null where there is none.
  const Rule* Find(std::string_view id) const;
  const Feature* FindFeature(std::string_view name) const;

 private:
  std::string version_;
  std::string anchor_;
  std::vector<Area> areas_;
  std::vector<Feature> features_;
  std::vector<Source> sources_;
  std::vector<Rule> rules_;

  friend class RuleSetParser;
};

// The text of conformance/rules.yaml as it was at build time.
std::string_view EmbeddedRulesText();

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_RULES_RULES_H_
