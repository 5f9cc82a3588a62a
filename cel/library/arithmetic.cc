#include "cel/library/arithmetic.h"

#include <limits>

namespace assay::cel::library {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

__extension__ using Int128 = __int128;

}  // namespace

Value AddToTimestamp(const Value& timestamp, std::int64_t nanoseconds) {
  std::int64_t seconds = 0;
  if (__builtin_add_overflow(timestamp.seconds(), nanoseconds / kNanosPerSecond, &seconds)) {
    return IntegerOverflow();
  }
  std::int64_t nanos = timestamp.nanoseconds() + nanoseconds % kNanosPerSecond;
  std::int64_t carry = 0;
  if (nanos < 0) {
    nanos += kNanosPerSecond;
    carry = -1;
  } else if (nanos >= kNanosPerSecond) {
    nanos -= kNanosPerSecond;
    carry = 1;
  }
  if (__builtin_add_overflow(seconds, carry, &seconds)) {
    return IntegerOverflow();
  }
  if (seconds < kMinSecond || seconds > kMaxSecond) {
    return TimestampOverflow();
  }
  return Value::Timestamp(seconds, static_cast<std::uint32_t>(nanos), timestamp.zone_minutes());
}

Value SubtractTimestamps(const Value& a, const Value& b) {
  const Int128 nanoseconds =
      (static_cast<Int128>(a.seconds()) - b.seconds()) * kNanosPerSecond +
      (static_cast<std::int64_t>(a.nanoseconds()) - static_cast<std::int64_t>(b.nanoseconds()));
  if (nanoseconds > std::numeric_limits<std::int64_t>::max() ||
      nanoseconds < std::numeric_limits<std::int64_t>::min()) {
    return IntegerOverflow();
  }
  return Value::Duration(static_cast<std::int64_t>(nanoseconds));
}

#if defined(__clang__) || defined(__GNUC__)
__attribute__((no_sanitize("float-divide-by-zero")))
#endif
double
DivideDoubles(double a, double b) {
  return a / b;
}

Value AddLists(const CallContext& context, const Value& a, const Value& b) {
  if (a.collecting()) {
    MutableList& list = const_cast<MutableList&>(static_cast<const MutableList&>(a.list()));
    const std::size_t size = b.list().size();
    for (std::size_t i = 0; i < size; ++i) {
      list.Append(b.list().At(i));
    }
    return a;
  }
  if (a.list().size() == 0) {
    return b;
  }
  if (b.list().size() == 0) {
    return a;
  }
  return Value::Of(context.arena.New<ConcatenatedList>(a.list(), b.list()));
}

Value InsertIntoMap(const CallContext& context, const Value& map, const Value& key,
                    const Value& value) {
  EntryMap* entries = nullptr;
  if (map.collecting()) {
    entries = const_cast<EntryMap*>(static_cast<const EntryMap*>(&map.map()));
  } else {
    entries = context.arena.New<EntryMap>(context.arena);
    for (std::size_t i = 0; i < map.map().size(); ++i) {
      const Map::Entry entry = map.map().At(i);
      entries->Insert(entry.key, entry.value);
    }
  }
  if (!entries->Insert(key, value)) {
    return context.Error({"insert failed: key ", DebugString(key), " already exists"});
  }
  return map.collecting() ? map : Value::Of(static_cast<const Map*>(entries));
}

}  // namespace assay::cel::library
