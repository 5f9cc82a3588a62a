// FieldSet: which fields of an object a manager owns, as managedFields keeps it.
//
// A PathElement is one step into an object: a field or map key (`f:`), an item of a list by its key
// fields (`k:`), an item of a set by its value (`v:`), or an index (`i:`). A FieldSet is a tree of
// them. Source: structured-merge-diff, fieldpath/.
//
// Thread-safe: values.
#ifndef ASSAY_API_PATCH_FIELD_SET_H_
#define ASSAY_API_PATCH_FIELD_SET_H_

#include <compare>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay::api::patch {

// Numbers before strings before booleans before lists before maps before null, each by value; ints
// and floats compare as numbers. Source: structured-merge-diff, value/value.go.
std::strong_ordering CompareValues(const nlohmann::json& a, const nlohmann::json& b);

struct PathElement {
  enum class Type { kField, kKey, kValue, kIndex };

  static PathElement Field(std::string name);
  // An object with the item's key fields.
  static PathElement Key(nlohmann::json fields);
  static PathElement Value(nlohmann::json value);

  // "f:spec", "k:{\"name\":\"a\"}"; kUnimplemented for a kind that is not known.
  static Result<PathElement> Parse(std::string_view text);
  std::string Serialize() const;
  // ".spec", "[name=\"a\"]", "[=\"a\"]": as conflicts print it.
  std::string ToString() const;

  Type type = Type::kField;
  std::string name;      // kField
  nlohmann::json value;  // kKey, kValue, kIndex

  friend std::strong_ordering operator<=>(const PathElement& a, const PathElement& b);
  friend bool operator==(const PathElement& a, const PathElement& b) { return a <=> b == 0; }
};

using Path = std::vector<PathElement>;
std::string PathToString(const Path& path);

class FieldSet {
 public:
  FieldSet() = default;
  // From the JSON text of fieldsV1. Elements of unknown kinds are dropped.
  static Result<FieldSet> Parse(std::string_view json);
  std::string ToJson() const;

  bool Empty() const;
  bool Has(const PathElement& element) const { return members_.contains(element); }
  bool Has(const Path& path) const;
  // What lies below `element`; null if nothing does.
  const FieldSet* Child(const PathElement& element) const;
  const std::set<PathElement>& members() const { return members_; }
  const std::map<PathElement, FieldSet>& children() const { return children_; }

  // Parents are not inserted with their children. The empty path is ignored.
  void Insert(const Path& path);
  void InsertMember(PathElement element) { members_.insert(std::move(element)); }
  // The set below `element`, made if there is none.
  FieldSet& Descend(const PathElement& element) { return children_[element]; }

  FieldSet Union(const FieldSet& other) const;
  FieldSet Intersection(const FieldSet& other) const;
  FieldSet Difference(const FieldSet& other) const;
  // Also without everything below a member of `other`.
  FieldSet RecursiveDifference(const FieldSet& other) const;

  // Every member, parents first.
  std::vector<Path> Paths() const;

  friend bool operator==(const FieldSet&, const FieldSet&) = default;

 private:
  static Result<FieldSet> FromValue(const nlohmann::json& value, bool* is_member);
  void AppendJson(bool include_self, std::string& out) const;
  void AppendPaths(Path& prefix, std::vector<Path>& out) const;

  std::set<PathElement> members_;
  std::map<PathElement, FieldSet> children_;
};

}  // namespace assay::api::patch

#endif  // ASSAY_API_PATCH_FIELD_SET_H_
