#include "api/client/internal/json_slices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace assay::api::client::internal {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;
using testing::StatusIs;

std::vector<std::string> Members(std::string_view text, Status& status) {
  std::vector<std::string> found;
  status = ForEachMember(text, [&](std::string_view key, std::string_view value) {
    found.push_back(std::string(key) + ":" + std::string(value));
    return OkStatus();
  });
  return found;
}

std::vector<std::string> Items(std::string_view text, Status& status) {
  std::vector<std::string> found;
  status = ForEachItem(text, [&](std::string_view value) {
    found.emplace_back(value);
    return OkStatus();
  });
  return found;
}

TEST(JsonSlicesTest, MembersKeepTheirRawText) {
  Status status;
  EXPECT_THAT(Members(R"( {"a" : 1, "b":{"x":[1,"}"]}, "c\"":"\\", "d":true} )", status),
              ElementsAre("a:1", R"(b:{"x":[1,"}"]})", R"(c\":"\\")", "d:true"));
  EXPECT_THAT(status, IsOk());
  EXPECT_THAT(Members("{}", status), ElementsAre());
  EXPECT_THAT(status, IsOk());
}

TEST(JsonSlicesTest, Items) {
  Status status;
  EXPECT_THAT(Items(R"([1, "a,b" ,{"k":[]},[[]]])", status),
              ElementsAre("1", R"("a,b")", R"({"k":[]})", "[[]]"));
  EXPECT_THAT(status, IsOk());
  EXPECT_THAT(Items("null", status), ElementsAre());
  EXPECT_THAT(status, IsOk());
}

TEST(JsonSlicesTest, RefusesWhatIsCutOffOrNoContainer) {
  for (const char* text : {"", "1", "{", R"({"a)", R"({"a":)", R"({"a":1)", R"({"a":[1)",
                           R"({"a":1}x)", R"({"a" 1})", R"({"a":"\)", R"({"a":,})", "{1:2}"}) {
    Status status;
    Members(text, status);
    EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument)) << text;
  }
  for (const char* text : {"", "{}", "[", "[1", "[1,", "[1,]", "[]]"}) {
    Status status;
    Items(text, status);
    EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument)) << text;
  }
}

TEST(JsonSlicesTest, PassesTheVisitorsErrorOn) {
  EXPECT_THAT(ForEachItem("[1,2]", [](std::string_view) { return AbortedError("stop"); }),
              StatusIs(StatusCode::kAborted));
}

}  // namespace
}  // namespace assay::api::client::internal
