// Fields of disabled feature gates are dropped before validation: always on create, and on update
// unless the stored object uses the feature already.
//
// Source: pkg/registry/resource/*/strategy.go and pkg/api/resourceclaimspec; for other kinds the
// gates that their schema names.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_GATES_H_
#define ASSAY_API_VALIDATION_GATES_H_

#include "api/compatibility.h"
#include "api/resource/types.h"
#include "api/schema/descriptor.h"

namespace assay::api::validation {

// `old` is null on create.
void DropDisabledSliceFields(resource::ResourceSlice& slice, const resource::ResourceSlice* old,
                             const Compatibility& compatibility);
void DropDisabledClaimSpecFields(resource::ResourceClaimSpec& spec,
                                 const resource::ResourceClaimSpec* old,
                                 const Compatibility& compatibility);
void DropDisabledClaimStatusFields(resource::ResourceClaim& claim,
                                   const resource::ResourceClaim& old,
                                   const Compatibility& compatibility);
// Status of devices that the old allocation had and the new one lacks, so that clients that do not
// know status.devices can deallocate.
void DropDeallocatedStatusDevices(resource::ResourceClaim& claim,
                                  const resource::ResourceClaim& old,
                                  const Compatibility& compatibility);
void DropDisabledDeviceClassFields(resource::DeviceClass& device_class,
                                   const resource::DeviceClass* old,
                                   const Compatibility& compatibility);

// Every field whose schema names a gate that is off, unless `old` (null on create) has a field of
// the same gate.
void DropGatedFields(const schema::MessageDescriptor& message, void* data, const void* old,
                     const Compatibility& compatibility);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_GATES_H_
