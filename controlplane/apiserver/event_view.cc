#include "controlplane/apiserver/event_view.h"

#include <memory>
#include <utility>

#include "api/core/types.h"
#include "api/events/types.h"

namespace assay::controlplane::apiserver {
namespace {

using CoreEvent = api::core::Event;
using NewEvent = api::events::Event;

CoreEvent ToCore(const NewEvent& event) {
  CoreEvent core{.metadata = event.metadata,
                 .involved_object = event.regarding,
                 .reason = event.reason,
                 .message = event.note,
                 .source = event.deprecated_source,
                 .first_timestamp = event.deprecated_first_timestamp,
                 .last_timestamp = event.deprecated_last_timestamp,
                 .count = event.deprecated_count,
                 .type = event.type,
                 .event_time = event.event_time,
                 .action = event.action,
                 .related = event.related,
                 .reporting_component = event.reporting_controller,
                 .reporting_instance = event.reporting_instance};
  if (event.series) {
    core.series = {.count = event.series->count,
                   .last_observed_time = event.series->last_observed_time};
  }
  return core;
}

NewEvent FromCore(const CoreEvent& core) {
  NewEvent event{.metadata = core.metadata,
                 .event_time = core.event_time,
                 .reporting_controller = core.reporting_component,
                 .reporting_instance = core.reporting_instance,
                 .action = core.action,
                 .reason = core.reason,
                 .regarding = core.involved_object,
                 .related = core.related,
                 .note = core.message,
                 .type = core.type,
                 .deprecated_source = core.source,
                 .deprecated_first_timestamp = core.first_timestamp,
                 .deprecated_last_timestamp = core.last_timestamp,
                 .deprecated_count = core.count};
  if (core.series) {
    event.series = {.count = core.series->count,
                    .last_observed_time = core.series->last_observed_time};
  }
  return event;
}

}  // namespace

const api::Kind& StoredKind(const api::Kind& kind) {
  return &kind == &api::KindOf<NewEvent>() ? api::KindOf<CoreEvent>() : kind;
}

api::Object ToStored(const api::Object& object) {
  return object.Is<NewEvent>() ? api::Object::Of(ToCore(object.As<NewEvent>())) : object;
}

store::VersionPtr ShownAs(const api::Kind& kind, const store::VersionPtr& stored,
                          const store::Encoder& encoder) {
  if (stored == nullptr || &stored->object().kind() == &kind) {
    return stored;
  }
  return std::make_shared<const store::Version>(
      api::Object::Of(FromCore(stored->object().As<CoreEvent>())), stored->resource_version(),
      &encoder);
}

}  // namespace assay::controlplane::apiserver
