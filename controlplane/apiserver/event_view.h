// Events are served by two groups, "" and events.k8s.io, under different field names, but are
// stored once: as those of the core group, which kubectl reads. This is the translation between the
// two.
//
// Source: pkg/apis/events/v1/conversion.go. Thread-safe: pure functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_EVENT_VIEW_H_
#define ASSAY_CONTROLPLANE_APISERVER_EVENT_VIEW_H_

#include "api/object.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

// The kind that objects of `kind` are stored as: itself, but for Events of events.k8s.io.
const api::Kind& StoredKind(const api::Kind& kind);

api::Object ToStored(const api::Object& object);

// What is stored, as an object of `kind`. Null stays null.
store::VersionPtr ShownAs(const api::Kind& kind, const store::VersionPtr& stored,
                          const store::Encoder& encoder);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_EVENT_VIEW_H_
