// Conversion between the served versions of a kind.
//
// An Object always holds the hub version (api/object.h). Other versions exist only at the edge:
// what a client sent in v1beta1 is decoded into v1beta1's own struct, converted here, and converted
// back for whoever reads v1beta1. Fields are copied by their names; two structs differ in more than
// types:
//
//   v1beta1 DeviceRequest has the fields of v1's `exactly` beside `firstAvailable`;
//   v1beta1 Device has all but its name within `basic`;
//   scheduling v1alpha2 PodGroup says disruptionMode in a word and nests the name of its template.
//
// Source: pkg/apis/resource/v1beta1/conversion.go; for PodGroup, of which no Kubernetes serves both
// forms, the fields' meaning. Fields of 1.37 exist in every version here, as
// the schemas say.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_CONVERSION_CONVERSION_H_
#define ASSAY_API_CONVERSION_CONVERSION_H_

#include <memory>

#include "api/object.h"
#include "api/schema/descriptor.h"

namespace assay::api::conversion {

// `value` is a value of `version.message`, one of the kind's versions.
Object ToHub(const Kind& kind, const KindVersion& version, const void* value);

// A value of `version.message`, one of the versions of the object's kind. For the hub version it is
// the object's own, which must not be changed.
std::shared_ptr<const void> FromHub(const Object& object, const KindVersion& version);

// Copies `from` into `to`, a fresh value (all zero) of a struct that corresponds to it.
void ConvertMessage(const schema::MessageDescriptor& from_type, const void* from,
                    const schema::MessageDescriptor& to_type, void* to);

// Whether JSON of the one type, all through, is JSON of the other.
bool SameFields(const schema::MessageDescriptor& a, const schema::MessageDescriptor& b);

}  // namespace assay::api::conversion

#endif  // ASSAY_API_CONVERSION_CONVERSION_H_
