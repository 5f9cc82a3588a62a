// Spawner: starts programs that may misbehave, and makes sure that none of them outlives its owner.
//
// A testee may hang, ignore SIGTERM, fork children into sessions of their own, or write without
// end. So each runs below a supervisor process that is a child subreaper: whatever the testee
// leaves behind becomes the supervisor's child, and KillTree ends when the supervisor has no child
// left. Supervisors are forked by one small spawner process that never has more than one thread,
// because PR_SET_PDEATHSIG (which takes the testee down with its supervisor) fires when the
// *thread* that forked ends. When this process dies, however it dies, the spawner sees its socket
// close and ends every tree.
//
//   auto spawner = Spawner::Start();        // Early: before threads are started.
//   auto process = (*spawner)->Spawn({.argv = {"/usr/bin/driver", "--verbose"}});
//   (*process)->Signal(SIGTERM);
//   std::optional<ExitStatus> exit = (*process)->WaitForExit(std::chrono::seconds(10));
//
// Thread-safe.
#ifndef ASSAY_CONFORMANCE_TESTEE_SPAWNER_H_
#define ASSAY_CONFORMANCE_TESTEE_SPAWNER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace assay::conformance {

struct ProcessOptions {
  std::vector<std::string> argv;           // argv[0] is looked up in PATH unless it has a '/'.
  std::map<std::string, std::string> env;  // The whole environment.
  std::filesystem::path working_directory = "/";
  // More output than this is a flood: the tree is killed, and flooded() tells.
  std::uint64_t max_output_bytes = std::uint64_t{64} << 20U;
};

struct ExitStatus {
  int code = 0;    // Where signal is 0.
  int signal = 0;  // The signal that ended it, or 0.

  // "exited with 1", "was ended by signal 9".
  std::string ToString() const;
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

// A started program and all that it starts. Destroying it kills what is left.
class Process {
 public:
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const;
  // Until the program itself has exited; its children may live on.
  bool running() const;
  bool flooded() const;
  // The exit status once it has one, else what it has after waiting for `limit`.
  std::optional<ExitStatus> WaitForExit(Duration limit);
  // kFailedPrecondition if it has exited. To the program alone.
  Status Signal(int signal);
  // SIGKILL to the program and every descendant, also those in other sessions and those whose
  // parents are gone; waits until none is left. kDeadlineExceeded if the kernel does not let go of
  // one within 10 s.
  Status KillTree();

  // Bytes of stdout and stderr so far.
  std::uint64_t output_bytes() const;
  // Output from byte `from` on. The first 64 KiB and the last 256 KiB are kept; what is between is
  // replaced by a line that tells how much was dropped.
  std::string Output(std::uint64_t from = 0) const;
  // Waits until the output from byte `from` on contains `text`, the program has exited and its
  // output has ended, or `limit` has passed. True if found.
  bool WaitForOutput(const std::string& text, std::uint64_t from, Duration limit);

  struct Impl;
  explicit Process(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

class Spawner {
 public:
  // Forks the spawner process. Call it while this process has one thread.
  static Result<std::unique_ptr<Spawner>> Start();
  // Ends every tree that is left.
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  // kNotFound or kPermissionDenied if the program cannot be executed; kInvalidArgument for options
  // over 128 KiB.
  Result<std::unique_ptr<Process>> Spawn(const ProcessOptions& options);

  // Of the spawner process, for its own tests.
  pid_t pid() const { return pid_; }

 private:
  Spawner(int socket, pid_t pid) : socket_(socket), pid_(pid) {}

  int socket_;
  pid_t pid_;
};

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_TESTEE_SPAWNER_H_
