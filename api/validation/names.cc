#include "api/validation/names.h"

#include <algorithm>

#include "base/ascii.h"

namespace assay::api::validation {
namespace {

constexpr std::string_view kDns1123Label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kDns1123Subdomain =
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
constexpr std::string_view kLabelKey = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
constexpr std::string_view kLabelKeyMessage =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character";
constexpr std::size_t kSubdomainMaxLength = 253;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsLetter(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsAlphanumeric(char c) { return IsLetter(c) || IsDigit(c); }

// First and last characters in `ends`, the others in `ends` or `extra`; not empty.
template <typename Ends>
bool Matches(std::string_view value, Ends ends, std::string_view extra) {
  if (value.empty() || !ends(value.front()) || !ends(value.back())) {
    return false;
  }
  return std::all_of(value.begin(), value.end(),
                     [&](char c) { return ends(c) || extra.find(c) != std::string_view::npos; });
}

bool IsLabel(std::string_view value) {
  return Matches(value, [](char c) { return IsLower(c) || IsDigit(c); }, "-");
}

bool IsSubdomain(std::string_view value) {
  const std::vector<std::string_view> labels = Split(value, '.');
  return std::all_of(labels.begin(), labels.end(), IsLabel);
}

bool IsLabelKeyName(std::string_view value) { return Matches(value, IsAlphanumeric, "-_."); }

Problems CheckSubdomain(std::string_view value, bool matches, std::string_view unit,
                        std::string_view message, std::string_view example) {
  Problems problems;
  if (value.size() > kSubdomainMaxLength) {
    problems.push_back(MaxLengthProblem(kSubdomainMaxLength, unit));
  }
  if (!matches) {
    problems.push_back(RegexProblem(message, kDns1123Subdomain, {std::string(example)}));
  }
  return problems;
}

// One identifier of a semantic version's number.
bool IsNumericIdentifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit) &&
         (text.size() == 1 || text.front() != '0');
}

bool IsIdentifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return IsAlphanumeric(c) || c == '-'; });
}

bool IsPreReleaseIdentifier(std::string_view text) {
  if (!IsIdentifier(text)) {
    return false;
  }
  return !std::all_of(text.begin(), text.end(), IsDigit) || IsNumericIdentifier(text);
}

}  // namespace

std::string MaxLengthProblem(std::size_t length, std::string_view unit) {
  return "must be no more than " + std::to_string(length) + " " + std::string(unit);
}

std::string RegexProblem(std::string_view message, std::string_view regex,
                         const std::vector<std::string>& examples) {
  std::string text(message);
  text += " (e.g. ";
  for (std::size_t i = 0; i < examples.size(); ++i) {
    text += (i == 0 ? "'" : " or '") + examples[i] + "', ";
  }
  return text + "regex used for validation is '" + std::string(regex) + "')";
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return lower;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

Problems CheckDns1123Label(std::string_view value) {
  Problems problems;
  if (value.size() > kLabelMaxLength) {
    problems.push_back(MaxLengthProblem(kLabelMaxLength, "characters"));
  }
  if (!IsLabel(value)) {
    if (IsSubdomain(value)) {
      problems.emplace_back("must not contain dots");
    } else {
      problems.push_back(RegexProblem(
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
          "and must start and end with an alphanumeric character",
          kDns1123Label, {"my-name", "123-abc"}));
    }
  }
  return problems;
}

namespace {
constexpr std::string_view kSubdomainMessage =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', "
    "and must start and end with an alphanumeric character";
}  // namespace

Problems CheckDns1123Subdomain(std::string_view value) {
  return CheckSubdomain(value, IsSubdomain(value), "characters", kSubdomainMessage, "example.com");
}

Problems CheckLongName(std::string_view value) {
  return CheckSubdomain(value, IsSubdomain(value), "bytes", kSubdomainMessage, "example.com");
}

Problems CheckLongNameCaseless(std::string_view value) {
  return CheckSubdomain(value, IsSubdomain(ToLower(value)), "bytes",
                        "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or "
                        "'.', and must start and end with an alphanumeric character",
                        "Example.com");
}

Problems CheckQualifiedName(std::string_view value) {
  Problems problems;
  const std::vector<std::string> examples = {"MyName", "my.name", "123-abc"};
  const std::vector<std::string_view> parts = Split(value, '/');
  if (parts.size() > 2) {
    problems.push_back("a valid label key " + RegexProblem(kLabelKeyMessage, kLabelKey, examples) +
                       " with an optional DNS subdomain prefix and '/' (e.g. "
                       "'example.com/MyName')");
    return problems;
  }
  if (parts.size() == 2) {
    if (parts[0].empty()) {
      problems.emplace_back("prefix part must be non-empty");
    } else {
      for (const std::string& problem : CheckLongName(parts[0])) {
        problems.push_back("prefix part " + problem);
      }
    }
  }
  const std::string_view name = parts.back();
  if (name.empty()) {
    problems.emplace_back("name part must be non-empty");
  } else if (name.size() > kLabelMaxLength) {
    problems.push_back("name part " + MaxLengthProblem(kLabelMaxLength));
  }
  if (!IsLabelKeyName(name)) {
    problems.push_back("name part " + RegexProblem(kLabelKeyMessage, kLabelKey, examples));
  }
  return problems;
}

Problems CheckLabelValue(std::string_view value) {
  Problems problems;
  if (value.size() > kLabelMaxLength) {
    problems.push_back(MaxLengthProblem(kLabelMaxLength));
  }
  if (!value.empty() && !IsLabelKeyName(value)) {
    problems.push_back(RegexProblem(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must start and end with an alphanumeric character",
        "(" + std::string(kLabelKey) + ")?", {"MyValue", "my_value", "12345"}));
  }
  return problems;
}

Problems CheckCIdentifier(std::string_view value) {
  const auto is_start = [](char c) { return IsLetter(c) || c == '_'; };
  if (!value.empty() && is_start(value.front()) &&
      std::all_of(value.begin(), value.end(), [&](char c) { return is_start(c) || IsDigit(c); })) {
    return {};
  }
  return {
      RegexProblem("a valid C identifier must start with alphabetic character or '_', followed "
                   "by a string of alphanumeric characters or '_'",
                   "[A-Za-z_][A-Za-z0-9_]*", {"my_name", "MY_NAME", "MyName"})};
}

Problems CheckConditionReason(std::string_view value) {
  const auto is_end = [](char c) { return IsAlphanumeric(c) || c == '_'; };
  if (!value.empty() && IsLetter(value.front()) && is_end(value.back()) &&
      std::all_of(value.begin(), value.end(),
                  [&](char c) { return is_end(c) || c == ',' || c == ':'; })) {
    return {};
  }
  return {RegexProblem(
      "a condition reason must start with alphabetic character, optionally followed by a string of "
      "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
      "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?",
      {"my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"})};
}

bool IsSemanticVersion(std::string_view value) {
  if (const std::size_t plus = value.find('+'); plus != std::string_view::npos) {
    const auto build = Split(value.substr(plus + 1), '.');
    if (!std::all_of(build.begin(), build.end(), IsIdentifier)) {
      return false;
    }
    value = value.substr(0, plus);
  }
  if (const std::size_t dash = value.find('-'); dash != std::string_view::npos) {
    const auto release = Split(value.substr(dash + 1), '.');
    if (!std::all_of(release.begin(), release.end(), IsPreReleaseIdentifier)) {
      return false;
    }
    value = value.substr(0, dash);
  }
  const auto numbers = Split(value, '.');
  return numbers.size() == 3 && std::all_of(numbers.begin(), numbers.end(), IsNumericIdentifier);
}

bool IsNativeResource(std::string_view name) {
  return name.find('/') == std::string_view::npos ||
         name.find("kubernetes.io/") != std::string_view::npos;
}

bool IsExtendedResourceName(std::string_view name) {
  constexpr std::string_view kQuotaPrefix = "requests.";
  return !IsNativeResource(name) && !name.starts_with(kQuotaPrefix) &&
         CheckQualifiedName(std::string(kQuotaPrefix) + std::string(name)).empty();
}

}  // namespace assay::api::validation
