#include "driver-ref/prepare/gpu_config.h"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "driver-ref/mutants.h"

namespace assay::driver_ref::prepare {
namespace {

using Json = nlohmann::ordered_json;
using discovery::ComputeMode;

constexpr std::string_view kApiVersion = "gpu.assay.dev/v1";
constexpr std::string_view kKind = "GpuConfig";
// More than any GPU takes, and no overflow in milliwatts.
constexpr std::uint64_t kMaxWatts = 1'000'000;

constexpr std::array<std::pair<ComputeMode, std::string_view>, 4> kComputeModes = {{
    {ComputeMode::kDefault, "Default"},
    {ComputeMode::kExclusiveThread, "ExclusiveThread"},
    {ComputeMode::kProhibited, "Prohibited"},
    {ComputeMode::kExclusiveProcess, "ExclusiveProcess"},
}};

// The object, or what is wrong with the text; fields that are there twice are.
Result<Json> ParseObject(const std::string& text) {
  std::set<std::string> names;
  std::string twice;
  const auto note = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 &&
        !names.insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  Json object = Json::parse(text, note, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return InvalidArgumentError("expected a JSON object");
  }
  if (!twice.empty()) {
    return InvalidArgumentError("the field \"" + twice + "\" is there twice");
  }
  return object;
}

Status Expect(const Json& object, const std::string& field, std::string_view value) {
  const auto found = object.find(field);
  if (found == object.end()) {
    return InvalidArgumentError("the field \"" + field + "\" is required: \"" + std::string(value) +
                                "\"");
  }
  return *found == value ? OkStatus()
                         : InvalidArgumentError(field + ": expected \"" + std::string(value) +
                                                "\", not " + found->dump());
}

}  // namespace

Result<discovery::GpuSettings> ParseGpuConfig(const std::string& json) {
  ASSAY_ASSIGN_OR_RETURN(const Json object, ParseObject(json));
  ASSAY_RETURN_IF_ERROR(Expect(object, "apiVersion", kApiVersion));
  ASSAY_RETURN_IF_ERROR(Expect(object, "kind", kKind));
  discovery::GpuSettings settings;
  for (const auto& [field, value] : object.items()) {
    if (field == "powerLimitWatts") {
      if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 ||
          value.get<std::uint64_t>() > kMaxWatts) {
        return InvalidArgumentError("powerLimitWatts: expected a whole number of watts, not " +
                                    value.dump());
      }
      settings.power_limit_mw = static_cast<std::uint32_t>(value.get<std::uint64_t>() * 1000);
    } else if (field == "computeMode") {
      settings.compute_mode = value.is_string() ? ParseComputeMode(value) : std::nullopt;
      // The others let nobody compute, or are gone from NVML.
      if (settings.compute_mode != ComputeMode::kDefault &&
          settings.compute_mode != ComputeMode::kExclusiveProcess) {
        return InvalidArgumentError(
            "computeMode: expected \"Default\" or \"ExclusiveProcess\", not " + value.dump());
      }
    } else if (field != "apiVersion" && field != "kind" && !mutants::Is("lenient-config")) {
      return InvalidArgumentError("unknown field \"" + field + "\"");
    }
  }
  return settings;
}

std::string ComputeModeName(ComputeMode mode) {
  for (const auto& [each, name] : kComputeModes) {
    if (each == mode) {
      return std::string(name);
    }
  }
  return "";
}

std::optional<ComputeMode> ParseComputeMode(const std::string& name) {
  for (const auto& [mode, each] : kComputeModes) {
    if (each == name) {
      return mode;
    }
  }
  return std::nullopt;
}

}  // namespace assay::driver_ref::prepare
