#include "allocator/explain/why_not_selected.h"

#include <array>
#include <optional>
#include <utility>

namespace assay::allocator::explain {
namespace {

using inventory::DeviceRef;

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool Eat(std::string_view prefix, std::string_view& text) {
  text = Trim(text);
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

// A string literal without escapes, in either kind of quotes.
std::optional<std::string_view> EatString(std::string_view& text) {
  text = Trim(text);
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) {
    return std::nullopt;
  }
  const std::size_t end = text.find(text[0], 1);
  if (end == std::string_view::npos ||
      text.substr(1, end - 1).find('\\') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view value = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return value;
}

std::string_view EatName(std::string_view& text) {
  text = Trim(text);
  const auto is_part = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  std::size_t end = 0;
  while (end < text.size() && is_part(text[end])) {
    ++end;
  }
  const std::string_view name = text.substr(0, end);
  text.remove_prefix(end);
  return name;
}

// `["domain"].id` or `["domain"]["id"]`, as "domain/id".
std::optional<std::string> EatQualifiedName(std::string_view& text) {
  if (!Eat("[", text)) {
    return std::nullopt;
  }
  const std::optional<std::string_view> domain = EatString(text);
  if (!domain.has_value() || !Eat("]", text)) {
    return std::nullopt;
  }
  std::string_view id;
  if (Eat(".", text)) {
    id = EatName(text);
  } else if (Eat("[", text)) {
    id = EatString(text).value_or("");
    if (!Eat("]", text)) {
      return std::nullopt;
    }
  }
  return id.empty() ? std::nullopt : std::optional(std::string(*domain) + "/" + std::string(id));
}

struct Comparison {
  std::string_view op;
  std::string_view opposite;
};

std::optional<Comparison> EatOperator(std::string_view& text) {
  constexpr std::array<Comparison, 6> kComparisons = {
      {{"==", "is not"}, {"!=", "is"}, {">=", "<"}, {"<=", ">"}, {">", "<="}, {"<", ">="}}};
  for (const Comparison& comparison : kComparisons) {
    if (Eat(comparison.op, text)) {
      return comparison;
    }
  }
  return std::nullopt;
}

std::string IdOf(const std::string& full_name) { return full_name.substr(full_name.find('/') + 1); }

// `device.capacity["d"].memory.compareTo(quantity("80Gi")) >= 0`
std::optional<std::string> WhyNotCapacity(std::string_view text, DeviceRef device) {
  const std::optional<std::string> name = EatQualifiedName(text);
  if (!name.has_value() || !Eat(".", text) || !Eat("compareTo", text) || !Eat("(", text) ||
      !Eat("quantity", text) || !Eat("(", text)) {
    return std::nullopt;
  }
  const std::optional<std::string_view> quantity = EatString(text);
  if (!quantity.has_value() || !Eat(")", text) || !Eat(")", text)) {
    return std::nullopt;
  }
  const std::optional<Comparison> comparison = EatOperator(text);
  if (!comparison.has_value() || Trim(text) != "0") {
    return std::nullopt;
  }
  const auto& capacity = device.api().capacity;
  auto found = capacity.find(*name);
  found = found == capacity.end() ? capacity.find(IdOf(*name)) : found;
  if (found == capacity.end()) {
    return std::nullopt;
  }
  return IdOf(*name) + " " + found->second.value.ToString() + " " +
         std::string(comparison->opposite) + " " + std::string(*quantity);
}

// `device.attributes["d"].model == "h100"`
std::optional<std::string> WhyNotAttribute(std::string_view text, DeviceRef device) {
  const std::optional<std::string> name = EatQualifiedName(text);
  if (!name.has_value()) {
    return std::nullopt;
  }
  const std::optional<Comparison> comparison = EatOperator(text);
  const std::string_view constant = Trim(text);
  if (!comparison.has_value() || constant.empty() ||
      constant.find_first_of("()[]&|?:") != std::string_view::npos) {
    return std::nullopt;
  }
  const inventory::AttributeRef found = inventory::FindAttribute(device, *name);
  if (!found) {
    return std::nullopt;
  }
  const std::string value =
      found.own != nullptr ? '"' + *found.own + '"' : TextOf(*found.attribute);
  return IdOf(*name) + " " + value + " " + std::string(comparison->opposite) + " " +
         std::string(constant);
}

}  // namespace

std::string TextOf(const api::resource::DeviceAttribute& attribute) {
  if (attribute.string.has_value()) {
    return '"' + *attribute.string + '"';
  }
  if (attribute.int_.has_value()) {
    return std::to_string(*attribute.int_);
  }
  if (attribute.bool_.has_value()) {
    return *attribute.bool_ ? "true" : "false";
  }
  if (attribute.version.has_value()) {
    return *attribute.version;
  }
  std::string items;
  const auto add = [&items](const std::string& item) {
    items += (items.empty() ? "" : ", ") + item;
  };
  for (const std::string& value : attribute.strings) {
    add('"' + value + '"');
  }
  for (std::int64_t value : attribute.ints) {
    add(std::to_string(value));
  }
  for (bool value : attribute.bools) {
    add(value ? "true" : "false");
  }
  for (const std::string& value : attribute.versions) {
    add(value);
  }
  return "[" + items + "]";
}

std::vector<std::string> SplitConjunction(std::string_view expression) {
  std::vector<std::string> parts;
  int depth = 0;
  char quote = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (quote != 0) {
      i += c == '\\' ? 1 : 0;
      quote = c == quote ? char{0} : quote;
      continue;
    }
    if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if (c == ')' || c == ']' || c == '}') {
      --depth;
    } else if (depth == 0 &&
               (expression.substr(i).starts_with("||") || expression.substr(i).starts_with("//") ||
                (c == '?' && !expression.substr(0, i).ends_with('.')))) {
      // A conditional; `.?` is an optional field. Comments are not worth reading.
      return {std::string(Trim(expression))};
    } else if (depth == 0 && expression.substr(i).starts_with("&&")) {
      parts.emplace_back(Trim(expression.substr(start, i - start)));
      start = ++i + 1;
    }
  }
  parts.emplace_back(Trim(expression.substr(start)));
  return parts;
}

std::string WhyNotSelected(const std::string& expression, inventory::DeviceRef device,
                           selector::SelectorCache& selectors) {
  std::string failing = expression;
  const std::vector<std::string> parts = SplitConjunction(expression);
  for (const std::string& part : parts) {
    const std::shared_ptr<const selector::Selector> selector = selectors.Find(part);
    if (parts.size() > 1 && selector->error() == nullptr) {
      const Result<bool> matches = selector->Matches(*device.device().content);
      if (matches.ok() && !*matches) {
        failing = part;
        break;
      }
    }
  }
  std::string_view text = failing;
  if (!Eat("device", text) || !Eat(".", text)) {
    return failing;
  }
  std::optional<std::string> why;
  if (Eat("capacity", text)) {
    why = WhyNotCapacity(text, device);
  } else if (Eat("attributes", text)) {
    why = WhyNotAttribute(text, device);
  } else if (Eat("driver", text)) {
    if (const std::optional<Comparison> comparison = EatOperator(text); comparison.has_value()) {
      why = "driver \"" + device.pool->driver() + "\" " + std::string(comparison->opposite) + " " +
            std::string(Trim(text));
    }
  }
  return why.value_or(failing);
}

}  // namespace assay::allocator::explain
