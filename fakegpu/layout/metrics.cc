#include "fakegpu/layout/metrics.h"

#include <time.h>

namespace assay::fakegpu::layout {
namespace {

// nvmlClocksEventReason*, as far as the model has them.
constexpr std::uint64_t kReasonIdle = 0x1;
constexpr std::uint64_t kReasonApplicationClocks = 0x2;
constexpr std::uint64_t kReasonPowerCap = 0x4;
constexpr std::uint64_t kReasonHardwareSlowdown = 0x8;
constexpr std::uint64_t kReasonHardwareThermal = 0x40;
constexpr std::uint64_t kReasonPowerBrake = 0x80;

// How long a board takes for 63 % of the way to a new temperature.
constexpr double kThermalTimeSeconds = 20;
constexpr std::int64_t kNoisePeriodNs = 1'000'000'000;
constexpr std::uint32_t kMemoryHotterByC = 8;

template <typename T>
T Min(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
T Max(T a, T b) {
  return a < b ? b : a;
}

// e^-x for x >= 0, as (1 + x / 1024)^-1024: without libm, and good to a thousandth.
double Decay(double x) {
  double power = 1 + Min(x, 30.0) / 1024;
  for (int i = 0; i < 10; ++i) {
    power *= power;
  }
  return 1 / power;
}

// Differences and sums of times that wrap, since a damaged file may hold any number.
std::int64_t Since(std::int64_t now, std::int64_t then) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(now) -
                                   static_cast<std::uint64_t>(then));
}
std::int64_t After(std::int64_t then, std::int64_t passed) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(then) +
                                   static_cast<std::uint64_t>(passed));
}

// splitmix64.
std::uint64_t Mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// A number in [-1, 1] that changes once a second.
double Noise(const GpuState& gpu, std::int64_t node_ns) {
  const auto period = static_cast<std::uint64_t>(node_ns / kNoisePeriodNs);
  const std::uint64_t mixed = Mix(gpu.noise_seed ^ Mix(period));
  return static_cast<double>(mixed >> 11) / static_cast<double>(1ULL << 52) - 1;
}

struct Load {
  double sm = 0;  // Percent.
  double memory = 0;
  double encoder = 0;
  double decoder = 0;
  bool any = false;
};

Load LoadOf(const GpuState& gpu) {
  Load load;
  for (const Process& process : gpu.processes) {
    if (process.type == Process::kFree) {
      continue;
    }
    load.any = true;
    load.sm += process.sm_percent;
    load.memory += process.memory_percent;
    load.encoder += process.encoder_percent;
    load.decoder += process.decoder_percent;
  }
  load.sm = Min(load.sm, 100.0);
  load.memory = Min(load.memory, 100.0);
  load.encoder = Min(load.encoder, 100.0);
  load.decoder = Min(load.decoder, 100.0);
  return load;
}

std::uint32_t PowerLimit(const GpuState& gpu) {
  return gpu.settings.power_limit_mw != 0 ? gpu.settings.power_limit_mw
                                          : gpu.limits.power_default_mw;
}

// What the board draws under `sm_percent` of load, before and after its limit. A brake halves what
// is above idle.
struct Power {
  double wanted_mw;
  double drawn_mw;
};
Power PowerOf(const GpuState& gpu, double sm_percent) {
  const double idle = gpu.limits.power_idle_mw;
  // Full load asks for a little less than the default limit.
  const double above = (0.97 * gpu.limits.power_default_mw - idle) * sm_percent / 100;
  Power power{idle + above, idle + above};
  if (gpu.health.power_brake != 0) {
    power.drawn_mw = idle + above / 2;
  }
  power.drawn_mw = Min(power.drawn_mw, Max<double>(PowerLimit(gpu), idle));
  return power;
}

double SteadyTemperature(const GpuState& gpu, double power_mw) {
  if (gpu.health.forced_temperature_c != 0) {
    return gpu.health.forced_temperature_c;
  }
  const double idle = gpu.limits.power_idle_mw;
  const double span = Max(1.0, gpu.limits.power_default_mw - idle);
  const double rise = static_cast<double>(gpu.limits.temperature_load_c) -
                      static_cast<double>(gpu.limits.temperature_idle_c);
  return gpu.limits.temperature_idle_c + rise * (power_mw - idle) / span;
}

double SecondsSince(const Trail& trail, std::int64_t node_ns) {
  return static_cast<double>(Max<std::int64_t>(0, Since(node_ns, trail.since_ns))) / 1e9;
}

double TemperatureAt(const GpuState& gpu, double power_mw, std::int64_t node_ns) {
  // Injected heat is there at once: a test need not wait for it.
  const double steady = SteadyTemperature(gpu, power_mw);
  if (gpu.health.forced_temperature_c != 0) {
    return steady;
  }
  const double left = Decay(SecondsSince(gpu.trail, node_ns) / kThermalTimeSeconds);
  return steady + (gpu.trail.temperature_c - steady) * left;
}

double EnergyAt(const GpuState& gpu, double power_mw, std::int64_t node_ns) {
  return gpu.trail.energy_mj + power_mw * SecondsSince(gpu.trail, node_ns);
}

std::uint32_t Clamp(std::uint32_t value, std::uint32_t low, std::uint32_t high) {
  return Max(low, Min(value, high));
}

// Clocks, and why they are not higher.
void ReadClocks(const GpuState& gpu, const Load& load, const Power& power, Readings& readings) {
  const Limits& limits = gpu.limits;
  const Settings& settings = gpu.settings;
  readings.performance_state = load.any ? 0 : RestingState(limits);
  readings.memory_mhz =
      readings.performance_state == 0 ? limits.clock_memory_mhz[0] : LowestMemoryClock(limits);
  if (settings.locked_memory_max_mhz != 0) {
    readings.memory_mhz =
        Clamp(readings.memory_mhz, settings.locked_memory_min_mhz, settings.locked_memory_max_mhz);
  }
  if (load.sm == 0) {
    readings.graphics_mhz = limits.clock_graphics_idle_mhz;
    readings.throttle_reasons |= kReasonIdle;
  } else {
    readings.graphics_mhz = limits.clock_graphics_max_mhz;
    if (settings.application_graphics_mhz != 0 &&
        settings.application_graphics_mhz < readings.graphics_mhz) {
      readings.graphics_mhz = settings.application_graphics_mhz;
      readings.throttle_reasons |= kReasonApplicationClocks;
    }
  }
  if (settings.locked_graphics_max_mhz != 0) {
    readings.graphics_mhz = Clamp(readings.graphics_mhz, settings.locked_graphics_min_mhz,
                                  settings.locked_graphics_max_mhz);
  }
  const double idle = limits.power_idle_mw;
  double share = 1;  // Of the clock that is left.
  if (gpu.health.power_brake != 0) {
    readings.throttle_reasons |= kReasonPowerBrake | kReasonHardwareSlowdown;
    share = 0.5;
  } else if (power.drawn_mw < power.wanted_mw) {
    readings.throttle_reasons |= kReasonPowerCap;
    share = (power.drawn_mw - idle) / Max(1.0, power.wanted_mw - idle);
  }
  if (readings.temperature_c >= limits.temperature_slowdown_c) {
    readings.throttle_reasons |= kReasonHardwareThermal | kReasonHardwareSlowdown;
    share = Min(share, 0.5);
  }
  if (load.sm != 0) {
    readings.graphics_mhz = Max(static_cast<std::uint32_t>(readings.graphics_mhz * share),
                                limits.clock_graphics_min_mhz);
  }
  readings.video_mhz =
      static_cast<std::uint32_t>(static_cast<std::uint64_t>(limits.clock_video_max_mhz) *
                                 readings.graphics_mhz / Max(1U, limits.clock_graphics_max_mhz));
}

}  // namespace

std::uint32_t LowestMemoryClock(const Limits& limits) {
  std::uint32_t lowest = limits.clock_memory_mhz[0];
  for (const std::uint32_t clock : limits.clock_memory_mhz) {
    lowest = clock != 0 ? Min(lowest, clock) : lowest;
  }
  return lowest;
}

std::uint32_t RestingState(const Limits& limits) {
  constexpr std::uint32_t kFarBelow = 4;
  return LowestMemoryClock(limits) < limits.clock_memory_mhz[0] / kFarBelow ? 8 : 0;
}

std::int64_t NodeTime(const NodeClock& clock, std::int64_t monotonic_ns) {
  if (clock.held != 0) {
    return clock.node_ns;
  }
  const std::int64_t passed = Since(monotonic_ns, clock.monotonic_ns);
  return After(clock.node_ns, clock.rate == 1 ? passed
                                              : static_cast<std::int64_t>(
                                                    static_cast<double>(passed) * clock.rate));
}

std::int64_t CoarseMonotonic() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

Memory MemoryOf(const GpuState& gpu) {
  Memory memory{};
  memory.total_bytes = gpu.identity.memory_total_bytes;
  memory.reserved_bytes = Min(gpu.identity.memory_reserved_bytes, memory.total_bytes);
  const std::uint64_t usable = memory.total_bytes - memory.reserved_bytes;
  for (const Process& process : gpu.processes) {
    if (process.type != Process::kFree) {
      memory.used_bytes = Min(usable, memory.used_bytes + Min(usable, process.memory_bytes));
    }
  }
  memory.free_bytes = usable - memory.used_bytes;
  return memory;
}

Readings Measure(const GpuState& gpu, std::int64_t node_ns) {
  Readings readings{};
  Load load = LoadOf(gpu);
  const double noise = Noise(gpu, node_ns);
  if (load.sm > 0) {
    load.sm = Clamp(static_cast<std::uint32_t>(Max(1.0, load.sm + 2 * noise)), 1, 100);
  }
  readings.gpu_percent = static_cast<std::uint32_t>(load.sm);
  readings.memory_percent = static_cast<std::uint32_t>(load.memory);
  readings.encoder_percent = static_cast<std::uint32_t>(load.encoder);
  readings.decoder_percent = static_cast<std::uint32_t>(load.decoder);

  const Power power = PowerOf(gpu, load.sm);
  // Sensors jitter by half a percent, and never read above the limit.
  readings.power_mw =
      static_cast<std::uint32_t>(Min(power.drawn_mw * (1 + 0.005 * noise),
                                     Max(power.drawn_mw, static_cast<double>(PowerLimit(gpu)))));
  readings.temperature_c =
      static_cast<std::uint32_t>(TemperatureAt(gpu, power.drawn_mw, node_ns) + 0.5);
  readings.memory_temperature_c = readings.temperature_c + kMemoryHotterByC;
  ReadClocks(gpu, load, power, readings);
  readings.fan_percent = gpu.settings.fan_percent != 0 ? gpu.settings.fan_percent
                                                       : Clamp(readings.temperature_c, 30, 100);
  // The mean power, without jitter, so that energy never goes back.
  readings.energy_mj =
      static_cast<std::uint64_t>(EnergyAt(gpu, PowerOf(gpu, LoadOf(gpu).sm).drawn_mw, node_ns));
  return readings;
}

Trail TrailAt(const GpuState& gpu, std::int64_t node_ns) {
  // Mean load and power, as for the energy of Measure().
  const Load load = LoadOf(gpu);
  const Power power = PowerOf(gpu, load.sm);
  const double seconds = SecondsSince(gpu.trail, node_ns);
  Trail trail = gpu.trail;
  trail.since_ns = node_ns;
  trail.temperature_c = TemperatureAt(gpu, power.drawn_mw, node_ns);
  trail.energy_mj = EnergyAt(gpu, power.drawn_mw, node_ns);
  trail.sm_seconds += load.sm / 100 * seconds;
  trail.memory_seconds += load.memory / 100 * seconds;
  trail.encoder_seconds += load.encoder / 100 * seconds;
  trail.decoder_seconds += load.decoder / 100 * seconds;
  // Heat throttles only where it is injected: a load alone stays below the slowdown threshold.
  if (gpu.health.forced_temperature_c != 0 &&
      gpu.health.forced_temperature_c >= gpu.limits.temperature_slowdown_c) {
    trail.thermal_seconds += seconds;
  }
  if (gpu.health.power_brake != 0) {
    trail.brake_seconds += seconds;
  } else if (power.drawn_mw < power.wanted_mw) {
    trail.power_capped_seconds += seconds;
  }
  return trail;
}

void SettleTrail(GpuState& gpu, std::int64_t node_ns) { gpu.trail = TrailAt(gpu, node_ns); }

}  // namespace assay::fakegpu::layout
