#include "api/meta/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/json/json.h"

namespace assay::api::meta {
namespace {

TEST(StatusTest, TextsAreUpstreams) {
  const GroupResource claims{"resource.k8s.io", "resourceclaims"};
  const GroupResource pods{"", "pods"};
  EXPECT_EQ(NotFound(claims, "a").message, "resourceclaims.resource.k8s.io \"a\" not found");
  EXPECT_EQ(AlreadyExists(pods, "a").message, "pods \"a\" already exists");
  EXPECT_EQ(Forbidden(pods, "", "no").message, "pods is forbidden: no");
  EXPECT_EQ(Forbidden(pods, "a", "no").message, "pods \"a\" is forbidden: no");
  EXPECT_EQ(Forbidden({}, "", "no").message, "forbidden: no");
  EXPECT_EQ(Conflict(pods, "a", "changed").message,
            "Operation cannot be fulfilled on pods \"a\": changed");
  EXPECT_EQ(MethodNotAllowed(pods, "delete").message,
            "delete is not supported on resources of kind \"pods\"");
  EXPECT_EQ(InternalError("x").message, "Internal error occurred: x");
  EXPECT_EQ(Unauthorized("").message, "not authorized");
}

TEST(StatusTest, EncodesAsClientsExpect) {
  EXPECT_EQ(json::EncodeAs(NotFound({"", "pods"}, "a"), {"v1", "Status"}),
            R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
            R"("message":"pods \"a\" not found","reason":"NotFound",)"
            R"("details":{"name":"a","kind":"pods"},"code":404})");
}

TEST(StatusTest, TranslatesToAssayStatusAndBack) {
  const GroupResource pods{"", "pods"};
  EXPECT_EQ(ToAssayStatus(NotFound(pods, "a")).code(), StatusCode::kNotFound);
  EXPECT_EQ(ToAssayStatus(AlreadyExists(pods, "a")).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(ToAssayStatus(Conflict(pods, "a", "")).code(), StatusCode::kAborted);
  EXPECT_EQ(ToAssayStatus(Invalid(pods, "a", {}, "")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ToAssayStatus(Expired("")).code(), StatusCode::kOutOfRange);
  EXPECT_EQ(ToAssayStatus(Gone("")).code(), StatusCode::kOutOfRange);
  EXPECT_EQ(ToAssayStatus(ServerTimeout(pods, "get", 1)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(ToAssayStatus(Timeout("", 1)).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ToAssayStatus(InternalError("")).code(), StatusCode::kInternal);
  EXPECT_TRUE(ToAssayStatus(SuccessStatus()).ok());
  EXPECT_EQ(ToAssayStatus(NotFound(pods, "a")).message(), "pods \"a\" not found");

  EXPECT_EQ(FromAssayStatus(NotFoundError("gone")).reason, reason::kNotFound);
  EXPECT_EQ(FromAssayStatus(AbortedError("changed")).code, 409);
  EXPECT_EQ(FromAssayStatus(DataLossError("x")).reason, reason::kInternalError);
  EXPECT_EQ(FromAssayStatus(OkStatus()).status, "Success");
}

TEST(StatusTest, UnknownReasonLeavesTheWordToTheHttpCode) {
  EXPECT_EQ(CodeOfReason("Odd", 404), StatusCode::kNotFound);
  EXPECT_EQ(CodeOfReason("Odd", 418), StatusCode::kUnknown);
}

TEST(StatusTest, AnAnswerThatIsNoStatusBecomesOne) {
  EXPECT_EQ(FromHttpCode(503, "").reason, reason::kServiceUnavailable);
  EXPECT_EQ(FromHttpCode(403, "no entry").message, "no entry");
  EXPECT_EQ(FromHttpCode(599, "boom").message,
            "an error on the server (\"boom\") has prevented the request from succeeding");
  EXPECT_EQ(FromHttpCode(418, "").reason, "");
}

}  // namespace
}  // namespace assay::api::meta
