// What a GPU's sensors read at a moment: utilisation, memory, power, temperature, clocks, energy
// and the reasons of throttling, all from one model, so that they agree with each other.
//
// Processes load the GPU; load asks for power; a power limit, heat or a power brake takes clocks
// away; power heats the board towards a steady temperature. Nothing runs for it: readings are
// computed from the state and the time, and the same seed and time give the same readings.
//
// Freestanding. Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_LAYOUT_METRICS_H_
#define ASSAY_FAKEGPU_LAYOUT_METRICS_H_

#include <cstdint>

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::layout {

// The node's time, from its clock and the machine's CLOCK_MONOTONIC.
std::int64_t NodeTime(const NodeClock& clock, std::int64_t monotonic_ns);
// CLOCK_MONOTONIC in steps of the kernel's tick: what metrics need, for the price of a load.
std::int64_t CoarseMonotonic();

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
// The performance state without a process: P8 on boards whose memory has a clock far below its
// highest (GDDR's 405 MHz), P0 on the others.
std::uint32_t RestingState(const Limits& limits);
std::uint32_t LowestMemoryClock(const Limits& limits);
Readings Measure(const GpuState& gpu, std::int64_t node_ns);

// Temperature, energy and what else adds up, as of now.
Trail TrailAt(const GpuState& gpu, std::int64_t node_ns);

// Writes down temperature and energy as of now, before a change of what they depend on (processes,
// limits, faults), so that they go on from there.
void SettleTrail(GpuState& gpu, std::int64_t node_ns);

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_METRICS_H_
