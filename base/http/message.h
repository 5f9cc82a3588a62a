// HTTP/1.1 messages as values: headers, query parameters, requests and responses.
//
// Thread-safe: values, no shared state.
#ifndef ASSAY_BASE_HTTP_MESSAGE_H_
#define ASSAY_BASE_HTTP_MESSAGE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::http {

// Header fields in the order in which they were added; names compare without regard to case.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  void Add(std::string name, std::string value);
  // Replaces every field of that name.
  void Set(std::string name, std::string value);
  // The first field of that name, or null.
  const std::string* Find(std::string_view name) const;
  // The first field of that name, or "".
  std::string_view Get(std::string_view name) const;

  std::vector<Field>::const_iterator begin() const { return fields_.begin(); }
  std::vector<Field>::const_iterator end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

// The decoded parameters of a URL's query, in order. A key may be repeated.
class Query {
 public:
  using Parameter = std::pair<std::string, std::string>;

  Query() = default;
  Query(std::initializer_list<Parameter> parameters) : parameters_(parameters) {}
  // "a=1&b=x%2Fy+z"; a parameter without "=" has an empty value.
  static Query Parse(std::string_view text);
  // The inverse of Parse.
  std::string Encode() const;

  void Add(std::string key, std::string value);
  // The first value of `key`, or null.
  const std::string* Find(std::string_view key) const;
  // The first value of `key`, or "".
  std::string_view Get(std::string_view key) const;
  bool empty() const { return parameters_.empty(); }

  std::vector<Parameter>::const_iterator begin() const { return parameters_.begin(); }
  std::vector<Parameter>::const_iterator end() const { return parameters_.end(); }

 private:
  std::vector<Parameter> parameters_;
};

// "%2F" to "/"; a malformed escape stays as it is. A "+" stays a "+": that it is a space holds for
// queries alone.
std::string PercentDecode(std::string_view text);
// Escapes everything but the unreserved characters of RFC 3986.
std::string PercentEncode(std::string_view text);

// "Not Found" for 404; "" for a code that has no standard reason.
std::string_view ReasonPhrase(int status);

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

}  // namespace assay::http

#endif  // ASSAY_BASE_HTTP_MESSAGE_H_
