// Value: what an expression evaluates to. List, Map, Opaque, Message: the values that are more than
// a word.
//
// A Value is 16 bytes, trivially copied, and owns nothing: strings, lists, maps and the others lie
// in an Arena, in the compiled program, or in the caller's input, each of which outlives the
// evaluation. Evaluation of scalars allocates nothing.
//
// Thread-safe: immutable (but MutableList and MutableMap, which never leave one evaluation).
#ifndef ASSAY_CEL_VALUE_H_
#define ASSAY_CEL_VALUE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cel/arena.h"

namespace assay::cel {

class List;
class Map;
class Message;
class Opaque;
class Type;

enum class ValueKind : std::uint8_t {
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kDuration,
  kTimestamp,
  kList,
  kMap,
  kType,
  kOptional,
  kOpaque,
  kMessage,
  kError,
};

class Value {
 public:
  constexpr Value() : kind_(ValueKind::kNull), extra_(0), int_(0) {}

  static constexpr Value Null() { return {}; }
  static constexpr Value Bool(bool value) { return {ValueKind::kBool, 0, std::int64_t{value}}; }
  static constexpr Value Int(std::int64_t value) { return {ValueKind::kInt, 0, value}; }
  static constexpr Value Uint(std::uint64_t value) {
    return {ValueKind::kUint, 0, static_cast<std::int64_t>(value)};
  }
  static constexpr Value Double(double value) {
    Value result;
    result.kind_ = ValueKind::kDouble;
    result.double_ = value;
    return result;
  }
  static constexpr Value String(std::string_view text) { return Text(ValueKind::kString, text); }
  static constexpr Value Bytes(std::string_view bytes) { return Text(ValueKind::kBytes, bytes); }
  static constexpr Value Duration(std::int64_t nanoseconds) {
    return {ValueKind::kDuration, 0, nanoseconds};
  }
  // Seconds since 1970, and nanoseconds in [0, 1e9) above them. The zone that it was written in, as
  // an offset from UTC, shows where it becomes a text again.
  static constexpr Value Timestamp(std::int64_t seconds, std::uint32_t nanoseconds,
                                   std::int16_t zone_minutes = 0) {
    Value result = {ValueKind::kTimestamp, nanoseconds, seconds};
    result.zone_minutes_ = zone_minutes;
    return result;
  }
  static constexpr Value Of(const cel::List* list) { return Pointer(ValueKind::kList, list); }
  static constexpr Value Of(const cel::Map* map) { return Pointer(ValueKind::kMap, map); }
  static constexpr Value Of(const cel::Type* type) { return Pointer(ValueKind::kType, type); }
  static constexpr Value Of(const cel::Opaque* opaque) {
    return Pointer(ValueKind::kOpaque, opaque);
  }
  static constexpr Value Of(const cel::Message* message) {
    return Pointer(ValueKind::kMessage, message);
  }
  // A list or map that a comprehension still collects: adding to it changes it in place.
  static constexpr Value Collecting(const cel::List* list) {
    Value result = Of(list);
    result.extra_ = 1;
    return result;
  }
  static constexpr Value Collecting(const cel::Map* map) {
    Value result = Of(map);
    result.extra_ = 1;
    return result;
  }
  // An optional; null: without a value.
  static constexpr Value Optional(const Value* value) {
    return Pointer(ValueKind::kOptional, value);
  }
  // `message` is not copied.
  static constexpr Value Error(std::string_view message) {
    return Text(ValueKind::kError, message);
  }

  ValueKind kind() const { return kind_; }
  bool Is(ValueKind kind) const { return kind_ == kind; }
  bool IsError() const { return kind_ == ValueKind::kError; }
  bool IsTrue() const { return kind_ == ValueKind::kBool && int_ != 0; }
  bool IsFalse() const { return kind_ == ValueKind::kBool && int_ == 0; }

  // Each is for its kind only.
  bool bool_value() const { return int_ != 0; }
  std::int64_t int_value() const { return int_; }
  std::uint64_t uint_value() const { return static_cast<std::uint64_t>(int_); }
  double double_value() const { return double_; }
  std::string_view text() const { return {text_, extra_}; }  // string, bytes, error
  std::int64_t duration() const { return int_; }
  std::int64_t seconds() const { return int_; }
  std::uint32_t nanoseconds() const { return extra_; }
  std::int16_t zone_minutes() const { return zone_minutes_; }
  const cel::List& list() const { return *static_cast<const cel::List*>(pointer_); }
  const cel::Map& map() const { return *static_cast<const cel::Map*>(pointer_); }
  bool collecting() const {
    return extra_ == 1 && (kind_ == ValueKind::kList || kind_ == ValueKind::kMap);
  }
  const cel::Type* type() const { return static_cast<const cel::Type*>(pointer_); }
  const cel::Opaque& opaque() const { return *static_cast<const cel::Opaque*>(pointer_); }
  const cel::Message& message() const { return *static_cast<const cel::Message*>(pointer_); }
  const Value* optional() const { return static_cast<const Value*>(pointer_); }

 private:
  constexpr Value(ValueKind kind, std::uint32_t extra, std::int64_t value)
      : kind_(kind), extra_(extra), int_(value) {}
  static constexpr Value Text(ValueKind kind, std::string_view text) {
    Value result;
    result.kind_ = kind;
    result.extra_ = static_cast<std::uint32_t>(text.size());
    result.text_ = text.data();
    return result;
  }
  static constexpr Value Pointer(ValueKind kind, const void* pointer) {
    Value result;
    result.kind_ = kind;
    result.pointer_ = pointer;
    return result;
  }

  ValueKind kind_;
  std::int16_t zone_minutes_ = 0;
  std::uint32_t extra_;  // length of a text; nanoseconds of a timestamp
  union {
    std::int64_t int_;
    double double_;
    const char* text_;
    const void* pointer_;
  };
};

class List {
 public:
  virtual std::size_t size() const = 0;
  virtual Value At(std::size_t i) const = 0;

 protected:
  ~List() = default;
};

class Map {
 public:
  struct Entry {
    Value key;
    Value value;
  };
  virtual std::size_t size() const = 0;
  // In an order that stays the same.
  virtual Entry At(std::size_t i) const = 0;
  // The value of a key, numbers of another kind included: {1: x} has the key 1u. A map may answer
  // for keys that it does not list.
  virtual bool Find(const Value& key, Value* value) const = 0;
  // Whether the key is listed: `key in map`.
  virtual bool Contains(const Value& key) const {
    Value value;
    return Find(key, &value);
  }

 protected:
  ~Map() = default;
};

// A value of a type that a library declares: a quantity, a version, an address.
class Opaque {
 public:
  virtual const Type* type() const = 0;
  virtual bool Equals(const Opaque& other) const = 0;
  // False: a == b with this value as b is an error.
  virtual bool ComparableOnTheRight() const { return true; }

 protected:
  ~Opaque() = default;
};

// A protobuf message that becomes no other value: google.protobuf.Empty.
class Message {
 public:
  struct Field {
    Value value;  // the default, if it is not set
    bool is_set = false;
  };
  virtual const Type* type() const = 0;
  // False: there is no field of that name.
  virtual bool Find(std::string_view name, Field* field) const = 0;
  virtual bool Equals(const Message& other) const = 0;
  // Whether no field is set.
  virtual bool IsEmpty() const = 0;

 protected:
  ~Message() = default;
};

class ArrayList final : public List {
 public:
  explicit ArrayList(std::span<const Value> values) : values_(values) {}
  std::size_t size() const override { return values_.size(); }
  Value At(std::size_t i) const override { return values_[i]; }

 private:
  std::span<const Value> values_;
};

class ConcatenatedList final : public List {
 public:
  ConcatenatedList(const List& first, const List& second)
      : first_(first),
        second_(second),
        first_size_(first.size()),
        size_(first_size_ + second.size()) {}
  std::size_t size() const override { return size_; }
  Value At(std::size_t i) const override {
    return i < first_size_ ? first_.At(i) : second_.At(i - first_size_);
  }

 private:
  const List& first_;
  const List& second_;
  std::size_t first_size_;
  std::size_t size_;
};

// Grows in place: what a comprehension collects. Memory is the arena's.
class MutableList final : public List {
 public:
  explicit MutableList(Arena& arena) : arena_(arena) {}
  std::size_t size() const override { return size_; }
  Value At(std::size_t i) const override { return values_[i]; }
  void Append(const Value& value);

 private:
  Arena& arena_;
  std::span<Value> values_;
  std::size_t size_ = 0;
};

// Entries in the order of insertion; small ones are searched, large ones hashed.
class EntryMap final : public Map {
 public:
  explicit EntryMap(Arena& arena) : arena_(arena) {}
  std::size_t size() const override { return size_; }
  Entry At(std::size_t i) const override { return entries_[i]; }
  // Keys are the same as Go's maps have it: of one kind and equal, or one object; numbers that are
  // not there are found by equal ones of another kind.
  bool Find(const Value& key, Value* value) const override;
  // Adds the entry; false, and nothing is done, if the key is there.
  bool Insert(const Value& key, const Value& value);
  // Adds or replaces.
  void Set(const Value& key, const Value& value);
  void Erase(const Value& key);

 private:
  static constexpr std::size_t kSearchedSize = 8;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  std::uint32_t IndexOf(const Value& key) const;
  std::uint32_t IndexOfEqualNumber(const Value& key) const;
  void Append(const Value& key, const Value& value);
  void Rehash();

  Arena& arena_;
  std::span<Entry> entries_;
  std::span<std::uint32_t> buckets_;  // power of two; kNone: free
  std::size_t size_ = 0;
};

// The name of the Go type by which Kubernetes holds the value, where its messages show it:
// "types.Int", "*types.Err", "cel.Quantity".
std::string_view GoTypeName(const Value& value);

// The name of the value's type at run time: "int", "google.protobuf.Timestamp".
std::string_view TypeName(const Value& value);
// The type of the value, as type() gives it.
const Type* TypeOf(const Value& value);

// a == b as CEL has it: numbers across their kinds, lists and maps by element. An error where a
// library's value meets another type; within lists and maps, such a pair counts as equal.
enum class Equality : std::uint8_t { kFalse, kTrue, kError };
Equality CompareEqual(const Value& a, const Value& b);
inline bool Equal(const Value& a, const Value& b) { return CompareEqual(a, b) == Equality::kTrue; }

// Whether the value is its type's zero: 0, "", [], none.
bool IsZero(const Value& value);

// -1, 0, 1; kNotComparable for kinds without order between them, kUnordered for NaN.
inline constexpr int kNotComparable = 2;
inline constexpr int kUnordered = 3;
int Compare(const Value& a, const Value& b);

// Number of code points of a UTF-8 text; each ill-formed byte counts as one.
std::size_t CodePointCount(std::string_view text);

// What size() says, and what costs are reckoned with: elements, entries, code points, bytes; 1 for
// scalars; an optional counts as its value.
std::uint64_t SizeForCost(const Value& value);

// Errors that end an evaluation at once, whatever would become of them otherwise: where Kubernetes'
// evaluator panics. Their texts start with "internal error: ".
bool IsPanic(const Value& value);

// The panic of a Go map that is asked for a key of a kind that it cannot hash; null for others.
Value HashPanic(const Value& key);

// An error made of `parts`, its text in the arena.
Value MakeError(Arena& arena, std::initializer_list<std::string_view> parts);

// As Go's %v prints the value in error messages: a key of a map, an index.
std::string DebugString(const Value& value);

}  // namespace assay::cel

#endif  // ASSAY_CEL_VALUE_H_
