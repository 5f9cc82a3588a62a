#include "api/client/event_recorder.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include "api/core/types.h"
#include "api/json/json.h"

namespace assay::api::client {

// An event that has been written, or is being written.
struct EventRecorder::Known {
  core::Event event;
  bool created = false;
  bool writing = false;
  bool changed = false;  // Once more while it was being written.
};

EventRecorder::EventRecorder(Client& client, std::string component, std::string host)
    : client_(&client), component_(std::move(component)), host_(std::move(host)) {}

EventRecorder::~EventRecorder() { *alive_ = false; }

void EventRecorder::Record(const Object& about, const EventText& text) {
  const meta::ObjectMeta& object = about.metadata();
  const WallTime now = client_->loop().clock().Now();
  std::string key;
  for (const std::string_view part :
       {std::string_view(about.kind().kind), std::string_view(object.namespace_),
        std::string_view(object.name), std::string_view(object.uid), text.type,
        std::string_view(text.reason), std::string_view(text.message)}) {
    key.append(part).push_back('\0');
  }
  if (const auto known = known_.find(key); known != known_.end()) {
    core::Event& event = known->second->event;
    if (event.event_time.empty()) {
      ++event.count;
      event.last_timestamp = meta::Time::From(now);
    } else {
      // The newer form of Events counts in a series.
      if (!event.series) {
        event.series.emplace();
        event.series->count = 1;
      }
      ++event.series->count;
      event.series->last_observed_time = meta::MicroTime::From(now);
    }
    Write(known->second);
    return;
  }

  // Shared with the write under way, which may outlive its place in known_.
  auto fresh = std::make_shared<Known>();
  core::Event& event = fresh->event;
  char suffix[40];
  std::snprintf(suffix, sizeof suffix, ".%llx",
                static_cast<unsigned long long>(now.time_since_epoch().count()) + sequence_++);
  event.metadata.name = object.name + suffix;
  event.metadata.namespace_ = object.namespace_.empty() ? "default" : object.namespace_;
  event.involved_object = {.kind = about.kind().kind,
                           .namespace_ = object.namespace_,
                           .name = object.name,
                           .uid = object.uid,
                           .api_version = about.kind().HubGvk().ApiVersion(),
                           .resource_version = object.resource_version,
                           .field_path = ""};
  event.type = text.type;
  event.reason = text.reason;
  event.message = text.message;
  event.reporting_component = component_;
  if (text.action.empty()) {
    event.source.component = component_;
    event.source.host = host_;
    event.reporting_instance = host_;
    event.first_timestamp = meta::Time::From(now);
    event.last_timestamp = event.first_timestamp;
    event.count = 1;
  } else {
    // As events.k8s.io/v1, which names what was tried and has one time.
    event.action = text.action;
    event.reporting_instance = component_ + (host_.empty() ? "-assay" : "-" + host_);
    event.event_time = meta::MicroTime::From(now);
  }
  known_[key] = fresh;
  recent_.push_back(key);
  if (recent_.size() > kMaxKnown) {
    known_.erase(recent_.front());
    recent_.pop_front();
  }
  Write(fresh);
}

void EventRecorder::Write(const std::shared_ptr<Known>& known) {
  if (known->writing) {
    known->changed = true;
    return;
  }
  known->writing = true;
  known->changed = false;
  const auto done = [this, alive = alive_, known](const Result<Object>& written) {
    if (!*alive) {
      return;
    }
    known->writing = false;
    known->created = written.ok() || known->created;
    if (known->changed && known->created) {
      Write(known);
    }
  };
  const core::Event& event = known->event;
  if (!known->created) {
    client_->Create(Object::Of(event), {}, done);
    return;
  }
  std::string patch;
  if (event.series) {
    patch = R"({"series":)" + json::EncodeAs(*event.series) + "}";
  } else {
    patch = R"({"count":)" + std::to_string(event.count) + R"(,"lastTimestamp":")" +
            event.last_timestamp.ToString() + R"("})";
  }
  client_->Patch(KindOf<core::Event>(), {event.metadata.namespace_, event.metadata.name},
                 std::move(patch), {.type = PatchType::kMerge}, done);
}

}  // namespace assay::api::client
