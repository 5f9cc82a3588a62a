// DeviceHooks: trouble with devices, on demand: unplugged, failed, healed, stalled. Assay's fake
// GPUs bring their own; a vendor's profile names commands.
//
// Thread-safe.
#ifndef ASSAY_CONFORMANCE_TESTEE_DEVICE_HOOKS_H_
#define ASSAY_CONFORMANCE_TESTEE_DEVICE_HOOKS_H_

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "conformance/testee/profile.h"
#include "conformance/testee/spawner.h"

namespace assay::conformance {

class DeviceHooks {
 public:
  virtual ~DeviceHooks() = default;

  virtual bool Has(Hook hook) const = 0;
  // `device` is what the profile's `devices.key` says: the value of that attribute, else the
  // device's name. kUnimplemented without the hook; kDeadlineExceeded, kInternal if it fails.
  virtual Status Run(Hook hook, const std::string& device) = 0;
};

// The profile's commands, run through `spawner`, which outlives this. A command's non-zero exit is
// an error with its output.
std::unique_ptr<DeviceHooks> CommandHooks(const Profile& profile, const Variables& variables,
                                          Spawner& spawner);

// The fake GPUs of the node whose state file is `state`; what they cannot do goes to `commands`.
Result<std::unique_ptr<DeviceHooks>> FakeGpuHooks(const std::filesystem::path& state,
                                                  std::unique_ptr<DeviceHooks> commands);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_TESTEE_DEVICE_HOOKS_H_
