// Objects and lists in the form that a client asked for: themselves, a Table, or their metadata
// alone.
//
// As JSON, or, but for Tables, as protobuf: an answer in its envelope, a watch as frames of a
// length and a WatchEvent (apimachinery, runtime/serializer/protobuf and util/framer).
//
// Thread-safe: pure functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_OBJECT_WRITER_H_
#define ASSAY_CONTROLPLANE_APISERVER_OBJECT_WRITER_H_

#include <string>
#include <string_view>

#include "api/codec/codec.h"
#include "api/object.h"
#include "api/table/table.h"
#include "base/clock.h"
#include "controlplane/apiserver/negotiation.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

struct WriteForm {
  const api::KindVersion* version = nullptr;  // Not null.
  Output output;
  // Of a Table: the query parameter includeObject.
  api::table::IncludeObject include_object = api::table::IncludeObject::kMetadata;
  bool no_headers = false;
  WallTime now;
};

std::string WriteObject(const store::Version& object, const WriteForm& form);
std::string WriteList(const api::Kind& kind, const ListAnswer& list, const WriteForm& form);
// One event of a watch, with its newline or as a frame. `type`: "ADDED".
std::string WriteEvent(std::string_view type, const store::Version& object, const WriteForm& form);
// A BOOKMARK; `initial_events_end` adds the annotation that ends a streamed list.
std::string WriteBookmark(const api::Kind& kind, std::uint64_t resource_version,
                          bool initial_events_end, const WriteForm& form);
// An ERROR.
std::string WriteErrorEvent(const api::meta::Status& status, api::codec::Format format);
// The Content-Type of a watch.
std::string WatchMediaType(api::codec::Format format);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_OBJECT_WRITER_H_
