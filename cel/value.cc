#include "cel/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>

#include "cel/library/opaque_values.h"
#include "cel/library/text.h"
#include "cel/type.h"

namespace assay::cel {
namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

bool IsNumber(const Value& value) {
  return value.Is(ValueKind::kInt) || value.Is(ValueKind::kUint) || value.Is(ValueKind::kDouble);
}

template <typename T>
int ThreeWay(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

int CompareIntUint(std::int64_t a, std::uint64_t b) {
  return a < 0 ? -1 : ThreeWay(static_cast<std::uint64_t>(a), b);
}

// cel-go compares by converting the integer to a double once the ranges are excluded.
int CompareDoubleInt(double a, std::int64_t b) {
  if (std::isnan(a)) {
    return kUnordered;
  }
  if (a < -kTwoTo63) {
    return -1;
  }
  if (a > kTwoTo63) {
    return 1;
  }
  return ThreeWay(a, static_cast<double>(b));
}

int CompareDoubleUint(double a, std::uint64_t b) {
  if (std::isnan(a)) {
    return kUnordered;
  }
  if (a < 0) {
    return -1;
  }
  if (a > kTwoTo64) {
    return 1;
  }
  return ThreeWay(a, static_cast<double>(b));
}

int Negated(int order) { return order == kUnordered ? order : -order; }

int CompareNumbers(const Value& a, const Value& b) {
  switch (a.kind()) {
    case ValueKind::kInt:
      switch (b.kind()) {
        case ValueKind::kInt:
          return ThreeWay(a.int_value(), b.int_value());
        case ValueKind::kUint:
          return CompareIntUint(a.int_value(), b.uint_value());
        default:
          return Negated(CompareDoubleInt(b.double_value(), a.int_value()));
      }
    case ValueKind::kUint:
      switch (b.kind()) {
        case ValueKind::kInt:
          return -CompareIntUint(b.int_value(), a.uint_value());
        case ValueKind::kUint:
          return ThreeWay(a.uint_value(), b.uint_value());
        default:
          return Negated(CompareDoubleUint(b.double_value(), a.uint_value()));
      }
    default:
      switch (b.kind()) {
        case ValueKind::kInt:
          return CompareDoubleInt(a.double_value(), b.int_value());
        case ValueKind::kUint:
          return CompareDoubleUint(a.double_value(), b.uint_value());
        default:
          if (std::isnan(a.double_value()) || std::isnan(b.double_value())) {
            return kUnordered;
          }
          return ThreeWay(a.double_value(), b.double_value());
      }
  }
}

bool ListsEqual(const List& a, const List& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (CompareEqual(a.At(i), b.At(i)) == Equality::kFalse) {
      return false;
    }
  }
  return true;
}

bool MapsEqual(const Map& a, const Map& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Map::Entry entry = a.At(i);
    Value other;
    if (!b.Find(entry.key, &other) || CompareEqual(entry.value, other) == Equality::kFalse) {
      return false;
    }
  }
  return true;
}

// Whether two keys are one in a Go map.
bool SameKey(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) {
    return false;
  }
  switch (a.kind()) {
    case ValueKind::kList:
      return &a.list() == &b.list();
    case ValueKind::kMap:
      return &a.map() == &b.map();
    case ValueKind::kMessage:
      return &a.message() == &b.message();
    case ValueKind::kOptional:
      return a.optional() == b.optional();
    case ValueKind::kOpaque:
      return &a.opaque() == &b.opaque() ||
             (a.opaque().type()->name().starts_with("net.") && Equal(a, b));
    case ValueKind::kTimestamp:
      // Each zone that is not UTC is an object of its own.
      return Equal(a, b) && a.zone_minutes() == 0 && b.zone_minutes() == 0;
    default:
      return Equal(a, b);
  }
}

std::size_t HashKey(const Value& key) {
  const auto kind = static_cast<std::size_t>(key.kind());
  switch (key.kind()) {
    case ValueKind::kInt:
    case ValueKind::kUint:
      return std::hash<std::uint64_t>()(key.uint_value()) * 0x9E3779B97F4A7C15 + kind;
    case ValueKind::kDouble:
      return std::hash<double>()(key.double_value());
    case ValueKind::kString:
      return std::hash<std::string_view>()(key.text());
    default:
      return kind;
  }
}

std::optional<Value> LosslessInt(double value) {
  if (std::trunc(value) != value || value < -kTwoTo63 || value >= kTwoTo63) {
    return std::nullopt;
  }
  return Value::Int(static_cast<std::int64_t>(value));
}

std::optional<Value> LosslessUint(double value) {
  if (std::trunc(value) != value || value < 0 || value >= kTwoTo64) {
    return std::nullopt;
  }
  return Value::Uint(static_cast<std::uint64_t>(value));
}

template <typename T>
std::optional<Value> LosslessDouble(T value) {
  const auto converted = static_cast<double>(value);
  const bool fits = converted < static_cast<double>(std::numeric_limits<T>::max());
  return fits && static_cast<T>(converted) == value ? std::optional(Value::Double(converted))
                                                    : std::nullopt;
}

}  // namespace

void MutableList::Append(const Value& value) {
  if (size_ == values_.size()) {
    std::span<Value> grown = arena_.NewArray<Value>(std::max<std::size_t>(4, 2 * size_));
    std::copy_n(values_.begin(), size_, grown.begin());
    values_ = grown;
  }
  values_[size_++] = value;
}

std::uint32_t EntryMap::IndexOf(const Value& key) const {
  if (buckets_.empty()) {
    for (std::size_t i = 0; i < size_; ++i) {
      if (SameKey(entries_[i].key, key)) {
        return static_cast<std::uint32_t>(i);
      }
    }
    return kNone;
  }
  const std::size_t mask = buckets_.size() - 1;
  for (std::size_t slot = HashKey(key) & mask;; slot = (slot + 1) & mask) {
    const std::uint32_t index = buckets_[slot];
    if (index == kNone || SameKey(entries_[index].key, key)) {
      return index;
    }
  }
}

std::uint32_t EntryMap::IndexOfEqualNumber(const Value& key) const {
  const auto find = [this](const std::optional<Value>& other) {
    return other.has_value() ? IndexOf(*other) : kNone;
  };
  std::uint32_t index = kNone;
  switch (key.kind()) {
    case ValueKind::kDouble:
      index = find(LosslessInt(key.double_value()));
      return index != kNone ? index : find(LosslessUint(key.double_value()));
    case ValueKind::kInt:
      index = find(LosslessDouble(key.int_value()));
      return index != kNone || key.int_value() < 0 ? index : find(Value::Uint(key.uint_value()));
    case ValueKind::kUint:
      index = find(LosslessDouble(key.uint_value()));
      return index != kNone || key.uint_value() > INT64_MAX ? index
                                                            : find(Value::Int(key.int_value()));
    default:
      return kNone;
  }
}

bool EntryMap::Find(const Value& key, Value* value) const {
  std::uint32_t index = IndexOf(key);
  if (index == kNone) {
    index = IndexOfEqualNumber(key);
  }
  if (index == kNone) {
    return false;
  }
  *value = entries_[index].value;
  return true;
}

bool EntryMap::Insert(const Value& key, const Value& value) {
  if (IndexOf(key) != kNone) {
    return false;
  }
  Append(key, value);
  return true;
}

void EntryMap::Set(const Value& key, const Value& value) {
  const std::uint32_t index = IndexOf(key);
  if (index == kNone) {
    Append(key, value);
  } else {
    entries_[index].value = value;
  }
}

void EntryMap::Erase(const Value& key) {
  const std::uint32_t index = IndexOf(key);
  if (index == kNone) {
    return;
  }
  std::copy(entries_.begin() + index + 1, entries_.begin() + static_cast<std::ptrdiff_t>(size_),
            entries_.begin() + index);
  --size_;
  buckets_ = {};
  if (size_ > kSearchedSize) {
    Rehash();
  }
}

void EntryMap::Append(const Value& key, const Value& value) {
  if (size_ == entries_.size()) {
    std::span<Entry> grown = arena_.NewArray<Entry>(std::max<std::size_t>(4, 2 * size_));
    std::copy_n(entries_.begin(), size_, grown.begin());
    entries_ = grown;
  }
  entries_[size_++] = {key, value};
  if (size_ > kSearchedSize && 2 * size_ > buckets_.size()) {
    Rehash();
  } else if (!buckets_.empty()) {
    const std::size_t mask = buckets_.size() - 1;
    std::size_t slot = HashKey(key) & mask;
    while (buckets_[slot] != kNone) {
      slot = (slot + 1) & mask;
    }
    buckets_[slot] = static_cast<std::uint32_t>(size_ - 1);
  }
}

void EntryMap::Rehash() {
  std::size_t buckets = 4 * kSearchedSize;
  while (buckets < 4 * size_) {
    buckets *= 2;
  }
  buckets_ = arena_.NewArray<std::uint32_t>(buckets);
  std::fill(buckets_.begin(), buckets_.end(), kNone);
  for (std::size_t i = 0; i < size_; ++i) {
    std::size_t slot = HashKey(entries_[i].key) & (buckets - 1);
    while (buckets_[slot] != kNone) {
      slot = (slot + 1) & (buckets - 1);
    }
    buckets_[slot] = static_cast<std::uint32_t>(i);
  }
}

const Type* TypeOf(const Value& value) {
  static constexpr Type kList(TypeKind::kList, "list");
  static constexpr Type kMap(TypeKind::kMap, "map");
  static constexpr Type kOptional(TypeKind::kOpaque, "optional_type");
  switch (value.kind()) {
    case ValueKind::kNull:
      return Type::Null();
    case ValueKind::kBool:
      return Type::Bool();
    case ValueKind::kInt:
      return Type::Int();
    case ValueKind::kUint:
      return Type::Uint();
    case ValueKind::kDouble:
      return Type::Double();
    case ValueKind::kString:
      return Type::String();
    case ValueKind::kBytes:
      return Type::Bytes();
    case ValueKind::kDuration:
      return Type::Duration();
    case ValueKind::kTimestamp:
      return Type::Timestamp();
    case ValueKind::kList:
      return &kList;
    case ValueKind::kMap:
      return &kMap;
    case ValueKind::kType:
      return Type::TypeType();
    case ValueKind::kOptional:
      return &kOptional;
    case ValueKind::kOpaque:
      return value.opaque().type();
    case ValueKind::kMessage:
      return value.message().type();
    case ValueKind::kError:
      return Type::Error();
  }
  return Type::Error();
}

std::string_view GoTypeName(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      return "types.Null";
    case ValueKind::kBool:
      return "types.Bool";
    case ValueKind::kInt:
      return "types.Int";
    case ValueKind::kUint:
      return "types.Uint";
    case ValueKind::kDouble:
      return "types.Double";
    case ValueKind::kString:
      return "types.String";
    case ValueKind::kBytes:
      return "types.Bytes";
    case ValueKind::kDuration:
      return "types.Duration";
    case ValueKind::kTimestamp:
      return "types.Timestamp";
    case ValueKind::kList:
      return "*types.baseList";
    case ValueKind::kMap:
      return "*types.baseMap";
    case ValueKind::kType:
      return "*types.Type";
    case ValueKind::kOptional:
      return "*types.Optional";
    case ValueKind::kError:
      return "*types.Err";
    case ValueKind::kMessage:
      return "*types.protoObj";
    case ValueKind::kOpaque:
      break;
  }
  const std::string_view name = TypeName(value);
  return name == "kubernetes.Quantity"      ? "cel.Quantity"
         : name == "kubernetes.Semver"      ? "cel.Semver"
         : name == "kubernetes.URL"         ? "cel.URL"
         : name == "kubernetes.NamedFormat" ? "*cel.Format"
         : name == "net.IP"                 ? "cel.IP"
                                            : "cel.CIDR";
}

bool IsPanic(const Value& value) {
  return value.IsError() && value.text().starts_with("internal error: ");
}

Value HashPanic(const Value& key) {
  if (key.Is(ValueKind::kBytes)) {
    return Value::Error("internal error: runtime error: hash of unhashable type types.Bytes");
  }
  if (key.Is(ValueKind::kOpaque) && key.opaque().type()->name() == "kubernetes.Semver") {
    return Value::Error("internal error: runtime error: hash of unhashable type cel.Semver");
  }
  return Value::Null();
}

std::string_view TypeName(const Value& value) { return TypeOf(value)->name(); }

Equality CompareEqual(const Value& a, const Value& b) {
  const auto of = [](bool equal) { return equal ? Equality::kTrue : Equality::kFalse; };
  if (a.kind() != b.kind()) {
    return a.Is(ValueKind::kOpaque) ? Equality::kError
                                    : of(IsNumber(a) && IsNumber(b) && CompareNumbers(a, b) == 0);
  }
  switch (a.kind()) {
    case ValueKind::kNull:
      return Equality::kTrue;
    case ValueKind::kBool:
    case ValueKind::kInt:
    case ValueKind::kUint:
    case ValueKind::kDuration:
      return of(a.int_value() == b.int_value());
    case ValueKind::kDouble:
      return of(a.double_value() == b.double_value());
    case ValueKind::kString:
    case ValueKind::kBytes:
      return of(a.text() == b.text());
    case ValueKind::kTimestamp:
      return of(a.seconds() == b.seconds() && a.nanoseconds() == b.nanoseconds());
    case ValueKind::kList:
      return of(ListsEqual(a.list(), b.list()));
    case ValueKind::kMap:
      return of(MapsEqual(a.map(), b.map()));
    case ValueKind::kType:
      return of(a.type()->kind() == b.type()->kind() && a.type()->name() == b.type()->name());
    case ValueKind::kOptional:
      if (a.optional() == nullptr || b.optional() == nullptr) {
        return of(a.optional() == b.optional());
      }
      return CompareEqual(*a.optional(), *b.optional());
    case ValueKind::kOpaque:
      if (a.opaque().type()->name() != b.opaque().type()->name() ||
          !b.opaque().ComparableOnTheRight()) {
        return Equality::kError;
      }
      return of(a.opaque().Equals(b.opaque()));
    case ValueKind::kMessage:
      return of(a.message().Equals(b.message()));
    case ValueKind::kError:
      return Equality::kFalse;
  }
  return Equality::kFalse;
}

bool IsZero(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      return true;
    case ValueKind::kBool:
    case ValueKind::kInt:
    case ValueKind::kUint:
    case ValueKind::kDuration:
      return value.int_value() == 0;
    case ValueKind::kDouble:
      return value.double_value() == 0;
    case ValueKind::kString:
    case ValueKind::kBytes:
      return value.text().empty();
    case ValueKind::kTimestamp:
      // Go's zero time is the first second of year 1.
      return value.seconds() == -62135596800 && value.nanoseconds() == 0;
    case ValueKind::kList:
      return value.list().size() == 0;
    case ValueKind::kMap:
      return value.map().size() == 0;
    case ValueKind::kMessage:
      return value.message().IsEmpty();
    default:
      return false;
  }
}

int Compare(const Value& a, const Value& b) {
  if (IsNumber(a) && IsNumber(b)) {
    return CompareNumbers(a, b);
  }
  if (a.Is(ValueKind::kDouble) && std::isnan(a.double_value())) {
    return kUnordered;
  }
  if (a.kind() != b.kind()) {
    return kNotComparable;
  }
  switch (a.kind()) {
    case ValueKind::kBool:
    case ValueKind::kDuration:
      return ThreeWay(a.int_value(), b.int_value());
    case ValueKind::kString:
    case ValueKind::kBytes:
      return ThreeWay(a.text(), b.text());
    case ValueKind::kTimestamp:
      return a.seconds() != b.seconds() ? ThreeWay(a.seconds(), b.seconds())
                                        : ThreeWay(a.nanoseconds(), b.nanoseconds());
    default:
      return kNotComparable;
  }
}

namespace {

// The length of the ASCII text that `text` starts with, in steps of eight.
std::size_t AsciiPrefix(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + i, 8);
    if ((bytes & 0x8080808080808080) != 0) {
      break;
    }
  }
  return i;
}

}  // namespace

std::size_t CodePointCount(std::string_view text) {
  std::size_t count = AsciiPrefix(text);
  for (std::size_t i = count; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    std::size_t length = 1;
    if (byte >= 0xC2 && byte < 0xE0) {
      length = 2;
    } else if (byte >= 0xE0 && byte < 0xF0) {
      length = 3;
    } else if (byte >= 0xF0 && byte < 0xF5) {
      length = 4;
    }
    for (std::size_t k = 1; k < length; ++k) {
      if (i + k >= text.size() || (static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) {
        length = 1;
        break;
      }
    }
    i += length;
    ++count;
  }
  return count;
}

std::uint64_t SizeForCost(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kString:
      return CodePointCount(value.text());
    case ValueKind::kBytes:
      return value.text().size();
    case ValueKind::kList:
      return value.list().size();
    case ValueKind::kMap:
      return value.map().size();
    case ValueKind::kOptional:
      return value.optional() == nullptr ? 1 : SizeForCost(*value.optional());
    default:
      return 1;
  }
}

Value MakeError(Arena& arena, std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (std::string_view part : parts) {
    size += part.size();
  }
  std::span<char> text = arena.NewArray<char>(size);
  auto out = text.begin();
  for (std::string_view part : parts) {
    out = std::copy(part.begin(), part.end(), out);
  }
  return Value::Error({text.data(), text.size()});
}

std::string DebugString(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      return "null";
    case ValueKind::kBool:
      return value.bool_value() ? "true" : "false";
    case ValueKind::kInt:
      return std::to_string(value.int_value());
    case ValueKind::kUint:
      return std::to_string(value.uint_value());
    case ValueKind::kDouble:
      return library::FormatGeneral(value.double_value());
    case ValueKind::kString:
    case ValueKind::kBytes:
    case ValueKind::kError:
      return std::string(value.text());
    case ValueKind::kList: {
      std::string text = "[";
      for (std::size_t i = 0; i < value.list().size(); ++i) {
        text += (i == 0 ? "" : ", ") + DebugString(value.list().At(i));
      }
      return text + "]";
    }
    case ValueKind::kMap: {
      std::string text = "{";
      for (std::size_t i = 0; i < value.map().size(); ++i) {
        const Map::Entry entry = value.map().At(i);
        text += (i == 0 ? "" : ", ") + DebugString(entry.key) + ": " + DebugString(entry.value);
      }
      return text + "}";
    }
    case ValueKind::kOpaque:
      return library::OpaqueText(value.opaque()).value_or(std::string(TypeName(value)));
    default:
      return std::string(TypeName(value));
  }
}

}  // namespace assay::cel
