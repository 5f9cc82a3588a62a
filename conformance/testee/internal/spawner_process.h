// What runs in the spawner process and in the supervisors that it forks: plain, single-threaded
// code that talks over sockets. See conformance/testee/spawner.h for why.
//
// Requests to the spawner are SOCK_SEQPACKET messages: a packed list of strings (working directory,
// argv, environment) with two file descriptors, the supervisor's end of its control socket and the
// write end of the output pipe. From then on the supervisor speaks with its owner directly.
#ifndef ASSAY_CONFORMANCE_TESTEE_INTERNAL_SPAWNER_PROCESS_H_
#define ASSAY_CONFORMANCE_TESTEE_INTERNAL_SPAWNER_PROCESS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::conformance::internal {

inline constexpr std::size_t kMaxRequestBytes = std::size_t{128} << 10U;

struct SpawnRequest {
  std::string working_directory;
  std::vector<std::string> argv;
  std::vector<std::string> env;  // "KEY=VALUE"
};

// Strings are separated by NUL, which none can hold; the lists' lengths come first.
std::string EncodeRequest(const SpawnRequest& request);
std::optional<SpawnRequest> DecodeRequest(std::string_view text);

// From the supervisor to its owner. Fixed size, one SOCK_SEQPACKET message each.
struct Report {
  enum class Kind : std::int32_t {
    kStarted,  // value: the pid
    kFailed,   // value: errno of what could not be done
    kExited,   // value: the status as waitpid gives it
    kGone,     // value: how many processes could not be ended
  };
  Kind kind;
  std::int32_t value;
};

// From the owner to the supervisor.
struct Command {
  enum class Kind : std::int32_t {
    kSignal,  // value: the signal
    kKillTree,
  };
  Kind kind;
  std::int32_t value;
};

// The spawner's main: serves requests from `socket` until it closes, then ends every descendant.
[[noreturn]] void RunSpawner(int socket);

}  // namespace assay::conformance::internal

#endif  // ASSAY_CONFORMANCE_TESTEE_INTERNAL_SPAWNER_PROCESS_H_
