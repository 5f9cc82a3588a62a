// Event sets: each remembers how far it has read in the node's ring of events, so every set of
// every process gets each event, and a wait sleeps on the ring's futex.

#include "fakegpu/nvml/events.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/live_list.h"

struct nvmlEventSet_st {
  nvmlEventSet_st* next;
  unsigned int users;  // Waits in flight, and the registry: freed by the last.
  // For each GPU, which events, and after which event it was registered.
  std::uint32_t gpus;
  std::uint64_t read_up_to;
  std::uint64_t system_types;  // Of a set for the system's events, which has no registrations.
  struct Registration {
    std::uint64_t types;
    std::uint64_t after;
  }* registrations;
};

namespace assay::fakegpu::nvml {
namespace {

// A board that cannot be divided tells of no division.
std::uint64_t SupportedEvents(const Gpu& gpu) {
  constexpr std::uint64_t kOfEveryBoard =
      nvmlEventTypeSingleBitEccError | nvmlEventTypeDoubleBitEccError | nvmlEventTypePState |
      nvmlEventTypeXidCriticalError | nvmlEventTypeClock | nvmlEventTypeGpuUnavailableError |
      nvmlEventTypeGpuRecoveryAction;
  return kOfEveryBoard | (gpu.state.mig_supported != 0 ? nvmlEventMigConfigChange : 0);
}

constinit LiveList<nvmlEventSet_st> sets;

// Under the lock.
void LetGo(nvmlEventSet_t set) {
  if (--set->users == 0) {
    free(set->registrations);
    free(set);
  }
}

std::uint64_t EventCount(const layout::Region& region) {
  return region.Read([](const layout::Copy& copy) { return copy.node().event_count; });
}

std::int64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// The next event that the set is registered for; under the lock. False if there is none yet.
bool TakeEvent(const layout::Region& region, nvmlEventSet_t set, layout::Event* event) {
  const std::uint64_t count = EventCount(region);
  if (count > layout::kEventRing && set->read_up_to < count - layout::kEventRing) {
    set->read_up_to = count - layout::kEventRing;  // What is older is overwritten.
  }
  while (set->read_up_to < count) {
    const std::uint64_t number = ++set->read_up_to;
    if (!region.ReadEvent(number, event) || event->gpu >= set->gpus) {
      continue;
    }
    if (set->registrations == nullptr || (event->type & layout::kSystemEvent) != 0) {
      if ((event->type & layout::kSystemEvent) != 0 && (event->type & set->system_types) != 0) {
        return true;
      }
      continue;
    }
    const auto& registration = set->registrations[event->gpu];
    if ((registration.types & event->type) != 0 && number > registration.after) {
      return true;
    }
  }
  return false;
}

// Makes a set for GPUs' events, or for the system's, and adds it to those that live.
nvmlReturn_t CreateSet(bool of_system, nvmlEventSet_t* set) {
  const layout::Region* region = Library::Get().region();
  auto* created = static_cast<nvmlEventSet_st*>(calloc(1, sizeof(nvmlEventSet_st)));
  if (region == nullptr || created == nullptr) {
    free(created);
    return region == nullptr ? NVML_ERROR_UNINITIALIZED : NVML_ERROR_MEMORY;
  }
  created->gpus = region->gpu_capacity();
  if (!of_system) {
    created->registrations = static_cast<nvmlEventSet_st::Registration*>(
        calloc(created->gpus + 1, sizeof(*created->registrations)));
    if (created->registrations == nullptr) {
      free(created);
      return NVML_ERROR_MEMORY;
    }
  }
  created->users = 1;
  created->read_up_to = EventCount(*region);
  const MutexLock lock(sets.mutex());
  sets.Add(created);
  *set = created;
  return NVML_SUCCESS;
}

// Takes it away; a wait in flight frees it.
nvmlReturn_t FreeSet(nvmlEventSet_t set, bool of_system) {
  const MutexLock lock(sets.mutex());
  if (!sets.Has(set) || (set->registrations == nullptr) != of_system) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  sets.Remove(set);
  LetGo(set);
  return NVML_SUCCESS;
}

// NVML gives the two kinds of sets types of their own.
nvmlEventSet_t SetOf(nvmlSystemEventSet_t set) { return reinterpret_cast<nvmlEventSet_t>(set); }

void FillEvent(const layout::Event& event, nvmlEventData_t* data) {
  *data = {.device = ToPointer<nvmlDevice_t>({.kind = HandleKind::kDevice, .slot = event.gpu}),
           .eventType = event.type,
           .eventData = event.data,
           .gpuInstanceId = event.gpu_instance,
           .computeInstanceId = event.compute_instance};
}

nvmlReturn_t WaitInSet(const layout::Region& region, nvmlEventSet_t set, unsigned int timeout_ms,
                       layout::Event* event) {
  const std::int64_t deadline = MonotonicNs() + std::int64_t{timeout_ms} * 1'000'000;
  for (;;) {
    const std::uint32_t seen = region.event_futex();
    {
      const MutexLock lock(sets.mutex());
      if (TakeEvent(region, set, event)) {
        return NVML_SUCCESS;
      }
    }
    const std::int64_t left = deadline - MonotonicNs();
    if (left <= 0) {
      return NVML_ERROR_TIMEOUT;
    }
    (void)region.WaitForEvent(seen, left);
  }
}

// Runs body(region) while the set is kept alive; refuses what is no set of the kind.
template <typename Body>
nvmlReturn_t UseSet(nvmlEventSet_t set, bool of_system, Body&& body) {
  {
    const MutexLock lock(sets.mutex());
    if (!sets.Has(set) || (set->registrations == nullptr) != of_system) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    ++set->users;
  }
  const layout::Region* region = Library::Get().region();
  const nvmlReturn_t result = region == nullptr ? NVML_ERROR_UNINITIALIZED : body(*region);
  const MutexLock lock(sets.mutex());
  LetGo(set);
  return result;
}

nvmlReturn_t Wait(const char* function, nvmlEventSet_t set, nvmlEventData_t* data,
                  unsigned int timeout_ms) {
  const nvmlReturn_t ready =
      ReadNode(function, NotNull(set, data), [](const layout::Copy&) { return NVML_SUCCESS; });
  if (ready != NVML_SUCCESS) {
    return ready;
  }
  layout::Event event{};
  const nvmlReturn_t result = UseSet(set, false, [&](const layout::Region& region) {
    return WaitInSet(region, set, timeout_ms, &event);
  });
  if (result == NVML_SUCCESS) {
    FillEvent(event, data);
  }
  return result;
}

// The first event of the system, waited for, and what else has come by then.
nvmlReturn_t WaitForSystem(nvmlSystemEventSetWaitRequest_t* request) {
  nvmlEventSet_t set = SetOf(request->set);
  request->numEvent = 0;
  return UseSet(set, true, [&](const layout::Region& region) {
    layout::Event event{};
    const nvmlReturn_t result = WaitInSet(region, set, request->timeoutms, &event);
    if (result != NVML_SUCCESS) {
      return result;
    }
    const MutexLock lock(sets.mutex());
    do {
      const unsigned int gpu_id = region.Read([&event](const layout::Copy& copy) {
        return event.gpu < copy.gpu_count() ? copy.gpu(event.gpu).identity.board_id : 0;
      });
      request->data[request->numEvent++] = {.eventType = event.type & ~layout::kSystemEvent,
                                            .gpuId = gpu_id};
    } while (request->numEvent < request->dataSize && TakeEvent(region, set, &event));
    return NVML_SUCCESS;
  });
}

// A call on a struct with a version word: checked as all are, then body(request).
template <typename Request, typename Body>
nvmlReturn_t WithRequest(const char* function, Request* request, unsigned int version,
                         Body&& body) {
  const nvmlReturn_t ready = ReadNode(function, NotNull(request), [&](const layout::Copy&) {
    return request->version == version ? NVML_SUCCESS : NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  });
  return ready != NVML_SUCCESS ? ready : body(*request);
}

}  // namespace

void FreeEventSets() {
  const MutexLock lock(sets.mutex());
  while (nvmlEventSet_st* set = sets.first()) {
    sets.Remove(set);
    LetGo(set);
  }
}

NVML_EXPORT nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t* set) {
  const nvmlReturn_t ready =
      ReadNode(__func__, NotNull(set), [](const layout::Copy&) { return NVML_SUCCESS; });
  if (ready != NVML_SUCCESS) {
    return ready;
  }
  return CreateSet(false, set);
}

NVML_EXPORT nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
  const nvmlReturn_t ready =
      ReadNode(__func__, NotNull(set), [](const layout::Copy&) { return NVML_SUCCESS; });
  if (ready != NVML_SUCCESS) {
    return ready;
  }
  return FreeSet(set, false);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device,
                                                          unsigned long long* eventTypes) {
  return Get(DeviceCall{__func__, device}, eventTypes, SupportedEvents);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device,
                                                  unsigned long long eventTypes,
                                                  nvmlEventSet_t set) {
  const nvmlReturn_t ready =
      ReadDevice(DeviceCall{__func__, device, NotNull(set)}, [&](const Gpu& gpu) {
        if ((eventTypes & ~static_cast<unsigned long long>(nvmlEventTypeAll)) != 0) {
          return NVML_ERROR_INVALID_ARGUMENT;
        }
        return (eventTypes & ~SupportedEvents(gpu)) != 0 ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
      });
  if (ready != NVML_SUCCESS) {
    return ready;
  }
  const layout::Region* region = Library::Get().region();
  if (region == nullptr) {
    return NVML_ERROR_UNINITIALIZED;
  }
  const std::uint32_t slot = FromPointer(device).slot;
  const MutexLock lock(sets.mutex());
  if (!sets.Has(set) || set->registrations == nullptr || slot >= set->gpus) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  auto& registration = set->registrations[slot];
  if (registration.types == 0) {
    registration.after = EventCount(*region);
  }
  registration.types |= eventTypes;
  return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t* data,
                                             unsigned int timeoutms) {
  return Wait(__func__, set, data, timeoutms);
}
NVML_EXPORT nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t* data,
                                          unsigned int timeoutms) {
  return Wait(__func__, set, data, timeoutms);
}

NVML_EXPORT nvmlReturn_t nvmlSystemEventSetCreate(nvmlSystemEventSetCreateRequest_t* request) {
  return WithRequest(__func__, request, nvmlSystemEventSetCreateRequest_v1, [](auto& of) {
    nvmlEventSet_t set = nullptr;
    const nvmlReturn_t result = CreateSet(true, &set);
    of.set = reinterpret_cast<nvmlSystemEventSet_t>(set);
    return result;
  });
}
NVML_EXPORT nvmlReturn_t nvmlSystemEventSetFree(nvmlSystemEventSetFreeRequest_t* request) {
  return WithRequest(__func__, request, nvmlSystemEventSetFreeRequest_v1,
                     [](auto& of) { return FreeSet(SetOf(of.set), true); });
}
NVML_EXPORT nvmlReturn_t nvmlSystemRegisterEvents(nvmlSystemRegisterEventRequest_t* request) {
  constexpr unsigned long long kKnown =
      nvmlSystemEventTypeGpuDriverUnbind | nvmlSystemEventTypeGpuDriverBind;
  return WithRequest(__func__, request, nvmlSystemRegisterEventRequest_v1, [](auto& of) {
    if (of.eventTypes == 0 || (of.eventTypes & ~kKnown) != 0) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    const MutexLock lock(sets.mutex());
    nvmlEventSet_t set = SetOf(of.set);
    if (!sets.Has(set) || set->registrations != nullptr) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    const layout::Region* region = Library::Get().region();
    if (region == nullptr) {
      return NVML_ERROR_UNINITIALIZED;
    }
    if (set->system_types == 0) {
      set->read_up_to = EventCount(*region);
    }
    set->system_types |= of.eventTypes;
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlSystemEventSetWait(nvmlSystemEventSetWaitRequest_t* request) {
  return WithRequest(__func__, request, nvmlSystemEventSetWaitRequest_v1, [](auto& of) {
    return of.data == nullptr || of.dataSize == 0 ? NVML_ERROR_INVALID_ARGUMENT
                                                  : WaitForSystem(&of);
  });
}

}  // namespace assay::fakegpu::nvml
