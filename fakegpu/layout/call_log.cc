#include "fakegpu/layout/call_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

namespace assay::fakegpu::layout {
namespace {

constexpr std::uint64_t kBeingFound = 0xffff;  // For a place.
static_assert(kLoggedProcesses < kBeingFound);

std::int64_t WallClock() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void FormatCallLog(CallLogHeader* header, std::uint64_t instance_id) {
  std::memcpy(header->magic, kCallLogMagic, sizeof(kCallLogMagic));
  header->function_count = kFunctions;
  header->instance_id = instance_id;
  header->file_size = kCallLogSize;
}

OpenError CallLog::Open(const char* state_path, bool writable) {
  char path[4096];
  const int length = snprintf(path, sizeof(path), "%s%s", state_path, kCallLogSuffix);
  if (length < 0 || static_cast<std::size_t>(length) >= sizeof(path)) {
    return OpenError::kSystem;
  }
  const int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) {
    return OpenErrorOf(errno);
  }
  // Not fstat: its symbol is of glibc 2.33, too new for where this is loaded.
  const bool has_size = lseek(fd, 0, SEEK_END) == static_cast<off_t>(kCallLogSize);
  void* memory = has_size ? mmap(nullptr, kCallLogSize,
                                 writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0)
                          : MAP_FAILED;
  close(fd);
  if (memory == MAP_FAILED) {
    return has_size ? OpenError::kSystem : OpenError::kForeign;
  }
  const auto& header = *static_cast<const CallLogHeader*>(memory);
  if (std::memcmp(header.magic, kCallLogMagic, sizeof(kCallLogMagic)) != 0 ||
      header.function_count != kFunctions || header.file_size != kCallLogSize) {
    munmap(memory, kCallLogSize);
    return OpenError::kForeign;
  }
  base_ = static_cast<char*>(memory);
  return OpenError::kNone;
}

void CallLog::Close() {
  if (base_ != nullptr) {
    munmap(base_, kCallLogSize);
    base_ = nullptr;
  }
  own_.store(0, std::memory_order_relaxed);
}

LoggedProcess& CallLog::OwnProcess(std::uint32_t pid) {
  const std::uint64_t generation = header().generation.load(std::memory_order_relaxed) & 0xffff;
  const std::uint64_t key = std::uint64_t{pid} << 32 | generation << 16;
  for (;;) {
    std::uint64_t own = own_.load(std::memory_order_acquire);
    if ((own & ~kBeingFound) == key) {
      if ((own & kBeingFound) != kBeingFound) {
        return process(static_cast<std::uint32_t>(own & kBeingFound));
      }
      sched_yield();  // Another thread of this process is finding it.
    } else if (own_.compare_exchange_strong(own, key | kBeingFound, std::memory_order_relaxed)) {
      break;
    }
  }
  const std::uint64_t came = header().processes.fetch_add(1, std::memory_order_relaxed);
  const auto place =
      static_cast<std::uint32_t>(came < kLoggedProcesses - 1 ? came : kLoggedProcesses - 1);
  LoggedProcess& found = process(place);
  if (place < kLoggedProcesses - 1) {
    std::strncpy(found.name, program_invocation_short_name, sizeof(found.name) - 1);
    found.pid.store(pid, std::memory_order_release);
  }
  own_.store(key | place, std::memory_order_release);
  return found;
}

void CallLog::Record(std::uint32_t function, std::uint32_t gpu, std::int32_t code) {
  const auto pid = static_cast<std::uint32_t>(getpid());
  const std::uint32_t slot = code >= 0 && code < static_cast<std::int32_t>(kOtherCode)
                                 ? static_cast<std::uint32_t>(code)
                                 : kOtherCode;
  OwnProcess(pid).counts[function][slot].fetch_add(1, std::memory_order_relaxed);

  const std::uint64_t number = header().calls.fetch_add(1, std::memory_order_relaxed) + 1;
  LoggedCall& entry = call(number);
  entry.number.store(0, std::memory_order_relaxed);
  // Stores after stores: a reader that sees a field of this call does not see the number before.
  entry.time_ns.store(WallClock(), std::memory_order_release);
  entry.pid.store(pid, std::memory_order_release);
  entry.function.store(function, std::memory_order_release);
  entry.gpu.store(gpu, std::memory_order_release);
  entry.code.store(code, std::memory_order_release);
  entry.number.store(number, std::memory_order_release);
}

void CallLog::Start() {
  header().enabled.store(0, std::memory_order_seq_cst);
  // The next generation's processes find new places, whatever a call in flight still writes.
  header().generation.fetch_add(1, std::memory_order_relaxed);
  std::memset(static_cast<void*>(base_ + kHeaderSize), 0, kCallLogSize - kHeaderSize);
  header().processes.store(0, std::memory_order_relaxed);
  header().calls.store(0, std::memory_order_relaxed);
  header().enabled.store(1, std::memory_order_seq_cst);
}

}  // namespace assay::fakegpu::layout
