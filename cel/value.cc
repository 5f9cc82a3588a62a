#include "cel/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

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
    if (!Equal(a.At(i), b.At(i))) {
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
    if (!b.Find(entry.key, &other) || !Equal(entry.value, other)) {
      return false;
    }
  }
  return true;
}

// Equal keys have equal hashes, across the kinds of numbers.
std::size_t HashKey(const Value& key) {
  switch (key.kind()) {
    case ValueKind::kInt:
    case ValueKind::kUint:
      return std::hash<double>()(key.Is(ValueKind::kInt) ? static_cast<double>(key.int_value())
                                                         : static_cast<double>(key.uint_value()));
    case ValueKind::kDouble:
      return std::hash<double>()(key.double_value());
    case ValueKind::kString:
      return std::hash<std::string_view>()(key.text());
    default:
      return static_cast<std::size_t>(key.kind());
  }
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
      if (Equal(entries_[i].key, key)) {
        return static_cast<std::uint32_t>(i);
      }
    }
    return kNone;
  }
  const std::size_t mask = buckets_.size() - 1;
  for (std::size_t slot = HashKey(key) & mask;; slot = (slot + 1) & mask) {
    const std::uint32_t index = buckets_[slot];
    if (index == kNone || Equal(entries_[index].key, key)) {
      return index;
    }
  }
}

bool EntryMap::Find(const Value& key, Value* value) const {
  const std::uint32_t index = IndexOf(key);
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
    case ValueKind::kError:
      return Type::Error();
  }
  return Type::Error();
}

std::string_view TypeName(const Value& value) { return TypeOf(value)->name(); }

bool Equal(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) {
    return IsNumber(a) && IsNumber(b) && CompareNumbers(a, b) == 0;
  }
  switch (a.kind()) {
    case ValueKind::kNull:
      return true;
    case ValueKind::kBool:
    case ValueKind::kInt:
    case ValueKind::kUint:
    case ValueKind::kDuration:
      return a.int_value() == b.int_value();
    case ValueKind::kDouble:
      return a.double_value() == b.double_value();
    case ValueKind::kString:
    case ValueKind::kBytes:
      return a.text() == b.text();
    case ValueKind::kTimestamp:
      return a.seconds() == b.seconds() && a.nanoseconds() == b.nanoseconds();
    case ValueKind::kList:
      return ListsEqual(a.list(), b.list());
    case ValueKind::kMap:
      return MapsEqual(a.map(), b.map());
    case ValueKind::kType:
      return a.type()->kind() == b.type()->kind() && a.type()->name() == b.type()->name();
    case ValueKind::kOptional:
      if (a.optional() == nullptr || b.optional() == nullptr) {
        return a.optional() == b.optional();
      }
      return Equal(*a.optional(), *b.optional());
    case ValueKind::kOpaque:
      return a.opaque().type()->name() == b.opaque().type()->name() &&
             a.opaque().Equals(b.opaque());
    case ValueKind::kError:
      return false;
  }
  return false;
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
    case ValueKind::kOptional:
      return value.optional() == nullptr;
    default:
      return false;
  }
}

int Compare(const Value& a, const Value& b) {
  if (IsNumber(a) && IsNumber(b)) {
    return CompareNumbers(a, b);
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

std::size_t CodePointCount(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size();) {
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
    case ValueKind::kDouble: {
      char text[32];
      const auto end = std::to_chars(text, text + sizeof(text), value.double_value());
      return {text, end.ptr};
    }
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
    default:
      return std::string(TypeName(value));
  }
}

}  // namespace assay::cel
