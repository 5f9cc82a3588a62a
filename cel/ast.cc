#include "cel/ast.h"

#include <algorithm>

namespace assay::cel {
namespace {

constexpr std::size_t kMaxIssues = 100;
constexpr std::size_t kMaxSnippet = 16384;

struct Location {
  int line = -1;
  int column = -1;  // 0-based, in code points

  friend bool operator<(const Location& a, const Location& b) {
    return a.line != b.line ? a.line < b.line : a.column < b.column;
  }
};

std::size_t SequenceLength(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0xC0 ? 1 : (byte < 0xE0 ? 2 : (byte < 0xF0 ? 3 : 4));
}

Location Locate(std::string_view source, std::int32_t offset) {
  if (offset == kNoOffset) {
    return {};
  }
  if (source.empty()) {
    return {1, -1};
  }
  Location location{1, 0};
  for (std::size_t i = 0; i < static_cast<std::size_t>(offset) && i < source.size();) {
    if (source[i] == '\n') {
      ++location.line;
      location.column = 0;
    } else {
      ++location.column;
    }
    i += SequenceLength(source[i]);
  }
  return location;
}

std::string_view Line(std::string_view source, int line) {
  for (; line > 1; --line) {
    const std::size_t end = source.find('\n');
    if (end == std::string_view::npos) {
      return {};
    }
    source.remove_prefix(end + 1);
  }
  return source.substr(0, source.find('\n'));
}

std::string Format(std::string_view source, const Location& location, const std::string& message) {
  std::string text = "ERROR: <input>:" + std::to_string(location.line) + ":" +
                     std::to_string(location.column + 1) + ": " + message;
  if (location.column < 0) {
    return text;
  }
  std::string snippet(Line(source, location.line));
  if (snippet.size() > kMaxSnippet) {
    return text;
  }
  std::replace(snippet.begin(), snippet.end(), '\t', ' ');
  text += "\n | " + snippet + "\n | ";
  // Characters of more than a byte are taken to be wide, and are marked by wide dots.
  std::size_t at = 0;
  for (int i = 0; i < location.column && at < snippet.size(); ++i) {
    const std::size_t length = SequenceLength(snippet[at]);
    text += length > 1 ? "\xEF\xBC\x8E" : ".";
    at += length;
  }
  const bool wide = at < snippet.size() && SequenceLength(snippet[at]) > 1;
  return text + (wide ? "\xEF\xBC\xBE" : "^");
}

}  // namespace

std::string FormatIssues(std::string_view source, std::vector<Issue> issues) {
  const std::size_t total = issues.size();
  issues.resize(std::min(total, kMaxIssues));
  std::stable_sort(issues.begin(), issues.end(), [&](const Issue& a, const Issue& b) {
    return Locate(source, a.offset) < Locate(source, b.offset);
  });
  std::string text;
  for (const Issue& issue : issues) {
    text +=
        (text.empty() ? "" : "\n") + Format(source, Locate(source, issue.offset), issue.message);
  }
  if (total > kMaxIssues) {
    text += "\n" + std::to_string(total - kMaxIssues) + " more errors were truncated";
  }
  return text;
}

}  // namespace assay::cel
