#include "fakegpu/layout/metrics.h"

namespace assay::fakegpu::layout {

Memory MemoryOf(const GpuState& gpu) {
  Memory memory{};
  memory.total_bytes = gpu.identity.memory_total_bytes;
  memory.reserved_bytes = internal::Min(gpu.identity.memory_reserved_bytes, memory.total_bytes);
  const std::uint64_t usable = memory.total_bytes - memory.reserved_bytes;
  for (const Process& process : gpu.processes) {
    if (process.type != Process::kFree) {
      memory.used_bytes =
          internal::Min(usable, memory.used_bytes + internal::Min(usable, process.memory_bytes));
    }
  }
  memory.free_bytes = usable - memory.used_bytes;
  return memory;
}

Trail TrailAt(const GpuState& gpu, std::int64_t node_ns) {
  // Mean load and power, as for the energy of Measure().
  const internal::Load load = internal::LoadOf(gpu);
  const internal::Power power = internal::PowerOf(gpu, load.sm);
  const double seconds = internal::SecondsSince(gpu.trail, node_ns);
  Trail trail = gpu.trail;
  trail.since_ns = node_ns;
  trail.temperature_c = internal::TemperatureAt(gpu, power.drawn_mw, node_ns);
  trail.energy_mj = internal::EnergyAt(gpu, power.drawn_mw, node_ns);
  trail.sm_seconds += load.sm / 100 * seconds;
  trail.memory_seconds += load.memory / 100 * seconds;
  trail.encoder_seconds += load.encoder / 100 * seconds;
  trail.decoder_seconds += load.decoder / 100 * seconds;
  trail.jpeg_seconds += load.jpeg / 100 * seconds;
  trail.ofa_seconds += load.ofa / 100 * seconds;
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
