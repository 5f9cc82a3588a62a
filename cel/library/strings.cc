#include <algorithm>
#include <string>

#include "cel/library/library.h"
#include "cel/library/text.h"

// Source: cel-go's ext/strings.go, version 2.

namespace assay::cel::library {
namespace {

using Points = std::vector<std::uint32_t>;

Value OutOfRange(const CallContext& context, std::int64_t index) {
  return context.Error({"index out of range: ", std::to_string(index)});
}

Value Part(const CallContext& context, const Points& points, std::int64_t from, std::int64_t to) {
  return context.String(Utf8(points.data() + from, points.data() + to));
}

Value CharAt(const CallContext& context, std::span<const Value> args) {
  const Points points = CodePoints(args[0].text());
  const std::int64_t index = args[1].int_value();
  const auto size = static_cast<std::int64_t>(points.size());
  if (index < 0 || index > size) {
    return OutOfRange(context, index);
  }
  return Part(context, points, index, std::min(index + 1, size));
}

bool MatchesAt(const Points& text, const Points& part, std::size_t at) {
  return std::equal(part.begin(), part.end(), text.begin() + static_cast<std::ptrdiff_t>(at));
}

Value IndexOfFrom(const CallContext& context, const Value& text, const Value& part,
                  std::int64_t offset) {
  if (part.text().empty()) {
    return Value::Int(offset);
  }
  if (offset < 0) {
    return OutOfRange(context, offset);
  }
  const Points points = CodePoints(text.text());
  const Points wanted = CodePoints(part.text());
  for (auto i = static_cast<std::size_t>(offset); i + wanted.size() <= points.size(); ++i) {
    if (MatchesAt(points, wanted, i)) {
      return Value::Int(static_cast<std::int64_t>(i));
    }
  }
  return Value::Int(-1);
}

Value IndexOf(const CallContext& context, std::span<const Value> args) {
  return IndexOfFrom(context, args[0], args[1], args.size() == 3 ? args[2].int_value() : 0);
}

Value LastIndexOfFrom(const CallContext& context, const Points& points, const Value& part,
                      std::int64_t offset) {
  if (part.text().empty()) {
    return Value::Int(offset);
  }
  if (offset < 0) {
    return OutOfRange(context, offset);
  }
  const Points wanted = CodePoints(part.text());
  const auto size = static_cast<std::int64_t>(points.size());
  if (offset >= size) {
    return Value::Int(-1);
  }
  const std::int64_t last = std::min(offset, size - static_cast<std::int64_t>(wanted.size()));
  for (std::int64_t i = last; i >= 0; --i) {
    if (MatchesAt(points, wanted, static_cast<std::size_t>(i))) {
      return Value::Int(i);
    }
  }
  return Value::Int(-1);
}

Value LastIndexOf(const CallContext& context, std::span<const Value> args) {
  const Points points = CodePoints(args[0].text());
  if (args.size() == 3) {
    return LastIndexOfFrom(context, points, args[1], args[2].int_value());
  }
  if (args[1].text().empty()) {
    return Value::Int(static_cast<std::int64_t>(points.size()));
  }
  if (args[0].text().size() < args[1].text().size()) {
    return Value::Int(-1);
  }
  return LastIndexOfFrom(context, points, args[1], static_cast<std::int64_t>(points.size()) - 1);
}

template <char from, char to, int shift>
Value ShiftAscii(const CallContext& context, std::span<const Value> args) {
  const std::string_view text = args[0].text();
  std::span<char> out = context.arena.NewArray<char>(text.size());
  std::transform(text.begin(), text.end(), out.begin(),
                 [](char c) { return c >= from && c <= to ? static_cast<char>(c + shift) : c; });
  return Value::String({out.data(), out.size()});
}

// Where an empty separator stands: before each character, and after the last.
std::size_t CharacterLength(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const std::size_t length = byte < 0xC0 ? 1 : (byte < 0xE0 ? 2 : (byte < 0xF0 ? 3 : 4));
  return std::min(length, text.size() - at);
}

// Longer texts are not made: an expression could double one in every step, and its cost shows only
// afterwards. Kubernetes makes them, and runs out of memory.
constexpr std::size_t kMaxTextSize = 32 * 1024 * 1024;

Value TooLong() { return Value::Error("internal error: the text is too long"); }

Value Replace(const CallContext& context, std::span<const Value> args) {
  const std::string_view text = args[0].text();
  const std::string_view from = args[1].text();
  const std::string_view to = args[2].text();
  std::int64_t left = args.size() == 4 ? args[3].int_value() : -1;
  std::string out;
  std::size_t at = 0;
  if (from.empty()) {
    while (left != 0) {
      if (out.size() > kMaxTextSize) {
        return TooLong();
      }
      out += to;
      --left;
      if (at >= text.size()) {
        break;
      }
      const std::size_t length = CharacterLength(text, at);
      out += text.substr(at, length);
      at += length;
    }
  } else {
    for (; left != 0; --left) {
      if (out.size() > kMaxTextSize) {
        return TooLong();
      }
      const std::size_t found = text.find(from, at);
      if (found == std::string_view::npos) {
        break;
      }
      out += text.substr(at, found - at);
      out += to;
      at = found + from.size();
    }
  }
  out += text.substr(std::min(at, text.size()));
  return context.String(out);
}

Value Strings(const CallContext& context, const std::vector<Value>& parts) {
  return Value::Of(
      static_cast<const List*>(context.arena.New<ArrayList>(context.arena.Copy(parts))));
}

// Go's strings.SplitN: at most `limit` parts; any number if it is negative.
Value Split(const CallContext& context, std::span<const Value> args) {
  std::string_view text = args[0].text();
  const std::string_view separator = args[1].text();
  const std::int64_t limit = args.size() == 3 ? args[2].int_value() : -1;
  std::vector<Value> parts;
  if (limit == 0) {
    return Strings(context, parts);
  }
  const auto full = [&] {
    return limit > 0 && static_cast<std::int64_t>(parts.size()) + 1 >= limit;
  };
  if (separator.empty()) {
    while (!text.empty()) {
      const std::size_t length = full() ? text.size() : CharacterLength(text, 0);
      parts.push_back(Value::String(text.substr(0, length)));
      text.remove_prefix(length);
    }
    return Strings(context, parts);
  }
  for (std::size_t found = text.find(separator); found != std::string_view::npos && !full();
       found = text.find(separator)) {
    parts.push_back(Value::String(text.substr(0, found)));
    text.remove_prefix(found + separator.size());
  }
  parts.push_back(Value::String(text));
  return Strings(context, parts);
}

Value Substring(const CallContext& context, std::span<const Value> args) {
  const Points points = CodePoints(args[0].text());
  const auto size = static_cast<std::int64_t>(points.size());
  const std::int64_t start = args[1].int_value();
  const std::int64_t end = args.size() == 3 ? args[2].int_value() : size;
  if (args.size() == 3 && start > end) {
    return context.Error({"invalid substring range. start: ", std::to_string(start),
                          ", end: ", std::to_string(end)});
  }
  if (start < 0 || start > size) {
    return OutOfRange(context, start);
  }
  if (end < 0 || end > size) {
    return OutOfRange(context, end);
  }
  return Part(context, points, start, end);
}

// Unicode's White_Space, as Go's strings.TrimSpace has it.
bool IsSpace(std::uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

Value Trim(const CallContext& context, std::span<const Value> args) {
  const Points points = CodePoints(args[0].text());
  std::int64_t from = 0;
  auto to = static_cast<std::int64_t>(points.size());
  while (from < to && IsSpace(points[static_cast<std::size_t>(from)])) {
    ++from;
  }
  while (to > from && IsSpace(points[static_cast<std::size_t>(to - 1)])) {
    --to;
  }
  return Part(context, points, from, to);
}

Value Join(const CallContext& context, std::span<const Value> args) {
  const std::string_view separator = args.size() == 2 ? args[1].text() : std::string_view();
  const List& list = args[0].list();
  std::string out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Value part = list.At(i);
    if (!part.Is(ValueKind::kString)) {
      return context.Error({"join: invalid input: ", DebugString(part)});
    }
    if (out.size() > kMaxTextSize) {
      return TooLong();
    }
    out += i == 0 ? "" : separator;
    out += part.text();
  }
  return context.String(out);
}

Value QuoteString(const CallContext& context, std::span<const Value> args) {
  static constexpr std::string_view kSpecial = "\a\b\f\n\r\t\v\\\"";
  static constexpr std::string_view kNames = "abfnrtv\\\"";
  const Points points = CodePoints(args[0].text());
  std::string out = "\"";
  for (const std::uint32_t& c : points) {
    const std::size_t at =
        c != 0 && c < 0x80 ? kSpecial.find(static_cast<char>(c)) : std::string_view::npos;
    if (at == std::string_view::npos) {
      out += Utf8(&c, &c + 1);
    } else {
      out += '\\';
      out += kNames[at];
    }
  }
  return context.String(out + "\"");
}

}  // namespace

void AddStrings(FunctionTable& table) {
  table.Add("charAt", {{"string_char_at_int", "string.(int) -> string", &CharAt}});
  table.Add("indexOf", {{"string_index_of_string", "string.(string) -> int", &IndexOf},
                        {"string_index_of_string_int", "string.(string, int) -> int", &IndexOf}});
  table.Add("lastIndexOf",
            {{"string_last_index_of_string", "string.(string) -> int", &LastIndexOf},
             {"string_last_index_of_string_int", "string.(string, int) -> int", &LastIndexOf}});
  table.Add("lowerAscii",
            {{"string_lower_ascii", "string.() -> string", &ShiftAscii<'A', 'Z', 32>}});
  table.Add("upperAscii",
            {{"string_upper_ascii", "string.() -> string", &ShiftAscii<'a', 'z', -32>}});
  table.Add(
      "replace",
      {{"string_replace_string_string", "string.(string, string) -> string", &Replace},
       {"string_replace_string_string_int", "string.(string, string, int) -> string", &Replace}});
  table.Add("split", {{"string_split_string", "string.(string) -> list(string)", &Split},
                      {"string_split_string_int", "string.(string, int) -> list(string)", &Split}});
  table.Add("substring", {{"string_substring_int", "string.(int) -> string", &Substring},
                          {"string_substring_int_int", "string.(int, int) -> string", &Substring}});
  table.Add("trim", {{"string_trim", "string.() -> string", &Trim}});
  table.Add("join", {{"list_join", "list(string).() -> string", &Join},
                     {"list_join_string", "list(string).(string) -> string", &Join}});
  table.Add("strings.quote", {{"strings_quote", "(string) -> string", &QuoteString}});
}

}  // namespace assay::cel::library
