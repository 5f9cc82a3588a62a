#include "api/proto/proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "api/core/types.h"
#include "api/json/json.h"
#include "api/meta/types.h"
#include "api/proto/internal/wire.h"
#include "api/registry.h"
#include "api/resource/types.h"
#include "api/testing/random_message.h"
#include "base/random.h"
#include "base/testing/status_matchers.h"

namespace assay::api::proto {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;

template <typename T>
std::string EncodeAs(const T& value) {
  return EncodeMessage(schema::DescriptorOf<T>(), &value);
}

template <typename T>
Result<T> DecodeAs(std::string_view bytes, const DecodeOptions& options = {}) {
  T value;
  ASSAY_RETURN_IF_ERROR(DecodeMessage(schema::DescriptorOf<T>(), bytes, options, &value));
  return value;
}

// A field of length-prefixed bytes.
std::string Bytes(std::uint32_t number, std::string_view content) {
  std::string out;
  internal::AppendBytesField(number, content, out);
  return out;
}

// Scalars that are no pointers are always written; pointers, lists and maps only if there is any.
TEST(ProtoTest, WritesWhatGogoWrites) {
  meta::OwnerReference owner{.kind = "Pod", .name = "p", .controller = false};
  EXPECT_EQ(EncodeAs(owner), std::string("\x0a\x03Pod\x1a\x01p\x22\x00\x2a\x00\x30\x00", 14));
  meta::DeleteOptions options{.grace_period_seconds = -1, .dry_run = {"All"}};
  EXPECT_EQ(EncodeAs(options), std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                                           "\x2a\x03"
                                           "All",
                                           16));
}

TEST(ProtoTest, WellKnownTypesAreMessages) {
  resource::Counter counter{.value = meta::Quantity::Of("80Gi")};
  EXPECT_EQ(EncodeAs(counter), std::string("\x0a\x06\x0a\x04") + "80Gi");
  core::TCPSocketAction action{.port = meta::IntOrString::Of(8)};
  EXPECT_EQ(EncodeAs(action), std::string("\x0a\x06\x08\x00\x10\x08\x1a\x00\x12\x00", 10));
  resource::DeviceTaint taint{.time_added = meta::Time::FromUnix(1)};
  EXPECT_EQ(EncodeAs(taint), std::string("\x0a\x00\x12\x00\x1a\x00\x22\x04\x08\x01\x10\x00", 12));
}

TEST(ProtoTest, InlineStructsAreMessagesOfTheirOwn) {
  core::Volume volume;
  volume.name = "v";
  volume.empty_dir.emplace();
  std::string bytes = EncodeAs(volume);
  EXPECT_EQ(bytes.substr(0, 3), "\x0a\x01v");
  EXPECT_EQ(bytes[3], '\x12');  // volumeSource
  ASSAY_ASSERT_OK_AND_ASSIGN(core::Volume decoded, DecodeAs<core::Volume>(bytes));
  EXPECT_TRUE(decoded.empty_dir.has_value());
}

TEST(ProtoTest, SurvivesARoundTripForEveryKind) {
  for (const Kind* kind : AllKinds()) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(kind->GroupResource() + " seed " + std::to_string(seed));
      Random random(seed);
      Object object = api::testing::RandomObject(*kind, random, {});
      std::string bytes = Encode(object);
      ASSAY_ASSERT_OK_AND_ASSIGN(Object decoded, Decode(*kind, bytes, {}));
      EXPECT_TRUE(schema::Equal(kind->hub(), object.data(), decoded.data()))
          << json::Encode(object) << "\n"
          << json::Encode(decoded);
      EXPECT_EQ(Encode(decoded), bytes);
    }
  }
}

TEST(ProtoTest, WithstandsMutatedInput) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Kind& kind = *AllKinds()[random.Below(AllKinds().size())];
    Object object = api::testing::RandomObject(kind, random, {.percent_filled = 25});
    std::string bytes = api::testing::Mutate(EncodeMessage(kind.hub(), object.data()), random);
    std::shared_ptr<void> value = kind.hub().New();
    if (DecodeMessage(kind.hub(), bytes, {}, value.get()).ok()) {
      json::EncodeMessage(kind.hub(), value.get());
    }
    DecodeEnvelope(api::testing::Mutate(EncodeEnvelope({"v1", "Pod"}, bytes), random))
        .status()
        .ok();
  }
}

TEST(ProtoTest, MalformedBytesAreNamedByField) {
  // spec (2) with a pool (2) whose name (1) is longer than what there is.
  EXPECT_THAT(DecodeAs<resource::ResourceSlice>(Bytes(2, Bytes(2, "\x0a\x07"))),
              StatusIs(StatusCode::kInvalidArgument, "spec.pool.name: length 7 past the end"));
  // generation (2) as bytes.
  EXPECT_THAT(DecodeAs<resource::ResourceSlice>(Bytes(2, Bytes(2, Bytes(2, "x")))),
              StatusIs(StatusCode::kInvalidArgument, "spec.pool.generation: wrong wire type 2"));
  EXPECT_THAT(DecodeAs<core::Pod>("\x0a"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("end within a number")));
  EXPECT_THAT(DecodeAs<core::Pod>(std::string("\x02\x00", 2)),
              StatusIs(StatusCode::kInvalidArgument, "illegal tag 0"));
  EXPECT_THAT(DecodeAs<resource::Counter>(Bytes(1, Bytes(1, "x"))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("value: quantities must match")));
}

TEST(ProtoTest, UnknownFieldsAreSkipped) {
  std::string bytes = EncodeAs(resource::ResourcePool{.name = "p", .generation = 2});
  std::string unknown = Bytes(900, "x");
  internal::AppendVarintField(901, 5, unknown);
  internal::AppendTag(902, internal::WireType::kStartGroup, unknown);
  internal::AppendVarintField(1, 1, unknown);
  internal::AppendTag(902, internal::WireType::kEndGroup, unknown);
  ASSAY_ASSERT_OK_AND_ASSIGN(auto pool, DecodeAs<resource::ResourcePool>(unknown + bytes));
  EXPECT_EQ(pool.name, "p");
  EXPECT_EQ(pool.generation, 2);
}

TEST(ProtoTest, PackedNumbersAreRead) {
  ASSAY_ASSERT_OK_AND_ASSIGN(auto attribute,
                             DecodeAs<resource::DeviceAttribute>(Bytes(6, "\x01\x02\x03")));
  EXPECT_THAT(attribute.ints, ::testing::ElementsAre(1, 2, 3));
}

TEST(ProtoTest, LimitsAreHeld) {
  EXPECT_THAT(DecodeAs<core::Pod>(Bytes(1, ""), {.max_bytes = 1}),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(DecodeAs<resource::ResourceSlice>(Bytes(2, Bytes(2, "")), {.max_depth = 2}),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("spec.pool: messages nest")));
}

TEST(ProtoTest, FieldsOfALaterLevelAreSkipped) {
  resource::ResourceSlice slice;
  slice.spec.skip_node_operations = {"*"};
  ASSAY_ASSERT_OK_AND_ASSIGN(
      auto decoded, DecodeAs<resource::ResourceSlice>(EncodeAs(slice), {.level = Level::k1_36}));
  EXPECT_TRUE(decoded.spec.skip_node_operations.empty());
}

TEST(ProtoTest, EnvelopeNamesTheType) {
  EXPECT_THAT(DecodeEnvelope("{}"), StatusIs(StatusCode::kInvalidArgument,
                                             "provided data does not appear to be a protobuf "
                                             "message, expected prefix [107 56 115 0]"));
  std::string bytes = EncodeEnvelope({"v1", "Pod"}, "raw");
  ASSAY_ASSERT_OK_AND_ASSIGN(Envelope envelope, DecodeEnvelope(bytes));
  EXPECT_EQ(envelope.type_meta.api_version, "v1");
  EXPECT_EQ(envelope.type_meta.kind, "Pod");
  EXPECT_EQ(envelope.raw, "raw");
  EXPECT_THAT(Decode(KindOf<core::Node>(), bytes, {}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected \"v1\" and \"Node\"")));
}

}  // namespace
}  // namespace assay::api::proto
