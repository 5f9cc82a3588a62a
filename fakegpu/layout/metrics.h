// What a GPU's sensors read at a moment: utilisation, memory, power, temperature, clocks, energy
// and the reasons of throttling, all from one model, so that they agree with each other.
//
// Processes load the GPU; load asks for power; a power limit, heat or a power brake takes clocks
// away; power heats the board towards a steady temperature. Nothing runs for it: readings are
// computed from the state and the time, and the same seed and time give the same readings.
//
// The model is inline, so that a caller pays for the readings that it uses and for no other.
//
// Freestanding. Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_LAYOUT_METRICS_H_
#define ASSAY_FAKEGPU_LAYOUT_METRICS_H_

#include <time.h>

#include <cstdint>
#include <limits>

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::layout {

// As a T, the nearest where there is none: a damaged file may hold any number, or none.
template <typename T>
constexpr T Whole(double number) {
  constexpr auto kLeast = static_cast<double>(std::numeric_limits<T>::min());
  constexpr auto kEnd = static_cast<double>(std::numeric_limits<T>::max());
  if (number >= kEnd) [[unlikely]] {
    return std::numeric_limits<T>::max();
  }
  return number > kLeast ? static_cast<T>(number) : std::numeric_limits<T>::min();
}

// Differences and sums of times that wrap, since a damaged file may hold any number.
constexpr std::int64_t Since(std::int64_t now, std::int64_t then) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(now) -
                                   static_cast<std::uint64_t>(then));
}
constexpr std::int64_t After(std::int64_t then, std::int64_t passed) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(then) +
                                   static_cast<std::uint64_t>(passed));
}

struct Memory {
  std::uint64_t total_bytes;
  std::uint64_t reserved_bytes;
  std::uint64_t used_bytes;  // By processes.
  std::uint64_t free_bytes;
};
Memory MemoryOf(const GpuState& gpu);

struct Readings {
  std::uint32_t gpu_percent;
  std::uint32_t memory_percent;
  std::uint32_t encoder_percent;
  std::uint32_t decoder_percent;
  std::uint32_t jpeg_percent;
  std::uint32_t ofa_percent;
  std::uint32_t power_mw;
  std::uint32_t temperature_c;
  std::uint32_t memory_temperature_c;
  std::uint32_t graphics_mhz;
  std::uint32_t memory_mhz;
  std::uint32_t video_mhz;
  std::uint32_t fan_percent;
  std::uint32_t performance_state;  // 0 (P0) to 15.
  std::uint64_t throttle_reasons;   // nvmlClocksEventReason*.
  std::uint64_t energy_mj;
};

// Temperature, energy and what else adds up, as of now.
Trail TrailAt(const GpuState& gpu, std::int64_t node_ns);

// Writes down temperature and energy as of now, before a change of what they depend on (processes,
// limits, faults), so that they go on from there.
void SettleTrail(GpuState& gpu, std::int64_t node_ns);

namespace internal {

// nvmlClocksEventReason*, as far as the model has them.
inline constexpr std::uint64_t kReasonIdle = 0x1;
inline constexpr std::uint64_t kReasonApplicationClocks = 0x2;
inline constexpr std::uint64_t kReasonPowerCap = 0x4;
inline constexpr std::uint64_t kReasonHardwareSlowdown = 0x8;
inline constexpr std::uint64_t kReasonHardwareThermal = 0x40;
inline constexpr std::uint64_t kReasonPowerBrake = 0x80;

// How long a board takes for 63 % of the way to a new temperature.
inline constexpr double kThermalTimeSeconds = 20;
inline constexpr std::int64_t kNoisePeriodNs = 1'000'000'000;
inline constexpr std::uint32_t kMemoryHotterByC = 8;

template <typename T>
constexpr T Min(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
constexpr T Max(T a, T b) {
  return a < b ? b : a;
}
constexpr std::uint32_t Clamp(std::uint32_t value, std::uint32_t low, std::uint32_t high) {
  return Max(low, Min(value, high));
}

// x^(2^kTimes), without a loop.
template <int kTimes>
constexpr double Squared(double x) {
  if constexpr (kTimes == 0) {
    return x;
  } else {
    return Squared<kTimes - 1>(x * x);
  }
}
// e^x for x >= 0, as (1 + x / 1024)^1024: without libm, and good to a thousandth.
constexpr double Growth(double x) { return Squared<10>(1 + x / 1024); }
// e^-x, which is nothing any more from here on.
inline constexpr double kLongAgo = 30;
inline constexpr double kDecayed = 1 / Growth(kLongAgo);
constexpr double Decay(double x) { return x < kLongAgo ? 1 / Growth(x) : kDecayed; }

// splitmix64.
constexpr std::uint64_t Mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// 53 random bits that change once a second.
inline double NoiseBits(const GpuState& gpu, std::int64_t node_ns) {
  const auto period = static_cast<std::uint64_t>(node_ns / kNoisePeriodNs);
  const std::uint64_t mixed = Mix(gpu.noise_seed ^ Mix(period));
  return static_cast<double>(static_cast<std::int64_t>(mixed >> 11));
}
// A number in [-1, 1].
inline double Noise(const GpuState& gpu, std::int64_t node_ns) {
  return NoiseBits(gpu, node_ns) / static_cast<double>(1ULL << 52) - 1;
}
// `number` + 2 * Noise() to the bit, for two sums less: all but the last would be exact.
inline double Jittered(double number, const GpuState& gpu, std::int64_t node_ns) {
  return NoiseBits(gpu, node_ns) / static_cast<double>(1ULL << 51) + (number - 2);
}

// Of all processes together, in percent, at most 100.
struct Load {
  double sm;
  double memory;
  double encoder;
  double decoder;
  double jpeg;
  double ofa;
  bool any;
};
[[gnu::always_inline]] inline Load LoadOf(const GpuState& gpu) {
  std::uint64_t sm = 0;
  std::uint64_t memory = 0;
  std::uint64_t encoder = 0;
  std::uint64_t decoder = 0;
  std::uint64_t jpeg = 0;
  std::uint64_t ofa = 0;
  bool any = false;
  for (const Process& process : gpu.processes) {
    if (process.type == Process::kFree) {
      continue;
    }
    any = true;
    sm += process.sm_percent;
    memory += process.memory_percent;
    encoder += process.encoder_percent;
    decoder += process.decoder_percent;
    jpeg += process.jpeg_percent;
    ofa += process.ofa_percent;
  }
  const auto percent = [](std::uint64_t sum) {
    return static_cast<double>(Min<std::uint64_t>(sum, 100));
  };
  return {.sm = percent(sm),
          .memory = percent(memory),
          .encoder = percent(encoder),
          .decoder = percent(decoder),
          .jpeg = percent(jpeg),
          .ofa = percent(ofa),
          .any = any};
}

inline std::uint32_t PowerLimit(const GpuState& gpu) {
  return gpu.settings.power_limit_mw != 0 ? gpu.settings.power_limit_mw
                                          : gpu.limits.power_default_mw;
}

// What the board draws when it is asked for `above` milliwatts more than at rest, before and after
// its limit. A brake halves what is above idle.
struct Power {
  double wanted_mw;
  double drawn_mw;
};
[[gnu::always_inline]] inline Power PowerAbove(const GpuState& gpu, double above) {
  const double idle = gpu.limits.power_idle_mw;
  Power power{idle + above, idle + above};
  if (gpu.health.power_brake != 0) {
    power.drawn_mw = idle + above / 2;
  }
  power.drawn_mw = Min(power.drawn_mw, Max<double>(PowerLimit(gpu), idle));
  return power;
}

// How much hotter a milliwatt makes a board in the end.
inline double RisePerMw(const Limits& limits) {
  const double rise = static_cast<double>(limits.temperature_load_c) -
                      static_cast<double>(limits.temperature_idle_c);
  return rise / Max(1.0, limits.power_default_mw - static_cast<double>(limits.power_idle_mw));
}

inline double SteadyTemperature(const GpuState& gpu, double power_mw) {
  if (gpu.health.forced_temperature_c != 0) {
    return gpu.health.forced_temperature_c;
  }
  const double idle = gpu.limits.power_idle_mw;
  const double span = Max(1.0, gpu.limits.power_default_mw - idle);
  const double rise = static_cast<double>(gpu.limits.temperature_load_c) -
                      static_cast<double>(gpu.limits.temperature_idle_c);
  return gpu.limits.temperature_idle_c + rise * (power_mw - idle) / span;
}

// Full load asks for a little less than the default limit.
inline double FullLoadMw(const Limits& limits) {
  return 0.97 * limits.power_default_mw - static_cast<double>(limits.power_idle_mw);
}
[[gnu::always_inline]] inline Power PowerOf(const GpuState& gpu, double sm_percent) {
  return PowerAbove(gpu, FullLoadMw(gpu.limits) * sm_percent / 100);
}

inline double SecondsSince(const Trail& trail, std::int64_t node_ns) {
  return static_cast<double>(Max<std::int64_t>(0, Since(node_ns, trail.since_ns))) / 1e9;
}

[[gnu::always_inline]] inline double TemperatureAt(const GpuState& gpu, double power_mw,
                                                   std::int64_t node_ns) {
  const double steady = SteadyTemperature(gpu, power_mw);
  // Injected heat is there at once: a test need not wait for it. And nothing decays of no
  // difference.
  if (gpu.health.forced_temperature_c != 0 || gpu.trail.temperature_c == steady) {
    return steady;
  }
  const double left = Decay(SecondsSince(gpu.trail, node_ns) / kThermalTimeSeconds);
  return steady + (gpu.trail.temperature_c - steady) * left;
}
inline std::uint32_t Rounded(double temperature_c) {
  return Whole<std::uint32_t>(temperature_c + 0.5);
}

[[gnu::noinline, gnu::cold]] inline std::uint32_t TemperatureInFull(const GpuState& gpu,
                                                                    double sm_percent,
                                                                    std::int64_t node_ns) {
  return Rounded(TemperatureAt(gpu, PowerOf(gpu, sm_percent).drawn_mw, node_ns));
}

// TemperatureInFull(): the same number, mostly for less. What is known late, the load, goes through
// one product and one sum. The two differ by far less than kTelling, so that only a temperature so
// near to where rounding tells them apart is computed in full.
[[gnu::always_inline]] inline std::uint32_t RoundedTemperatureAt(const GpuState& gpu,
                                                                 double sm_percent,
                                                                 std::int64_t node_ns) {
  constexpr double kPerNs = 1e-9 / kThermalTimeSeconds;
  constexpr double kTelling = 1e-6;
  if (gpu.health.forced_temperature_c == 0) [[likely]] {
    const Limits& limits = gpu.limits;
    const double x =
        static_cast<double>(Max<std::int64_t>(0, Since(node_ns, gpu.trail.since_ns))) * kPerNs;
    const double left = 1 / Growth(Min(x, kLongAgo));
    const double idle_c = limits.temperature_idle_c;
    const double at_rest = idle_c + (gpu.trail.temperature_c - idle_c) * left;
    const double per_mw = RisePerMw(limits) * (1 - left);
    const double per_percent = FullLoadMw(limits) * (gpu.health.power_brake != 0 ? 0.005 : 0.01);
    const double idle_mw = limits.power_idle_mw;
    const double most_mw = Max<double>(PowerLimit(gpu), idle_mw) - idle_mw;
    const double raised = at_rest + 0.5 + per_mw * Min(per_percent * sm_percent, most_mw);
    const auto rounded = Whole<std::uint32_t>(raised);
    if (raised - rounded > kTelling && raised - rounded < 1 - kTelling) [[likely]] {
      return rounded;
    }
  }
  return TemperatureInFull(gpu, sm_percent, node_ns);
}

// Whether heat takes clocks away.
[[gnu::always_inline]] inline bool IsTooHot(const GpuState& gpu, double sm_percent,
                                            std::int64_t node_ns) {
  const Limits& limits = gpu.limits;
  // The temperature lies between where it was and where it goes to, which no load drives beyond
  // that of the default power: most boards need no look at how far it has come.
  const double highest = Max<double>(limits.temperature_load_c, gpu.trail.temperature_c);
  if (gpu.health.forced_temperature_c == 0 && highest + 1 < limits.temperature_slowdown_c &&
      limits.temperature_load_c >= limits.temperature_idle_c &&
      limits.power_default_mw > limits.power_idle_mw) [[likely]] {
    return false;
  }
  return RoundedTemperatureAt(gpu, sm_percent, node_ns) >= limits.temperature_slowdown_c;
}

inline double EnergyAt(const GpuState& gpu, double power_mw, std::int64_t node_ns) {
  return gpu.trail.energy_mj + power_mw * SecondsSince(gpu.trail, node_ns);
}

}  // namespace internal

// The node's time, from its clock and the machine's CLOCK_MONOTONIC.
inline std::int64_t NodeTime(const NodeClock& clock, std::int64_t monotonic_ns) {
  if (clock.held != 0) {
    return clock.node_ns;
  }
  const std::int64_t passed = Since(monotonic_ns, clock.monotonic_ns);
  return After(clock.node_ns, clock.rate == 1
                                  ? passed
                                  : Whole<std::int64_t>(static_cast<double>(passed) * clock.rate));
}

// CLOCK_MONOTONIC in steps of the kernel's tick: what metrics need, for the price of a load.
inline std::int64_t CoarseMonotonic() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

inline std::uint32_t LowestMemoryClock(const Limits& limits) {
  std::uint32_t lowest = limits.clock_memory_mhz[0];
  for (const std::uint32_t clock : limits.clock_memory_mhz) {
    lowest = clock != 0 ? internal::Min(lowest, clock) : lowest;
  }
  return lowest;
}

// The performance state without a process: P8 on boards whose memory has a clock far below its
// highest (GDDR's 405 MHz), P0 on the others.
inline std::uint32_t RestingState(const Limits& limits) {
  constexpr std::uint32_t kFarBelow = 4;
  return LowestMemoryClock(limits) < limits.clock_memory_mhz[0] / kFarBelow ? 8 : 0;
}

namespace internal {

[[gnu::always_inline]] inline std::uint32_t MemoryClock(const GpuState& gpu,
                                                        std::uint32_t performance_state) {
  const Settings& settings = gpu.settings;
  const std::uint32_t clock =
      performance_state == 0 ? gpu.limits.clock_memory_mhz[0] : LowestMemoryClock(gpu.limits);
  return settings.locked_memory_max_mhz == 0
             ? clock
             : Clamp(clock, settings.locked_memory_min_mhz, settings.locked_memory_max_mhz);
}

// The graphics clock, and why it is not higher.
struct GraphicsClock {
  std::uint32_t mhz;
  std::uint64_t throttle_reasons;
};
[[gnu::always_inline]] inline GraphicsClock GraphicsClockOf(const GpuState& gpu, double sm_percent,
                                                            const Power& power,
                                                            std::int64_t node_ns) {
  const Limits& limits = gpu.limits;
  const Settings& settings = gpu.settings;
  GraphicsClock clock{limits.clock_graphics_max_mhz, 0};
  if (sm_percent == 0) {
    clock = {limits.clock_graphics_idle_mhz, kReasonIdle};
  } else if (settings.application_graphics_mhz != 0 &&
             settings.application_graphics_mhz < clock.mhz) {
    clock = {settings.application_graphics_mhz, kReasonApplicationClocks};
  }
  if (settings.locked_graphics_max_mhz != 0) {
    clock.mhz =
        Clamp(clock.mhz, settings.locked_graphics_min_mhz, settings.locked_graphics_max_mhz);
  }
  const double idle = limits.power_idle_mw;
  double share = 1;  // Of the clock that is left.
  if (gpu.health.power_brake != 0) {
    clock.throttle_reasons |= kReasonPowerBrake | kReasonHardwareSlowdown;
    share = 0.5;
  } else if (power.drawn_mw < power.wanted_mw) {
    clock.throttle_reasons |= kReasonPowerCap;
    share = (power.drawn_mw - idle) / Max(1.0, power.wanted_mw - idle);
  }
  if (IsTooHot(gpu, sm_percent, node_ns)) {
    clock.throttle_reasons |= kReasonHardwareThermal | kReasonHardwareSlowdown;
    share = Min(share, 0.5);
  }
  if (sm_percent != 0) {
    clock.mhz = Max(Whole<std::uint32_t>(clock.mhz * share), limits.clock_graphics_min_mhz);
  }
  return clock;
}

}  // namespace internal

[[gnu::always_inline]] inline Readings Measure(const GpuState& gpu, std::int64_t node_ns) {
  using namespace internal;  // NOLINT: the model's words.
  const Load mean = LoadOf(gpu);
  double sm = mean.sm;
  if (sm > 0) {
    sm = Clamp(static_cast<std::uint32_t>(Max(1.0, Jittered(sm, gpu, node_ns))), 1, 100);
  }
  const Power power = PowerOf(gpu, sm);
  const GraphicsClock graphics = GraphicsClockOf(gpu, sm, power, node_ns);

  Readings readings{};
  readings.gpu_percent = static_cast<std::uint32_t>(sm);
  readings.memory_percent = static_cast<std::uint32_t>(mean.memory);
  readings.encoder_percent = static_cast<std::uint32_t>(mean.encoder);
  readings.decoder_percent = static_cast<std::uint32_t>(mean.decoder);
  readings.jpeg_percent = static_cast<std::uint32_t>(mean.jpeg);
  readings.ofa_percent = static_cast<std::uint32_t>(mean.ofa);
  // Sensors jitter by half a percent, and never read above the limit.
  readings.power_mw =
      Whole<std::uint32_t>(Min(power.drawn_mw * (1 + 0.005 * Noise(gpu, node_ns)),
                               Max(power.drawn_mw, static_cast<double>(PowerLimit(gpu)))));
  readings.temperature_c = RoundedTemperatureAt(gpu, sm, node_ns);
  readings.memory_temperature_c = readings.temperature_c + kMemoryHotterByC;
  readings.performance_state = mean.any ? 0 : RestingState(gpu.limits);
  readings.memory_mhz = MemoryClock(gpu, readings.performance_state);
  readings.graphics_mhz = graphics.mhz;
  readings.throttle_reasons = graphics.throttle_reasons;
  readings.video_mhz =
      static_cast<std::uint32_t>(static_cast<std::uint64_t>(gpu.limits.clock_video_max_mhz) *
                                 graphics.mhz / Max(1U, gpu.limits.clock_graphics_max_mhz));
  readings.fan_percent = gpu.settings.fan_percent != 0 ? gpu.settings.fan_percent
                                                       : Clamp(readings.temperature_c, 30, 100);
  // The mean power, without jitter, so that energy never goes back.
  readings.energy_mj = Whole<std::uint64_t>(EnergyAt(gpu, PowerOf(gpu, mean.sm).drawn_mw, node_ns));
  return readings;
}

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_METRICS_H_
