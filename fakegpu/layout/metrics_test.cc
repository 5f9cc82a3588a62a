#include "fakegpu/layout/metrics.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/random.h"

namespace assay::fakegpu::layout {
namespace {

// What is computed without divisions is what is computed with them.
TEST(MetricsTest, QuickTemperatureIsTheTemperature) {
  constexpr std::uint64_t kSeed = 1;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Random random(kSeed);
  const auto gpu = std::make_unique<GpuState>();
  for (int i = 0; i < 300'000; ++i) {
    gpu->limits.power_idle_mw = static_cast<std::uint32_t>(5'000 + random.Below(200'000));
    gpu->limits.power_default_mw =
        gpu->limits.power_idle_mw + static_cast<std::uint32_t>(random.Below(1'000'000));
    gpu->limits.temperature_idle_c = static_cast<std::uint32_t>(20 + random.Below(30));
    gpu->limits.temperature_load_c =
        gpu->limits.temperature_idle_c + static_cast<std::uint32_t>(random.Below(60));
    // Now and then it has settled, or was heated, or lies where rounding is close.
    gpu->health.forced_temperature_c = random.Below(50) == 0 ? 97 : 0;
    gpu->trail.temperature_c =
        static_cast<double>(20 + random.Below(80)) +
        (random.Below(4) == 0 ? 0.5 : static_cast<double>(random.Below(1'000)) / 1e3);
    gpu->trail.since_ns = static_cast<std::int64_t>(random.Below(1'000'000'000));
    gpu->settings.power_limit_mw =
        random.Below(4) == 0 ? gpu->limits.power_idle_mw + static_cast<std::uint32_t>(i) % 50'000
                             : 0;
    gpu->health.power_brake = random.Below(8) == 0 ? 1 : 0;
    const auto sm_percent = static_cast<double>(random.Below(101));
    const std::uint64_t longest_ns = 1'000'000'000ULL << random.Below(11);
    const std::int64_t now =
        gpu->trail.since_ns +
        static_cast<std::int64_t>(random.Below(4) == 0 ? 0 : random.Below(longest_ns));
    ASSERT_EQ(internal::RoundedTemperatureAt(*gpu, sm_percent, now),
              internal::Rounded(
                  internal::TemperatureAt(*gpu, internal::PowerOf(*gpu, sm_percent).drawn_mw, now)))
        << i;
  }
}

}  // namespace
}  // namespace assay::fakegpu::layout
