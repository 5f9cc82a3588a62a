// Transcript: what passed between the harness and the driver, for the report of a case that fails:
// every call of the kubelet's side with its answer, and what was done to the driver and its
// devices. (The driver's requests are in the API server's RequestLog.)
//
// Thread-safe.
#ifndef ASSAY_CONFORMANCE_LAB_TRANSCRIPT_H_
#define ASSAY_CONFORMANCE_LAB_TRANSCRIPT_H_

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "conformance/testee/device_hooks.h"
#include "controlplane/node/driver_connection.h"

namespace assay::conformance {

struct TranscriptEntry {
  WallTime time{};
  std::string from;    // Who acted: "kubelet", "driver", "harness".
  std::string what;    // One line: "NodePrepareResources (v1) answered after 12 ms".
  std::string detail;  // JSON or text, of any length; may be empty.
};

class Transcript {
 public:
  // At the time that it is now.
  void Add(std::string from, std::string what, std::string detail = "");
  // Entries not older than `time`, oldest first; of very many only the last.
  std::vector<TranscriptEntry> Since(WallTime time) const;

 private:
  static constexpr std::size_t kMaxEntries = 1000;

  mutable std::mutex mu_;
  std::deque<TranscriptEntry> entries_;  // Guarded by mu_.
};

// Writes each call over `connection`, its answer and the messages of its streams into
// `transcript`, which outlives it.
std::unique_ptr<controlplane::node::DriverConnection> Transcribed(
    std::unique_ptr<controlplane::node::DriverConnection> connection, Transcript& transcript);

// Writes what is done to devices.
std::unique_ptr<DeviceHooks> Transcribed(std::unique_ptr<DeviceHooks> hooks,
                                         Transcript& transcript);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_LAB_TRANSCRIPT_H_
