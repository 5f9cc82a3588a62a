#include <cmath>
#include <limits>

#include "cel/library/arithmetic.h"
#include "cel/library/library.h"
#include "cel/library/text.h"
#include "cel/library/times.h"

// Source: cel-go's common/stdlib/standard.go, and ConvertToType of each of common/types.

namespace assay::cel::library {
namespace {

Value Identity(const CallContext&, std::span<const Value> args) { return args[0]; }

Value CannotConvert(const CallContext& context, const Value& value, std::string_view to) {
  return context.Error({"type conversion error from '", TypeName(value), "' to '", to, "'"});
}

Value ToType(const CallContext&, std::span<const Value> args) { return Value::Of(TypeOf(args[0])); }

Value StringToBool(const CallContext& context, std::span<const Value> args) {
  const std::optional<bool> value = ParseBool(args[0].text());
  return value.has_value() ? Value::Bool(*value) : CannotConvert(context, args[0], "bool");
}

Value StringToBytes(const CallContext&, std::span<const Value> args) {
  return Value::Bytes(args[0].text());
}

Value ToDouble(const CallContext& context, std::span<const Value> args) {
  switch (args[0].kind()) {
    case ValueKind::kInt:
      return Value::Double(static_cast<double>(args[0].int_value()));
    case ValueKind::kUint:
      return Value::Double(static_cast<double>(args[0].uint_value()));
    default: {
      const std::optional<double> value = ParseFloat(args[0].text());
      return value.has_value() ? Value::Double(*value) : CannotConvert(context, args[0], "double");
    }
  }
}

Value ToDuration(const CallContext& context, std::span<const Value> args) {
  if (args[0].Is(ValueKind::kInt)) {
    return CannotConvert(context, args[0], "google.protobuf.Duration");
  }
  const std::optional<std::int64_t> value = ParseDuration(args[0].text());
  return value.has_value() ? Value::Duration(*value)
                           : CannotConvert(context, args[0], "google.protobuf.Duration");
}

Value ToInt(const CallContext& context, std::span<const Value> args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case ValueKind::kDouble:
      // The limits themselves are refused: they are no exact doubles.
      if (!(value.double_value() > -9223372036854775808.0 &&
            value.double_value() < 9223372036854775808.0)) {
        return IntegerOverflow();
      }
      return Value::Int(static_cast<std::int64_t>(value.double_value()));
    case ValueKind::kUint:
      return value.uint_value() > std::numeric_limits<std::int64_t>::max()
                 ? IntegerOverflow()
                 : Value::Int(static_cast<std::int64_t>(value.uint_value()));
    case ValueKind::kDuration:
      return Value::Int(value.duration());
    case ValueKind::kTimestamp:
      return Value::Int(value.seconds());
    default: {
      const std::optional<std::int64_t> parsed = ParseInt(value.text());
      return parsed.has_value() ? Value::Int(*parsed) : CannotConvert(context, value, "int");
    }
  }
}

Value ToUint(const CallContext& context, std::span<const Value> args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case ValueKind::kDouble:
      if (!(value.double_value() >= 0 && value.double_value() < 18446744073709551616.0)) {
        return UnsignedOverflow();
      }
      return Value::Uint(static_cast<std::uint64_t>(value.double_value()));
    case ValueKind::kInt:
      return value.int_value() < 0 ? UnsignedOverflow()
                                   : Value::Uint(static_cast<std::uint64_t>(value.int_value()));
    default: {
      const std::optional<std::uint64_t> parsed = ParseUint(value.text());
      return parsed.has_value() ? Value::Uint(*parsed) : CannotConvert(context, value, "uint");
    }
  }
}

Value ToString(const CallContext& context, std::span<const Value> args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case ValueKind::kBool:
      return Value::String(value.bool_value() ? "true" : "false");
    case ValueKind::kBytes:
      return IsValidUtf8(value.text())
                 ? Value::String(value.text())
                 : Value::Error("invalid UTF-8 in bytes, cannot convert to string");
    case ValueKind::kDouble:
      return context.String(FormatGeneral(value.double_value()));
    case ValueKind::kDuration:
      return context.String(FormatDuration(value.duration()));
    case ValueKind::kInt:
      return context.String(std::to_string(value.int_value()));
    case ValueKind::kUint:
      return context.String(std::to_string(value.uint_value()));
    default:
      return context.String(
          FormatTimestamp({value.seconds(), value.nanoseconds(), value.zone_minutes()}));
  }
}

Value ToTimestamp(const CallContext& context, std::span<const Value> args) {
  if (args[0].Is(ValueKind::kInt)) {
    const std::int64_t seconds = args[0].int_value();
    return seconds < kMinSecond || seconds > kMaxSecond ? TimestampOverflow()
                                                        : Value::Timestamp(seconds, 0);
  }
  const std::optional<Instant> instant = ParseTimestamp(args[0].text());
  if (!instant.has_value()) {
    return CannotConvert(context, args[0], "google.protobuf.Timestamp");
  }
  return instant->seconds < kMinSecond || instant->seconds > kMaxSecond
             ? TimestampOverflow()
             : Value::Timestamp(instant->seconds, instant->nanoseconds, instant->zone_minutes);
}

}  // namespace

void AddConversions(FunctionTable& table) {
  table.AddShared("type", &ToType, kAnyKind, {{"type", "(A) -> type(A)"}});
  table.AddShared("dyn", &Identity, kAnyKind, {{"to_dyn", "(A) -> dyn"}});
  table.Add("bool", {{"bool_to_bool", "(bool) -> bool", &Identity},
                     {"string_to_bool", "(string) -> bool", &StringToBool}});
  table.Add("bytes", {{"bytes_to_bytes", "(bytes) -> bytes", &Identity},
                      {"string_to_bytes", "(string) -> bytes", &StringToBytes}});
  table.Add("double", {{"double_to_double", "(double) -> double", &Identity},
                       {"int64_to_double", "(int) -> double", &ToDouble},
                       {"string_to_double", "(string) -> double", &ToDouble},
                       {"uint64_to_double", "(uint) -> double", &ToDouble}});
  table.Add("duration", {{"duration_to_duration", "(duration) -> duration", &Identity},
                         {"int64_to_duration", "(int) -> duration", &ToDuration},
                         {"string_to_duration", "(string) -> duration", &ToDuration}});
  table.Add("int", {{"int64_to_int64", "(int) -> int", &Identity},
                    {"double_to_int64", "(double) -> int", &ToInt},
                    {"duration_to_int64", "(duration) -> int", &ToInt},
                    {"string_to_int64", "(string) -> int", &ToInt},
                    {"timestamp_to_int64", "(timestamp) -> int", &ToInt},
                    {"uint64_to_int64", "(uint) -> int", &ToInt}});
  table.Add("string", {{"string_to_string", "(string) -> string", &Identity},
                       {"bool_to_string", "(bool) -> string", &ToString},
                       {"bytes_to_string", "(bytes) -> string", &ToString},
                       {"double_to_string", "(double) -> string", &ToString},
                       {"duration_to_string", "(duration) -> string", &ToString},
                       {"int64_to_string", "(int) -> string", &ToString},
                       {"timestamp_to_string", "(timestamp) -> string", &ToString},
                       {"uint64_to_string", "(uint) -> string", &ToString}});
  table.Add("timestamp", {{"timestamp_to_timestamp", "(timestamp) -> timestamp", &Identity},
                          {"int64_to_timestamp", "(int) -> timestamp", &ToTimestamp},
                          {"string_to_timestamp", "(string) -> timestamp", &ToTimestamp}});
  table.Add("uint", {{"uint64_to_uint64", "(uint) -> uint", &Identity},
                     {"double_to_uint64", "(double) -> uint", &ToUint},
                     {"int64_to_uint64", "(int) -> uint", &ToUint},
                     {"string_to_uint64", "(string) -> uint", &ToUint}});
}

}  // namespace assay::cel::library
