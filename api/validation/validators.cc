#include "api/validation/validators.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "api/validation/go_json.h"
#include "api/validation/go_json_syntax.h"

namespace assay::api::validation {
namespace {

constexpr std::size_t kDriverNameMaxLength = 63;
constexpr std::size_t kPoolNameMaxLength = 253;
constexpr std::size_t kIdentifierMaxLength = 32;
constexpr std::size_t kBindingConditionsMaxSize = 4;

FieldErrors ValidateCIdentifier(std::string_view id, const FieldPath& path) {
  FieldErrors errors;
  if (id.size() > kIdentifierMaxLength) {
    errors.push_back(TooLong(path, kIdentifierMaxLength));
  }
  Append(errors, InvalidFor(CheckCIdentifier(id), id, path));
  return errors;
}

FieldErrors ValidateNodeSelectorRequirement(const core::NodeSelectorRequirement& requirement,
                                            const FieldPath& path) {
  FieldErrors errors;
  const std::string& op = requirement.operator_;
  if (op == "In" || op == "NotIn") {
    if (requirement.values.empty()) {
      errors.push_back(
          Required(path.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'"));
    }
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!requirement.values.empty()) {
      errors.push_back(
          Forbidden(path.Child("values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  } else if (op == "Gt" || op == "Lt") {
    if (requirement.values.size() != 1) {
      errors.push_back(Required(path.Child("values"),
                                "must be specified single value when `operator` is 'Lt' or 'Gt'"));
    }
  } else {
    errors.push_back(Invalid(path.Child("operator"), op, "not a valid selector operator"));
  }
  Append(errors, ValidateLabelName(requirement.key, path.Child("key")));
  for (std::size_t i = 0; i < requirement.values.size(); ++i) {
    Append(errors, ValidateLabelValue(requirement.values[i], path.Child("values").Index(i)));
  }
  return errors;
}

FieldErrors ValidateNodeFieldSelectorRequirement(const core::NodeSelectorRequirement& requirement,
                                                 const FieldPath& path) {
  FieldErrors errors;
  if (requirement.operator_ == "In" || requirement.operator_ == "NotIn") {
    if (requirement.values.size() != 1) {
      errors.push_back(Required(path.Child("values"),
                                "must be only one value when `operator` is 'In' or 'NotIn' for "
                                "node field selector"));
    }
  } else {
    errors.push_back(
        Invalid(path.Child("operator"), requirement.operator_, "not a valid selector operator"));
  }
  if (requirement.key != "metadata.name") {
    errors.push_back(Invalid(path.Child("key"), requirement.key, "not a valid field selector key"));
  } else {
    for (std::size_t i = 0; i < requirement.values.size(); ++i) {
      Append(errors,
             ValidateDns1123Subdomain(requirement.values[i], path.Child("values").Index(i)));
    }
  }
  return errors;
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

bool IsUuidLayout(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, '-');
  constexpr std::array<std::size_t, 5> kLengths = {8, 4, 4, 4, 12};
  if (parts.size() != kLengths.size()) {
    return false;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].size() != kLengths[i] || !IsHex(parts[i])) {
      return false;
    }
  }
  return true;
}

// What is wrong with a UUID in any of the spellings that github.com/google/uuid reads; "" if
// nothing.
std::string UuidProblem(std::string_view text) {
  constexpr std::size_t kLength = 36;
  constexpr std::string_view kUrn = "urn:uuid:";
  if (text.size() == kLength + kUrn.size()) {
    if (ToLower(text.substr(0, kUrn.size())) != kUrn) {
      return "invalid urn prefix: " + GoQuote(text.substr(0, kUrn.size()));
    }
    text.remove_prefix(kUrn.size());
  } else if (text.size() == kLength + 2) {
    if (text.front() != '{' || text.back() != '}') {
      return "invalid bracketed UUID format";
    }
    text = text.substr(1, kLength);
  } else if (text.size() == 32) {
    return IsHex(text) ? "" : "invalid UUID format";
  } else if (text.size() != kLength) {
    return "invalid UUID length: " + std::to_string(text.size());
  }
  return IsUuidLayout(text) ? "" : "invalid UUID format";
}

// An IPv4 address with leading zeros allowed, as Go's net package read it before 1.17.
std::optional<std::array<std::uint8_t, 4>> ParseIPv4Sloppy(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, '.');
  if (parts.size() != 4) {
    return std::nullopt;
  }
  std::array<std::uint8_t, 4> address{};
  for (std::size_t i = 0; i < 4; ++i) {
    unsigned value = 0;
    if (parts[i].empty()) {
      return std::nullopt;
    }
    for (const char c : parts[i]) {
      if (c < '0' || c > '9') {
        return std::nullopt;
      }
      value = value * 10 + static_cast<unsigned>(c - '0');
      if (value > 255) {
        return std::nullopt;
      }
    }
    address[i] = static_cast<std::uint8_t>(value);
  }
  return address;
}

std::string FormatIPv4(const std::uint8_t* bytes) {
  std::string text;
  for (int i = 0; i < 4; ++i) {
    text += (i == 0 ? "" : ".") + std::to_string(bytes[i]);
  }
  return text;
}

// RFC 5952, with IPv4-mapped addresses as IPv4: what Go's net.IP prints.
std::string FormatIPv6(const std::array<std::uint8_t, 16>& bytes) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = (static_cast<unsigned>(bytes[2 * i]) << 8U) | bytes[2 * i + 1];
  }
  std::size_t best = 0;
  std::size_t best_length = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) {
      ++length;
    }
    if (length > best_length) {
      best = i;
      best_length = length;
    }
  }
  std::string text;
  char buffer[8];
  for (std::size_t i = 0; i < 8; ++i) {
    if (best_length >= 2 && i == best) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') {
      text += ':';
    }
    std::snprintf(buffer, sizeof buffer, "%x", groups[i]);
    text += buffer;
  }
  return text;
}

// The canonical form of "address/prefix length"; nothing if it is not one.
std::optional<std::string> CanonicalInterfaceAddress(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    return std::nullopt;
  }
  const std::string address = text.substr(0, slash);
  const std::string_view length_text = std::string_view(text).substr(slash + 1);
  unsigned length = 0;
  if (length_text.empty()) {
    return std::nullopt;
  }
  for (const char c : length_text) {
    if (c < '0' || c > '9' || length > 128) {
      return std::nullopt;
    }
    length = length * 10 + static_cast<unsigned>(c - '0');
  }
  if (const auto ipv4 = ParseIPv4Sloppy(address); ipv4.has_value()) {
    return length > 32 ? std::nullopt
                       : std::optional(FormatIPv4(ipv4->data()) + "/" + std::to_string(length));
  }
  std::array<std::uint8_t, 16> ipv6{};
  if (inet_pton(AF_INET6, address.c_str(), ipv6.data()) != 1 || length > 128) {
    return std::nullopt;
  }
  constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), ipv6.begin())) {
    return FormatIPv4(ipv6.data() + 12) + "/" + std::to_string(length > 32 ? length - 96 : length);
  }
  return FormatIPv6(ipv6) + "/" + std::to_string(length);
}

}  // namespace

std::string TruncateIfTooLong(std::string_view text, std::size_t max) {
  constexpr std::size_t kLeastLength = 16;
  constexpr std::string_view kEllipsis = "...";
  max = std::max(max, kLeastLength);
  if (text.size() <= max) {
    return std::string(text);
  }
  const std::size_t remaining = max - kEllipsis.size();
  return std::string(text.substr(0, (remaining + 1) / 2)) + std::string(kEllipsis) +
         std::string(text.substr(text.size() - remaining / 2));
}

FieldErrors ValidateDns1123Label(std::string_view value, const FieldPath& path) {
  return InvalidFor(CheckDns1123Label(value), value, path);
}

FieldErrors ValidateDns1123Subdomain(std::string_view value, const FieldPath& path) {
  return InvalidFor(CheckDns1123Subdomain(value), value, path);
}

FieldErrors ValidateDriverName(std::string_view name, const FieldPath& path) {
  if (name.empty()) {
    return {Required(path)};
  }
  FieldErrors errors;
  if (name.size() > kDriverNameMaxLength) {
    errors.push_back(TooLong(path, kDriverNameMaxLength));
  }
  Append(errors, InvalidFor(CheckDns1123Subdomain(ToLower(name)), name, path));
  return errors;
}

FieldErrors ValidatePoolName(std::string_view name, const FieldPath& path) {
  if (name.empty()) {
    return {Required(path)};
  }
  FieldErrors errors;
  if (name.size() > kPoolNameMaxLength) {
    errors.push_back(TooLong(path, kPoolNameMaxLength));
  }
  for (const std::string_view part : Split(name, '/')) {
    Append(errors, ValidateDns1123Subdomain(part, path));
  }
  return errors;
}

FieldErrors ValidateUuid(const std::string& uid, const FieldPath& path) {
  if (const std::string problem = UuidProblem(uid); !problem.empty()) {
    return {Invalid(path, uid, "error validating uid: " + problem)};
  }
  if (uid.size() != 36 || uid != ToLower(uid)) {
    return {Invalid(path, uid,
                    "uid must be in RFC 4122 normalized form, "
                    "`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal "
                    "characters")};
  }
  return {};
}

FieldErrors ValidateQualifiedName(const std::string& name, const FieldPath& path) {
  const std::vector<std::string_view> parts = Split(name, '/');
  // Names with several slashes are not looked at: upstream's gap, which clients may rely on.
  if (parts.size() == 1) {
    return ValidateCIdentifier(parts[0], path);
  }
  FieldErrors errors;
  if (parts.size() == 2) {
    if (parts[0].empty()) {
      errors.push_back(Invalid(path, "", "the domain must not be empty"));
    } else {
      Append(errors, ValidateDriverName(parts[0], path));
    }
    if (parts[1].empty()) {
      errors.push_back(Invalid(path, "", "the name must not be empty"));
    } else {
      Append(errors, ValidateCIdentifier(parts[1], path));
    }
  }
  return errors;
}

FieldErrors ValidateFullyQualifiedName(const std::string& name, const FieldPath& path) {
  FieldErrors errors = ValidateQualifiedName(name, path);
  if (name.find('/') == std::string::npos) {
    errors.push_back(Invalid(
        path, name, "a fully qualified name must be a domain and a name separated by a slash"));
  }
  return errors;
}

FieldErrors ValidateNodeSelector(const core::NodeSelector& selector, const FieldPath& path) {
  const FieldPath terms = path.Child("nodeSelectorTerms");
  if (selector.node_selector_terms.empty()) {
    return {Required(terms, "must have at least one node selector term")};
  }
  return ValidateSlice(
      selector.node_selector_terms, kNoLimit, terms,
      [](const core::NodeSelectorTerm& term, const FieldPath& item) {
        FieldErrors errors =
            ValidateSlice(term.match_expressions, kNoLimit, item.Child("matchExpressions"),
                          ValidateNodeSelectorRequirement);
        Append(errors, ValidateSlice(term.match_fields, kNoLimit, item.Child("matchFields"),
                                     ValidateNodeFieldSelectorRequirement));
        return errors;
      });
}

FieldErrors ValidateRawExtension(const meta::RawExtension& value, bool stored, std::size_t max,
                                 const FieldPath& path) {
  if (value.json.empty()) {
    return {Required(path)};
  }
  if (!stored && value.json.size() > max) {
    return {TooLong(path, max)};
  }
  constexpr std::string_view kOmitted = "<value omitted>";
  if (const std::string problem = GoJsonSyntaxError(value.json); !problem.empty()) {
    return {Invalid(path, kOmitted, "error parsing data as JSON: " + problem)};
  }
  const char first = value.json[value.json.find_first_not_of(" \t\r\n")];
  if (first == 'n') {
    return {Required(path)};
  }
  if (first != '{') {
    return {Invalid(path, kOmitted, "must be a valid JSON object")};
  }
  return {};
}

FieldErrors ValidateBindingConditions(const std::vector<std::string>& conditions,
                                      const std::vector<std::string>& failure_conditions,
                                      const FieldPath& path) {
  const FieldPath conditions_path = path.Child("bindingConditions");
  const FieldPath failures_path = path.Child("bindingFailureConditions");
  const auto validate = [](const std::string& name, const FieldPath& item) {
    return ValidateLabelName(name, item);
  };
  FieldErrors errors =
      ValidateSlice(conditions, kBindingConditionsMaxSize, conditions_path, validate);
  Append(errors,
         ValidateSlice(failure_conditions, kBindingConditionsMaxSize, failures_path, validate));
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    if (!seen.insert(conditions[i]).second) {
      errors.push_back(Duplicate(conditions_path.Index(i), conditions[i]));
    }
  }
  std::set<std::string_view> seen_failures;
  for (std::size_t i = 0; i < failure_conditions.size(); ++i) {
    if (!seen_failures.insert(failure_conditions[i]).second) {
      errors.push_back(Duplicate(failures_path.Index(i), failure_conditions[i]));
    }
    if (seen.contains(failure_conditions[i])) {
      errors.push_back(Invalid(failures_path.Index(i), failure_conditions[i],
                               "bindingFailureConditions must not overlap with "
                               "bindingConditions"));
    }
  }
  if (conditions.empty() && !failure_conditions.empty()) {
    errors.push_back(InvalidJson(conditions_path, "null",
                                 "bindingConditions are required to use bindingFailureConditions"));
  }
  if (failure_conditions.empty() && !conditions.empty()) {
    errors.push_back(InvalidJson(failures_path, "null",
                                 "bindingFailureConditions are required to use bindingConditions"));
  }
  return errors;
}

FieldErrors ValidateSkipNodeOperations(const std::vector<std::string>& operations,
                                       const FieldPath& path) {
  constexpr std::string_view kPrepare = "NodePrepareResources";
  constexpr std::string_view kUnprepare = "NodeUnprepareResources";
  const auto has = [&](std::string_view operation) {
    return std::find(operations.begin(), operations.end(), operation) != operations.end();
  };
  FieldErrors errors;
  if (has(kPrepare) && !has(kUnprepare) && !has("*")) {
    errors.push_back(InvalidJson(path, GoJsonOf(operations),
                                 "NodePrepareResources cannot be skipped unless "
                                 "NodeUnprepareResources is also skipped"));
  }
  Append(errors, ValidateSet(
                     operations, kNoLimit, path,
                     [&](const std::string& operation, const FieldPath& item) -> FieldErrors {
                       if (operation == "*" || operation == kPrepare || operation == kUnprepare) {
                         return {};
                       }
                       return {NotSupported(item, operation,
                                            {"*", std::string(kPrepare), std::string(kUnprepare)})};
                     },
                     [](const std::string& operation) { return operation; }));
  return errors;
}

FieldErrors ValidateInterfaceAddress(const std::string& address, const FieldPath& path) {
  const std::optional<std::string> canonical = CanonicalInterfaceAddress(address);
  if (!canonical.has_value()) {
    return {Invalid(path, address,
                    "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or "
                    "2001:db8::1/64)")};
  }
  if (address != *canonical) {
    return {Invalid(path, address, "must be in canonical form (" + GoQuote(*canonical) + ")")};
  }
  return {};
}

}  // namespace assay::api::validation
