#include "tools/assay/yaml_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace assay::tools {
namespace {

using nlohmann::ordered_json;

// Whether the text is a plain scalar that every YAML reader takes for this string.
bool IsPlain(const std::string& text) {
  static const std::set<std::string> kWords = {"true", "false", "yes", "no", "on",
                                               "off",  "null",  "y",   "n",  "~"};
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !lower.empty() && is_letter(lower[0]) && !kWords.contains(lower) &&
         std::ranges::all_of(lower, [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/';
         });
}

std::string Scalar(const ordered_json& value) {
  if (!value.is_string()) {
    return value.is_structured() ? (value.is_array() ? "[]" : "{}") : value.dump();
  }
  const std::string text = value.get<std::string>();
  return IsPlain(text) ? text : value.dump();  // JSON's quotes are YAML's
}

void Write(const ordered_json& value, const std::string& indent, bool after_dash,
           std::ostream& out) {
  if (!value.is_structured() || value.empty()) {
    out << Scalar(value) << "\n";
    return;
  }
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    out << (first && after_dash ? "" : indent);
    first = false;
    if (value.is_array()) {
      out << "- ";
      Write(item, indent + "  ", true, out);
      continue;
    }
    out << Scalar(key) << ":";
    if (!item.is_structured() || item.empty()) {
      out << " " << Scalar(item) << "\n";
      continue;
    }
    out << "\n";
    Write(item, item.is_array() ? indent : indent + "  ", false, out);
  }
}

}  // namespace

void WriteYaml(const ordered_json& value, std::ostream& out) { Write(value, "", false, out); }

}  // namespace assay::tools
