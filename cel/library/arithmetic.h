// What several operators and functions share: overflow, times, collections that grow in place.
//
// Thread-safe: pure functions, but for the values of one evaluation.
#ifndef ASSAY_CEL_LIBRARY_ARITHMETIC_H_
#define ASSAY_CEL_LIBRARY_ARITHMETIC_H_

#include <cstdint>

#include "cel/function.h"

namespace assay::cel::library {

inline Value IntegerOverflow() { return Value::Error("integer overflow"); }
inline Value UnsignedOverflow() { return Value::Error("unsigned integer overflow"); }
inline Value TimestampOverflow() { return Value::Error("timestamp overflow"); }

// The first and the last second that a timestamp can have: years 1 to 9999.
inline constexpr std::int64_t kMinSecond = -62135596800;
inline constexpr std::int64_t kMaxSecond = 253402300799;

// args[0] + args[1] (operators.cc).
Value AddValues(const CallContext& context, std::span<const Value> args);

Value AddToTimestamp(const Value& timestamp, std::int64_t nanoseconds);
Value SubtractTimestamps(const Value& a, const Value& b);

// IEEE division, by zero too.
double DivideDoubles(double a, double b);

// a + b. A list that still collects (Value::collecting) grows in place.
Value AddLists(const CallContext& context, const Value& a, const Value& b);

// The map with one entry more; an error if the key is there. A map that still collects grows in
// place.
Value InsertIntoMap(const CallContext& context, const Value& map, const Value& key,
                    const Value& value);

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_ARITHMETIC_H_
