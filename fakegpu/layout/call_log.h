// The call log: which functions client processes called, and what they were answered. A second file
// beside the state, which clients write and the node only switches on and off.
//
//   0                 CallLogHeader
//   kHeaderSize       kLoggedProcesses LoggedProcesses, the last for all that came later
//                     kLoggedCalls LoggedCalls, a ring of the last ones
//
// Nothing is locked: counts are added to atomically, a ring entry is numbered last, so a process
// that dies anywhere leaves at most one entry that readers skip. Processes are as they see
// themselves: in a container, by its ids.
//
// Freestanding. Thread-safe once open; any number of processes.
#ifndef ASSAY_FAKEGPU_LAYOUT_CALL_LOG_H_
#define ASSAY_FAKEGPU_LAYOUT_CALL_LOG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fakegpu/layout/region.h"

namespace assay::fakegpu::layout {

inline constexpr char kCallLogMagic[8] = {'A', 'S', 'S', 'A', 'Y', 'L', 'O', 'G'};
inline constexpr char kCallLogSuffix[] = ".calls";  // After the state file's path.
inline constexpr std::uint32_t kLoggedProcesses = 256;
inline constexpr std::uint32_t kLoggedCalls = 65536;

// The functions, by their number in the log.
inline constexpr const char* kFunctionNames[] = {
#define NVML_FUNCTION(result, name, parameters) #name,
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
#define NVML_NEWER(name) #name,
#define NVML_UNDECLARED(name) #name,
#include "fakegpu/abi/unlisted_functions.def"
#undef NVML_NEWER
#undef NVML_UNDECLARED
};
inline constexpr std::uint32_t kFunctions = sizeof(kFunctionNames) / sizeof(kFunctionNames[0]);

// Return codes are counted by their number; all from kOtherCode on in one, as NVML has none there
// but NVML_ERROR_UNKNOWN.
inline constexpr std::uint32_t kOtherCode = 31;
inline constexpr std::uint32_t kCodes = kOtherCode + 1;

struct CallLogHeader {
  char magic[8];
  std::uint32_t function_count;
  std::uint32_t reserved;
  std::uint64_t instance_id;  // Of this making of the node.
  std::uint64_t file_size;
  std::atomic<std::uint32_t> enabled;
  std::atomic<std::uint32_t> generation;  // Changes when the log is begun anew.
  std::atomic<std::uint64_t> processes;   // That came, of this generation.
  std::atomic<std::uint64_t> calls;       // Likewise; the ring's next entry.
};
static_assert(sizeof(CallLogHeader) <= kHeaderSize);

struct LoggedProcess {
  std::atomic<std::uint32_t> pid;  // Written last; 0: unused.
  std::uint32_t reserved;
  char name[56];
  std::atomic<std::uint64_t> counts[kFunctions][kCodes];
};

struct LoggedCall {
  std::atomic<std::uint64_t> number;  // From 1; 0 while the entry is being written.
  std::atomic<std::int64_t> time_ns;  // Since 1970, when the call returned.
  std::atomic<std::uint32_t> pid;
  std::atomic<std::uint32_t> function;
  std::atomic<std::uint32_t> gpu;  // Its slot, or kAnyGpu: the call names none.
  std::atomic<std::int32_t> code;
};

inline constexpr std::size_t kCallLogSize = kHeaderSize + kLoggedProcesses * sizeof(LoggedProcess) +
                                            std::size_t{kLoggedCalls} * sizeof(LoggedCall);

class CallLog {
 public:
  CallLog() = default;
  CallLog(const CallLog&) = delete;
  CallLog& operator=(const CallLog&) = delete;
  ~CallLog() { Close(); }

  // Maps the log beside the state file `state_path`. On an error nothing stays mapped.
  OpenError Open(const char* state_path, bool writable);
  void Close();

  bool is_open() const { return base_ != nullptr; }
  bool IsOn() const {
    return base_ != nullptr && header().enabled.load(std::memory_order_relaxed) != 0;
  }

  // Logs a call of this process that has returned.
  void Record(std::uint32_t function, std::uint32_t gpu, std::int32_t code);

  // Forgets everything and logs from now on. Calls in flight are logged or not.
  void Start();
  void Stop() { header().enabled.store(0, std::memory_order_relaxed); }

  CallLogHeader& header() const { return *reinterpret_cast<CallLogHeader*>(base_); }
  // `place` < kLoggedProcesses.
  LoggedProcess& process(std::uint32_t place) const {
    return reinterpret_cast<LoggedProcess*>(base_ + kHeaderSize)[place];
  }
  // The ring's entry of call `number`, from 1.
  LoggedCall& call(std::uint64_t number) const {
    return reinterpret_cast<LoggedCall*>(&process(kLoggedProcesses))[number % kLoggedCalls];
  }

 private:
  LoggedProcess& OwnProcess(std::uint32_t pid);

  char* base_ = nullptr;
  // This process' place: pid << 32 | low half of the generation << 16 | place. A forked child has
  // another pid and so finds a place of its own.
  std::atomic<std::uint64_t> own_ = 0;
};

// Fills in the header of a new log, which is switched off.
void FormatCallLog(CallLogHeader* header, std::uint64_t instance_id);

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_CALL_LOG_H_
