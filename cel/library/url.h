// Url: URLs as Go's net/url reads and writes them.
//
// Source: Go 1.26, net/url/url.go; k8s.io/apiserver/pkg/cel/library/urls.go for what is parsed how.
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
  std::string opaque;               // what follows the scheme if it is no path: "a@b" of mailto:a@b
  std::optional<std::string> user;  // "name:password", escaped
  std::string host;                 // with port
  std::string path;                 // unescaped
  std::string raw_path;             // as given; empty if `path` has no other escaping
  std::string query;                // as given
  bool force_query = false;         // a '?' without a query
  std::string fragment;             // unescaped
  std::string raw_fragment;         // as raw_path
  bool omit_host = false;           // "scheme:/path"

  // An absolute URL or path. kInvalidArgument with Go's text:
  // `parse "x": invalid URI for request`.
  static Result<Url> Parse(std::string_view text);
  // OkStatus() if `text` is a URL as a request names it: there a '#' is nothing special.
  static Status CheckRequest(std::string_view text);

  std::string EscapedPath() const;
  std::string Hostname() const;
  std::string Port() const;
  // Each key with its values, in the order of the keys' first appearance.
  std::vector<std::pair<std::string, std::vector<std::string>>> Query() const;
  // Put together again: equal for equal URLs.
  std::string ToString() const;
};

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_URL_H_
