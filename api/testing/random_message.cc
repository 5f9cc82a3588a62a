#include "api/testing/random_message.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

#include "api/meta/quantity.h"
#include "api/meta/scalars.h"
#include "api/meta/time.h"

namespace assay::api::testing {
namespace {

using schema::FieldDescriptor;
using schema::MessageDescriptor;
using schema::Shape;
using schema::Type;

template <typename T, std::size_t kSize>
const T& Pick(Random& random, const std::array<T, kSize>& choices) {
  return choices[random.Below(kSize)];
}

std::string RandomText(Random& random) {
  static constexpr std::array<std::string_view, 12> kTexts = {"a",
                                                              "gpu-0",
                                                              "example.com/x",
                                                              "with space",
                                                              "quote\"back\\slash",
                                                              "<&>",
                                                              "tab\tnew\nline",
                                                              "\x01\x1f\x7f",
                                                              "µé漢字😀",
                                                              "line\u2028sep\u2029",
                                                              "\b\f\r/",
                                                              "true"};
  return std::string(Pick(random, kTexts)) + (random.Below(2) == 0 ? "" : random.NameSuffix(3));
}

std::int64_t RandomInt64(Random& random) {
  static constexpr std::array<std::int64_t, 8> kNumbers = {
      0, 1, -1, 127, 128, std::numeric_limits<std::int64_t>::max(), 1000000007, -42};
  return random.Below(8) == 0 ? std::numeric_limits<std::int64_t>::min() : Pick(random, kNumbers);
}

std::int32_t RandomInt32(Random& random) {
  static constexpr std::array<std::int32_t, 7> kNumbers = {
      0,
      1,
      -1,
      300,
      65535,
      std::numeric_limits<std::int32_t>::max(),
      std::numeric_limits<std::int32_t>::min()};
  return Pick(random, kNumbers);
}

// As Go's compact writes it, so that a text survives being encoded.
std::string RandomJson(Random& random) {
  static constexpr std::array<std::string_view, 7> kTexts = {
      R"({})",
      R"({"a":1})",
      R"({"b":[true,null,"x y"]})",
      R"({"c":{"d":"\u003c\u0026\u003e","e":1e3}})",
      R"({"quote":"\"\\","u":"é"})",
      R"([1,2])",
      R"("text")"};
  return std::string(Pick(random, kTexts));
}

std::int64_t RandomSeconds(Random& random) {
  // Year 1970 to 2100, and now and then year 1 to 9999.
  return random.Below(8) == 0 ? -62135596799 + static_cast<std::int64_t>(random.Below(315000000000))
                              : static_cast<std::int64_t>(random.Below(4102444800));
}

// Fills one value, which is not a message. Never leaves the zero value of a struct-like type, so
// that what Go would print as null or 0 stays told apart.
void FillScalar(Type type, Random& random, void* value) {
  switch (type) {
    case Type::kBool:
      *static_cast<bool*>(value) = random.Below(2) == 0;
      return;
    case Type::kInt32:
      *static_cast<std::int32_t*>(value) = RandomInt32(random);
      return;
    case Type::kInt64:
      *static_cast<std::int64_t*>(value) = RandomInt64(random);
      return;
    case Type::kString:
      *static_cast<std::string*>(value) = RandomText(random);
      return;
    case Type::kBytes: {
      auto& bytes = *static_cast<std::string*>(value);
      for (std::uint64_t left = 1 + random.Below(6); left > 0; --left) {
        bytes += static_cast<char>(random.Below(256));
      }
      return;
    }
    case Type::kQuantity: {
      auto& quantity = *static_cast<meta::Quantity*>(value);
      Result<meta::Quantity> parsed = meta::Quantity::Parse(RandomQuantityText(random));
      quantity = parsed.ok() ? *parsed : meta::Quantity::Of("1");
      return;
    }
    case Type::kTime:
      *static_cast<meta::Time*>(value) = meta::Time::FromUnix(RandomSeconds(random));
      return;
    case Type::kMicroTime:
      *static_cast<meta::MicroTime*>(value) = meta::MicroTime::FromUnix(
          RandomSeconds(random), static_cast<std::int32_t>(random.Below(1000000) * 1000));
      return;
    case Type::kDuration:
      static_cast<meta::Duration*>(value)->nanoseconds = RandomInt64(random);
      return;
    case Type::kIntOrString:
      *static_cast<meta::IntOrString*>(value) = random.Below(2) == 0
                                                    ? meta::IntOrString::Of(RandomInt32(random))
                                                    : meta::IntOrString::Of(RandomText(random));
      return;
    case Type::kRawExtension:
      static_cast<meta::RawExtension*>(value)->json = RandomJson(random);
      return;
    case Type::kFieldsV1:
      static_cast<meta::FieldsV1*>(value)->json = RandomJson(random);
      return;
    case Type::kMessage:
      return;
  }
}

void FillValue(const FieldDescriptor& field, Random& random, const FillOptions& options,
               void* value) {
  if (field.type != Type::kMessage) {
    return FillScalar(field.type, random, value);
  }
  // Deep down less and less, so that values stay small.
  FillOptions inner = options;
  inner.percent_filled = std::max(15, options.percent_filled * 7 / 10);
  FillMessage(*field.message, random, inner, value);
}

}  // namespace

void FillMessage(const MessageDescriptor& message, Random& random, const FillOptions& options,
                 void* message_data) {
  for (const FieldDescriptor& field : message.fields) {
    bool wanted = random.Below(100) < static_cast<std::uint64_t>(options.percent_filled);
    if (!field.ExistsAt(options.level) || (!wanted && !message.is_list_wrapper)) {
      continue;
    }
    switch (field.shape) {
      case Shape::kValue:
      case Shape::kOptional:
        FillValue(field, random, options, field.Mutable(message_data));
        break;
      case Shape::kList:
        for (std::uint64_t left = 1 + random.Below(3); left > 0; --left) {
          FillValue(field, random, options, field.Append(message_data));
        }
        break;
      case Shape::kMap:
        for (std::uint64_t left = 1 + random.Below(3); left > 0; --left) {
          std::string key = RandomText(random);
          field.map_ops->erase(field.Raw(message_data), key);
          FillValue(field, random, options, field.Insert(message_data, key));
        }
        break;
    }
  }
}

Object RandomObject(const Kind& kind, Random& random, const FillOptions& options) {
  std::shared_ptr<void> value = kind.hub().New();
  FillMessage(kind.hub(), random, options, value.get());
  return Object::Of(kind, std::move(value));
}

std::string RandomQuantityText(Random& random) {
  static constexpr std::array<std::string_view, 24> kSuffixes = {
      "",   "",   "",   "n",  "u",  "m",  "k",  "M",   "G",    "T",    "P",   "E",
      "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-6", "e+12", "e-20", "e30", "E0"};
  static constexpr std::array<std::string_view, 6> kSigns = {"", "", "", "", "-", "+"};
  std::string text(Pick(random, kSigns));
  auto digits = [&](std::uint64_t most) {
    for (std::uint64_t left = random.Below(most + 1); left > 0; --left) {
      // Zeros are where the canonical form gets interesting.
      text += random.Below(3) == 0 ? '0' : static_cast<char>('0' + random.Below(10));
    }
  };
  digits(random.Below(4) == 0 ? 30 : 6);
  if (random.Below(3) == 0) {
    text += '.';
    digits(random.Below(4) == 0 ? 20 : 4);
  }
  return text + std::string(Pick(random, kSuffixes));
}

std::string Mutate(std::string bytes, Random& random) {
  for (std::uint64_t left = 1 + random.Below(4); left > 0 && !bytes.empty(); --left) {
    std::size_t at = random.Below(bytes.size());
    switch (random.Below(5)) {
      case 0:
        bytes[at] = static_cast<char>(random.Below(256));
        break;
      case 1:
        bytes.erase(at, 1 + random.Below(4));
        break;
      case 2:
        bytes.insert(at, bytes, at, 1 + random.Below(8));
        break;
      case 3:
        bytes.resize(at);
        break;
      default: {
        static constexpr std::string_view kStructure = "{}[]\",:\\0\x80\xff";
        bytes.insert(at, 1, kStructure[random.Below(kStructure.size())]);
      }
    }
  }
  return bytes;
}

}  // namespace assay::api::testing
