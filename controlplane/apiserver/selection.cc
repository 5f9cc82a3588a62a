#include "controlplane/apiserver/selection.h"

#include <memory>
#include <utility>

#include "controlplane/apiserver/event_view.h"

namespace assay::controlplane::apiserver {

Result<Selection> Selection::Parse(const api::Kind& kind, api::Level level,
                                   std::string_view label_selector,
                                   std::string_view field_selector) {
  Selection selection;
  ASSAY_ASSIGN_OR_RETURN(selection.labels, api::meta::LabelQuery::Parse(label_selector));
  ASSAY_ASSIGN_OR_RETURN(selection.fields, api::FieldSelector::Parse(field_selector));
  ASSAY_RETURN_IF_ERROR(selection.fields.CheckFor(StoredKind(kind), level));
  return selection;
}

std::optional<store::Event> SeenThrough(const Selection& selection, const std::string& namespace_,
                                        const store::Event& event, const store::Encoder& encoder) {
  using store::EventType;
  const api::Object& object = event.object->object();
  if (!namespace_.empty() && object.namespace_() != namespace_) {
    return std::nullopt;
  }
  if (selection.MatchesEverything()) {
    return event;
  }
  bool matches = event.type != EventType::kDeleted && selection.Matches(object);
  bool matched = event.previous != nullptr && selection.Matches(event.previous->object());
  if (matches) {
    store::Event seen = event;
    seen.type = matched ? EventType::kModified : EventType::kAdded;
    return seen;
  }
  if (!matched) {
    return std::nullopt;
  }
  if (event.type == EventType::kDeleted) {
    return event;
  }
  store::Draft last = store::Draft::CopyOf(event.previous->object());
  last.metadata().resource_version = object.metadata().resource_version;
  return store::Event{EventType::kDeleted,
                      std::make_shared<const store::Version>(std::move(last).Freeze(),
                                                             event.resource_version(), &encoder),
                      event.previous};
}

}  // namespace assay::controlplane::apiserver
