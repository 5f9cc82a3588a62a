#include "driver-ref/metrics.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace assay::driver_ref {
namespace {

std::string Head(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP dra_driver_{0} {1}\n# TYPE dra_driver_{0} {2}\n", name, help, type);
}

std::string Gauge(std::string_view name, std::string_view help, std::size_t value) {
  return Head(name, "gauge", help) + fmt::format("dra_driver_{} {}\n", name, value);
}

}  // namespace

void Metrics::CountClaim(const std::string& operation, const Status& status, Duration took) {
  const std::lock_guard<std::mutex> lock(mu_);
  Calls& calls = claims_[{operation, std::string(StatusCodeName(status.code()))}];
  ++calls.count;
  calls.seconds += std::chrono::duration<double>(took).count();
}

void Metrics::SetRegistered(bool registered) {
  const std::lock_guard<std::mutex> lock(mu_);
  registered_ = registered;
}

void Metrics::SetDevices(const std::vector<api::resource::Device>& devices) {
  const std::lock_guard<std::mutex> lock(mu_);
  devices_ = devices.size();
  tainted_devices_ = static_cast<std::size_t>(
      std::ranges::count_if(devices, [](const auto& device) { return !device.taints.empty(); }));
}

bool Metrics::registered() const {
  const std::lock_guard<std::mutex> lock(mu_);
  return registered_;
}

std::string Metrics::Text() const {
  const std::lock_guard<std::mutex> lock(mu_);
  std::string text = Head("claim_duration_seconds", "summary",
                          "Time to prepare or unprepare a claim, by operation and result");
  for (const auto& [labels, calls] : claims_) {
    const std::string set =
        fmt::format(R"({{operation="{}",code="{}"}})", labels.first, labels.second);
    text += fmt::format("dra_driver_claim_duration_seconds_sum{} {}\n", set, calls.seconds);
    text += fmt::format("dra_driver_claim_duration_seconds_count{} {}\n", set, calls.count);
  }
  text += Gauge("registered", "Whether the kubelet took the registration", registered_ ? 1 : 0);
  text += Gauge("devices", "Devices in the ResourceSlices", devices_);
  text += Gauge("tainted_devices", "Devices in the ResourceSlices with a taint", tainted_devices_);
  text += Head("build_info", "gauge", "The driver's version");
  text += "dra_driver_build_info{version=\"" ASSAY_VERSION "\"} 1\n";
  return text;
}

}  // namespace assay::driver_ref
