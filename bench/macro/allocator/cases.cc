#include "bench/macro/allocator/cases.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

namespace assay::bench {
namespace {

using nlohmann::json;

std::string Put(std::string text, const std::string& size) {
  constexpr std::string_view kPlace = "{nodes}";
  for (std::size_t at = text.find(kPlace); at != std::string::npos; at = text.find(kPlace, at)) {
    text.replace(at, kPlace.size(), size);
  }
  return text;
}

Case CaseOf(const json& entry, const std::string& size) {
  Case made;
  made.name = Put(entry.at("name").get<std::string>(), size);
  made.operation = entry.at("operation").get<std::string>();
  for (const json& input : entry.at("inputs")) {
    made.inputs.push_back(Put(input.get<std::string>(), size));
  }
  if (entry.contains("claims")) {
    made.inputs.push_back(Put(entry.at("claims").get<std::string>(), size));
  }
  return made;
}

}  // namespace

Result<std::vector<Case>> ParseCases(std::string_view text) {
  std::vector<Case> cases;
  try {
    for (const json& entry : json::parse(text)) {
      if (!entry.contains("sizes")) {
        cases.push_back(CaseOf(entry, ""));
        continue;
      }
      for (const json& size : entry.at("sizes")) {
        cases.push_back(CaseOf(entry, std::to_string(size.get<std::int64_t>())));
      }
    }
  } catch (const json::exception& e) {
    return InvalidArgumentError("cases, after " + std::to_string(cases.size()) +
                                " cases: " + e.what());
  }
  return cases;
}

}  // namespace assay::bench
