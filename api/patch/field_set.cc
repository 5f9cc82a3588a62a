#include "api/patch/field_set.h"

#include <algorithm>
#include <utility>

namespace assay::api::patch {
namespace {

using nlohmann::json;

int Rank(const json& value) {
  if (value.is_number()) {
    return 0;
  }
  if (value.is_string()) {
    return 1;
  }
  if (value.is_boolean()) {
    return 2;
  }
  if (value.is_array()) {
    return 3;
  }
  return value.is_object() ? 4 : 5;
}

template <typename T>
std::strong_ordering Order(const T& a, const T& b) {
  return a < b   ? std::strong_ordering::less
         : b < a ? std::strong_ordering::greater
                 : std::strong_ordering::equal;
}

// Fields in the order of their names; the shorter of two that begin alike comes first.
std::strong_ordering CompareFields(const json& a, const json& b) {
  auto left = a.begin();
  auto right = b.begin();
  for (; left != a.end() && right != b.end(); ++left, ++right) {
    if (auto order = Order(left.key(), right.key()); order != 0) {
      return order;
    }
    if (auto order = CompareValues(left.value(), right.value()); order != 0) {
      return order;
    }
  }
  return Order(a.size(), b.size());
}

Result<json> ParseJson(std::string_view text) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    return InvalidArgumentError("not JSON: " + std::string(text));
  }
  return value;
}

}  // namespace

std::strong_ordering CompareValues(const json& a, const json& b) {
  const int rank = Rank(a);
  if (rank != Rank(b)) {
    return Order(rank, Rank(b));
  }
  switch (rank) {
    case 0:
    case 1:
    case 2:
      return Order(a, b);
    case 3:
      for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        if (auto order = CompareValues(a[i], b[i]); order != 0) {
          return order;
        }
      }
      return Order(a.size(), b.size());
    case 4:
      return CompareFields(a, b);
    default:
      return std::strong_ordering::equal;
  }
}

PathElement PathElement::Field(std::string name) {
  return {.type = Type::kField, .name = std::move(name), .value = {}};
}

PathElement PathElement::Key(json fields) {
  return {.type = Type::kKey, .name = {}, .value = std::move(fields)};
}

PathElement PathElement::Value(json value) {
  return {.type = Type::kValue, .name = {}, .value = std::move(value)};
}

Result<PathElement> PathElement::Parse(std::string_view text) {
  if (text.size() < 2 || text[1] != ':') {
    return InvalidArgumentError("missing colon: " + std::string(text));
  }
  const std::string_view content = text.substr(2);
  switch (text[0]) {
    case 'f':
      return Field(std::string(content));
    case 'k': {
      ASSAY_ASSIGN_OR_RETURN(json fields, ParseJson(content));
      if (!fields.is_object()) {
        return InvalidArgumentError("not an object of key fields: " + std::string(text));
      }
      return Key(std::move(fields));
    }
    case 'v': {
      ASSAY_ASSIGN_OR_RETURN(json value, ParseJson(content));
      return Value(std::move(value));
    }
    case 'i': {
      ASSAY_ASSIGN_OR_RETURN(json index, ParseJson(content));
      if (!index.is_number_integer()) {
        return InvalidArgumentError("not an index: " + std::string(text));
      }
      return PathElement{.type = Type::kIndex, .name = {}, .value = std::move(index)};
    }
    default:
      return UnimplementedError("unknown path element: " + std::string(text));
  }
}

std::string PathElement::Serialize() const {
  switch (type) {
    case Type::kField:
      return "f:" + name;
    case Type::kKey:
      return "k:" + value.dump();
    case Type::kValue:
      return "v:" + value.dump();
    case Type::kIndex:
      return "i:" + value.dump();
  }
  return "";
}

std::string PathElement::ToString() const {
  switch (type) {
    case Type::kField:
      return "." + name;
    case Type::kKey: {
      std::string text = "[";
      for (const auto& [key, field] : value.items()) {
        text += (text.size() == 1 ? "" : ",") + key + "=" + field.dump();
      }
      return text + "]";
    }
    case Type::kValue:
      return "[=" + value.dump() + "]";
    case Type::kIndex:
      return "[" + value.dump() + "]";
  }
  return "";
}

std::strong_ordering operator<=>(const PathElement& a, const PathElement& b) {
  if (auto order = Order(a.type, b.type); order != 0) {
    return order;
  }
  return a.type == PathElement::Type::kField ? Order(a.name, b.name)
         : a.type == PathElement::Type::kKey ? CompareFields(a.value, b.value)
                                             : CompareValues(a.value, b.value);
}

std::string PathToString(const Path& path) {
  std::string text;
  for (const PathElement& element : path) {
    text += element.ToString();
  }
  return text;
}

Result<FieldSet> FieldSet::Parse(std::string_view text) {
  if (text.empty()) {
    return FieldSet();
  }
  ASSAY_ASSIGN_OR_RETURN(json value, ParseJson(text));
  bool is_member = false;
  return FromValue(value, &is_member);
}

Result<FieldSet> FieldSet::FromValue(const json& value, bool* is_member) {
  FieldSet set;
  *is_member = false;
  if (!value.is_object()) {
    return InvalidArgumentError("a field set must be an object");
  }
  for (const auto& [key, child] : value.items()) {
    if (key == ".") {
      *is_member = true;
      continue;
    }
    Result<PathElement> element = PathElement::Parse(key);
    if (element.status().code() == StatusCode::kUnimplemented) {
      // A later version may know it; here it is as if it were not there.
      continue;
    }
    if (!element.ok()) {
      return element.status();
    }
    bool child_is_member = false;
    ASSAY_ASSIGN_OR_RETURN(FieldSet grandchildren, FromValue(child, &child_is_member));
    if (child_is_member) {
      set.members_.insert(*element);
    }
    if (!grandchildren.Empty()) {
      set.children_[*element] = std::move(grandchildren);
    }
  }
  *is_member = *is_member || set.Empty();
  return set;
}

std::string FieldSet::ToJson() const {
  std::string text;
  AppendJson(/*include_self=*/false, text);
  return text;
}

void FieldSet::AppendJson(bool include_self, std::string& out) const {
  out += '{';
  bool first = true;
  const auto key = [&](const std::string& name) {
    out += (first ? "" : ",") + json(name).dump() + ":";
    first = false;
  };
  if (include_self && !Empty()) {
    key(".");
    out += "{}";
  }
  auto member = members_.begin();
  auto child = children_.begin();
  while (member != members_.end() || child != children_.end()) {
    const bool take_member =
        member != members_.end() && (child == children_.end() || *member <= child->first);
    const bool take_child =
        child != children_.end() && (member == members_.end() || child->first <= *member);
    key((take_member ? *member : child->first).Serialize());
    if (take_child) {
      child->second.AppendJson(take_member, out);
      ++child;
    } else {
      out += "{}";
    }
    if (take_member) {
      ++member;
    }
  }
  out += '}';
}

bool FieldSet::Empty() const {
  return members_.empty() && std::all_of(children_.begin(), children_.end(),
                                         [](const auto& child) { return child.second.Empty(); });
}

bool FieldSet::Has(const Path& path) const {
  const FieldSet* set = this;
  for (std::size_t i = 0; set != nullptr && i < path.size(); ++i) {
    if (i + 1 == path.size()) {
      return set->members_.contains(path[i]);
    }
    set = set->Child(path[i]);
  }
  return false;
}

const FieldSet* FieldSet::Child(const PathElement& element) const {
  const auto found = children_.find(element);
  return found == children_.end() ? nullptr : &found->second;
}

void FieldSet::Insert(const Path& path) {
  if (path.empty()) {
    return;
  }
  FieldSet* set = this;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    set = &set->children_[path[i]];
  }
  set->members_.insert(path.back());
}

FieldSet FieldSet::Union(const FieldSet& other) const {
  FieldSet result = *this;
  result.members_.insert(other.members_.begin(), other.members_.end());
  for (const auto& [element, child] : other.children_) {
    const auto [place, inserted] = result.children_.try_emplace(element, child);
    if (!inserted) {
      place->second = place->second.Union(child);
    }
  }
  return result;
}

FieldSet FieldSet::Intersection(const FieldSet& other) const {
  FieldSet result;
  for (const PathElement& element : members_) {
    if (other.members_.contains(element)) {
      result.members_.insert(element);
    }
  }
  for (const auto& [element, child] : children_) {
    if (const FieldSet* theirs = other.Child(element)) {
      FieldSet both = child.Intersection(*theirs);
      if (!both.Empty()) {
        result.children_.emplace(element, std::move(both));
      }
    }
  }
  return result;
}

FieldSet FieldSet::Difference(const FieldSet& other) const {
  FieldSet result;
  for (const PathElement& element : members_) {
    if (!other.members_.contains(element)) {
      result.members_.insert(element);
    }
  }
  for (const auto& [element, child] : children_) {
    const FieldSet* theirs = other.Child(element);
    FieldSet rest = theirs == nullptr ? child : child.Difference(*theirs);
    if (!rest.Empty()) {
      result.children_.emplace(element, std::move(rest));
    }
  }
  return result;
}

FieldSet FieldSet::RecursiveDifference(const FieldSet& other) const {
  FieldSet result;
  for (const PathElement& element : members_) {
    if (!other.members_.contains(element)) {
      result.members_.insert(element);
    }
  }
  for (const auto& [element, child] : children_) {
    if (other.members_.contains(element)) {
      continue;
    }
    const FieldSet* theirs = other.Child(element);
    FieldSet rest = theirs == nullptr ? child : child.RecursiveDifference(*theirs);
    if (!rest.Empty()) {
      result.children_.emplace(element, std::move(rest));
    }
  }
  return result;
}

void FieldSet::AppendPaths(Path& prefix, std::vector<Path>& out) const {
  for (const PathElement& element : members_) {
    prefix.push_back(element);
    out.push_back(prefix);
    prefix.pop_back();
  }
  for (const auto& [element, child] : children_) {
    prefix.push_back(element);
    child.AppendPaths(prefix, out);
    prefix.pop_back();
  }
}

std::vector<Path> FieldSet::Paths() const {
  std::vector<Path> paths;
  Path prefix;
  AppendPaths(prefix, paths);
  return paths;
}

}  // namespace assay::api::patch
