#include "base/yaml/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <sstream>

#include "base/file.h"

namespace assay::yaml {
namespace {

// A profile nests a handful of levels; more is an attack or a mistake.
constexpr std::size_t kMaxDepth = 64;
// Aliases may multiply a small file into a huge tree.
constexpr std::size_t kMaxNodes = 1'000'000;

// Leaves the parse; caught in ParseEvents alone.
struct Refused {
  int line;
  std::string problem;
};

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

// "300ms", "1h30m", as Go's time.ParseDuration writes durations; without a sign.
bool ParseDuration(std::string_view text, Duration& duration) {
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  static constexpr Unit kUnits[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                    {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  if (text.empty()) {
    return false;
  }
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || number < 0 || std::signbit(number)) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::size_t length = static_cast<std::size_t>(
        std::find_if(text.begin(), text.end(), [](char c) { return c < 'a' || c > 'z'; }) -
        text.begin());
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const Unit& u) { return u.name == text.substr(0, length); });
    if (unit == std::end(kUnits)) {
      return false;
    }
    total += number * unit->nanoseconds;
    text.remove_prefix(length);
  }
  if (total > 9e18) {
    return false;
  }
  duration = Duration(std::llround(total));
  return true;
}

// yaml-cpp takes the end of the file for the end of a quoted scalar. `text` starts at the quote.
bool IsClosed(std::string_view text) {
  const char quote = text.empty() ? '\0' : text.front();
  if (quote != '"' && quote != '\'') {
    return true;  // The offset is not the quote's (a byte order mark): nothing can be said.
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote && quote == '\'' && text.substr(i + 1).starts_with(quote)) {
      ++i;
    } else if (text[i] == quote) {
      return true;
    }
    if (quote == '"' && text[i] == '\\') {
      ++i;
    }
  }
  return false;
}

}  // namespace

// Builds Nodes from yaml-cpp's events.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::shared_ptr<const std::string> file, std::string_view text)
      : file_(std::move(file)), text_(text) {}

  void OnDocumentStart(const YAML::Mark&) override { root_.reset(); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(Make(Node::Type::kNull, mark), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw Refused{mark.line + 1, "an alias of a value that contains it"};
    }
    Node copy = found->second;
    Count(copy, mark);
    Add(std::move(copy), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = Make(Node::Type::kScalar, mark);
    // yaml-cpp: "!" is a quoted scalar, "?" a plain one.
    node.quoted_ = tag == "!";
    if (node.quoted_ &&
        !IsClosed(text_.substr(std::min(text_.size(), static_cast<std::size_t>(mark.pos))))) {
      throw Refused{mark.line + 1, "the quote that starts here is never closed"};
    }
    if (tag != "!" && tag != "?" && !tag.empty()) {
      throw Refused{mark.line + 1, "the tag " + tag + " is not supported"};
    }
    node.scalar_ = value;
    if (!node.quoted_ && (value == "~" || value == "null")) {
      node.type_ = Node::Type::kNull;
    }
    Add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(Node::Type::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(Node::Type::kMapping, mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

  // The document just read; a null where the stream had none.
  Node Take() {
    Node node = root_ ? std::move(*root_) : Node();
    root_.reset();
    node.file_ = file_;
    SetPaths(node, "");
    return node;
  }

 private:
  struct Level {
    Node node;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key;
  };

  Node Make(Node::Type type, const YAML::Mark& mark) {
    if (++nodes_ > kMaxNodes) {
      throw Refused{mark.line + 1, "more than " + std::to_string(kMaxNodes) + " values"};
    }
    Node node;
    node.type_ = type;
    node.line_ = mark.line + 1;
    node.file_ = file_;
    return node;
  }

  void Count(const Node& node, const YAML::Mark& mark) {
    if (++nodes_ > kMaxNodes) {
      throw Refused{mark.line + 1, "more than " + std::to_string(kMaxNodes) + " values"};
    }
    for (const Node& item : node.items_) {
      Count(item, mark);
    }
    for (const auto& [key, value] : node.entries_) {
      Count(value, mark);
    }
  }

  void Open(Node::Type type, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    if (tag != "?" && tag != "!" && !tag.empty()) {
      throw Refused{mark.line + 1, "the tag " + tag + " is not supported"};
    }
    if (levels_.size() >= kMaxDepth) {
      throw Refused{mark.line + 1,
                    "values nest deeper than " + std::to_string(kMaxDepth) + " levels"};
    }
    levels_.push_back(Level{Make(type, mark), anchor, false, {}});
  }

  void Close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    Add(std::move(level.node), level.anchor);
  }

  void Add(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      anchors_[anchor] = node;
    }
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.type_ == Node::Type::kSequence) {
      level.node.items_.push_back(std::move(node));
    } else if (!level.has_key) {
      if (!node.IsScalar()) {
        throw Refused{node.line_, "a key must be a plain string"};
      }
      if (level.node.Find(node.scalar_) != nullptr) {
        throw Refused{node.line_, "the key \"" + node.scalar_ + "\" is given twice"};
      }
      level.key = node.scalar_;
      level.has_key = true;
    } else {
      level.node.entries_.emplace_back(std::move(level.key), std::move(node));
      level.has_key = false;
    }
  }

  // Done once at the end: a value does not know its path before its parents are closed, and an
  // aliased value has several.
  static void SetPaths(Node& node, const std::string& path) {
    node.path_ = path;
    for (std::size_t i = 0; i < node.items_.size(); ++i) {
      SetPaths(node.items_[i], path + "[" + std::to_string(i) + "]");
    }
    for (auto& [key, value] : node.entries_) {
      SetPaths(value, path.empty() ? key : path + "." + key);
    }
  }

  std::shared_ptr<const std::string> file_;
  std::string_view text_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::optional<Node> root_;
  std::size_t nodes_ = 0;
};

namespace {

// The one place where yaml-cpp's exceptions end.
Result<std::vector<Node>> ParseEvents(std::string_view text, std::string_view file_name) {
  const auto file = std::make_shared<const std::string>(file_name);
  const auto refuse = [&](int line, const std::string& problem) {
    return InvalidArgumentError(*file + ":" + std::to_string(line) + ": " + problem);
  };
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    std::vector<Node> documents;
    while (true) {
      TreeBuilder builder(file, text);
      if (!parser.HandleNextDocument(builder)) {
        return documents;
      }
      documents.push_back(builder.Take());
    }
  } catch (const Refused& refused) {
    return refuse(refused.line, refused.problem);
  } catch (const YAML::ParserException& error) {
    return refuse(error.mark.line + 1, error.msg);
  } catch (const YAML::Exception& error) {
    return refuse(1, error.what());
  }
}

}  // namespace

const Node* Node::Find(std::string_view key) const {
  for (const auto& [name, value] : entries_) {
    if (name == key) {
      return &value;
    }
  }
  return nullptr;
}

Status Node::Error(std::string_view problem) const {
  std::string message = file() + ":" + std::to_string(line_) + ": ";
  if (!path_.empty()) {
    message += path_ + ": ";
  }
  return InvalidArgumentError(message.append(problem));
}

Status Node::CheckKeys(std::initializer_list<std::string_view> allowed) const {
  if (!IsMapping()) {
    return Error("expected a mapping");
  }
  for (const auto& [key, value] : entries_) {
    if (std::find(allowed.begin(), allowed.end(), key) != allowed.end()) {
      continue;
    }
    std::string problem = "unknown field";
    const auto nearest = std::min_element(
        allowed.begin(), allowed.end(),
        [&key = key](auto a, auto b) { return EditDistance(key, a) < EditDistance(key, b); });
    if (nearest != allowed.end() && EditDistance(key, *nearest) <= 1 + key.size() / 3) {
      problem += "; did you mean \"" + std::string(*nearest) + "\"?";
    }
    return value.Error(problem);
  }
  return OkStatus();
}

Result<const Node*> Node::Require(std::string_view key) const {
  if (!IsMapping()) {
    return Error("expected a mapping");
  }
  const Node* value = Find(key);
  if (value == nullptr || value->IsNull()) {
    return Error("the field \"" + std::string(key) + "\" is required");
  }
  return value;
}

Result<std::string> Node::AsString() const {
  if (!IsScalar()) {
    return Error("expected a string");
  }
  return scalar_;
}

Result<std::int64_t> Node::AsInt64() const {
  std::int64_t value = 0;
  const char* const end = scalar_.data() + scalar_.size();
  const auto [rest, error] = std::from_chars(scalar_.data(), end, value);
  if (!IsScalar() || quoted_ || error != std::errc() || rest != end) {
    return Error("expected a whole number");
  }
  return value;
}

Result<std::uint64_t> Node::AsUint64() const {
  const bool hexadecimal = scalar_.starts_with("0x");
  std::uint64_t value = 0;
  const char* const end = scalar_.data() + scalar_.size();
  const auto [rest, error] =
      std::from_chars(scalar_.data() + (hexadecimal ? 2 : 0), end, value, hexadecimal ? 16 : 10);
  if (!IsScalar() || quoted_ || error != std::errc() || rest != end) {
    return Error("expected a whole number that is not negative");
  }
  return value;
}

Result<double> Node::AsDouble() const {
  double value = 0;
  const char* const end = scalar_.data() + scalar_.size();
  const auto [rest, error] = std::from_chars(scalar_.data(), end, value);
  if (!IsScalar() || quoted_ || error != std::errc() || rest != end || !std::isfinite(value)) {
    return Error("expected a number");
  }
  return value;
}

Result<bool> Node::AsBool() const {
  if (!IsScalar() || quoted_ || (scalar_ != "true" && scalar_ != "false")) {
    return Error("expected true or false");
  }
  return scalar_ == "true";
}

Result<Duration> Node::AsDuration() const {
  Duration duration{};
  if (!IsScalar() || !ParseDuration(scalar_, duration)) {
    return Error("expected a duration such as 250ms, 10s or 1h30m");
  }
  return duration;
}

Result<std::vector<std::string>> Node::AsStrings() const {
  if (!IsSequence()) {
    return Error("expected a list of strings");
  }
  std::vector<std::string> strings;
  for (const Node& item : items_) {
    ASSAY_ASSIGN_OR_RETURN(std::string text, item.AsString());
    strings.push_back(std::move(text));
  }
  return strings;
}

namespace {

template <typename T>
Result<T> GetRequired(const Node& node, std::string_view key, Result<T> (Node::*as)() const) {
  ASSAY_ASSIGN_OR_RETURN(const Node* value, node.Require(key));
  return (value->*as)();
}

template <typename T>
Result<T> GetOptional(const Node& node, std::string_view key, T fallback,
                      Result<T> (Node::*as)() const) {
  const Node* value = node.Find(key);
  if (value == nullptr || value->IsNull()) {
    return fallback;
  }
  return (value->*as)();
}

}  // namespace

Result<std::string> Node::GetString(std::string_view key) const {
  return GetRequired(*this, key, &Node::AsString);
}
Result<std::int64_t> Node::GetInt64(std::string_view key) const {
  return GetRequired(*this, key, &Node::AsInt64);
}
Result<std::uint64_t> Node::GetUint64(std::string_view key) const {
  return GetRequired(*this, key, &Node::AsUint64);
}
Result<std::string> Node::GetStringOr(std::string_view key, std::string fallback) const {
  return GetOptional(*this, key, std::move(fallback), &Node::AsString);
}
Result<std::int64_t> Node::GetInt64Or(std::string_view key, std::int64_t fallback) const {
  return GetOptional(*this, key, fallback, &Node::AsInt64);
}
Result<std::uint64_t> Node::GetUint64Or(std::string_view key, std::uint64_t fallback) const {
  return GetOptional(*this, key, fallback, &Node::AsUint64);
}
Result<double> Node::GetDoubleOr(std::string_view key, double fallback) const {
  return GetOptional(*this, key, fallback, &Node::AsDouble);
}
Result<bool> Node::GetBoolOr(std::string_view key, bool fallback) const {
  return GetOptional(*this, key, fallback, &Node::AsBool);
}
Result<Duration> Node::GetDurationOr(std::string_view key, Duration fallback) const {
  return GetOptional(*this, key, fallback, &Node::AsDuration);
}
Result<std::vector<std::string>> Node::GetStringsOr(std::string_view key,
                                                    std::vector<std::string> fallback) const {
  return GetOptional(*this, key, std::move(fallback), &Node::AsStrings);
}

Result<Node> Parse(std::string_view text, std::string_view file_name) {
  ASSAY_ASSIGN_OR_RETURN(std::vector<Node> documents, ParseEvents(text, file_name));
  if (documents.empty()) {
    return InvalidArgumentError(std::string(file_name) + ":1: the file is empty");
  }
  if (documents.size() > 1) {
    return documents[1].Error("expected one document");
  }
  return std::move(documents.front());
}

Result<Node> ParseFile(const std::filesystem::path& path) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return Parse(text, path.string());
}

Node Overlay(const Node& base, const Node& over) {
  if (!base.IsMapping() || !over.IsMapping()) {
    return over;
  }
  Node merged = over;
  merged.entries_.clear();
  for (const auto& [key, value] : base.entries_) {
    const Node* replacement = over.Find(key);
    merged.entries_.emplace_back(key,
                                 replacement == nullptr ? value : Overlay(value, *replacement));
  }
  for (const auto& [key, value] : over.entries_) {
    if (base.Find(key) == nullptr) {
      merged.entries_.emplace_back(key, value);
    }
  }
  return merged;
}

Result<std::vector<Node>> ParseDocuments(std::string_view text, std::string_view file_name) {
  ASSAY_ASSIGN_OR_RETURN(std::vector<Node> documents, ParseEvents(text, file_name));
  std::erase_if(documents, [](const Node& document) { return document.IsNull(); });
  return documents;
}

namespace {

void AppendJsonString(std::string_view text, std::string& json) {
  static constexpr char kHex[] = "0123456789abcdef";
  json += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (c == '\n') {
      json += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      json += "\\u00";
      json += kHex[(c >> 4) & 0xf];
      json += kHex[c & 0xf];
    } else {
      json += c;
    }
  }
  json += '"';
}

bool IsJsonNumber(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t start = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
      ++at;
    }
    return at > start;
  };
  if (at < text.size() && text[at] == '-') {
    ++at;
  }
  const std::size_t integer = at;
  if (!digits() || (text[integer] == '0' && at > integer + 1)) {
    return false;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits()) {
      return false;
    }
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
      ++at;
    }
    if (!digits()) {
      return false;
    }
  }
  return at == text.size();
}

// YAML 1.1's spellings of true and false, as go-yaml v2 (behind sigs.k8s.io/yaml) reads them.
const char* BooleanSpelling(std::string_view text) {
  for (const std::string_view spelling :
       {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
    if (text == spelling) {
      return "true";
    }
  }
  for (const std::string_view spelling :
       {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
    if (text == spelling) {
      return "false";
    }
  }
  return nullptr;
}

void AppendPlainScalar(std::string_view text, std::string& json) {
  std::uint64_t hexadecimal = 0;
  if (const char* boolean = BooleanSpelling(text)) {
    json += boolean;
  } else if (text.empty() || text == "Null" || text == "NULL") {
    json += "null";
  } else if (IsJsonNumber(text)) {
    json += text;
  } else if (text.size() > 1 && text.front() == '+' && IsJsonNumber(text.substr(1))) {
    json += text.substr(1);
  } else if (text.starts_with("0x") &&
             std::from_chars(text.data() + 2, text.data() + text.size(), hexadecimal, 16).ptr ==
                 text.data() + text.size()) {
    json += std::to_string(hexadecimal);
  } else {
    AppendJsonString(text, json);
  }
}

void AppendJson(const Node& node, std::string& json) {
  const char* separator = "";
  switch (node.type()) {
    case Node::Type::kNull:
      json += "null";
      return;
    case Node::Type::kScalar:
      node.quoted() ? AppendJsonString(node.scalar(), json)
                    : AppendPlainScalar(node.scalar(), json);
      return;
    case Node::Type::kSequence:
      json += '[';
      for (const Node& item : node.items()) {
        json += std::exchange(separator, ",");
        AppendJson(item, json);
      }
      json += ']';
      return;
    case Node::Type::kMapping:
      json += '{';
      for (const auto& [key, value] : node.entries()) {
        json += std::exchange(separator, ",");
        AppendJsonString(key, json);
        json += ':';
        AppendJson(value, json);
      }
      json += '}';
      return;
  }
}

}  // namespace

std::string ToJson(const Node& node) {
  std::string json;
  AppendJson(node, json);
  return json;
}

}  // namespace assay::yaml
