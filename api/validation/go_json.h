// How a refused value that is neither string, number nor bool is printed: as Go's JSON.
//
// Kubernetes validates its internal types. Those of meta/v1 are also the external ones and print as
// the client knows them; all others have no JSON names, so that Go prints every field, set or not,
// under its Go name: {"Devices":{"Requests":null,"Constraints":null,"Config":null}}.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_GO_JSON_H_
#define ASSAY_API_VALIDATION_GO_JSON_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/json/json.h"
#include "api/schema/descriptor.h"

namespace assay::api::validation {

std::string GoJson(const schema::MessageDescriptor& message, const void* message_data);

std::string GoJsonOf(const std::vector<std::string>& items);

// "Type.Field" names of a generated struct, or of a list of them ("null" if empty).
template <typename T>
std::string GoJsonOf(const T& value) {
  return GoJson(schema::DescriptorOf<T>(), &value);
}
template <typename T>
std::string GoJsonOf(const std::vector<T>& items) {
  if (items.empty()) {
    return "null";
  }
  std::string text = "[";
  for (const T& item : items) {
    text += (text.size() == 1 ? "" : ",") + GoJsonOf(item);
  }
  return text + "]";
}

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_GO_JSON_H_
