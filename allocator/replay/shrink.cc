#include "allocator/replay/shrink.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace assay::allocator::replay {
namespace {

using nlohmann::json;

// What tells objects apart: without it they would be others, not fewer.
bool Identifies(const std::string& place) {
  return place == "/kind" || place == "/spec" || place == "/items" ||
         place.starts_with("/metadata") || place.starts_with("/spec/pool") ||
         place == "/spec/driver" || place.ends_with("/name") || place.ends_with("/expression");
}

// The places of all parts that can be left out, outer ones first.
void CollectPlaces(const json& value, const json::json_pointer& at,
                   std::vector<json::json_pointer>& places) {
  const auto add = [&](const json& part, const json::json_pointer& place) {
    if (!Identifies(place.to_string())) {
      places.push_back(place);
    }
    CollectPlaces(part, place, places);
  };
  if (value.is_object()) {
    for (const auto& [name, part] : value.items()) {
      add(part, at / name);
    }
  } else if (value.is_array()) {
    for (std::size_t i = value.size(); i-- > 0;) {
      add(value[i], at / i);
    }
  }
}

// Without the part at that place.
json Without(json value, const json::json_pointer& place) {
  json& parent = value[place.parent_pointer()];
  if (parent.is_array()) {
    parent.erase(static_cast<std::size_t>(std::stoul(place.back())));
  } else {
    parent.erase(place.back());
  }
  return value;
}

// Leaves one part out; false if none can be.
bool ShrinkObject(Lines& lines, std::size_t number,
                  const std::function<bool(const Lines&)>& differs) {
  const json object = json::parse(lines[number]);
  std::vector<json::json_pointer> places;
  CollectPlaces(object, json::json_pointer(), places);
  for (const json::json_pointer& place : places) {
    Lines fewer = lines;
    fewer[number] = Without(object, place).dump();
    if (differs(fewer)) {
      lines = std::move(fewer);
      return true;
    }
  }
  return false;
}

bool IsPlain(const json& value) { return !value.is_structured() || value.empty(); }

void Write(const json& value, const std::string& indent, std::string& out) {
  const auto write_part = [&](const json& part, const std::string& deeper) {
    if (IsPlain(part)) {
      out += " " + part.dump() + "\n";
    } else {
      out += "\n";
      Write(part, deeper, out);
    }
  };
  if (value.is_object()) {
    for (const auto& [name, part] : value.items()) {
      out += indent + name + ":";
      write_part(part, indent + "  ");
    }
    return;
  }
  for (const json& part : value) {
    if (IsPlain(part)) {
      out += indent + "- " + part.dump() + "\n";
      continue;
    }
    std::string inner;
    Write(part, indent + "  ", inner);
    inner.replace(indent.size(), 1, "-");
    out += inner;
  }
}

}  // namespace

Lines Shrink(Lines lines, const std::function<bool(const Lines&)>& differs) {
  for (bool shrunk = true; shrunk;) {
    shrunk = false;
    for (std::size_t i = lines.size(); i-- > 0;) {
      Lines fewer = lines;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      if (differs(fewer)) {
        lines = std::move(fewer);
        shrunk = true;
      }
    }
    for (std::size_t i = lines.size(); i-- > 0;) {
      while (ShrinkObject(lines, i, differs)) {
        shrunk = true;
      }
    }
  }
  return lines;
}

std::string ToYaml(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += "---\n";
    Write(json::parse(line), "", text);
  }
  return text;
}

}  // namespace assay::allocator::replay
