#include "api/field_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/testing/status_matchers.h"

namespace assay::api {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;

bool Matches(std::string_view text, const Object& object) {
  Result<FieldSelector> selector = FieldSelector::Parse(text);
  EXPECT_TRUE(selector.ok()) << selector.status();
  return selector.ok() && selector->Matches(object);
}

Status Check(std::string_view text, const Kind& kind, Level level = Level::k1_36) {
  ASSAY_ASSIGN_OR_RETURN(FieldSelector selector, FieldSelector::Parse(text));
  return selector.CheckFor(kind, level);
}

TEST(FieldSelectorTest, MatchesFields) {
  resource::ResourceSlice slice{.metadata = {.name = "s"}};
  slice.spec.driver = "gpu.example.com";
  slice.spec.node_name = "n";
  slice.spec.pool.name = "p";
  Object object = Object::Of(slice);
  EXPECT_TRUE(Matches("", object));
  EXPECT_TRUE(Matches("metadata.name=s", object));
  EXPECT_TRUE(Matches("spec.driver==gpu.example.com,spec.nodeName=n", object));
  EXPECT_TRUE(Matches("spec.nodeName!=other", object));
  EXPECT_FALSE(Matches("spec.nodeName!=n", object));
  EXPECT_FALSE(Matches("spec.driver=x", object));
  EXPECT_TRUE(Matches("spec.pool.name=p", object));
  slice.spec.node_name.reset();
  EXPECT_TRUE(Matches("spec.nodeName=", Object::Of(slice)));
}

TEST(FieldSelectorTest, PodFieldsAreUpstreams) {
  core::Pod pod;
  pod.spec.node_name = "n";
  pod.status.pod_ips = {{.ip = "10.0.0.1"}, {.ip = "::1"}};
  Object object = Object::Of(pod);
  EXPECT_TRUE(Matches("spec.nodeName=n", object));
  EXPECT_TRUE(Matches("spec.host=n", object));  // What old clients send.
  EXPECT_TRUE(Matches("spec.hostNetwork=false", object));
  EXPECT_TRUE(Matches("status.podIP=10.0.0.1", object));
  EXPECT_TRUE(Matches("spec.unschedulable=false", Object::Of(core::Node())));
  core::Event event;
  event.reporting_component = "kubelet";
  EXPECT_TRUE(Matches("source=kubelet", Object::Of(event)));
}

TEST(FieldSelectorTest, UnknownFieldsAreRefusedPerKind) {
  EXPECT_THAT(Check("spec.driver=a,spec.nodeName=b", KindOf<resource::ResourceSlice>()), IsOk());
  EXPECT_THAT(Check("spec.pool.name=a", KindOf<resource::ResourceSlice>(), Level::k1_37), IsOk());
  EXPECT_THAT(Check("spec.pool.name=a", KindOf<resource::ResourceSlice>()),
              StatusIs(StatusCode::kInvalidArgument,
                       "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: "
                       "spec.pool.name"));
  EXPECT_THAT(Check("spec.foo=a", KindOf<core::Pod>()),
              StatusIs(StatusCode::kInvalidArgument, "field label not supported: spec.foo"));
  EXPECT_THAT(Check("spec.foo=a", KindOf<resource::ResourceClaim>()),
              StatusIs(StatusCode::kInvalidArgument,
                       "\"spec.foo\" is not a known field selector: only \"metadata.name\", "
                       "\"metadata.namespace\""));
}

TEST(FieldSelectorTest, SyntaxErrorsHaveUpstreamsWords) {
  EXPECT_THAT(FieldSelector::Parse("a"), StatusIs(StatusCode::kInvalidArgument,
                                                  "invalid selector: 'a'; can't understand 'a'"));
  EXPECT_THAT(FieldSelector::Parse("a=b=c"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(FieldSelector::Parse("a=\\x"),
              StatusIs(StatusCode::kInvalidArgument,
                       "invalid field selector: invalid escape sequence: \\x"));
}

TEST(FieldSelectorTest, EscapesAreReadAndWritten) {
  ASSAY_ASSERT_OK_AND_ASSIGN(FieldSelector selector, FieldSelector::Parse("b!=x,a=1\\,2\\=3"));
  EXPECT_EQ(selector.RequiredValue("a"), "1,2=3");
  EXPECT_EQ(selector.RequiredValue("b"), std::nullopt);
  EXPECT_EQ(selector.ToString(), "a=1\\,2\\=3,b!=x");
}

}  // namespace
}  // namespace assay::api
