// Objects and lists in the form that a client asked for: themselves, a Table, or their metadata
// alone.
//
// Thread-safe: pure functions. All return JSON text.
#ifndef ASSAY_CONTROLPLANE_APISERVER_OBJECT_WRITER_H_
#define ASSAY_CONTROLPLANE_APISERVER_OBJECT_WRITER_H_

#include <string>

#include "api/object.h"
#include "api/table/table.h"
#include "base/clock.h"
#include "controlplane/apiserver/negotiation.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

struct WriteForm {
  const api::KindVersion* version = nullptr;  // Not null.
  OutputForm form = OutputForm::kObject;
  // Of a Table: the query parameter includeObject.
  api::table::IncludeObject include_object = api::table::IncludeObject::kMetadata;
  bool no_headers = false;
  WallTime now;
};

std::string WriteObject(const store::Version& object, const WriteForm& form);
std::string WriteList(const api::Kind& kind, const ListAnswer& list, const WriteForm& form);
// One line of a watch, with its newline. `type`: "ADDED".
std::string WriteEvent(std::string_view type, const store::Version& object, const WriteForm& form);
// A BOOKMARK; `initial_events_end` adds the annotation that ends a streamed list.
std::string WriteBookmark(const api::Kind& kind, std::uint64_t resource_version,
                          bool initial_events_end, const WriteForm& form);
// An ERROR.
std::string WriteErrorEvent(const api::meta::Status& status);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_OBJECT_WRITER_H_
