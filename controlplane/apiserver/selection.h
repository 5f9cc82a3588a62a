// Selection: which objects of a kind a list or watch wants, by label and by field, and what a
// change of an object means to somebody who sees only that selection.
//
// Thread-safe: values.
#ifndef ASSAY_CONTROLPLANE_APISERVER_SELECTION_H_
#define ASSAY_CONTROLPLANE_APISERVER_SELECTION_H_

#include <optional>
#include <string>
#include <string_view>

#include "api/compatibility.h"
#include "api/field_selector.h"
#include "api/meta/label_selector.h"
#include "api/object.h"
#include "base/result.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

struct Selection {
  api::meta::LabelQuery labels;
  api::FieldSelector fields;

  // kInvalidArgument in upstream's words: "unable to parse requirement: ...", "field label not
  // supported: spec.foo".
  static Result<Selection> Parse(const api::Kind& kind, api::Level level,
                                 std::string_view label_selector, std::string_view field_selector);

  bool MatchesEverything() const { return labels.MatchesEverything() && fields.empty(); }
  bool Matches(const api::Object& object) const {
    return labels.Matches(object.metadata().labels) && fields.Matches(object);
  }
};

// What a watcher of one namespace (empty: all) and selection is told of an event, if anything: an
// object that begins to match is ADDED for it, one that ceases to is DELETED, with its last
// matching state and the event's resource version. Source: apiserver,
// pkg/storage/cacher/cache_watcher.go.
std::optional<store::Event> SeenThrough(const Selection& selection, const std::string& namespace_,
                                        const store::Event& event, const store::Encoder& encoder);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_SELECTION_H_
