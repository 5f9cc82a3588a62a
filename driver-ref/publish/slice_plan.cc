#include "driver-ref/publish/slice_plan.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "driver-ref/mutants.h"

namespace assay::driver_ref::publish {
namespace {

using api::resource::Device;
using api::resource::DeviceTaint;
using api::resource::ResourceSlice;

constexpr std::size_t kMaxDevices = 128;
constexpr std::size_t kMaxDevicesWithTaints = 64;  // Or with counters.
constexpr std::size_t kMaxCounterSets = 8;
constexpr std::size_t kMinIndexDigits = 5;
// Short of the API server's limit of 253 by more than it appends.
constexpr std::size_t kMaxGenerateName = 240;

std::string Hex(std::size_t value) {
  std::string text(16, '0');
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

std::size_t IndexDigits(std::size_t slices) {
  return std::max(kMinIndexDigits, Hex(slices - 1).size());
}

std::string EncodeIndex(std::size_t index, std::size_t digits) {
  const std::string text = Hex(index);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

// The index at the start of a slice's name, if it has one of that many digits.
std::optional<std::size_t> DecodeIndex(const std::string& name, std::size_t digits) {
  std::size_t index = 0;
  if (name.find('-') != digits) {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(name.data(), name.data() + digits, index, 16);
  return error == std::errc() && end == name.data() + digits ? std::optional(index) : std::nullopt;
}

// Whether both consume from one counter set.
bool AreTogether(const Device& a, const Device& b) {
  return !a.consumes_counters.empty() && !b.consumes_counters.empty() &&
         a.consumes_counters[0].counter_set == b.consumes_counters[0].counter_set;
}

std::vector<SliceContent> Split(const SliceContent& content) {
  std::vector<SliceContent> parts;
  for (std::size_t i = 0; i < content.counter_sets.size(); ++i) {
    if (i % kMaxCounterSets == 0) {
      parts.emplace_back();
    }
    parts.back().counter_sets.push_back(content.counter_sets[i]);
  }
  parts.emplace_back();
  const std::size_t size = DevicesPerSlice(content.devices);
  for (auto group = content.devices.begin(); group != content.devices.end();) {
    const auto end = std::find_if_not(group, content.devices.end(), [&](const Device& device) {
      return AreTogether(*group, device);
    });
    const auto count = static_cast<std::size_t>(std::max(end - group, std::ptrdiff_t{1}));
    const std::size_t room = size - parts.back().devices.size();
    if (room == 0 || (count > room && count <= size)) {
      parts.emplace_back();
    }
    const auto taken = std::min(count, size - parts.back().devices.size());
    const auto next = group + static_cast<std::ptrdiff_t>(taken);
    parts.back().devices.insert(parts.back().devices.end(), group, next);
    group = next;
  }
  return parts;
}

// The API server notes when a taint came; one that stays keeps its time.
std::vector<Device> WithKnownTaintTimes(std::vector<Device> devices,
                                        const std::vector<Device>& published) {
  for (Device& device : devices) {
    const auto before = std::ranges::find(published, device.name, &Device::name);
    if (before == published.end() || mutants::Is("taint-time-moves")) {
      continue;
    }
    if (mutants::Is("keeps-taint") && device.taints.empty()) {
      device.taints = before->taints;
    }
    for (DeviceTaint& taint : device.taints) {
      const auto same = std::ranges::find_if(before->taints, [&](const DeviceTaint& other) {
        return other.key == taint.key && other.value == taint.value && other.effect == taint.effect;
      });
      if (!taint.time_added && same != before->taints.end()) {
        taint.time_added = same->time_added;
      }
    }
  }
  return devices;
}

std::vector<api::meta::OwnerReference> Owners(const PoolIdentity& pool) {
  if (mutants::Is("no-owner")) {
    return {};
  }
  api::meta::OwnerReference owner;
  owner.api_version = "v1";
  owner.kind = "Node";
  owner.name = pool.node_name;
  owner.uid = pool.node_uid;
  owner.controller = true;
  return {owner};
}

}  // namespace

std::size_t DevicesPerSlice(const std::vector<Device>& devices) {
  const bool fewer = std::ranges::any_of(devices, [](const Device& device) {
    return !device.taints.empty() || !device.consumes_counters.empty();
  });
  return fewer ? kMaxDevicesWithTaints : kMaxDevices;
}

SliceContent ContentOf(const ResourceSlice& slice) {
  return {.counter_sets = slice.spec.shared_counters, .devices = slice.spec.devices};
}

SlicePlan PlanSlices(const PoolIdentity& pool, const SliceContent& content,
                     const std::vector<ResourceSlice>& existing) {
  const std::vector<SliceContent> parts = Split(content);
  const std::size_t digits = IndexDigits(parts.size());

  std::int64_t generation = 0;
  for (const ResourceSlice& slice : existing) {
    if (slice.spec.pool.name == pool.node_name) {
      generation = std::max(generation, slice.spec.pool.generation);
    }
  }

  SlicePlan plan;
  std::map<std::size_t, const ResourceSlice*> current;
  for (const ResourceSlice& slice : existing) {
    const std::optional<std::size_t> index = DecodeIndex(slice.metadata.name, digits);
    const bool usable = slice.spec.pool.name == pool.node_name &&
                        slice.spec.pool.generation == generation && index &&
                        *index < parts.size() && !current.contains(*index);
    if (usable) {
      current[*index] = &slice;
    } else {
      plan.remove.push_back(slice);
    }
  }

  const auto wanted = [&](const ResourceSlice& base, std::size_t index) {
    ResourceSlice slice = base;
    slice.metadata.owner_references = Owners(pool);
    slice.spec = {};
    slice.spec.driver = pool.driver_name;
    slice.spec.node_name = pool.node_name;
    slice.spec.pool.name = pool.node_name;
    slice.spec.pool.generation = generation;
    slice.spec.pool.resource_slice_count = static_cast<std::int64_t>(parts.size());
    slice.spec.shared_counters = parts[index].counter_sets;
    slice.spec.devices = WithKnownTaintTimes(parts[index].devices, base.spec.devices);
    return slice;
  };

  std::vector<std::size_t> changed;
  for (const auto& [index, slice] : current) {
    if (const ResourceSlice desired = wanted(*slice, index);
        !(desired.spec == slice->spec) ||
        !(desired.metadata.owner_references == slice->metadata.owner_references)) {
      changed.push_back(index);
    }
  }
  // Readers may have seen some of them: old and new must not look like one pool.
  const bool number_changes =
      current.size() != parts.size() || std::ranges::any_of(current, [&](const auto& entry) {
        return entry.second->spec.pool.resource_slice_count !=
               static_cast<std::int64_t>(parts.size());
      });
  const bool new_generation =
      (number_changes || changed.size() > 1) && !mutants::Is("one-generation");
  if (new_generation) {
    ++generation;
  }
  for (std::size_t index = 0; index < parts.size(); ++index) {
    if (!current.contains(index)) {
      ResourceSlice base;
      base.metadata.generate_name =
          (EncodeIndex(index, digits) + "-" + pool.driver_name + "-" + pool.node_name + "-")
              .substr(0, kMaxGenerateName);
      plan.create.push_back(wanted(base, index));
    } else if (new_generation || std::ranges::count(changed, index) != 0) {
      plan.update.push_back(wanted(*current[index], index));
    }
  }
  return plan;
}

}  // namespace assay::driver_ref::publish
