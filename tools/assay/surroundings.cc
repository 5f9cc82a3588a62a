#include <semaphore.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <system_error>

#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

std::atomic<bool> interrupted = false;
// Any thread may run the handler; whoever waits is woken.
sem_t interrupts;
static_assert(std::atomic<bool>::is_always_lock_free);

void OnInterrupt(int signal) {
  if (interrupted.exchange(true)) {
    // The spawner sees that this process is gone and ends what it started.
    _exit(128 + signal);
  }
  sem_post(&interrupts);
}

}  // namespace

std::filesystem::path BinDirectory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

std::filesystem::path ShareDirectory() { return BinDirectory().parent_path() / "share" / "assay"; }

void CatchInterrupts() {
  sem_init(&interrupts, 0, 0);
  struct sigaction action{};
  action.sa_handler = OnInterrupt;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    sigaction(signal, &action, nullptr);
  }
}

bool Interrupted() { return interrupted; }

void WaitForInterrupt() {
  while (!Interrupted()) {
    (void)sem_wait(&interrupts);
  }
}

}  // namespace assay::tools
