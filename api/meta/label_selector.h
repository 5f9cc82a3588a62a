// Label selectors: the query grammar ("app in (a,b),!gone,tier!=x") and the structured form of
// meta.LabelSelector, with Kubernetes' rules and words.
//
//   ASSAY_ASSIGN_OR_RETURN(LabelQuery query, LabelQuery::Parse("app=web,tier notin (db)"));
//   if (query.Matches(object.metadata().labels)) ...
//
// Source: apimachinery, pkg/labels/selector.go. Thread-safe: values.
#ifndef ASSAY_API_META_LABEL_SELECTOR_H_
#define ASSAY_API_META_LABEL_SELECTOR_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/meta/types.h"
#include "base/result.h"

namespace assay::api::meta {

struct LabelQueryRequirement {
  enum class Operator {
    kIn,
    kNotIn,
    kEquals,
    kDoubleEquals,
    kNotEquals,
    kExists,
    kDoesNotExist,
    kGreaterThan,
    kLessThan
  };
  std::string key;
  Operator operation = Operator::kExists;
  std::vector<std::string> values;  // Sorted, without repetitions.

  bool Matches(const std::map<std::string, std::string>& labels) const;
  std::string ToString() const;
  friend bool operator==(const LabelQueryRequirement&, const LabelQueryRequirement&) = default;
};

class LabelQuery {
 public:
  LabelQuery() = default;  // Matches everything.

  // kInvalidArgument with upstream's words, such as `unable to parse requirement: found '=',
  // expected: identifier`.
  static Result<LabelQuery> Parse(std::string_view text);
  // kInvalidArgument for an operator or values that the rules refuse. An empty selector matches
  // everything; where an absent one shall match nothing, the caller says so.
  static Result<LabelQuery> From(const LabelSelector& selector);
  static LabelQuery Nothing();

  bool Matches(const std::map<std::string, std::string>& labels) const;
  bool MatchesEverything() const { return !nothing_ && requirements_.empty(); }
  const std::vector<LabelQueryRequirement>& requirements() const { return requirements_; }
  std::string ToString() const;

 private:
  bool nothing_ = false;
  std::vector<LabelQueryRequirement> requirements_;  // Sorted by key.
};

// What is wrong with a label's key (a qualified name) or value; empty: nothing.
std::vector<std::string> LabelKeyProblems(std::string_view key);
std::vector<std::string> LabelValueProblems(std::string_view value);

}  // namespace assay::api::meta

#endif  // ASSAY_API_META_LABEL_SELECTOR_H_
