// Pieces of which the rules of several kinds are made.
//
// Source: pkg/apis/resource/validation/validation.go (validateSet and its neighbours) and
// pkg/apis/core/validation (node selectors).
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_VALIDATORS_H_
#define ASSAY_API_VALIDATION_VALIDATORS_H_

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/core/types.h"
#include "api/meta/scalars.h"
#include "api/schema/descriptor.h"
#include "api/validation/field_error.h"
#include "api/validation/metadata.h"

namespace assay::api::validation {

inline constexpr std::optional<std::size_t> kNoLimit;

// As schema::Equal: quantities and times by value, an absent container like an empty one.
template <typename T>
bool SemanticEqual(const T& a, const T& b) {
  return schema::Equal(schema::DescriptorOf<T>(), &a, &b);
}
template <typename T>
bool SemanticEqual(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const T& x, const T& y) { return SemanticEqual(x, y); });
}

// Every item valid, and at most `max` of them; past the limit no item is looked at.
template <typename T, typename ValidateItem>
FieldErrors ValidateSlice(const std::vector<T>& items, std::optional<std::size_t> max,
                          const FieldPath& path, ValidateItem&& validate_item) {
  if (max.has_value() && items.size() > *max) {
    return {TooMany(path, items.size(), *max)};
  }
  FieldErrors errors;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Append(errors, validate_item(items[i], path.Index(i)));
  }
  return errors;
}

// As ValidateSlice, and no two items with the same key.
template <typename T, typename ValidateItem, typename KeyOf, typename MakeDuplicate>
FieldErrors ValidateSet(const std::vector<T>& items, std::optional<std::size_t> max,
                        const FieldPath& path, ValidateItem&& validate_item, KeyOf&& key_of,
                        MakeDuplicate&& make_duplicate) {
  FieldErrors errors = ValidateSlice(items, max, path, validate_item);
  if (max.has_value() && items.size() > *max) {
    return errors;
  }
  std::set<std::string> keys;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string key = key_of(items[i]);
    if (!keys.insert(key).second) {
      errors.push_back(make_duplicate(path.Index(i), key));
    }
  }
  return errors;
}
template <typename T, typename ValidateItem, typename KeyOf>
FieldErrors ValidateSet(const std::vector<T>& items, std::optional<std::size_t> max,
                        const FieldPath& path, ValidateItem&& validate_item, KeyOf&& key_of) {
  return ValidateSet(
      items, max, path, validate_item, key_of,
      [](const FieldPath& item, const std::string& key) { return Duplicate(item, key); });
}

// Keys are checked at the map's own path, items at path[key], where a key longer than
// `truncate_key` is shown with "..." in its middle.
template <typename T, typename ValidateKey, typename ValidateItem>
FieldErrors ValidateMap(const std::map<std::string, T>& items, std::optional<std::size_t> max,
                        std::size_t truncate_key, const FieldPath& path, ValidateKey&& validate_key,
                        ValidateItem&& validate_item);

std::string TruncateIfTooLong(std::string_view text, std::size_t max);

template <typename T, typename ValidateKey, typename ValidateItem>
FieldErrors ValidateMap(const std::map<std::string, T>& items, std::optional<std::size_t> max,
                        std::size_t truncate_key, const FieldPath& path, ValidateKey&& validate_key,
                        ValidateItem&& validate_item) {
  if (max.has_value() && items.size() > *max) {
    return {TooMany(path, items.size(), *max)};
  }
  FieldErrors errors;
  for (const auto& [key, item] : items) {
    Append(errors, validate_key(key, path));
    Append(errors, validate_item(item, path.Key(TruncateIfTooLong(key, truncate_key))));
  }
  return errors;
}

FieldErrors ValidateDns1123Label(std::string_view value, const FieldPath& path);
FieldErrors ValidateDns1123Subdomain(std::string_view value, const FieldPath& path);
// A driver's name: at most 63 bytes, a subdomain once it is in lower case.
FieldErrors ValidateDriverName(std::string_view name, const FieldPath& path);
// "a/b": subdomains joined by slashes.
FieldErrors ValidatePoolName(std::string_view name, const FieldPath& path);
FieldErrors ValidateUuid(const std::string& uid, const FieldPath& path);
// An attribute's or capacity's name, with or without a domain.
FieldErrors ValidateQualifiedName(const std::string& name, const FieldPath& path);
FieldErrors ValidateFullyQualifiedName(const std::string& name, const FieldPath& path);
FieldErrors ValidateNodeSelector(const core::NodeSelector& selector, const FieldPath& path);
// A JSON object of at most `max` bytes; the size of what is `stored` already is not checked.
FieldErrors ValidateRawExtension(const meta::RawExtension& value, bool stored, std::size_t max,
                                 const FieldPath& path);
// Conditions that a device wants fulfilled, or not, before a pod is bound.
FieldErrors ValidateBindingConditions(const std::vector<std::string>& conditions,
                                      const std::vector<std::string>& failure_conditions,
                                      const FieldPath& path);
// 1.37: which of the node's calls a driver does not need.
FieldErrors ValidateSkipNodeOperations(const std::vector<std::string>& operations,
                                       const FieldPath& path);
// "10.9.8.7/24" in canonical form.
FieldErrors ValidateInterfaceAddress(const std::string& address, const FieldPath& path);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_VALIDATORS_H_
