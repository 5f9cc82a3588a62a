#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "base/testing/status_matchers.h"

namespace assay {
namespace {

using testing::IsOk;
using testing::StatusIs;

Result<int> Half(int number) {
  if (number % 2 != 0) {
    return InvalidArgumentError(std::to_string(number) + " is odd");
  }
  return number / 2;
}

Result<int> Quarter(int number) {
  ASSAY_ASSIGN_OR_RETURN(const int half, Half(number));
  ASSAY_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status CheckEven(int number) {
  ASSAY_RETURN_IF_ERROR(Half(number).status());
  return OkStatus();
}

TEST(ResultTest, MacrosHandOnValuesAndErrors) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_THAT(Quarter(6), StatusIs(StatusCode::kInvalidArgument, "3 is odd"));
  EXPECT_THAT(CheckEven(4), IsOk());
  EXPECT_THAT(CheckEven(5), StatusIs(StatusCode::kInvalidArgument));
}

TEST(ResultTest, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> moved = *std::move(result);
  EXPECT_EQ(*moved, 7);
}

TEST(ResultTest, ContextGoesInFrontAndKeepsTheCode) {
  EXPECT_EQ(NotFoundError("claim a").WithContext("node n").ToString(),
            "NOT_FOUND: node n: claim a");
  EXPECT_EQ(OkStatus().WithContext("node n").ToString(), "OK");
}

TEST(ResultTest, ErrnoHasACodeThatCallersCanActOn) {
  EXPECT_THAT(ErrnoError(ENOENT, "opening x"),
              StatusIs(StatusCode::kNotFound, "opening x: No such file or directory"));
  EXPECT_THAT(ErrnoError(ENOSPC, "x"), StatusIs(StatusCode::kResourceExhausted));
}

TEST(ResultDeathTest, ValueOfAnErrorEndsTheProgramWithTheError) {
  const Result<int> result = NotFoundError("no such device");
  EXPECT_DEATH((void)result.value(), "no such device");
}

TEST(CheckDeathTest, NamesTheConditionAndTheMessage) {
  EXPECT_DEATH(ASSAY_CHECK(1 + 1 == 3) << "arithmetic " << 42, "1 \\+ 1 == 3: arithmetic 42");
}

}  // namespace
}  // namespace assay
