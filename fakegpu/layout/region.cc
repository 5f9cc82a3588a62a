#include "fakegpu/layout/region.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <new>

namespace assay::fakegpu::layout {
namespace {

// The commit being prepared is the last one or the next; else readers would look again for ever.
// Writers may commit between the loads, which only narrows what is let through.
bool CommitsAgree(const Header& header) {
  const std::uint64_t before = header.committed.load(std::memory_order_acquire);
  const std::uint64_t preparing = header.preparing.load(std::memory_order_acquire);
  const std::uint64_t after = header.committed.load(std::memory_order_acquire);
  return preparing >= before && (preparing <= after || preparing - after == 1);
}

}  // namespace

const char* OpenErrorText(OpenError error) {
  switch (error) {
    case OpenError::kNone:
      return "no error";
    case OpenError::kNotFound:
      return "there is no such file";
    case OpenError::kNoPermission:
      return "permission denied";
    case OpenError::kSystem:
      return "the system refused";
    case OpenError::kForeign:
      return "this is no state file of this version of Assay";
    case OpenError::kCorrupt:
      return "the file is damaged: its sizes or commit numbers do not agree";
  }
  return "unknown error";
}

OpenError OpenErrorOf(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return OpenError::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return OpenError::kNoPermission;
    default:
      return OpenError::kSystem;
  }
}

void FormatRegion(void* memory, const NodeState& node, const GpuState* gpus,
                  std::uint32_t gpu_count, std::uint64_t instance_id) {
  Header* header = new (memory) Header{};
  std::memcpy(header->magic, kMagic, sizeof(kMagic));
  header->layout_version = kLayoutVersion;
  header->node_size = sizeof(NodeState);
  header->gpu_size = sizeof(GpuState);
  header->event_size = sizeof(Event);
  header->gpu_capacity = gpu_count;
  header->instance_id = instance_id;
  header->file_size = FileSize(gpu_count);
  for (std::size_t copy = 0; copy < 2; ++copy) {
    char* base = static_cast<char*>(memory) + kHeaderSize + copy * CopySize(gpu_count);
    std::memcpy(base, &node, sizeof(node));
    std::memcpy(base + sizeof(node), gpus, std::size_t{gpu_count} * sizeof(GpuState));
  }
}

OpenError Region::Open(const char* path, bool writable) {
  const int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) {
    return OpenErrorOf(errno);
  }
  const OpenError error = Map(fd, writable);
  close(fd);
  return error;
}

OpenError Region::Map(int fd, bool writable) {
  // Not fstat: its symbol is of glibc 2.33, too new for where this is loaded.
  const off_t end = lseek(fd, 0, SEEK_END);
  if (end < static_cast<off_t>(kHeaderSize)) {
    return end < 0 ? OpenError::kSystem : OpenError::kForeign;
  }
  const auto size = static_cast<std::size_t>(end);
  void* memory =
      mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    return OpenError::kSystem;
  }
  const auto& header = *static_cast<const Header*>(memory);
  OpenError error = OpenError::kNone;
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 ||
      header.layout_version != kLayoutVersion || header.node_size != sizeof(NodeState) ||
      header.gpu_size != sizeof(GpuState) || header.event_size != sizeof(Event)) {
    error = OpenError::kForeign;
  } else if (header.gpu_capacity > kMaxGpus || header.file_size != size ||
             size != FileSize(header.gpu_capacity) || !CommitsAgree(header)) {
    error = OpenError::kCorrupt;
  }
  if (error != OpenError::kNone) {
    munmap(memory, size);
    return error;
  }
  base_ = static_cast<char*>(memory);
  size_ = size;
  gpu_capacity_ = header.gpu_capacity;
  copy_size_ = CopySize(gpu_capacity_);
  return OpenError::kNone;
}

void Region::Close() {
  if (base_ != nullptr) {
    munmap(base_, size_);
    base_ = nullptr;
  }
}

bool Region::ReadEvent(std::uint64_t number, Event* event) const {
  const Event& entry = events()[number % kEventRing];
  // A writer stores the number first as 0 and last as what it is (Transaction::AddEvent).
  const auto& entry_number = reinterpret_cast<const std::atomic<std::uint64_t>&>(entry.number);
  if (entry_number.load(std::memory_order_acquire) != number) {
    return false;
  }
  std::memcpy(event, &entry, sizeof(*event));
  LoadFence();
  return entry_number.load(std::memory_order_relaxed) == number;
}

bool Region::WaitForEvent(std::uint32_t seen, std::int64_t timeout_ns) const {
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(timeout_ns / 1'000'000'000);
  timeout.tv_nsec = static_cast<long>(timeout_ns % 1'000'000'000);
  // Shared, not FUTEX_PRIVATE_FLAG: the waker is another process.
  const long result = syscall(SYS_futex, &header().event_futex, FUTEX_WAIT, seen,
                              timeout_ns < 0 ? nullptr : &timeout, nullptr, 0);
  return result == 0 || errno != ETIMEDOUT;
}

}  // namespace assay::fakegpu::layout
