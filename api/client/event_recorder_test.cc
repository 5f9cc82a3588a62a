#include "api/client/event_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"

namespace assay::api::client {
namespace {

using core::Event;
using core::Pod;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Remembers what is written, and answers when the loop runs.
class RecordingClient : public Client {
 public:
  EventLoop& loop() override { return event_loop; }
  void Create(Object object, WriteOptions, Callback<Object> done) override {
    created.push_back(object.As<Event>());
    event_loop.Post([done, object, fail = fail_creates] {
      done(fail ? Result<Object>(UnavailableError("down")) : Result<Object>(object));
    });
  }
  void Patch(const Kind&, ObjectKey key, std::string body, PatchOptions,
             Callback<Object> done) override {
    patches.push_back(key.name + " " + body);
    event_loop.Post([done] { done(Object()); });
  }
  void Get(const Kind&, ObjectKey, Callback<Object>) override {}
  void List(const Kind&, ListOptions, Callback<ObjectList>) override {}
  void Update(Object, WriteOptions, Callback<Object>) override {}
  void Delete(const Kind&, ObjectKey, DeleteOptions, DoneCallback) override {}
  void DeleteCollection(const Kind&, ListOptions, DoneCallback) override {}
  std::unique_ptr<WatchHandle> Watch(const Kind&, WatchOptions, std::function<void(WatchEvent)>,
                                     DoneCallback) override {
    return nullptr;
  }

  VirtualEventLoop event_loop;
  bool fail_creates = false;
  std::vector<Event> created;
  std::vector<std::string> patches;
};

Object MakePod() {
  Pod pod;
  pod.metadata.namespace_ = "ns";
  pod.metadata.name = "p";
  pod.metadata.uid = "u";
  pod.metadata.resource_version = "7";
  return Object::Of(std::move(pod));
}

TEST(EventRecorderTest, WritesWhoWhatAndWhen) {
  RecordingClient client;
  EventRecorder recorder(client, "tester", "node-1");
  recorder.Record(MakePod(), {.type = kEventWarning, .reason = "Odd", .message = "it is odd"});
  ASSERT_EQ(client.created.size(), 1u);
  const Event& event = client.created[0];
  EXPECT_THAT(event.metadata.name, StartsWith("p."));
  EXPECT_EQ(event.metadata.namespace_, "ns");
  EXPECT_EQ(event.involved_object.kind, "Pod");
  EXPECT_EQ(event.involved_object.api_version, "v1");
  EXPECT_EQ(event.involved_object.uid, "u");
  EXPECT_EQ(event.type, "Warning");
  EXPECT_EQ(event.reason, "Odd");
  EXPECT_EQ(event.message, "it is odd");
  EXPECT_EQ(event.source.component, "tester");
  EXPECT_EQ(event.source.host, "node-1");
  EXPECT_EQ(event.count, 1);
  EXPECT_EQ(event.first_timestamp, meta::Time::From(client.event_loop.clock().Now()));
}

TEST(EventRecorderTest, RepetitionsAreCounted) {
  RecordingClient client;
  EventRecorder recorder(client, "tester");
  recorder.Record(MakePod(), {.reason = "A", .message = "m"});
  client.event_loop.RunFor(seconds(10));
  recorder.Record(MakePod(), {.reason = "A", .message = "m"});
  recorder.Record(MakePod(), {.reason = "A", .message = "other"});
  client.event_loop.RunReady();
  ASSERT_EQ(client.created.size(), 2u);
  EXPECT_NE(client.created[0].metadata.name, client.created[1].metadata.name);
  EXPECT_THAT(client.patches,
              ElementsAre(client.created[0].metadata.name +
                          R"( {"count":2,"lastTimestamp":"2026-01-01T00:00:10Z"})"));
}

TEST(EventRecorderTest, RepetitionsDuringAWriteBecomeOnePatch) {
  RecordingClient client;
  EventRecorder recorder(client, "tester");
  for (int i = 0; i < 5; ++i) {
    recorder.Record(MakePod(), {.reason = "A", .message = "m"});
  }
  client.event_loop.RunReady();
  EXPECT_EQ(client.created.size(), 1u);
  EXPECT_THAT(client.patches, ElementsAre(HasSubstr(R"("count":5)")));
}

TEST(EventRecorderTest, NewerFormCountsInASeries) {
  RecordingClient client;
  EventRecorder recorder(client, "tester");
  const EventText text{.reason = "A", .message = "m", .action = "Scheduling"};
  recorder.Record(MakePod(), text);
  client.event_loop.RunReady();
  ASSERT_EQ(client.created.size(), 1u);
  EXPECT_EQ(client.created[0].action, "Scheduling");
  EXPECT_EQ(client.created[0].reporting_component, "tester");
  EXPECT_EQ(client.created[0].count, 0);
  EXPECT_FALSE(client.created[0].event_time.empty());
  recorder.Record(MakePod(), text);
  EXPECT_THAT(client.patches, ElementsAre(HasSubstr(R"({"series":{"count":2)")));
}

TEST(EventRecorderTest, EventThatCouldNotBeWrittenIsTriedAtItsNextRepetition) {
  RecordingClient client;
  client.fail_creates = true;
  EventRecorder recorder(client, "tester");
  recorder.Record(MakePod(), {.reason = "A", .message = "m"});
  client.event_loop.RunReady();
  client.fail_creates = false;
  recorder.Record(MakePod(), {.reason = "A", .message = "m"});
  client.event_loop.RunReady();
  ASSERT_EQ(client.created.size(), 2u);
  EXPECT_EQ(client.created[1].count, 2);
}

}  // namespace
}  // namespace assay::api::client
