#include "api/validation/field_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "api/validation/go_json_syntax.h"

namespace assay::api::validation {
namespace {

TEST(FieldErrorTest, PrintsAsKubernetesDoes) {
  const FieldPath path = FieldPath("spec").Child("devices").Index(2).Child("attributes").Key("a/b");
  const std::string at = "spec.devices[2].attributes[a/b]: ";
  EXPECT_EQ(Required(path).ToString(), at + "Required value");
  EXPECT_EQ(Required(path, "why").ToString(), at + "Required value: why");
  EXPECT_EQ(Invalid(path, "x", "why").ToString(), at + "Invalid value: \"x\": why");
  EXPECT_EQ(Invalid(path, std::int64_t{3}, "why").ToString(), at + "Invalid value: 3: why");
  EXPECT_EQ(Invalid(path, false, "why").ToString(), at + "Invalid value: false: why");
  EXPECT_EQ(InvalidJson(path, "null", "why").ToString(), at + "Invalid value: null: why");
  EXPECT_EQ(Duplicate(path, "x").ToString(), at + "Duplicate value: \"x\"");
  EXPECT_EQ(NotFound(path, "x").ToString(), at + "Not found: \"x\"");
  EXPECT_EQ(Forbidden(path, "why").ToString(), at + "Forbidden: why");
  EXPECT_EQ(TooLong(path, 63).ToString(), at + "Too long: may not be more than 63 bytes");
  EXPECT_EQ(TooMany(path, 9, 8).ToString(), at + "Too many: 9: must have at most 8 items");
  EXPECT_EQ(TooMany(path, 2, 1).ToString(), at + "Too many: 2: must have at most 1 item");
  EXPECT_EQ(InternalFieldError(path, "why").ToString(), at + "Internal error: why");
  EXPECT_EQ(NotSupported(path, "x", {"A", "B"}).ToString(),
            at + "Unsupported value: \"x\": supported values: \"A\", \"B\"");
}

TEST(FieldErrorTest, MessageListsEachErrorOnce) {
  const FieldError one = Required(FieldPath("a"));
  const FieldError two = Required(FieldPath("b"));
  EXPECT_EQ(InvalidMessage("Pod", "p", {one}), "Pod \"p\" is invalid: a: Required value");
  EXPECT_EQ(InvalidMessage("Pod", "p", {one, two, one}),
            "Pod \"p\" is invalid: [a: Required value, b: Required value]");
}

TEST(GoQuoteTest, EscapesWhatGoEscapes) {
  EXPECT_EQ(GoQuote("a\"b\\c\n\t\x01\x7f"), R"("a\"b\\c\n\t\x01\x7f")");
  EXPECT_EQ(GoQuote("\u00e9\u4e16"), "\"\u00e9\u4e16\"");
  EXPECT_EQ(GoQuote("\u0080\ufeff"), R"("\u0080\ufeff")");
  EXPECT_EQ(GoQuote("\xff\xc3"), R"("\xff\xc3")");
}

// The texts are those of encoding/json of Go 1.26.
TEST(GoJsonSyntaxErrorTest, SaysWhatGoSays) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "unexpected end of JSON input"},
      {"{", "unexpected end of JSON input"},
      {"[1", "unexpected end of JSON input"},
      {"{\"a\"", "unexpected end of JSON input"},
      {"{\"a\":", "unexpected end of JSON input"},
      {"{\"a\":1", "unexpected end of JSON input"},
      {"{\"a\":1,", "unexpected end of JSON input"},
      {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
      {"{a:1}", "invalid character 'a' looking for beginning of object key string"},
      {"[1,]", "invalid character ']' looking for beginning of value"},
      {"[1 2]", "invalid character '2' after array element"},
      {"{\"a\" 1}", "invalid character '1' after object key"},
      {"x", "invalid character 'x' looking for beginning of value"},
      {"tru", "invalid character ' ' in literal true (expecting 'e')"},
      {"trux", "invalid character 'x' in literal true (expecting 'e')"},
      {"nul", "invalid character ' ' in literal null (expecting 'l')"},
      {"falsy", "invalid character 'y' in literal false (expecting 'e')"},
      {"-", "invalid character ' ' in numeric literal"},
      {"-a", "invalid character 'a' in numeric literal"},
      {"1.", "invalid character ' ' after decimal point in numeric literal"},
      {"1.x", "invalid character 'x' after decimal point in numeric literal"},
      {"1e", "invalid character ' ' in exponent of numeric literal"},
      {"1e+", "invalid character ' ' in exponent of numeric literal"},
      {"01", "invalid character '1' after top-level value"},
      {"1 2", "invalid character '2' after top-level value"},
      {"\"a", "unexpected end of JSON input"},
      {"\"\\x\"", "invalid character 'x' in string escape code"},
      {"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
      {"\"\n\"", "invalid character '\\n' in string literal"},
      {"{} x", "invalid character 'x' after top-level value"},
      {"'a'", "invalid character '\\'' looking for beginning of value"},
      {"\"\\", "invalid character ' ' in string escape code"},
      {"é", "invalid character 'Ã' looking for beginning of value"},
      {"[1,2}", "invalid character '}' after array element"},
      {"{\"a\":1]", "invalid character ']' after object key:value pair"},
      {std::string(1, '\0'), "invalid character '\\x00' looking for beginning of value"},
      {" \t\r\n{} ", ""},
      {"[]", ""},
      {"1.5e-3", ""},
      {"\"\\u00e9\"", ""},
      {"null", ""}};
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(GoJsonSyntaxError(text), expected) << text;
  }
}

}  // namespace
}  // namespace assay::api::validation
