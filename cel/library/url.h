// Url: URLs as Go's net/url takes them apart.
//
// Source: Go's net/url (Parse, ParseRequestURI), with its texts.
//
// Thread-safe: values.
#ifndef ASSAY_CEL_LIBRARY_URL_H_
#define ASSAY_CEL_LIBRARY_URL_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace assay::cel::library {

struct Url {
  std::string scheme;
  std::string host;  // with port
  std::string path;  // escaped
  std::string query;
  std::string fragment;
  std::string text;  // as it was given

  // kInvalidArgument with Go's text: `parse "x": invalid URI for request`.
  static Result<Url> ParseRequest(std::string_view text);

  std::string Hostname() const;
  std::string Port() const;
  // Each key with its values, in the order of the keys' first appearance.
  std::vector<std::pair<std::string, std::vector<std::string>>> Query() const;
};

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_URL_H_
