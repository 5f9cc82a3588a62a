#include "cel/semver.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/ascii.h"
#include "cel/library/text.h"

namespace assay::cel {
namespace {

bool IsAlphanumeric(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}
bool IsNumber(std::string_view text) { return std::all_of(text.begin(), text.end(), IsDigit); }
bool HasLeadingZeros(std::string_view text) { return text.size() > 1 && text[0] == '0'; }

Status Invalid(std::string_view what, std::string_view text) {
  return InvalidArgumentError(std::string(what) + " " + library::Quote(text));
}

Status ParseUint(std::string_view text, std::uint64_t* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (result.ec == std::errc::result_out_of_range) {
    return InvalidArgumentError("strconv.ParseUint: parsing " + library::Quote(text) +
                                ": value out of range");
  }
  if (result.ec != std::errc()) {
    return InvalidArgumentError("strconv.ParseUint: parsing " + library::Quote(text) +
                                ": invalid syntax");
  }
  return OkStatus();
}

Status ParseNumber(std::string_view text, std::string_view lower, std::string_view upper,
                   std::uint64_t* value) {
  if (!IsNumber(text)) {
    return Invalid("Invalid character(s) found in " + std::string(lower) + " number", text);
  }
  if (HasLeadingZeros(text)) {
    return Invalid(std::string(upper) + " number must not contain leading zeroes", text);
  }
  return ParseUint(text, value);
}

// The part before the next dot, which is taken off.
std::string_view TakeIdentifier(std::string_view* text) {
  const std::size_t dot = text->find('.');
  const std::string_view identifier = text->substr(0, dot);
  *text = dot == std::string_view::npos ? std::string_view() : text->substr(dot + 1);
  return identifier;
}

Status CheckPrerelease(std::string_view text) {
  bool more = true;
  while (more) {
    more = text.find('.') != std::string_view::npos;
    const std::string_view identifier = TakeIdentifier(&text);
    if (identifier.empty()) {
      return InvalidArgumentError("Prerelease is empty");
    }
    if (IsNumber(identifier)) {
      if (HasLeadingZeros(identifier)) {
        return Invalid("Numeric PreRelease version must not contain leading zeroes", identifier);
      }
      std::uint64_t number = 0;
      ASSAY_RETURN_IF_ERROR(ParseUint(identifier, &number));
    } else if (!std::all_of(identifier.begin(), identifier.end(), IsAlphanumeric)) {
      return Invalid("Invalid character(s) found in prerelease", identifier);
    }
  }
  return OkStatus();
}

Status CheckBuild(std::string_view text) {
  bool more = true;
  while (more) {
    more = text.find('.') != std::string_view::npos;
    const std::string_view identifier = TakeIdentifier(&text);
    if (identifier.empty()) {
      return InvalidArgumentError("Build meta data is empty");
    }
    if (!std::all_of(identifier.begin(), identifier.end(), IsAlphanumeric)) {
      return Invalid("Invalid character(s) found in build meta data", identifier);
    }
  }
  return OkStatus();
}

template <typename T>
int ThreeWay(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

int CompareIdentifiers(std::string_view a, std::string_view b) {
  const bool a_is_number = IsNumber(a);
  const bool b_is_number = IsNumber(b);
  if (a_is_number != b_is_number) {
    return a_is_number ? -1 : 1;
  }
  // Numbers have no leading zeros: the longer one is greater.
  if (a_is_number && a.size() != b.size()) {
    return ThreeWay(a.size(), b.size());
  }
  return ThreeWay(a, b);
}

int ComparePrereleases(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) {
    return ThreeWay(a.empty(), b.empty());
  }
  while (!a.empty() && !b.empty()) {
    const int order = CompareIdentifiers(TakeIdentifier(&a), TakeIdentifier(&b));
    if (order != 0) {
      return order;
    }
  }
  return ThreeWay(!a.empty(), !b.empty());
}

}  // namespace

Result<Semver> Semver::Parse(std::string_view text) {
  if (text.empty()) {
    return InvalidArgumentError("Version string empty");
  }
  const std::size_t first = text.find('.');
  const std::size_t second =
      first == std::string_view::npos ? std::string_view::npos : text.find('.', first + 1);
  if (second == std::string_view::npos) {
    return InvalidArgumentError("No Major.Minor.Patch elements found");
  }
  Semver version;
  ASSAY_RETURN_IF_ERROR(ParseNumber(text.substr(0, first), "major", "Major", &version.major));
  ASSAY_RETURN_IF_ERROR(
      ParseNumber(text.substr(first + 1, second - first - 1), "minor", "Minor", &version.minor));
  std::string_view patch = text.substr(second + 1);
  const std::size_t plus = patch.find('+');
  const bool has_build = plus != std::string_view::npos;
  version.build = has_build ? patch.substr(plus + 1) : std::string_view();
  patch = patch.substr(0, plus);
  const std::size_t dash = patch.find('-');
  const bool has_prerelease = dash != std::string_view::npos;
  version.prerelease = has_prerelease ? patch.substr(dash + 1) : std::string_view();
  patch = patch.substr(0, dash);
  ASSAY_RETURN_IF_ERROR(ParseNumber(patch, "patch", "Patch", &version.patch));
  if (has_prerelease) {
    ASSAY_RETURN_IF_ERROR(CheckPrerelease(version.prerelease));
  }
  if (has_build) {
    ASSAY_RETURN_IF_ERROR(CheckBuild(version.build));
  }
  return version;
}

std::string Semver::ToString() const {
  std::string text =
      std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
  text += prerelease.empty() ? "" : "-" + std::string(prerelease);
  text += build.empty() ? "" : "+" + std::string(build);
  return text;
}

int Semver::Compare(const Semver& other) const {
  if (major != other.major) {
    return ThreeWay(major, other.major);
  }
  if (minor != other.minor) {
    return ThreeWay(minor, other.minor);
  }
  if (patch != other.patch) {
    return ThreeWay(patch, other.patch);
  }
  return ComparePrereleases(prerelease, other.prerelease);
}

Result<std::string> NormalizeSemver(std::string_view text) {
  if (text.starts_with('v')) {
    text.remove_prefix(1);
  }
  std::vector<std::string> parts;
  while (parts.size() < 2 && text.find('.') != std::string_view::npos) {
    parts.emplace_back(text.substr(0, text.find('.')));
    text.remove_prefix(parts.back().size() + 1);
  }
  parts.emplace_back(text);
  for (std::string& part : parts) {
    if (part.size() > 1) {
      part.erase(0, std::min(part.find_first_not_of('0'), part.size()));
      if (part.empty() || !IsDigit(part[0])) {
        part.insert(0, "0");
      }
    }
  }
  if (parts.size() < 3 && parts.back().find_first_of("+-") != std::string::npos) {
    return InvalidArgumentError("short version cannot contain PreRelease/Build meta data");
  }
  while (parts.size() < 3) {
    parts.emplace_back("0");
  }
  return parts[0] + "." + parts[1] + "." + parts[2];
}

}  // namespace assay::cel
