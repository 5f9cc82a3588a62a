#include "conformance/expectations/expectations.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <regex>
#include <utility>

#include "base/file.h"

namespace assay::conformance {
namespace {

constexpr std::size_t kMaxMessageBytes = 200;
// Where a message goes on with what the driver wrote, whose lines tell times and process ids.
constexpr std::string_view kOutput = "; it wrote: ";
constexpr std::string_view kSpace = " \t\r";

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// "Suite.Case": two identifiers.
bool IsCaseName(std::string_view name) {
  const auto is_identifier = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_';
    });
  };
  const std::size_t dot = name.find('.');
  return dot != std::string_view::npos && is_identifier(name.substr(0, dot)) &&
         is_identifier(name.substr(dot + 1));
}

}  // namespace

Result<Expectations> Expectations::Parse(std::string_view text, std::string file_name) {
  Expectations expectations;
  expectations.file_name_ = std::move(file_name);
  std::string reason;
  for (int line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view entry = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto error = [&](std::string_view problem) {
      return InvalidArgumentError(expectations.file_name_ + ":" + std::to_string(line) + ": " +
                                  std::string(problem));
    };
    if (entry.empty()) {
      reason.clear();
      continue;
    }
    if (entry.front() == '#') {
      const std::string_view comment = Trim(entry.substr(1));
      reason.append(reason.empty() ? "" : " ").append(comment);
      continue;
    }
    const std::size_t hash = entry.find('#');
    const std::string_view name = Trim(entry.substr(0, hash));
    if (!IsCaseName(name)) {
      return error("expected Suite.Case  # message, found '" + std::string(entry) + "'");
    }
    if (hash == std::string_view::npos || Trim(entry.substr(hash + 1)).empty()) {
      return error(std::string(name) + ": expected the message it fails with, after a '#'");
    }
    if (reason.empty()) {
      return error(std::string(name) + ": expected the reason, in a comment above it");
    }
    if (std::ranges::find(expectations.entries_, name, &Expectation::case_name) !=
        expectations.entries_.end()) {
      return error(std::string(name) + " is listed twice");
    }
    // The reason stands for the entries that follow it directly.
    expectations.entries_.push_back({.case_name = std::string(name),
                                     .message = StableMessage(Trim(entry.substr(hash + 1))),
                                     .reason = reason,
                                     .line = line});
  }
  return expectations;
}

Result<Expectations> Expectations::ParseFile(const std::filesystem::path& path) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return Parse(text, path.string());
}

std::vector<std::string> Expectations::Apply(const std::set<std::string>& known_cases,
                                             std::vector<CaseResult>& results) const {
  std::vector<std::string> broken;
  for (const Expectation& entry : entries_) {
    const auto say = [&](const std::string& problem) {
      broken.push_back(file_name_ + ":" + std::to_string(entry.line) + ": " + entry.case_name +
                       ": " + problem);
    };
    if (!known_cases.contains(entry.case_name)) {
      say("there is no such case; remove the entry");
      continue;
    }
    const auto result = std::ranges::find(results, entry.case_name, &CaseResult::FullName);
    if (result == results.end() || result->outcome == Outcome::kHarnessError) {
      continue;
    }
    if (result->outcome != Outcome::kFailed) {
      say(result->outcome == Outcome::kPassed ? "is expected to fail, but passed; remove the entry"
                                              : "is expected to fail, but was not decided (" +
                                                    result->message + "); remove the entry");
      continue;
    }
    const std::string message = StableMessage(result->message);
    if (message != entry.message) {
      say("fails with another message than expected: \"" + message + "\", not \"" + entry.message +
          "\"");
      continue;
    }
    result->outcome = Outcome::kFailedAsExpected;
    result->details = "expected: " + entry.reason + "\n" + result->details;
  }
  return broken;
}

std::string StableMessage(std::string_view message) {
  static const std::array<std::pair<std::regex, const char*>, 4> kTokens = {{
      {std::regex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"},
      // The workers of a run have numbered directories there.
      {std::regex("/[^ \"':,]*/assay-[A-Za-z0-9]{6}(/[0-9]+(?=/))?"), "<tmp>"},
      {std::regex("\\b[0-9]+(\\.[0-9]+)? ?(ns|us|ms|s)\\b"), "<n> $2"},
      {std::regex("[ \t\r\n]+"), " "},
  }};
  message = message.substr(0, message.find(kOutput));
  std::string stable(message.substr(0, 4 * kMaxMessageBytes));
  for (const auto& [pattern, token] : kTokens) {
    stable = std::regex_replace(stable, pattern, token);
  }
  stable = std::string(Trim(stable));
  if (stable.size() > kMaxMessageBytes) {
    // Not in the middle of a UTF-8 sequence.
    std::size_t end = kMaxMessageBytes;
    while (end > 0 && (static_cast<unsigned char>(stable[end]) & 0xC0U) == 0x80U) {
      --end;
    }
    stable.resize(end);
    stable = std::string(Trim(stable));
  }
  return stable;
}

}  // namespace assay::conformance
