// Attributes of published devices: set as the API server takes them.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_DISCOVERY_ATTRIBUTES_H_
#define ASSAY_DRIVER_REF_DISCOVERY_ATTRIBUTES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/resource/types.h"

namespace assay::driver_ref::discovery {

// Kubernetes' own names (k8s.io/dynamic-resource-allocation/deviceattribute).
inline constexpr std::string_view kPciBusId = "resource.kubernetes.io/pciBusID";
inline constexpr std::string_view kPcieRoot = "resource.kubernetes.io/pcieRoot";
inline constexpr std::string_view kNumaNode = "resource.kubernetes.io/numaNode";  // Since 1.37.

// Whether `text` is a DNS label: can name a device, a counter or a counter set.
bool IsLabel(std::string_view text);

// Each leaves the attribute out where there is no value, or none that the API server takes; a text
// that is too long is cut.
void SetString(api::resource::Device& device, std::string_view name, const std::string& value);
void SetVersion(api::resource::Device& device, std::string_view name, std::string_view value);
void SetInt(api::resource::Device& device, std::string_view name,
            std::optional<std::int64_t> value);

// A dotted version as semantic version 2.0 ("580.95.05" is "580.95.5", "13.0" is "13.0.0"), or ""
// if it is none.
std::string ToSemanticVersion(std::string_view version);

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_ATTRIBUTES_H_
