// Monitor: keeps the picture of the hardware fresh, on threads of its own, so that nobody else
// waits for the hardware longer than he wants to.
//
// It looks twice a second, at once after an XID, and when asked.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_DISCOVERY_MONITOR_H_
#define ASSAY_DRIVER_REF_DISCOVERY_MONITOR_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "driver-ref/discovery/backend.h"
#include "driver-ref/discovery/devices.h"

namespace assay::driver_ref::discovery {

// The hardware at one moment.
struct Picture {
  Inventory inventory;
  // Of the GPUs that need something: the XID that was last seen, by UUID.
  std::map<std::string, std::uint64_t> xids;
  WallTime time;  // When the hardware was last looked at.

  // Refers to this.
  std::optional<NodeDevice> Find(const std::string& device_name) const;
};

class Monitor {
 public:
  struct Options {
    Duration interval = std::chrono::milliseconds(500);
  };

  // `backend` outlives this.
  explicit Monitor(Backend& backend) : Monitor(backend, Options()) {}
  Monitor(Backend& backend, Options options);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // `on_change` is called on the monitor's thread when the inventory or an XID is new; before
  // Start.
  void AddListener(std::function<void()> on_change);
  void Start();
  // Returns once the hardware answers or `timeout` has passed, as the hardware may do so.
  void Stop();

  // The last picture; nothing before the hardware answered for the first time.
  std::optional<Picture> Last() const;
  // A look at the hardware that begins after this call. The last picture if the hardware takes
  // longer than `timeout`; an error if it cannot be looked at.
  Result<Picture> Refresh(Duration timeout);

 private:
  void LookLoop(const std::stop_token& stop);
  void XidLoop(const std::stop_token& stop);

  Backend* backend_;
  Options options_;
  std::vector<std::function<void()>> listeners_;

  mutable std::mutex mu_;
  std::condition_variable_any wake_;    // Somebody wants a look.
  std::condition_variable_any looked_;  // A look has ended.
  std::uint64_t wanted_ = 0;            // Looks asked for. Guarded by mu_.
  std::uint64_t done_ = 0;              // The value of wanted_ that the last look served. mu_.
  Status last_status_;                  // Of the last look. Guarded by mu_.
  std::optional<Picture> picture_;      // Guarded by mu_.
  std::map<std::string, std::uint64_t> xids_;  // Guarded by mu_.

  std::jthread look_thread_;
  std::jthread xid_thread_;
};

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_MONITOR_H_
