// Faults as text: "xid=79,gi=1" and back.

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>

#include "fakegpu/control/control.h"

namespace assay::fakegpu::control {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kExpected =
    "expected xid=N[,gi=N][,ci=N], ecc=corrected|uncorrected[,memory=dram|sram][,count=N], lost, "
    "thermal=CELSIUS, power-brake, nvlink=N, "
    "nvlink-errors=N,counter=replay|recovery|crc-flit|crc-data|ecc-data[,count=N], "
    "pcie-replays=N, fabric=not-started|in-progress|failed, "
    "return=FUNCTION:CODE or delay=FUNCTION:MILLISECONDS";

// As NvLinkErrorFault::Counter counts them.
constexpr std::string_view kLinkCounters[] = {"replay", "recovery", "crc-flit", "crc-data",
                                              "ecc-data"};

// As FabricFault::State counts them.
constexpr std::string_view kFabricStates[] = {"not-started", "in-progress", "failed"};

Status Wrong(std::string_view text, std::string_view why) {
  return InvalidArgumentError("fault \"" + std::string(text) + "\": " + std::string(why));
}

// "a=1,b" as {a: 1, b: ""}; the first key is the kind.
struct Parts {
  std::string kind;
  Fields fields;
};
Parts Split(std::string_view text) {
  Parts parts;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const std::size_t equals = part.find('=');
    const std::string key(part.substr(0, equals));
    const std::string value(equals == part.npos ? "" : part.substr(equals + 1));
    if (parts.kind.empty()) {
      parts.kind = key;
    }
    parts.fields[key] = value;
  }
  return parts;
}

template <typename T>
std::optional<T> ToNumber(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

// The numbers of a fault's fields, taken out one by one.
class Reader {
 public:
  Reader(std::string_view text, Fields fields) : text_(text), fields_(std::move(fields)) {}

  std::string Take(std::string_view key) {
    const auto found = fields_.find(key);
    if (found == fields_.end()) {
      return "";
    }
    std::string value = std::move(found->second);
    fields_.erase(found);
    return value;
  }
  template <typename T>
  std::optional<T> TakeNumber(std::string_view key) {
    const std::optional<T> number =
        fields_.find(key) == fields_.end() ? std::nullopt : ToNumber<T>(Peek(key));
    if (number) {
      fields_.erase(fields_.find(key));
    }
    return number;
  }
  // Everything was understood and taken.
  Status Done() const {
    return fields_.empty()
               ? OkStatus()
               : Wrong(text_, "wrong part \"" + fields_.begin()->first +
                                  (fields_.begin()->second.empty() ? "" : "=") +
                                  fields_.begin()->second + "\"; " + std::string(kExpected));
  }

 private:
  const std::string& Peek(std::string_view key) const { return fields_.find(key)->second; }

  std::string_view text_;
  Fields fields_;
};

// "FUNCTION:NUMBER" of a return or a delay, and the calls that it is about.
Result<Fault> ParseReturn(std::string_view text, std::string_view kind, Reader& reader) {
  const std::string value = reader.Take(kind);
  const std::size_t colon = value.find(':');
  const std::optional<std::uint32_t> number =
      colon == value.npos ? std::nullopt : ToNumber<std::uint32_t>(value.substr(colon + 1));
  const std::string function = value.substr(0, colon);
  constexpr std::uint32_t kMostCodes = 1000;
  if (!number || (function != "*" && function.compare(0, 4, "nvml") != 0) ||
      (kind == "return" && *number >= kMostCodes)) {
    return Wrong(text,
                 "expected return=FUNCTION:CODE or delay=FUNCTION:MILLISECONDS, as in "
                 "return=nvmlDeviceGetName:15");
  }
  ReturnFault fault{.function = function, .code = 0};
  if (kind == "return") {
    fault.code = static_cast<int>(*number);
    fault.delay_ms = reader.TakeNumber<std::uint32_t>("delay-ms").value_or(0);
  } else {
    fault.delay_ms = *number;
  }
  fault.pid = reader.TakeNumber<std::uint32_t>("pid");
  fault.gpu_instance = reader.TakeNumber<std::uint32_t>("gi");
  fault.compute_instance = reader.TakeNumber<std::uint32_t>("ci");
  fault.skip = reader.TakeNumber<std::uint64_t>("skip").value_or(0);
  fault.times = reader.TakeNumber<std::uint64_t>("times").value_or(0);
  fault.percent = reader.TakeNumber<std::uint32_t>("percent").value_or(100);
  if (fault.percent == 0 || fault.percent > 100) {
    return Wrong(text, "expected a percent from 1 to 100");
  }
  return Fault(std::move(fault));
}

}  // namespace

Result<Fault> ParseFault(std::string_view text) {
  Parts parts = Split(text);
  Reader reader(text, std::move(parts.fields));
  std::optional<Fault> fault;
  if (parts.kind == "xid") {
    if (const auto xid = reader.TakeNumber<std::uint32_t>("xid")) {
      fault = XidFault{.xid = *xid,
                       .gpu_instance = reader.TakeNumber<std::uint32_t>("gi"),
                       .compute_instance = reader.TakeNumber<std::uint32_t>("ci")};
    }
  } else if (parts.kind == "ecc") {
    const std::string type = reader.Take("ecc");
    const std::string memory = reader.Take("memory");
    if ((type == "corrected" || type == "uncorrected") &&
        (memory.empty() || memory == "dram" || memory == "sram")) {
      fault = EccFault{
          .type = type == "corrected" ? EccFault::Type::kCorrected : EccFault::Type::kUncorrected,
          .count = reader.TakeNumber<std::uint64_t>("count").value_or(1),
          .memory = memory == "sram" ? EccFault::Memory::kSram : EccFault::Memory::kDram};
    }
  } else if (parts.kind == "lost" && reader.Take("lost").empty()) {
    fault = LostFault{};
  } else if (parts.kind == "thermal") {
    if (const auto celsius = reader.TakeNumber<std::uint32_t>("thermal")) {
      fault = ThermalFault{.celsius = *celsius};
    }
  } else if (parts.kind == "power-brake" && reader.Take("power-brake").empty()) {
    fault = PowerBrakeFault{};
  } else if (parts.kind == "nvlink") {
    if (const auto link = reader.TakeNumber<std::uint32_t>("nvlink")) {
      fault = NvLinkFault{.link = *link};
    }
  } else if (parts.kind == "nvlink-errors") {
    const std::string name = reader.Take("counter");
    const auto* counter = std::find(std::begin(kLinkCounters), std::end(kLinkCounters), name);
    const auto link = reader.TakeNumber<std::uint32_t>("nvlink-errors");
    if (link && counter != std::end(kLinkCounters)) {
      fault = NvLinkErrorFault{
          .link = *link,
          .counter = static_cast<NvLinkErrorFault::Counter>(counter - std::begin(kLinkCounters)),
          .count = reader.TakeNumber<std::uint64_t>("count").value_or(1)};
    }
  } else if (parts.kind == "pcie-replays") {
    if (const auto count = reader.TakeNumber<std::uint64_t>("pcie-replays")) {
      fault = PcieReplayFault{.count = *count};
    }
  } else if (parts.kind == "fabric") {
    const std::string name = reader.Take("fabric");
    const auto* state = std::find(std::begin(kFabricStates), std::end(kFabricStates), name);
    if (state != std::end(kFabricStates)) {
      fault =
          FabricFault{.state = static_cast<FabricFault::State>(state - std::begin(kFabricStates))};
    }
  } else if (parts.kind == "return" || parts.kind == "delay") {
    ASSAY_ASSIGN_OR_RETURN(fault, ParseReturn(text, parts.kind, reader));
  }
  if (!fault) {
    return Wrong(text, kExpected);
  }
  ASSAY_RETURN_IF_ERROR(reader.Done());
  return *fault;
}

std::string FaultToString(const Fault& fault) {
  struct ToText {
    std::string operator()(const XidFault& f) const {
      return "xid=" + std::to_string(f.xid) +
             (f.gpu_instance ? ",gi=" + std::to_string(*f.gpu_instance) : "") +
             (f.compute_instance ? ",ci=" + std::to_string(*f.compute_instance) : "");
    }
    std::string operator()(const EccFault& f) const {
      return std::string("ecc=") +
             (f.type == EccFault::Type::kCorrected ? "corrected" : "uncorrected") +
             (f.memory == EccFault::Memory::kSram ? ",memory=sram" : "") +
             (f.count == 1 ? "" : ",count=" + std::to_string(f.count));
    }
    std::string operator()(const LostFault&) const { return "lost"; }
    std::string operator()(const ThermalFault& f) const {
      return "thermal=" + std::to_string(f.celsius);
    }
    std::string operator()(const PowerBrakeFault&) const { return "power-brake"; }
    std::string operator()(const NvLinkFault& f) const {
      return "nvlink=" + std::to_string(f.link);
    }
    std::string operator()(const NvLinkErrorFault& f) const {
      return "nvlink-errors=" + std::to_string(f.link) +
             ",counter=" + std::string(kLinkCounters[static_cast<int>(f.counter)]) +
             (f.count == 1 ? "" : ",count=" + std::to_string(f.count));
    }
    std::string operator()(const PcieReplayFault& f) const {
      return "pcie-replays=" + std::to_string(f.count);
    }
    std::string operator()(const FabricFault& f) const {
      return "fabric=" + std::string(kFabricStates[static_cast<int>(f.state)]);
    }
    std::string operator()(const ReturnFault& f) const {
      const auto field = [](const char* key, std::uint64_t number) {
        return "," + std::string(key) + "=" + std::to_string(number);
      };
      return (f.code != 0 ? "return=" + f.function + ":" + std::to_string(f.code) +
                                (f.delay_ms != 0 ? field("delay-ms", f.delay_ms) : "")
                          : "delay=" + f.function + ":" + std::to_string(f.delay_ms)) +
             (f.pid ? field("pid", *f.pid) : "") +
             (f.gpu_instance ? field("gi", *f.gpu_instance) : "") +
             (f.compute_instance ? field("ci", *f.compute_instance) : "") +
             (f.skip != 0 ? field("skip", f.skip) : "") +
             (f.times != 0 ? field("times", f.times) : "") +
             (f.percent != 100 ? field("percent", f.percent) : "");
    }
  };
  return std::visit(ToText{}, fault);
}

}  // namespace assay::fakegpu::control
