#include "api/json/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "api/admissionregistration/types.h"
#include "api/core/types.h"
#include "api/policy/types.h"
#include "api/registry.h"
#include "api/resource/types.h"
#include "api/testing/random_message.h"
#include "base/random.h"
#include "base/testing/status_matchers.h"

namespace assay::api::json {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string ErrorOf(std::string_view text, const Kind& kind = KindOf<core::Pod>()) {
  Result<Decoded> decoded = Decode(kind, text, {});
  return decoded.ok() ? "" : decoded.status().message();
}

std::string Reencode(std::string_view text, const Kind& kind) {
  Result<Decoded> decoded = Decode(kind, text, {});
  return decoded.ok() ? Encode(decoded->object) : decoded.status().ToString();
}

TEST(JsonTest, UnknownAndDuplicateFieldsAreNamedWithTheirPath) {
  EXPECT_EQ(
      ErrorOf(R"({"bogus":1,"metadata":{"labels":{"a":"1","a":"2"},"Name":"x"},
                        "spec":{"containers":[{"name":"a"},{"name":"b","name":"c","imag":""}]}})"),
      "strict decoding error: unknown field \"bogus\", "
      "duplicate field \"metadata.labels.a\", unknown field \"metadata.Name\", "
      "duplicate field \"spec.containers[1].name\", unknown field \"spec.containers[1].imag\"");
}

TEST(JsonTest, SameComplaintIsMadeOnce) {
  EXPECT_EQ(ErrorOf(R"({"x":1,"x":2,"x":3})"), "strict decoding error: unknown field \"x\"");
}

TEST(JsonTest, WarnReturnsTheComplaintsAndIgnoreDropsThem) {
  constexpr std::string_view kText = R"({"metadata":{"name":"a","name":"b","x":0}})";
  DecodeOptions options{.field_validation = FieldValidation::kWarn};
  ASSAY_ASSERT_OK_AND_ASSIGN(Decoded warned, Decode(KindOf<core::Pod>(), kText, options));
  EXPECT_THAT(warned.warnings,
              ElementsAre("duplicate field \"metadata.name\"", "unknown field \"metadata.x\""));
  EXPECT_EQ(warned.object.name(), "b");
  options.field_validation = FieldValidation::kIgnore;
  ASSAY_ASSERT_OK_AND_ASSIGN(Decoded ignored, Decode(KindOf<core::Pod>(), kText, options));
  EXPECT_THAT(ignored.warnings, IsEmpty());
}

TEST(JsonTest, TypeErrorsHaveGosWords) {
  EXPECT_EQ(ErrorOf(R"({"spec":{"pool":{"generation":"1"}}})", KindOf<resource::ResourceSlice>()),
            "json: cannot unmarshal string into Go struct field "
            "ResourcePool.spec.pool.generation of type int64");
  EXPECT_EQ(ErrorOf(R"({"spec":{"activeDeadlineSeconds":1.5}})"),
            "json: cannot unmarshal number 1.5 into Go struct field "
            "PodSpec.spec.activeDeadlineSeconds of type int64");
  EXPECT_EQ(ErrorOf(R"({"spec":{"containers":{}}})"),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type "
            "[]v1.Container");
  EXPECT_EQ(ErrorOf(R"({"metadata":[]})"),
            "json: cannot unmarshal array into Go struct field Pod.metadata of type v1.ObjectMeta");
  EXPECT_EQ(ErrorOf(R"({"spec":{"matchConstraints":{"resourceRules":[{"apiGroups":1}]}}})",
                    KindOf<admissionregistration::ValidatingAdmissionPolicy>()),
            "json: cannot unmarshal number into Go struct field "
            "NamedRuleWithOperations.spec.matchConstraints.resourceRules.RuleWithOperations.Rule."
            "apiGroups of type []string");
  EXPECT_EQ(ErrorOf("[]"), "json: cannot unmarshal array into Go value of type v1.Pod");
  EXPECT_EQ(ErrorOf(R"({"kind":1})"),
            "json: cannot unmarshal number into Go struct field Pod.kind of type string");
}

// sigs.k8s.io/json: strict errors count only where the types are right.
TEST(JsonTest, TypeErrorsHideStrictOnes) {
  EXPECT_THAT(ErrorOf(R"({"bogus":1,"metadata":{"name":1}})"), HasSubstr("cannot unmarshal"));
}

TEST(JsonTest, SyntaxErrorsHaveGosWords) {
  EXPECT_EQ(ErrorOf(""), "unexpected end of JSON input");
  EXPECT_EQ(ErrorOf(R"({"a")"), "unexpected end of JSON input");
  EXPECT_EQ(ErrorOf(R"({"a":})"), "invalid character '}' looking for beginning of value");
  EXPECT_EQ(ErrorOf(R"({a:1})"),
            "invalid character 'a' looking for beginning of object key string");
  EXPECT_EQ(ErrorOf(R"({"a" 1})"), "invalid character '1' after object key");
  EXPECT_EQ(ErrorOf(R"({"a":1 "b":2})"), "invalid character '\"' after object key:value pair");
  EXPECT_EQ(ErrorOf(R"({"a":[1 2]})"), "invalid character '2' after array element");
  EXPECT_EQ(ErrorOf(R"({"a":[1,]})"), "invalid character ']' looking for beginning of value");
  EXPECT_EQ(ErrorOf(R"({} x)"), "invalid character 'x' after top-level value");
  EXPECT_EQ(ErrorOf(R"({"a":trve})"), "invalid character 'v' in literal true (expecting 'u')");
  EXPECT_EQ(ErrorOf(R"({"a":01})"), "invalid character '1' after object key:value pair");
  EXPECT_EQ(ErrorOf(R"({"a":1.})"), "invalid character '}' after decimal point in numeric literal");
  EXPECT_EQ(ErrorOf(R"({"a":"\x"})"), "invalid character 'x' in string escape code");
  EXPECT_EQ(ErrorOf("{\"a\":\"\n\"}"), "invalid character '\\n' in string literal");
  EXPECT_EQ(ErrorOf(R"({"a":"\u12g4"})"),
            "invalid character 'g' in \\u hexadecimal character escape");
}

TEST(JsonTest, IntegersKeepAll64Bits) {
  ASSAY_ASSERT_OK_AND_ASSIGN(
      auto slice,
      DecodeAs<resource::ResourceSlice>(R"({"spec":{"pool":{"generation":9223372036854775807}}})"));
  EXPECT_EQ(slice.spec.pool.generation, std::numeric_limits<std::int64_t>::max());
  EXPECT_THAT(
      DecodeAs<resource::ResourceSlice>(R"({"spec":{"pool":{"generation":9223372036854775808}}})"),
      StatusIs(StatusCode::kInvalidArgument,
               HasSubstr("cannot unmarshal number 9223372036854775808 into")));
}

TEST(JsonTest, NullLeavesZeroValues) {
  EXPECT_EQ(Reencode(R"({"metadata":{"name":null,"labels":null,"creationTimestamp":null},
                         "spec":null,"data":{"a":null}})",
                     KindOf<core::ConfigMap>()),
            "INVALID_ARGUMENT: strict decoding error: unknown field \"spec\"");
  EXPECT_EQ(Reencode(R"({"metadata":{"name":null,"labels":null},"data":{"a":null}})",
                     KindOf<core::ConfigMap>()),
            R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{},"data":{"a":""}})");
}

// The order of Go's struct fields, omitempty and structs that are never left out.
TEST(JsonTest, EncodesAsGoDoes) {
  EXPECT_EQ(Reencode(R"({"status":{},"spec":{"containers":[{"resources":{"limits":{"cpu":0.5}},
                         "image":"i","name":"c"}],"volumes":[{"emptyDir":{},"name":"v"}]},
                         "metadata":{"name":"a<b>&c"},"kind":"Pod","apiVersion":"v1"})",
                     KindOf<core::Pod>()),
            R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a\u003cb\u003e\u0026c"},)"
            R"("spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c",)"
            R"("image":"i","resources":{"limits":{"cpu":"500m"}}}]},"status":{}})");
  EXPECT_EQ(Reencode("{}", KindOf<core::Event>()),
            R"({"kind":"Event","apiVersion":"v1","metadata":{},"involvedObject":{},"source":{},)"
            R"("firstTimestamp":null,"lastTimestamp":null,"eventTime":null,)"
            R"("reportingComponent":"","reportingInstance":""})");
}

TEST(JsonTest, RawValuesAreKeptAndWrittenCompactly) {
  constexpr std::string_view kParameters = R"({ "b": 1,  "a": [ "x y", "<" ] })";
  std::string text = R"({"spec":{"config":[{"opaque":{"driver":"d","parameters":)" +
                     std::string(kParameters) + "}}]}}";
  ASSAY_ASSERT_OK_AND_ASSIGN(auto device_class, DecodeAs<resource::DeviceClass>(text));
  EXPECT_EQ(device_class.spec.config[0].opaque->parameters.json, kParameters);
  EXPECT_THAT(EncodeAs(device_class), HasSubstr(R"("parameters":{"b":1,"a":["x y","\u003c"]})"));
}

TEST(JsonTest, InvalidUtf8BecomesTheReplacementCharacter) {
  ASSAY_ASSERT_OK_AND_ASSIGN(auto config,
                             DecodeAs<core::ConfigMap>("{\"data\":{\"a\":\"\xff\\ud800\"}}"));
  EXPECT_EQ(config.data["a"], "\xef\xbf\xbd\xef\xbf\xbd");
  config.data["a"] = "\xc3(";  // From protobuf, say.
  EXPECT_THAT(EncodeAs(config), HasSubstr(R"("a":"\ufffd(")"));
}

TEST(JsonTest, BytesAreBase64WithGosWords) {
  auto decode = [](std::string_view text) {
    Result<core::Secret> secret =
        DecodeAs<core::Secret>("{\"data\":{\"a\":\"" + std::string(text) + "\"}}");
    return secret.ok() ? secret->data["a"] : secret.status().message();
  };
  EXPECT_EQ(decode("Z2k="), "gi");
  EXPECT_EQ(decode("Z2lh"), "gia");
  EXPECT_EQ(decode("Zw=\\n="), "g");
  EXPECT_EQ(decode(""), "");
  EXPECT_EQ(decode("Zw="), "illegal base64 data at input byte 3");
  EXPECT_EQ(decode("Zw==x"), "illegal base64 data at input byte 4");
  EXPECT_EQ(decode("Z2lhZ"), "illegal base64 data at input byte 4");
  EXPECT_EQ(decode("Z2lh="), "illegal base64 data at input byte 4");
  EXPECT_EQ(decode("Z.=="), "illegal base64 data at input byte 1");
}

TEST(JsonTest, FieldsOfALaterLevelAreUnknown) {
  constexpr std::string_view kText = R"({"spec":{"skipNodeOperations":["*"]}})";
  EXPECT_THAT(Decode(KindOf<resource::ResourceSlice>(), kText, {.level = Level::k1_37}), IsOk());
  EXPECT_THAT(Decode(KindOf<resource::ResourceSlice>(), kText, {.level = Level::k1_36}),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("unknown field \"spec.skipNodeOperations\"")));
  resource::ResourceSlice slice;
  slice.spec.skip_node_operations = {"*"};
  EXPECT_THAT(Encode(Object::Of(slice), {.level = Level::k1_36}),
              ::testing::Not(HasSubstr("skipNodeOperations")));
}

TEST(JsonTest, NestedTypeMetaIsAccepted) {
  EXPECT_THAT(
      DecodeAs<policy::Eviction>(
          R"({"deleteOptions":{"kind":"DeleteOptions","apiVersion":"v1","dryRun":["All"]}})"),
      IsOk());
  EXPECT_THAT(DecodeAs<core::Pod>(R"({"metadata":{"kind":"x"}})"),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(JsonTest, LimitsAreHeld) {
  std::string deep = R"({"spec":)" + std::string(2000, '[') + std::string(2000, ']') + "}";
  EXPECT_THAT(Decode(KindOf<core::Pod>(), deep, {}),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("max depth")));
  EXPECT_THAT(Decode(KindOf<core::Pod>(), R"({"metadata":{}})", {.max_bytes = 3}),
              StatusIs(StatusCode::kResourceExhausted));
}

TEST(JsonTest, WrongTypeMetaIsRefused) {
  EXPECT_THAT(ErrorOf(R"({"kind":"Node","apiVersion":"v1"})"), HasSubstr("expected \"v1\""));
  ASSAY_ASSERT_OK_AND_ASSIGN(
      TypeMeta type_meta,
      PeekTypeMeta(R"({"metadata":{"kind":"x"},"kind":"Pod","apiVersion":"v1"})"));
  EXPECT_EQ(type_meta.kind, "Pod");
  EXPECT_EQ(type_meta.api_version, "v1");
  EXPECT_THAT(
      PeekTypeMeta("{"),
      StatusIs(StatusCode::kInvalidArgument,
               "couldn't get version/kind; json parse error: unexpected end of JSON input"));
}

TEST(JsonTest, SurvivesARoundTripForEveryKind) {
  for (const Kind* kind : AllKinds()) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(kind->GroupResource() + " seed " + std::to_string(seed));
      Random random(seed);
      Object object = api::testing::RandomObject(*kind, random, {});
      std::string text = Encode(object);
      ASSAY_ASSERT_OK_AND_ASSIGN(Decoded decoded, Decode(*kind, text, {}));
      EXPECT_TRUE(schema::Equal(kind->hub(), object.data(), decoded.object.data()))
          << text << "\n"
          << Encode(decoded.object);
      EXPECT_EQ(Encode(decoded.object), text);
    }
  }
}

// Whatever comes in: an answer, and no crash; what is accepted can be written and read again.
TEST(JsonTest, WithstandsMutatedInput) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Kind& kind = *AllKinds()[random.Below(AllKinds().size())];
    std::string text = Encode(api::testing::RandomObject(kind, random, {.percent_filled = 25}));
    text = api::testing::Mutate(std::move(text), random);
    Result<Decoded> decoded = Decode(kind, text, {.field_validation = FieldValidation::kIgnore});
    if (decoded.ok()) {
      EXPECT_THAT(Decode(kind, Encode(decoded->object), {}), IsOk()) << text;
    }
  }
}

}  // namespace
}  // namespace assay::api::json
