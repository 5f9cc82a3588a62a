// The lexical side of JSON: checks a text as Go's scanner does, and steps through one that is known
// to be valid.
//
// Not thread-safe; one per text.
#ifndef ASSAY_API_JSON_INTERNAL_SCAN_H_
#define ASSAY_API_JSON_INTERNAL_SCAN_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::api::json::internal {

// Whether `text` is one JSON value. kInvalidArgument with Go's words ("invalid character '}'
// looking for beginning of value", "unexpected end of JSON input"); kResourceExhausted: it nests
// deeper than `max_depth`.
Status Validate(std::string_view text, int max_depth);

// Steps through valid JSON; what it is used on must have passed Validate.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  // The first character of the next value: one of `{["tfn-0123456789`.
  char Peek();

  // Objects and arrays: Enter takes the bracket; Next tells whether another member or item follows
  // and, at the end, takes the closing bracket.
  void Enter();
  bool Next();

  // The key of an object's member and the colon.
  std::string Key();

  // A whole value, as it is written.
  std::string_view Raw();
  // A string, decoded. Invalid UTF-8 and lone surrogates become U+FFFD, as in Go.
  std::string String();

 private:
  void SkipSpace();
  std::string_view StringLiteral();

  std::string_view text_;
  std::size_t at_ = 0;
  bool first_ = false;  // Next was not yet called in the innermost object or array.
};

// The bytes of the UTF-8 sequence that starts at `at`; 0: none does.
std::size_t RuneSize(std::string_view text, std::size_t at);

// The text of a string literal, quotes included, decoded.
std::string Unquote(std::string_view literal);

}  // namespace assay::api::json::internal

#endif  // ASSAY_API_JSON_INTERNAL_SCAN_H_
