#include "cel/testing/show.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/base64.h"
#include "cel/library/text.h"
#include "cel/type.h"

namespace assay::cel::testing {
namespace {

std::string Joined(const std::vector<std::string>& parts, char open, char close) {
  std::string text(1, open);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    text += (i == 0 ? "" : ",") + parts[i];
  }
  return text + close;
}

}  // namespace

std::string Show(const Value& value) {
  char text[48];
  switch (value.kind()) {
    case ValueKind::kNull:
      return "null";
    case ValueKind::kBool:
      return value.bool_value() ? "true" : "false";
    case ValueKind::kInt:
      return std::to_string(value.int_value());
    case ValueKind::kUint:
      return std::to_string(value.uint_value()) + "u";
    case ValueKind::kDouble:
      if (std::isnan(value.double_value())) {
        return "nan";
      }
      std::snprintf(text, sizeof(text), "d%016" PRIx64,
                    std::bit_cast<std::uint64_t>(value.double_value()));
      return text;
    case ValueKind::kString:
      return (library::IsValidUtf8(value.text()) ? "s" : "s!") + EncodeBase64(value.text());
    case ValueKind::kBytes:
      return "b" + EncodeBase64(value.text());
    case ValueKind::kDuration:
      return std::to_string(value.duration()) + "ns";
    case ValueKind::kTimestamp:
      std::snprintf(text, sizeof(text), "%" PRId64 ".%09u", value.seconds(), value.nanoseconds());
      return text;
    case ValueKind::kType:
      return "type " + std::string(value.type()->name());
    case ValueKind::kOptional:
      return value.optional() == nullptr ? "none" : "some(" + Show(*value.optional()) + ")";
    case ValueKind::kList: {
      std::vector<std::string> elements;
      for (std::size_t i = 0; i < value.list().size(); ++i) {
        elements.push_back(Show(value.list().At(i)));
      }
      return Joined(elements, '[', ']');
    }
    case ValueKind::kMap: {
      std::vector<std::string> entries;
      for (std::size_t i = 0; i < value.map().size(); ++i) {
        const Map::Entry entry = value.map().At(i);
        entries.push_back(Show(entry.key) + ":" + Show(entry.value));
      }
      std::sort(entries.begin(), entries.end());
      return Joined(entries, '{', '}');
    }
    case ValueKind::kOpaque:
    case ValueKind::kMessage:
      return "a " + std::string(TypeName(value));
    case ValueKind::kError:
      return "a error";
  }
  return {};
}

}  // namespace assay::cel::testing
