// YAML as Assay reads it: strict, with the line of every value, so that each complaint about a
// profile or a scenario says "file:line: field: what was expected".
//
// Built on yaml-cpp's event interface, because its tree accepts duplicate keys and loses lines.
// Duplicate keys, aliases that nest too deep, and tags are refused.
//
//   ASSAY_ASSIGN_OR_RETURN(yaml::Node root, yaml::ParseFile(path));
//   ASSAY_RETURN_IF_ERROR(root.CheckKeys({"name", "memory"}));
//   ASSAY_ASSIGN_OR_RETURN(std::string name, root.GetString("name"));
//
// Thread-safe: immutable values.
#ifndef ASSAY_BASE_YAML_YAML_H_
#define ASSAY_BASE_YAML_YAML_H_

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace assay::yaml {

class Node {
 public:
  enum class Type { kNull, kScalar, kSequence, kMapping };

  Type type() const { return type_; }
  bool IsNull() const { return type_ == Type::kNull; }
  bool IsMapping() const { return type_ == Type::kMapping; }
  bool IsSequence() const { return type_ == Type::kSequence; }
  bool IsScalar() const { return type_ == Type::kScalar; }
  int line() const { return line_; }  // From 1.
  const std::string& file() const { return *file_; }
  // "devices[2].memory"; empty for the root.
  const std::string& path() const { return path_; }

  // Scalars: the text as written, without quotes; `quoted` tells "1" from 1.
  const std::string& scalar() const { return scalar_; }
  bool quoted() const { return quoted_; }
  // Sequences.
  const std::vector<Node>& items() const { return items_; }
  // Mappings, in the order of the file.
  const std::vector<std::pair<std::string, Node>>& entries() const { return entries_; }
  // The value of `key` in a mapping, or null.
  const Node* Find(std::string_view key) const;

  // kInvalidArgument "file:line: path: problem".
  Status Error(std::string_view problem) const;

  // Every key of this mapping is in `allowed`; else an error at the key that is not, naming the
  // nearest allowed one. An error too if this is no mapping.
  Status CheckKeys(std::initializer_list<std::string_view> allowed) const;
  // The value of `key`, or an error at this mapping that says that it is required.
  Result<const Node*> Require(std::string_view key) const;

  // This scalar as a type; else an error that says what was expected.
  Result<std::string> AsString() const;
  Result<std::int64_t> AsInt64() const;
  Result<std::uint64_t> AsUint64() const;  // Also 0x1f.
  Result<double> AsDouble() const;
  Result<bool> AsBool() const;                         // true, false
  Result<Duration> AsDuration() const;                 // 1h30m, 1.5s, 250ms, 10us, 5ns
  Result<std::vector<std::string>> AsStrings() const;  // A sequence of strings.

  // A required entry of this mapping as a type.
  Result<std::string> GetString(std::string_view key) const;
  Result<std::int64_t> GetInt64(std::string_view key) const;
  Result<std::uint64_t> GetUint64(std::string_view key) const;
  // An optional entry of this mapping: `fallback` where it is absent or null.
  Result<std::string> GetStringOr(std::string_view key, std::string fallback) const;
  Result<std::int64_t> GetInt64Or(std::string_view key, std::int64_t fallback) const;
  Result<std::uint64_t> GetUint64Or(std::string_view key, std::uint64_t fallback) const;
  Result<double> GetDoubleOr(std::string_view key, double fallback) const;
  Result<bool> GetBoolOr(std::string_view key, bool fallback) const;
  Result<Duration> GetDurationOr(std::string_view key, Duration fallback) const;
  Result<std::vector<std::string>> GetStringsOr(std::string_view key,
                                                std::vector<std::string> fallback) const;

 private:
  friend class TreeBuilder;
  friend Node Overlay(const Node& base, const Node& over);
  Type type_ = Type::kNull;
  bool quoted_ = false;
  int line_ = 0;
  // Shared by all nodes of one file.
  std::shared_ptr<const std::string> file_;
  std::string path_;
  std::string scalar_;
  std::vector<Node> items_;
  std::vector<std::pair<std::string, Node>> entries_;
};

// One document; more than one is an error. `file_name` is what errors name.
Result<Node> Parse(std::string_view text, std::string_view file_name);
Result<Node> ParseFile(const std::filesystem::path& path);
// Every document of a stream ("---"); empty ones are left out.
Result<std::vector<Node>> ParseDocuments(std::string_view text, std::string_view file_name);

// `over` laid on `base`: mappings are merged key by key, anything else is `over`'s. Each value
// keeps the file and line where it is written.
Node Overlay(const Node& base, const Node& over);

// JSON text of the same value, plain scalars typed as YAML 1.1 does for Kubernetes' manifests
// (sigs.k8s.io/yaml): numbers, true/false/yes/no/on/off, null and ~.
std::string ToJson(const Node& node);

}  // namespace assay::yaml

#endif  // ASSAY_BASE_YAML_YAML_H_
