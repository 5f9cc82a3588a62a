#include "controlplane/node/cdi/qualified_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace assay::controlplane::node::cdi {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;

TEST(QualifiedNameTest, SplitsAtTheFirstSlashAndEquals) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const QualifiedName name,
                             ParseQualifiedName("gpu.example.com/claim=0a-1:2.b_3"));
  EXPECT_EQ(name.vendor, "gpu.example.com");
  EXPECT_EQ(name.class_, "claim");
  EXPECT_EQ(name.name, "0a-1:2.b_3");
  EXPECT_EQ(name.ToString(), "gpu.example.com/claim=0a-1:2.b_3");
}

TEST(QualifiedNameTest, RefusesWhatIsNotQualified) {
  for (const char* text :
       {"", "gpu0", "/dev/nvidia0", "vendor/class", "vendor=name", "/class=name", "vendor/=name",
        "vendor/class=", "1vendor/class=name", "vendor/1class=name", "vendor./class=name",
        "vendor/class=name-", "vendor/cl:ass=name", "vendor/class=a/b", "vendor/class=-name"}) {
    EXPECT_THAT(ParseQualifiedName(text), StatusIs(StatusCode::kInvalidArgument)) << text;
  }
}

TEST(QualifiedNameTest, NamesThePartAtFault) {
  EXPECT_THAT(ParseQualifiedName("vendor/class=na me"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("device name \"na me\"")));
  EXPECT_THAT(ValidateVendorName("a"), IsOk());
  EXPECT_THAT(ValidateDeviceName("0"), IsOk());
}

}  // namespace
}  // namespace assay::controlplane::node::cdi
