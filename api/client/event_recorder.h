// EventRecorder: writes core/v1 Events about objects, as client-go's recorder does: an event that
// repeats (same object, type, reason, message) becomes a higher count of the one that is there.
//
// Not thread-safe: lives on the client's loop. An event that cannot be written is dropped: events
// are hints for people.
#ifndef ASSAY_API_CLIENT_EVENT_RECORDER_H_
#define ASSAY_API_CLIENT_EVENT_RECORDER_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "api/client/client.h"
#include "api/object.h"

namespace assay::api::client {

inline constexpr std::string_view kEventNormal = "Normal";
inline constexpr std::string_view kEventWarning = "Warning";

struct EventText {
  std::string_view type = kEventNormal;
  std::string reason;
  std::string message;
  std::string action;  // What was tried; only newer components say so.
};

class EventRecorder {
 public:
  // `component`: who writes ("resource_claim"); `host`: the node on which it runs, if any.
  EventRecorder(Client& client, std::string component, std::string host = "");
  ~EventRecorder();

  void Record(const Object& about, const EventText& text);

 private:
  struct Known;
  void Write(const std::shared_ptr<Known>& known);

  // How many distinct events are remembered for counting, as client-go does.
  static constexpr std::size_t kMaxKnown = 4096;

  Client* client_;  // Outlives this.
  std::string component_;
  std::string host_;
  std::uint64_t sequence_ = 0;
  std::map<std::string, std::shared_ptr<Known>> known_;
  std::list<std::string> recent_;  // Keys of known_, oldest first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace assay::api::client

#endif  // ASSAY_API_CLIENT_EVENT_RECORDER_H_
