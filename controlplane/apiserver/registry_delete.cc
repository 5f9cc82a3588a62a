// Deletion: preconditions, grace periods, finalizers, propagation. Source: apiserver,
// pkg/registry/rest/delete.go and pkg/registry/generic/registry/store.go.

#include <algorithm>
#include <utility>

#include "api/core/types.h"
#include "api/meta/status.h"
#include "controlplane/apiserver/event_view.h"
#include "controlplane/apiserver/finalizers.h"
#include "controlplane/apiserver/node_restriction.h"
#include "controlplane/apiserver/registry.h"

namespace assay::controlplane::apiserver {
namespace {

namespace core = api::core;
namespace meta = api::meta;

// Source: registry/core/pod/strategy.go, CheckGracefulDelete.
std::int64_t PodGracePeriod(const core::Pod& pod, const DeleteQuery& query) {
  std::int64_t period =
      query.grace_period_seconds.value_or(pod.spec.termination_grace_period_seconds.value_or(0));
  if (pod.spec.node_name.empty() || pod.status.phase == "Failed" ||
      pod.status.phase == "Succeeded") {
    period = 0;
  }
  return period < 0 ? 1 : period;
}

// What a deletion does to an object that is not simply removed.
enum class Step {
  kRemove,   // It can go now.
  kMark,     // The draft is to be stored, and waits.
  kPending,  // It is being deleted already; nothing changes.
};

std::vector<std::string> FinalizersFor(const meta::ObjectMeta& metadata, const DeleteQuery& query) {
  bool orphan = false;
  bool foreground = false;
  if (query.orphan_dependents) {
    orphan = *query.orphan_dependents;
  } else if (query.propagation_policy) {
    orphan = *query.propagation_policy == "Orphan";
    foreground = *query.propagation_policy == "Foreground";
  } else {
    orphan = HasFinalizer(metadata.finalizers, kOrphanFinalizer);
    foreground = !orphan && HasFinalizer(metadata.finalizers, kForegroundFinalizer);
  }
  std::vector<std::string> finalizers;
  for (const std::string& finalizer : metadata.finalizers) {
    if (finalizer != kOrphanFinalizer && finalizer != kForegroundFinalizer) {
      finalizers.push_back(finalizer);
    }
  }
  if (orphan) {
    finalizers.emplace_back(kOrphanFinalizer);
  }
  if (foreground) {
    finalizers.emplace_back(kForegroundFinalizer);
  }
  return finalizers;
}

void Bump(meta::ObjectMeta& metadata) {
  if (metadata.generation > 0) {
    ++metadata.generation;
  }
}

// Graceful deletion, which only pods have: the node's agent makes an end of them.
Step GracefulStep(Draft& draft, const DeleteQuery& query, WallTime now) {
  meta::ObjectMeta& metadata = draft.metadata();
  const auto after = [](meta::Time time, std::int64_t seconds) {
    return meta::Time::FromUnix(time.unix_seconds() + seconds);
  };
  if (metadata.deletion_timestamp) {
    std::int64_t granted = metadata.deletion_grace_period_seconds.value_or(0);
    if (granted == 0) {
      return Step::kRemove;
    }
    if (!query.grace_period_seconds) {
      return Step::kPending;
    }
    std::int64_t period = *query.grace_period_seconds < 0 ? 1 : *query.grace_period_seconds;
    if (period >= granted) {
      return Step::kPending;
    }
    meta::Time end = after(*metadata.deletion_timestamp, period - granted);
    if (end < meta::Time::From(now)) {
      end = meta::Time::From(now);
      period = period == 0 ? 0 : 1;
    }
    metadata.deletion_timestamp = end;
    metadata.deletion_grace_period_seconds = period;
    return period == 0 ? Step::kRemove : Step::kMark;
  }
  std::int64_t period = PodGracePeriod(draft.As<core::Pod>(), query);
  metadata.deletion_timestamp = after(meta::Time::From(now), period);
  metadata.deletion_grace_period_seconds = period;
  Bump(metadata);
  return period == 0 ? Step::kRemove : Step::kMark;
}

void MarkAsDeleting(meta::ObjectMeta& metadata, WallTime time) {
  meta::Time now = meta::Time::From(time);
  if (!metadata.deletion_timestamp) {
    Bump(metadata);
  }
  if (!metadata.deletion_timestamp || *metadata.deletion_timestamp > now) {
    metadata.deletion_timestamp = now;
  }
  metadata.deletion_grace_period_seconds = 0;
}

// What becomes of `draft`, a copy of what is stored.
Step Decide(Draft& draft, const DeleteQuery& query, WallTime now) {
  const api::Kind& kind = draft.kind();
  Step step = Step::kRemove;
  if (&kind == &api::KindOf<core::Pod>()) {
    step = GracefulStep(draft, query, now);
    if (step == Step::kPending) {
      return step;
    }
  }
  meta::ObjectMeta& metadata = draft.metadata();
  metadata.finalizers = FinalizersFor(metadata, query);
  bool waits = !metadata.finalizers.empty();
  if (&kind == &api::KindOf<core::Namespace>()) {
    // Source: registry/core/namespace/storage: it waits for its content.
    auto& ns = draft.As<core::Namespace>();
    waits = waits || !ns.spec.finalizers.empty();
    ns.status.phase = "Terminating";
  }
  if (waits && step == Step::kRemove) {
    if (&kind != &api::KindOf<core::Pod>() || !metadata.deletion_timestamp) {
      MarkAsDeleting(metadata, now);
    }
    return Step::kMark;
  }
  return step;
}

ApiError CheckPreconditions(const api::Object& object, const DeleteQuery& query) {
  const meta::ObjectMeta& metadata = object.metadata();
  // Upstream names the kind here, where else it names the resource.
  meta::GroupResource named{object.kind().group, object.kind().kind};
  if (query.uid && *query.uid != metadata.uid) {
    return meta::Conflict(named, object.name(),
                          "the UID in the precondition (" + *query.uid +
                              ") does not match the UID in record (" + metadata.uid +
                              "). The object might have been deleted and then recreated");
  }
  if (query.resource_version && *query.resource_version != metadata.resource_version) {
    return meta::Conflict(named, object.name(),
                          "the ResourceVersion in the precondition (" + *query.resource_version +
                              ") does not match the ResourceVersion in record (" +
                              metadata.resource_version + "). The object might have been modified");
  }
  return std::nullopt;
}

ApiError CheckOptions(const DeleteQuery& query) {
  auto invalid = [](std::string field, std::string message, std::string reason) {
    std::string text = " \"\" is invalid: " + field + ": " + message;
    return meta::Invalid({"meta.k8s.io", "DeleteOptions"}, "",
                         {{.reason = std::move(reason), .message = message, .field = field}},
                         "DeleteOptions.meta.k8s.io" + text);
  };
  if (query.propagation_policy && query.orphan_dependents) {
    return invalid("propagationPolicy",
                   "Invalid value: \"" + *query.propagation_policy +
                       "\": orphanDependents and deletionPropagation cannot be both set",
                   "FieldValueInvalid");
  }
  if (query.propagation_policy && *query.propagation_policy != "Orphan" &&
      *query.propagation_policy != "Background" && *query.propagation_policy != "Foreground") {
    return invalid("propagationPolicy",
                   "Unsupported value: \"" + *query.propagation_policy +
                       "\": supported values: \"Background\", \"Foreground\", \"Orphan\"",
                   "FieldValueNotSupported");
  }
  return std::nullopt;
}

}  // namespace

ApiResult<VersionPtr> Registry::Remove(const VersionPtr& current, const RequestContext& context) {
  const api::Object& object = current->object();
  if (context.dry_run) {
    return current;
  }
  Result<VersionPtr> deleted = store_.Delete(object.kind(), {object.namespace_(), object.name()},
                                             current->resource_version());
  if (deleted.ok()) {
    return *deleted;
  }
  return meta::Conflict({object.kind().group, object.kind().resource}, object.name(),
                        deleted.status().message());
}

ApiResult<DeleteAnswer> Registry::Delete(const api::Kind& kind, const Key& key, DeleteQuery query,
                                         RequestContext& context) {
  if (&StoredKind(kind) != &kind) {
    ASSAY_API_ASSIGN_OR_RETURN(DeleteAnswer deleted,
                               Delete(StoredKind(kind), key, std::move(query), context));
    deleted.object = ShownAs(kind, deleted.object, store_.encoder());
    return deleted;
  }
  ASSAY_API_RETURN_IF_ERROR(CheckOptions(query));
  for (int attempt = 0; attempt < kMaxWriteAttempts; ++attempt) {
    VersionPtr current = store_.Get(kind, key);
    if (current == nullptr) {
      return meta::NotFound({kind.group, kind.resource}, key.name);
    }
    ASSAY_API_RETURN_IF_ERROR(CheckPreconditions(current->object(), query));
    ASSAY_API_RETURN_IF_ERROR(RestrictNodeDelete(context.user, current->object()));

    Draft draft = Draft::CopyOf(current->object());
    Step step = Decide(draft, query, clock().Now());
    if (step == Step::kPending) {
      return DeleteAnswer{.object = current, .deleted = false};
    }
    if (step == Step::kRemove) {
      ApiResult<VersionPtr> removed = Remove(current, context);
      if (removed.ok()) {
        return DeleteAnswer{.object = *removed, .deleted = true};
      }
      continue;  // Somebody else wrote in between.
    }
    api::Object marked = std::move(draft).Freeze();
    if (api::schema::Equal(kind.hub(), marked.data(), current->object().data())) {
      return DeleteAnswer{.object = current, .deleted = false};
    }
    if (context.dry_run) {
      return DeleteAnswer{.object = std::make_shared<const store::Version>(
                              marked, current->resource_version(), &store_.encoder()),
                          .deleted = false};
    }
    Result<VersionPtr> updated = store_.Update(Draft::CopyOf(marked), current->resource_version());
    if (updated.ok()) {
      return DeleteAnswer{.object = *updated, .deleted = false};
    }
  }
  return meta::Conflict({kind.group, kind.resource}, key.name,
                        "the object was modified again and again while it was being deleted");
}

ApiResult<ListAnswer> Registry::DeleteCollection(const api::Kind& kind, const ListQuery& which,
                                                 const DeleteQuery& query,
                                                 RequestContext& context) {
  ASSAY_API_ASSIGN_OR_RETURN(ListAnswer listed, List(kind, which));
  for (VersionPtr& item : listed.items) {
    const api::Object& object = item->object();
    ApiResult<DeleteAnswer> answer =
        Delete(kind, {object.namespace_(), object.name()}, query, context);
    if (answer.ok()) {
      item = answer->object;
    } else if (answer.error().reason != meta::reason::kNotFound) {
      return answer.error();
    }
  }
  return listed;
}

}  // namespace assay::controlplane::apiserver
