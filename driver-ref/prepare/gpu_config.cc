#include "driver-ref/prepare/gpu_config.h"

#include <algorithm>
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
using discovery::GpuSettings;
using discovery::TimeSlice;

constexpr std::string_view kApiVersion = "gpu.assay.dev/v1";
constexpr std::string_view kGpuConfig = "GpuConfig";
constexpr std::string_view kMigConfig = "MigConfig";
// More than any GPU takes, and no overflow in milliwatts.
constexpr std::uint64_t kMaxWatts = 1'000'000;

constexpr std::array<std::pair<ComputeMode, std::string_view>, 4> kComputeModes = {{
    {ComputeMode::kDefault, "Default"},
    {ComputeMode::kExclusiveThread, "ExclusiveThread"},
    {ComputeMode::kProhibited, "Prohibited"},
    {ComputeMode::kExclusiveProcess, "ExclusiveProcess"},
}};

constexpr std::array<std::pair<TimeSlice, std::string_view>, 4> kTimeSlices = {{
    {TimeSlice::kDefault, "Default"},
    {TimeSlice::kShort, "Short"},
    {TimeSlice::kMedium, "Medium"},
    {TimeSlice::kLong, "Long"},
}};

template <typename Value, std::size_t kSize>
std::string NameOf(const std::array<std::pair<Value, std::string_view>, kSize>& names,
                   Value value) {
  const auto* const found =
      std::ranges::find(names, value, [](const auto& each) { return each.first; });
  return found == names.end() ? "" : std::string(found->second);
}

template <typename Value, std::size_t kSize>
std::optional<Value> ValueOf(const std::array<std::pair<Value, std::string_view>, kSize>& names,
                             const std::string& name) {
  const auto* const found =
      std::ranges::find(names, name, [](const auto& each) { return each.second; });
  return found == names.end() ? std::nullopt : std::optional(found->first);
}

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

Status UnknownField(const std::string& field) {
  return mutants::Is("lenient-config") ? OkStatus()
                                       : InvalidArgumentError("unknown field \"" + field + "\"");
}

Result<std::uint32_t> ParsePowerLimit(const Json& value) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 ||
      value.get<std::uint64_t>() > kMaxWatts) {
    return InvalidArgumentError("powerLimitWatts: expected a whole number of watts, not " +
                                value.dump());
  }
  return static_cast<std::uint32_t>(value.get<std::uint64_t>() * 1000);
}

Result<TimeSlice> ParseInterval(const Json& value) {
  for (const auto& [field, each] : value.items()) {
    if (field != "interval") {
      ASSAY_RETURN_IF_ERROR(UnknownField("sharing.timeSlicingConfig." + field));
      continue;
    }
    const std::optional<TimeSlice> slice =
        each.is_string() ? ParseTimeSlice(each.get<std::string>()) : std::nullopt;
    if (!slice) {
      return InvalidArgumentError(
          "sharing.timeSlicingConfig.interval: expected \"Default\", \"Short\", \"Medium\" or "
          "\"Long\", not " +
          each.dump());
    }
    return *slice;
  }
  return TimeSlice::kDefault;
}

Result<TimeSlice> ParseSharing(const Json& value) {
  if (!value.is_object()) {
    return InvalidArgumentError("sharing: expected an object, not " + value.dump());
  }
  const Json strategy = value.value("strategy", Json());
  if (strategy == "MPS") {
    return InvalidArgumentError(
        "sharing.strategy: MPS needs a control daemon for each GPU, which this driver does not "
        "start; expected \"TimeSlicing\"");
  }
  if (strategy != "TimeSlicing") {
    return InvalidArgumentError("sharing.strategy: expected \"TimeSlicing\", not " +
                                strategy.dump());
  }
  TimeSlice slice = TimeSlice::kDefault;
  for (const auto& [field, each] : value.items()) {
    if (field == "timeSlicingConfig") {
      if (!each.is_object()) {
        return InvalidArgumentError("sharing.timeSlicingConfig: expected an object, not " +
                                    each.dump());
      }
      ASSAY_ASSIGN_OR_RETURN(slice, ParseInterval(each));
    } else if (field != "strategy") {
      ASSAY_RETURN_IF_ERROR(UnknownField("sharing." + field));
    }
  }
  return slice;
}

Result<GpuSettings> ParseGpuSettings(const Json& object) {
  GpuSettings settings;
  for (const auto& [field, value] : object.items()) {
    if (field == "powerLimitWatts") {
      ASSAY_ASSIGN_OR_RETURN(settings.power_limit_mw, ParsePowerLimit(value));
    } else if (field == "computeMode") {
      settings.compute_mode = value.is_string() ? ParseComputeMode(value) : std::nullopt;
      // The others let nobody compute, or are gone from NVML.
      if (settings.compute_mode != ComputeMode::kDefault &&
          settings.compute_mode != ComputeMode::kExclusiveProcess) {
        return InvalidArgumentError(
            "computeMode: expected \"Default\" or \"ExclusiveProcess\", not " + value.dump());
      }
    } else if (field == "sharing") {
      ASSAY_ASSIGN_OR_RETURN(settings.time_slice, ParseSharing(value));
    } else if (field != "apiVersion" && field != "kind") {
      ASSAY_RETURN_IF_ERROR(UnknownField(field));
    }
  }
  if (settings.time_slice && settings.compute_mode == ComputeMode::kExclusiveProcess) {
    return InvalidArgumentError("computeMode: ExclusiveProcess lets no processes share the GPU");
  }
  return settings;
}

// As NVML writes them: "1g.10gb", "1g.10gb+me", "1c.2g.20gb".
bool IsProfile(const std::string& name) {
  return name.size() <= 32 && name.find("g.") != std::string::npos &&
         name.find("gb") != std::string::npos && name.front() >= '1' && name.front() <= '9' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '+' ||
                  c == '-';
         });
}

Result<std::string> ParseMigProfile(const Json& object) {
  std::string profile;
  for (const auto& [field, value] : object.items()) {
    if (field == "profile") {
      profile = value.is_string() ? value.get<std::string>() : "";
      if (!IsProfile(profile)) {
        return InvalidArgumentError("profile: expected a MIG profile such as \"1g.10gb\", not " +
                                    value.dump());
      }
    } else if (field != "apiVersion" && field != "kind") {
      ASSAY_RETURN_IF_ERROR(UnknownField(field));
    }
  }
  return profile.empty() ? InvalidArgumentError("the field \"profile\" is required")
                         : Result<std::string>(profile);
}

}  // namespace

Result<DeviceConfig> ParseDeviceConfig(const std::string& json) {
  ASSAY_ASSIGN_OR_RETURN(const Json object, ParseObject(json));
  ASSAY_RETURN_IF_ERROR(Expect(object, "apiVersion", kApiVersion));
  DeviceConfig config;
  if (object.value("kind", Json()) == kMigConfig) {
    ASSAY_ASSIGN_OR_RETURN(config.mig_profile, ParseMigProfile(object));
  } else {
    ASSAY_RETURN_IF_ERROR(Expect(object, "kind", kGpuConfig));
    ASSAY_ASSIGN_OR_RETURN(config.settings, ParseGpuSettings(object));
  }
  return config;
}

std::string ComputeModeName(ComputeMode mode) { return NameOf(kComputeModes, mode); }
std::optional<ComputeMode> ParseComputeMode(const std::string& name) {
  return ValueOf(kComputeModes, name);
}

std::string TimeSliceName(TimeSlice slice) { return NameOf(kTimeSlices, slice); }
std::optional<TimeSlice> ParseTimeSlice(const std::string& name) {
  return ValueOf(kTimeSlices, name);
}

}  // namespace assay::driver_ref::prepare
