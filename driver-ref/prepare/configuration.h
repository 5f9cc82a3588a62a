// What claims set of their GPUs: set while they are prepared, and as it was before when they are no
// longer.
//
// Thread-safe; to be called with the checkpoint's lock held.
#ifndef ASSAY_DRIVER_REF_PREPARE_CONFIGURATION_H_
#define ASSAY_DRIVER_REF_PREPARE_CONFIGURATION_H_

#include <string>
#include <vector>

#include "base/result.h"
#include "driver-ref/discovery/configurator.h"
#include "driver-ref/discovery/monitor.h"
#include "driver-ref/prepare/checkpoint.h"

namespace assay::driver_ref::prepare {

class Configuration {
 public:
  // `configurator`, where it is not null, outlives this.
  explicit Configuration(discovery::Configurator* configurator) : configurator_(configurator) {}

  // Notes what the settings are now, before anything is changed; what `former`, the claim's record
  // of an earlier try, knows already stays. kInvalidArgument where a device takes no settings.
  Status Note(std::vector<DeviceRecord>& devices, const ClaimRecord* former,
              const discovery::Picture& picture) const;
  Status Apply(const std::vector<DeviceRecord>& devices) const;
  // Sets them as they were. A GPU that is gone, lost or without its driver has forgotten them.
  Status Restore(const std::vector<DeviceRecord>& devices) const;

 private:
  discovery::Configurator* configurator_;
};

}  // namespace assay::driver_ref::prepare

#endif  // ASSAY_DRIVER_REF_PREPARE_CONFIGURATION_H_
