// Driver: all parts of the driver put together, from start to a clean end.
//
//   ASSAY_ASSIGN_OR_RETURN(auto driver, Driver::Start(options));
//   while (!asked_to_end) ASSAY_RETURN_IF_ERROR(driver->CheckSockets());
//   // The destructor leaves claims, CDI specs and slices for a successor.
//
// Not thread-safe.
#ifndef ASSAY_DRIVER_REF_DRIVER_H_
#define ASSAY_DRIVER_REF_DRIVER_H_

#include <memory>

#include "base/result.h"
#include "driver-ref/discovery/backend.h"
#include "driver-ref/options.h"

namespace assay::driver_ref {

class Driver {
 public:
  // `backend` is where GPUs are found. An error names what is in the way.
  static Result<std::unique_ptr<Driver>> Start(const Options& options,
                                               std::unique_ptr<discovery::Backend> backend,
                                               const std::string& nvml_path);
  // Removes the sockets and lets calls under way end.
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Brings a socket back that somebody removed or replaced. To be called about once a second.
  Status CheckSockets();

 private:
  struct Impl;
  explicit Driver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::driver_ref

#endif  // ASSAY_DRIVER_REF_DRIVER_H_
