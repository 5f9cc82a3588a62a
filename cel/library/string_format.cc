#include "cel/library/string_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <optional>

#include "cel/library/library.h"
#include "cel/library/text.h"
#include "cel/library/times.h"
#include "cel/type.h"

// Source: cel-go's ext/formatting.go, with the locale en_US that Kubernetes leaves it at.

namespace assay::cel::library {
namespace {

constexpr int kDefaultPrecision = 6;

// One %-clause: its letter, and a precision if it has one.
struct Clause {
  char letter = 's';
  std::optional<int> precision;
};

std::string WrongType(char letter, std::string_view type) {
  switch (letter) {
    case 'b':
      return "only integers and bools can be formatted as binary, was given " + std::string(type);
    case 'd':
      return "decimal clause can only be used on integers, was given " + std::string(type);
    case 'f':
      return "fixed-point clause can only be used on doubles, was given " + std::string(type);
    case 'e':
      return "scientific clause can only be used on doubles, was given " + std::string(type);
    case 'o':
      return "octal clause can only be used on integers, was given " + std::string(type);
    case 'x':
    case 'X':
      return "only integers, byte buffers, and strings can be formatted as hex, was given " +
             std::string(type);
    default:
      return "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, "
             "types, durations, and timestamps, was given " +
             std::string(type);
  }
}

// A text, or why there is none.
struct Formatted {
  std::string text;
  std::string error;
};
Formatted Fail(std::string error) { return {{}, std::move(error)}; }

// Walks over a format; `apply` makes the text of each clause for the argument of that number.
Formatted Walk(std::string_view format, std::size_t arg_count, bool validates,
               const std::function<Formatted(const Clause&, std::size_t)>& apply) {
  std::string out;
  std::size_t arg = 0;
  for (std::size_t i = 0; i < format.size();) {
    if (format[i] != '%') {
      out += format[i++];
      continue;
    }
    if (i + 1 < format.size() && format[i + 1] == '%') {
      out += '%';
      i += 2;
      continue;
    }
    // The validator looks for the end first.
    if (validates && i + 1 >= format.size()) {
      return Fail("unexpected end of string");
    }
    if (arg >= arg_count) {
      return Fail("index " + std::to_string(arg) + " out of range");
    }
    if (++i >= format.size()) {
      return Fail("unexpected end of string");
    }
    Clause clause;
    const std::string parsing = "could not parse formatting clause: ";
    if (format[i] == '.') {
      const std::size_t start = ++i;
      while (i < format.size() && format[i] >= '0' && format[i] <= '9') {
        ++i;
      }
      if (i >= format.size()) {
        return Fail(parsing +
                    "error while parsing precision: could not find end of precision specifier");
      }
      int precision = 0;
      const auto result = std::from_chars(format.data() + start, format.data() + i, precision);
      if (result.ec != std::errc()) {
        return Fail(parsing +
                    "error while parsing precision: error while converting precision to integer: "
                    "strconv.Atoi: parsing " +
                    Quote(format.substr(start, i - start)) + ": invalid syntax");
      }
      clause.precision = precision;
    }
    clause.letter = format[i++];
    if (std::string_view("sdfebxXo").find(clause.letter) == std::string_view::npos) {
      return Fail(parsing + "unrecognized formatting clause \"" + clause.letter + "\"");
    }
    Formatted part = apply(clause, arg++);
    if (!part.error.empty()) {
      return Fail("error during formatting: " + part.error);
    }
    out += part.text;
  }
  return {std::move(out), {}};
}

std::string FixedDouble(double value, int precision) {
  std::string text(static_cast<std::size_t>(precision) + 330, '\0');
  const int length = std::snprintf(text.data(), text.size(), "%.*f", precision, value);
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::optional<std::string> SpecialDouble(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "\xE2\x88\x9E" : "-\xE2\x88\x9E";
  }
  return std::nullopt;
}

// en_US groups the digits before the point by thousands.
std::string LocalFixed(double value, int precision) {
  if (const auto special = SpecialDouble(value); special.has_value()) {
    return *special;
  }
  std::string text = FixedDouble(value, precision);
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  std::size_t point = std::min(text.find('.'), text.size());
  while (point > first + 3) {
    point -= 3;
    text.insert(point, ",");
  }
  return text;
}

// en_US writes "1.052033×10⁰³". The precision of the clause is taken for a width: it is six.
std::string LocalScientific(double value, int width) {
  std::string text;
  if (const auto special = SpecialDouble(value); special.has_value()) {
    text = *special;
  } else {
    char plain[64];
    std::snprintf(plain, sizeof(plain), "%.6e", value);
    const std::string scientific = plain;
    const std::size_t e = scientific.find('e');
    static constexpr std::string_view kSuperscripts[] = {
        "\xE2\x81\xB0", "\xC2\xB9",     "\xC2\xB2",     "\xC2\xB3",     "\xE2\x81\xB4",
        "\xE2\x81\xB5", "\xE2\x81\xB6", "\xE2\x81\xB7", "\xE2\x81\xB8", "\xE2\x81\xB9"};
    text = scientific.substr(0, e) +
           "\xC3\x97"
           "10";
    for (char c : scientific.substr(e + 1)) {
      if (c == '-') {
        text += "\xE2\x81\xBB";
      } else if (c != '+') {
        text += kSuperscripts[c - '0'];
      }
    }
  }
  const auto length = static_cast<int>(CodePoints(text).size());
  return std::string(static_cast<std::size_t>(std::max(0, width - length)), ' ') + text;
}

Formatted FormatValue(const Value& value);

std::string QuotedIn(const Value& value, const std::string& text) {
  switch (value.kind()) {
    case ValueKind::kString:
      return Quote(text);
    case ValueKind::kBytes:
      return "b" + Quote(text);
    case ValueKind::kDouble:
      return std::isfinite(value.double_value()) ? text : Quote(text);
    default:
      return text;
  }
}

// An element of a list or map: written as a literal.
Formatted FormatElement(const Value& value) {
  Formatted part;
  switch (value.kind()) {
    case ValueKind::kTimestamp:
      part.text =
          "timestamp(" +
          Quote(FormatTimestamp({value.seconds(), value.nanoseconds(), value.zone_minutes()})) +
          ")";
      return part;
    case ValueKind::kDuration:
      part.text = "duration(" + Quote(FormatDuration(value.duration())) + ")";
      return part;
    case ValueKind::kDouble: {
      const double number = value.double_value();
      part.text =
          std::isfinite(number) ? FixedDouble(number, kDefaultPrecision) : FormatGeneral(number);
      break;
    }
    case ValueKind::kOptional:
    case ValueKind::kOpaque:
      return Fail("no formatting function for " + std::string(TypeName(value)));
    default:
      part = FormatValue(value);
      break;
  }
  if (part.error.empty()) {
    part.text = QuotedIn(value, part.text);
  }
  return part;
}

Formatted FormatList(const List& list) {
  std::string out = "[";
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Formatted part = FormatElement(list.At(i));
    if (!part.error.empty()) {
      return part;
    }
    out += (i == 0 ? "" : ", ") + part.text;
  }
  return {out + "]", {}};
}

Formatted FormatMap(const Map& map) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (std::size_t i = 0; i < map.size(); ++i) {
    const Map::Entry entry = map.At(i);
    if (!entry.key.Is(ValueKind::kString) && !entry.key.Is(ValueKind::kBool) &&
        !entry.key.Is(ValueKind::kInt) && !entry.key.Is(ValueKind::kUint)) {
      return Fail("no formatting function for map key of type " + std::string(TypeName(entry.key)));
    }
    const Formatted key = FormatElement(entry.key);
    const Formatted value = FormatElement(entry.value);
    if (!value.error.empty()) {
      return value;
    }
    entries.emplace_back(key.text, value.text);
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out = "{";
  for (const auto& [key, value] : entries) {
    out += (out.size() == 1 ? "" : ", ") + key + ":" + value;
  }
  return {out + "}", {}};
}

// %s
Formatted FormatValue(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      return {"null", {}};
    case ValueKind::kBool:
      return {value.bool_value() ? "true" : "false", {}};
    case ValueKind::kInt:
      return {std::to_string(value.int_value()), {}};
    case ValueKind::kUint:
      return {std::to_string(value.uint_value()), {}};
    case ValueKind::kDouble:
      return {FormatGeneral(value.double_value()), {}};
    case ValueKind::kString:
      return {std::string(value.text()), {}};
    case ValueKind::kBytes:
      if (!IsValidUtf8(value.text())) {
        return Fail("could not convert argument %!q(<invalid reflect.Value>) to string");
      }
      return {std::string(value.text()), {}};
    case ValueKind::kDuration:
      return {FormatDuration(value.duration()), {}};
    case ValueKind::kTimestamp:
      return {FormatTimestamp({value.seconds(), value.nanoseconds(), value.zone_minutes()}), {}};
    case ValueKind::kType:
      return {std::string(value.type()->name()), {}};
    case ValueKind::kList:
      return FormatList(value.list());
    case ValueKind::kMap:
      return FormatMap(value.map());
    default:
      return Fail(WrongType('s', TypeName(value)));
  }
}

// The magnitude in a base, with a sign: %b, %o, %x.
std::string InBase(const Value& value, int base, bool upper) {
  char text[72];
  const auto end = value.Is(ValueKind::kInt)
                       ? std::to_chars(text, text + sizeof(text), value.int_value(), base).ptr
                       : std::to_chars(text, text + sizeof(text), value.uint_value(), base).ptr;
  std::string out(text, end);
  if (upper) {
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
  }
  return out;
}

std::string HexOfBytes(std::string_view bytes, bool upper) {
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// The double of %f and %e: also the strings NaN, Infinity, -Infinity.
std::optional<double> DoubleOf(const Value& value) {
  if (value.Is(ValueKind::kDouble)) {
    return value.double_value();
  }
  if (value.Is(ValueKind::kString) &&
      (value.text() == "NaN" || value.text() == "Infinity" || value.text() == "-Infinity")) {
    return ParseFloat(value.text());
  }
  return std::nullopt;
}

Formatted FormatClause(const Clause& clause, const Value& value) {
  const bool is_integer = value.Is(ValueKind::kInt) || value.Is(ValueKind::kUint);
  const int precision = clause.precision.value_or(kDefaultPrecision);
  const std::string wrong = WrongType(clause.letter, TypeName(value));
  switch (clause.letter) {
    case 's':
      return FormatValue(value);
    case 'd':
      return is_integer ? Formatted{InBase(value, 10, false), {}} : Fail(wrong);
    case 'b':
      if (value.Is(ValueKind::kBool)) {
        return {value.bool_value() ? "1" : "0", {}};
      }
      return is_integer ? Formatted{InBase(value, 2, false), {}} : Fail(wrong);
    case 'o':
      return is_integer ? Formatted{InBase(value, 8, false), {}} : Fail(wrong);
    case 'x':
    case 'X':
      if (value.Is(ValueKind::kString) || value.Is(ValueKind::kBytes)) {
        return {HexOfBytes(value.text(), clause.letter == 'X'), {}};
      }
      return is_integer ? Formatted{InBase(value, 16, clause.letter == 'X'), {}} : Fail(wrong);
    default: {
      const std::optional<double> number = DoubleOf(value);
      if (!number.has_value()) {
        return Fail(wrong);
      }
      return {clause.letter == 'f' ? LocalFixed(*number, precision)
                                   : LocalScientific(*number, precision),
              {}};
    }
  }
}

Value Format(const CallContext& context, std::span<const Value> args) {
  const List& list = args[1].list();
  const Formatted result = Walk(
      args[0].text(), list.size(), false,
      [&list](const Clause& clause, std::size_t i) { return FormatClause(clause, list.At(i)); });
  return result.error.empty() ? context.String(result.text) : context.Error({result.error});
}

bool IsOneOf(const Type* type, std::initializer_list<TypeKind> kinds) {
  return type->kind() == TypeKind::kDyn ||
         std::find(kinds.begin(), kinds.end(), type->kind()) != kinds.end();
}

// The first part of an argument of %s that has no text; null if all have one.
const Expr* FindUnprintable(const Expr& expr) {
  if (!IsOneOf(expr.type,
               {TypeKind::kList, TypeKind::kMap, TypeKind::kInt, TypeKind::kUint, TypeKind::kDouble,
                TypeKind::kBool, TypeKind::kString, TypeKind::kTimestamp, TypeKind::kBytes,
                TypeKind::kDuration, TypeKind::kType, TypeKind::kNull})) {
    return &expr;
  }
  if (expr.kind == ExprKind::kList || expr.kind == ExprKind::kMap) {
    for (const Expr* part : expr.args) {
      if (const Expr* bad = FindUnprintable(*part); bad != nullptr) {
        return bad;
      }
    }
  }
  return nullptr;
}

const Expr* FindWrongArgument(const Clause& clause, const Expr& arg) {
  bool ok = true;
  switch (clause.letter) {
    case 's':
      return FindUnprintable(arg);
    case 'd':
    case 'o':
      ok = IsOneOf(arg.type, {TypeKind::kInt, TypeKind::kUint});
      break;
    case 'b':
      ok = IsOneOf(arg.type, {TypeKind::kInt, TypeKind::kUint, TypeKind::kBool});
      break;
    case 'x':
    case 'X':
      ok =
          IsOneOf(arg.type, {TypeKind::kInt, TypeKind::kUint, TypeKind::kString, TypeKind::kBytes});
      break;
    default:
      ok = IsOneOf(arg.type, {TypeKind::kDouble, TypeKind::kString});
      break;
  }
  return ok ? nullptr : &arg;
}

}  // namespace

void ValidateFormatCall(Ast& ast, const Expr& call) {
  if (call.kind != ExprKind::kCall || call.name != "format" || call.target == nullptr ||
      call.args.size() != 1 || call.target->kind != ExprKind::kLiteral ||
      !call.target->literal.Is(ValueKind::kString) || call.args[0]->kind != ExprKind::kList) {
    return;
  }
  const std::span<Expr* const> args = call.args[0]->args;
  std::size_t used = 0;
  const Expr* at = &call;
  const Formatted result = Walk(call.target->literal.text(), args.size(), true,
                                [&](const Clause& clause, std::size_t i) {
                                  used = i + 1;
                                  const Expr* bad = FindWrongArgument(clause, *args[i]);
                                  if (bad == nullptr) {
                                    return Formatted();
                                  }
                                  at = bad;
                                  return Fail(WrongType(clause.letter, bad->type->name()));
                                });
  if (!result.error.empty()) {
    ast.issues.push_back({at->offset, result.error});
  } else if (args.size() > used) {
    ast.issues.push_back({call.offset, "too many arguments supplied to string.format (expected " +
                                           std::to_string(used) + ", got " +
                                           std::to_string(args.size()) + ")"});
  }
}

void AddStringFormat(FunctionTable& table) {
  table.Add("format", {{"string_format", "string.(list(dyn)) -> string", &Format}});
}

}  // namespace assay::cel::library
