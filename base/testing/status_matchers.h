// GoogleMock matchers for Status and Result.
//
//   EXPECT_THAT(Decode(text), IsOk());
//   EXPECT_THAT(Decode("{"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("line 1")));
//   ASSAY_ASSERT_OK_AND_ASSIGN(auto claim, Decode(text));
#ifndef ASSAY_BASE_TESTING_STATUS_MATCHERS_H_
#define ASSAY_BASE_TESTING_STATUS_MATCHERS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/result.h"

namespace assay::testing {

inline const Status& GetStatus(const Status& status) { return status; }
template <typename T>
const Status& GetStatus(const Result<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  const Status& status = GetStatus(arg);
  *result_listener << status.ToString();
  return status.ok();
}

MATCHER_P2(StatusIs, code, message_matcher,
           "has the code " + std::string(StatusCodeName(code)) + " and a message that " +
               ::testing::DescribeMatcher<std::string>(message_matcher, negation)) {
  const Status& status = GetStatus(arg);
  *result_listener << status.ToString();
  return status.code() == code && ::testing::Matches(message_matcher)(status.message());
}

inline auto StatusIs(StatusCode code) { return StatusIs(code, ::testing::_); }

}  // namespace assay::testing

#define ASSAY_ASSERT_OK_AND_ASSIGN(declaration, expression)                                        \
  ASSAY_INTERNAL_ASSERT_OK_AND_ASSIGN(ASSAY_INTERNAL_CONCAT(assay_result_, __LINE__), declaration, \
                                      expression)
#define ASSAY_INTERNAL_ASSERT_OK_AND_ASSIGN(result, declaration, expression) \
  auto result = (expression);                                                \
  ASSERT_TRUE(result.ok()) << result.status();                               \
  declaration = *std::move(result)

#endif  // ASSAY_BASE_TESTING_STATUS_MATCHERS_H_
