// Holds cel/ to Kubernetes' own evaluator: random expressions on random devices, answered by both.
//
//   cel_differential generate COUNT SEED | PEER | cel_differential check
//   cel_differential declarations    every overload, a line each; PEER -declarations prints its own
//
// PEER is the program in tools/peers/cel; differential_test.sh builds it and joins the three.
// `check` prints how many answers it compared, and each that differs: what compiling says, the
// type, the estimated cost, the value or error, and what evaluating cost. Exit 0: all agree; 1:
// some do not.
#include <charconv>
#include <cstdint>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/random.h"
#include "cel/dra/selector.h"
#include "cel/environment.h"
#include "cel/program.h"
#include "cel/testing/declarations.h"
#include "cel/testing/expression_generator.h"
#include "cel/testing/show.h"

namespace assay::cel::dra {
namespace {

using nlohmann::json;

constexpr int kShownMismatches = 40;

json ToJson(const DeviceContent::Attribute& attribute) {
  json out = {{"name", attribute.name}};
  const auto versions = [](const std::vector<Version>& list) {
    json texts = json::array();
    for (const Version& version : list) {
      texts.push_back(version.text);
    }
    return texts;
  };
  switch (attribute.value.index()) {
    case 1:
      out["bool"] = std::get<1>(attribute.value);
      break;
    case 2:
      out["int"] = std::get<2>(attribute.value);
      break;
    case 3:
      out["string"] = std::get<3>(attribute.value);
      break;
    case 4:
      out["version"] = std::get<4>(attribute.value).text;
      break;
    case 5:
      out["bools"] = std::get<5>(attribute.value);
      break;
    case 6:
      out["ints"] = std::get<6>(attribute.value);
      break;
    case 7:
      out["strings"] = std::get<7>(attribute.value);
      break;
    case 8:
      out["versions"] = versions(std::get<8>(attribute.value));
      break;
    default:
      break;
  }
  return out;
}

AttributeValue ToAttribute(const json& entry) {
  if (entry.contains("bool")) {
    return entry["bool"].get<bool>();
  }
  if (entry.contains("int")) {
    return entry["int"].get<std::int64_t>();
  }
  if (entry.contains("string")) {
    return entry["string"].get<std::string>();
  }
  if (entry.contains("version")) {
    return Version{entry["version"]};
  }
  if (entry.contains("bools")) {
    return entry["bools"].get<std::vector<bool>>();
  }
  if (entry.contains("ints")) {
    return entry["ints"].get<std::vector<std::int64_t>>();
  }
  if (entry.contains("strings")) {
    return entry["strings"].get<std::vector<std::string>>();
  }
  if (entry.contains("versions")) {
    std::vector<Version> versions;
    for (const json& text : entry["versions"]) {
      versions.push_back({text});
    }
    return versions;
  }
  return std::monostate();
}

json MakeRequest(std::uint64_t seed, std::uint64_t number) {
  // Changing the features makes the peer build its environments anew, which takes long.
  constexpr std::uint64_t kWithSameFeatures = 500;
  Random block(seed * 1'000'003 + number / kWithSameFeatures);
  testing::GeneratorOptions options;
  options.lists = block.Below(3) == 0;
  const bool consumable = block.Below(6) != 0;
  // Each has a seed of its own, so that one can be made again alone.
  Random random(seed * 1'000'003 + number + 1);
  options.any_type = random.Below(2) == 0;
  const bool is_new = random.Below(4) == 0;
  testing::ExpressionGenerator generator(random, options);
  const std::string expression = generator.Next();
  const DeviceContent content = testing::RandomDevice(random, options.lists);
  json device = json::array();
  for (const DeviceContent::Attribute& attribute : content.attributes) {
    device.push_back(ToJson(attribute));
  }
  for (const DeviceContent::Capacity& capacity : content.capacity) {
    device.push_back({{"name", capacity.name}, {"capacity", capacity.quantity}});
  }
  json request = {{"expr", EncodeBase64(expression)},
                  {"device", device},
                  {"driver", content.driver},
                  {"multi", content.allow_multiple_allocations},
                  {"consumable", consumable},
                  {"lists", options.lists},
                  {"new", is_new},
                  {"value", options.any_type}};
  if (random.Below(20) == 0) {
    request["costLimit"] = 1 + random.Below(60);
  }
  return request;
}

int Generate(std::uint64_t count, std::uint64_t seed) {
  std::cerr << "seed " << seed << ", " << count << " expressions\n";
  for (std::uint64_t i = 0; i < count; ++i) {
    std::cout << MakeRequest(seed, i).dump() << "\n";
  }
  return 0;
}

struct Answer {
  std::string compile_error;
  bool internal = false;
  std::string type;
  std::uint64_t max_cost = 0;
  std::string value;
  std::string error;
  std::uint64_t cost = 0;
};

DeviceContent ToContent(const json& request) {
  DeviceContent content;
  content.driver = request["driver"];
  content.allow_multiple_allocations = request["multi"];
  if (!request["device"].is_array()) {
    return content;
  }
  for (const json& entry : request["device"]) {
    if (entry.contains("capacity")) {
      content.capacity.push_back({entry["name"], entry["capacity"]});
    } else {
      content.attributes.push_back({entry["name"], ToAttribute(entry)});
    }
  }
  return content;
}

Answer AnswerSelector(const std::string& expression, const Device& device,
                      const CompileOptions& options) {
  Answer answer;
  const CompiledSelector selector = CompileSelector(expression, options);
  if (!selector.ok()) {
    answer.compile_error = selector.error->detail;
    answer.internal = selector.error->code == StatusCode::kInternal;
    return answer;
  }
  answer.type = selector.output_type;
  answer.max_cost = selector.max_cost;
  const MatchResult result = selector.MatchesWithCost(device);
  answer.cost = result.cost;
  if (result.matches.ok()) {
    answer.value = *result.matches ? "true" : "false";
  } else {
    answer.error = result.matches.status().message();
  }
  return answer;
}

Answer AnswerValue(const std::string& expression, const Device& device,
                   const CompileOptions& options) {
  Answer answer;
  cel::CompileOptions compile_options;
  compile_options.cost_limit = options.cost_limit;
  const Compilation compilation = Compile(
      SelectorEnvironment(options.features, options.environment), expression, compile_options);
  if (!compilation.ok()) {
    answer.compile_error = compilation.failure->message;
    answer.internal = compilation.failure->phase == CompilePhase::kPlan;
    return answer;
  }
  answer.type = compilation.output_type;
  const Result<Value> value = device.AsValue();
  if (!value.ok()) {
    answer.error = value.status().message();
    return answer;
  }
  Arena arena;
  const Value variables[] = {*value};
  const Evaluation evaluation = compilation.program->Evaluate(variables, arena);
  answer.cost = evaluation.cost;
  if (evaluation.value.IsError()) {
    answer.error = evaluation.value.text();
  } else {
    answer.value = testing::Show(evaluation.value);
  }
  return answer;
}

// The numbers of type variables in messages come in a random order from Go.
std::string WithoutNumbers(std::string text) {
  static constexpr std::string_view kVariable = "_var";
  for (std::size_t at = text.find(kVariable); at != std::string::npos;
       at = text.find(kVariable, at + kVariable.size())) {
    const std::size_t first = at + kVariable.size();
    const std::size_t last = std::min(text.find_first_not_of("0123456789", first), text.size());
    text.erase(first, last - first);
  }
  return text;
}

// The first error of syntax among those of a compilation. After it ANTLR guesses what was meant,
// and cel-go looks for errors in that too; in a case of a few hundred, we guess otherwise.
std::string_view FirstSyntaxError(std::string_view errors) {
  for (std::size_t at = errors.find("ERROR: "); at != std::string_view::npos;) {
    const std::size_t next = errors.find("\nERROR: ", at);
    const std::string_view error = errors.substr(at, next - at);
    if (error.find("Syntax error: ") != std::string_view::npos) {
      return error;
    }
    at = next == std::string_view::npos ? next : next + 1;
  }
  return {};
}

// Go's own names and values in messages are imitated where they are simple, and no further.
std::string WithoutGoValue(std::string error) {
  for (std::string_view prefix :
       {"unsupported conversion to ref.Val: ", "invalid qualifier type: "}) {
    if (error.starts_with(prefix)) {
      error.erase(prefix.size());
    }
  }
  return error;
}

class Checker {
 public:
  void Check(const json& response) {
    const json& request = response["request"];
    if (response.contains("panic")) {
      ++counts_["panics of cel-go"];
      return;
    }
    const std::string expression = *DecodeBase64(request["expr"].get<std::string>());
    CompileOptions options;
    options.features = {request["consumable"], request["lists"]};
    options.environment = request["new"].get<bool>() ? EnvironmentType::kNewExpressions
                                                     : EnvironmentType::kStoredExpressions;
    if (const std::uint64_t limit = request.value("costLimit", std::uint64_t{0}); limit != 0) {
      options.cost_limit = limit;
    }
    const Device device(ToContent(request), options.features);
    const bool of_any_type = request["value"];
    const Answer answer = of_any_type ? AnswerValue(expression, device, options)
                                      : AnswerSelector(expression, device, options);
    Compare(answer, response,
            [&](std::string_view what, const std::string& theirs, const std::string& ours) {
              ++mismatches_[std::string(what)];
              if (shown_++ < kShownMismatches) {
                std::cout << "\n"
                          << what << ": " << expression << "\n  Kubernetes: " << theirs
                          << "\n  ours:       " << ours << "\n  request:    " << request.dump()
                          << "\n";
              }
            });
  }

  int Report() const {
    for (const auto& [what, count] : counts_) {
      std::cout << what << ": " << count << "\n";
    }
    for (const auto& [what, count] : mismatches_) {
      std::cout << "DIFFERENT " << what << ": " << count << "\n";
    }
    return mismatches_.empty() && !counts_.empty() ? 0 : 1;
  }

 private:
  template <typename Differ>
  void Compare(const Answer& answer, const json& response, const Differ& differ) {
    const std::string compile_error =
        WithoutNumbers(*DecodeBase64(response.value("compileError", "")));
    if (compile_error.empty() != answer.compile_error.empty()) {
      differ("compile verdict", compile_error, answer.compile_error);
      return;
    }
    if (!compile_error.empty()) {
      const bool syntax = compile_error.find("Syntax error") != std::string::npos;
      ++counts_[syntax ? "syntax errors" : "compile errors"];
      if (compile_error == WithoutNumbers(answer.compile_error)) {
        return;
      }
      if (syntax && FirstSyntaxError(compile_error) == FirstSyntaxError(answer.compile_error)) {
        ++counts_["syntax errors that others follow in Kubernetes"];
        return;
      }
      differ(syntax ? "syntax error" : "compile error", compile_error, answer.compile_error);
      return;
    }
    if (response.value("type", "") != answer.type) {
      differ("type", response.value("type", ""), answer.type);
    }
    if (!response["request"]["value"].get<bool>() &&
        response.value("maxCost", std::uint64_t{0}) != answer.max_cost) {
      differ("estimated cost", std::to_string(response.value("maxCost", std::uint64_t{0})),
             std::to_string(answer.max_cost));
    }
    CompareOutcome(answer, response["outcomes"], differ);
  }

  template <typename Differ>
  void CompareOutcome(const Answer& answer, const json& outcomes, const Differ& differ) {
    ++counts_[answer.error.empty() ? "values" : "run-time errors"];
    if (outcomes.size() > 1) {
      ++counts_["that depend on the order of Go's maps"];
    }
    std::string theirs;
    bool same_result = false;
    for (const json& outcome : outcomes) {
      const std::string value = outcome.value("value", "");
      const std::string error = WithoutGoValue(*DecodeBase64(outcome.value("error", "")));
      const std::uint64_t cost = outcome["cost"];
      if (value == answer.value && error == WithoutGoValue(answer.error)) {
        if (cost == answer.cost) {
          return;
        }
        same_result = true;
      }
      theirs += (theirs.empty() ? "" : " | ") + value + error + " (" + std::to_string(cost) + ")";
    }
    differ(same_result ? "cost" : "result", theirs,
           answer.value + answer.error + " (" + std::to_string(answer.cost) + ")");
  }

  std::map<std::string, std::uint64_t> counts_;
  std::map<std::string, std::uint64_t> mismatches_;
  int shown_ = 0;
};

int CheckAll() {
  Checker checker;
  for (std::string line; std::getline(std::cin, line);) {
    checker.Check(json::parse(line));
  }
  return checker.Report();
}

int PrintDeclarations() {
  const Environment& environment =
      SelectorEnvironment({.list_type_attributes = true}, EnvironmentType::kNewExpressions);
  for (const std::string& line : testing::Declarations(environment)) {
    std::cout << line << "\n";
  }
  return 0;
}

std::uint64_t ToNumber(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace
}  // namespace assay::cel::dra

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "generate" && argc == 4) {
    return assay::cel::dra::Generate(assay::cel::dra::ToNumber(argv[2]),
                                     assay::cel::dra::ToNumber(argv[3]));
  }
  if (command == "check") {
    return assay::cel::dra::CheckAll();
  }
  if (command == "declarations") {
    return assay::cel::dra::PrintDeclarations();
  }
  std::cerr << "usage: cel_differential generate COUNT SEED | PEER | cel_differential check\n"
               "       cel_differential declarations\n";
  return 2;
}
