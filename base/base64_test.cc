#include "base/base64.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "base/testing/status_matchers.h"

namespace assay {
namespace {

using testing::StatusIs;

// RFC 4648, section 10.
TEST(Base64Test, Vectors) {
  EXPECT_EQ(EncodeBase64(""), "");
  EXPECT_EQ(EncodeBase64("f"), "Zg==");
  EXPECT_EQ(EncodeBase64("fo"), "Zm8=");
  EXPECT_EQ(EncodeBase64("foo"), "Zm9v");
  EXPECT_EQ(EncodeBase64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(EncodeBase64("\xfb\xff"), "+/8=");
  EXPECT_EQ(EncodeBase64Url("\xfb\xff"), "-_8");
}

TEST(Base64Test, RoundTrips) {
  Random random(3);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) {
      bytes += static_cast<char>(random.Below(256));
    }
    EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)).value_or("?"), bytes) << size;
    EXPECT_EQ(DecodeBase64Url(EncodeBase64Url(bytes)).value_or("?"), bytes) << size;
  }
}

TEST(Base64Test, RefusesWithGosWords) {
  const auto refused = [](const std::string& message) {
    return StatusIs(StatusCode::kInvalidArgument, "illegal base64 data at input byte " + message);
  };
  EXPECT_THAT(DecodeBase64("Zm9"), refused("0"));
  EXPECT_THAT(DecodeBase64("Zw="), refused("3"));
  EXPECT_THAT(DecodeBase64("Z-8="), refused("1"));
  EXPECT_THAT(DecodeBase64Url("Zg=="), refused("2"));
  EXPECT_THAT(DecodeBase64Url("Z+8"), refused("1"));
  EXPECT_THAT(DecodeBase64Url("Zm9vZ"), refused("4"));
  EXPECT_EQ(DecodeBase64("Zm9v\nYmFy\r\n").value_or("?"), "foobar");
}

}  // namespace
}  // namespace assay
