// The name formats of Kubernetes, with the texts in which it refuses a name.
//
// Each function returns what is wrong with `value`, one message per broken rule; nothing if it is
// right. Source: apimachinery, api/validate/content/*.go.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_NAMES_H_
#define ASSAY_API_VALIDATION_NAMES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace assay::api::validation {

using Problems = std::vector<std::string>;

// Of a DNS label, a label's value and the name part of its key; in bytes.
inline constexpr std::size_t kLabelMaxLength = 63;

// "name": at most 63 bytes of [a-z0-9-].
Problems CheckDns1123Label(std::string_view value);
// "a.name": labels joined by dots, at most 253 bytes.
Problems CheckDns1123Subdomain(std::string_view value);
// As above, in the words of declarative validation, which counts bytes where the hand-written rules
// speak of characters.
Problems CheckLongName(std::string_view value);
// As above with upper case allowed.
Problems CheckLongNameCaseless(std::string_view value);
// "example.com/MyName" or "MyName": the key of a label.
Problems CheckQualifiedName(std::string_view value);
Problems CheckLabelValue(std::string_view value);
// [A-Za-z_][A-Za-z0-9_]*; the length is not checked.
Problems CheckCIdentifier(std::string_view value);
// The reason of a condition: [A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?
Problems CheckConditionReason(std::string_view value);

// Semantic versioning 2.0.0 without a leading "v".
bool IsSemanticVersion(std::string_view value);
// "cpu", "kubernetes.io/x": resources of Kubernetes itself.
bool IsNativeResource(std::string_view name);
// "example.com/gpu": resources that others may define.
bool IsExtendedResourceName(std::string_view name);

// The texts "must be no more than N bytes" and the like.
std::string MaxLengthProblem(std::size_t length, std::string_view unit = "bytes");
std::string RegexProblem(std::string_view message, std::string_view regex,
                         const std::vector<std::string>& examples);

std::string ToLower(std::string_view text);
std::vector<std::string_view> Split(std::string_view text, char separator);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_NAMES_H_
