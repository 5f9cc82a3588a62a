#include "api/client/informer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"

namespace assay::api::client {
namespace {

using core::ConfigMap;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

ConfigMap Map(const std::string& name, const std::string& version, const std::string& value = "",
              const std::string& uid = "") {
  ConfigMap map;
  map.metadata.namespace_ = "ns";
  map.metadata.name = name;
  map.metadata.uid = uid.empty() ? "uid-" + name : uid;
  map.metadata.resource_version = version;
  map.data["value"] = value;
  return map;
}

// Answers lists from a script and keeps the last watch for the test to feed.
class RecordingClient : public Client {
 public:
  EventLoop& loop() override { return event_loop; }

  void List(const Kind&, ListOptions options, Callback<ObjectList> done) override {
    calls.push_back("list " + options.continue_);
    ASSERT_FALSE(lists.empty());
    Result<ObjectList> answer = std::move(lists.front());
    lists.pop_front();
    event_loop.Post([done, answer] { done(answer); });
  }
  std::unique_ptr<WatchHandle> Watch(const Kind&, WatchOptions options,
                                     std::function<void(WatchEvent)> on_event_callback,
                                     DoneCallback on_end_callback) override {
    calls.push_back("watch " + options.resource_version);
    on_event = std::move(on_event_callback);
    on_end = std::move(on_end_callback);
    return std::make_unique<WatchHandle>();
  }
  void Get(const Kind&, ObjectKey, Callback<Object>) override {}
  void Create(Object, WriteOptions, Callback<Object>) override {}
  void Update(Object, WriteOptions, Callback<Object>) override {}
  void Patch(const Kind&, ObjectKey, std::string, PatchOptions, Callback<Object>) override {}
  void Delete(const Kind&, ObjectKey, DeleteOptions, DoneCallback) override {}
  void DeleteCollection(const Kind&, ListOptions, DoneCallback) override {}

  void AddList(const std::string& version, std::vector<ConfigMap> maps,
               const std::string& continue_token = "") {
    ObjectList list{.items = {}, .resource_version = version, .continue_ = continue_token};
    for (ConfigMap& map : maps) {
      list.items.push_back(Object::Of(std::move(map)));
    }
    lists.push_back(std::move(list));
  }
  void Send(WatchEventType type, ConfigMap map) {
    on_event({.type = type, .object = Object::Of(std::move(map))});
  }

  VirtualEventLoop event_loop;
  std::deque<Result<ObjectList>> lists;
  std::vector<std::string> calls;
  std::function<void(WatchEvent)> on_event;
  DoneCallback on_end;
};

struct Fixture {
  Fixture() : informer(client) {
    informer.AddIndex("value", [](const ConfigMap& map) {
      return std::vector<std::string>{map.data.at("value")};
    });
    using Ref = Informer<ConfigMap>::Ref;
    informer.AddHandlers({.on_add = [this](const Ref& map) { Log("add", *map); },
                          .on_update =
                              [this](const Ref& before, const Ref& now) {
                                Log("update " + before->data.at("value") + ">", *now);
                              },
                          .on_delete = [this](const Ref& map) { Log("delete", *map); }});
  }
  void Log(const std::string& what, const ConfigMap& map) {
    log.push_back(what + " " + map.metadata.name + "=" + map.data.at("value"));
  }
  std::vector<std::string> Take() { return std::exchange(log, {}); }
  std::vector<std::string> NamesWith(const std::string& value) {
    std::vector<std::string> names;
    for (const auto& map : informer.ByIndex("value", value)) {
      names.push_back(map->metadata.name);
    }
    return names;
  }

  RecordingClient client;
  std::vector<std::string> log;
  Informer<ConfigMap> informer;
};

TEST(InformerTest, ListsInPagesThenWatches) {
  Fixture test;
  test.client.AddList("7", {Map("a", "3", "x")}, "more");
  test.client.AddList("7", {Map("b", "5", "x")});
  bool synced = false;
  test.informer.Start([&] { synced = true; });
  EXPECT_FALSE(test.informer.synced());
  test.client.event_loop.RunReady();
  EXPECT_TRUE(synced);
  EXPECT_THAT(test.client.calls, ElementsAre("list ", "list more", "watch 7"));
  EXPECT_THAT(test.Take(), ElementsAre("add a=x", "add b=x"));
  EXPECT_THAT(test.NamesWith("x"), ElementsAre("a", "b"));
}

TEST(InformerTest, EventsReachCacheIndexesAndHandlers) {
  Fixture test;
  test.client.AddList("7", {Map("a", "3", "x")});
  test.informer.Start();
  test.client.event_loop.RunReady();
  test.Take();
  test.client.Send(WatchEventType::kModified, Map("a", "8", "y"));
  test.client.Send(WatchEventType::kAdded, Map("b", "9", "x"));
  test.client.Send(WatchEventType::kDeleted, Map("a", "10", "y"));
  EXPECT_THAT(test.Take(), ElementsAre("update x> a=y", "add b=x", "delete a=y"));
  EXPECT_THAT(test.NamesWith("x"), ElementsAre("b"));
  EXPECT_THAT(test.NamesWith("y"), IsEmpty());
  EXPECT_EQ(test.informer.Get("ns", "a"), nullptr);
}

TEST(InformerTest, WatchThatEndsIsResumedWhereItStopped) {
  Fixture test;
  test.client.AddList("7", {});
  test.informer.Start();
  test.client.event_loop.RunReady();
  test.client.Send(WatchEventType::kAdded, Map("a", "9"));
  test.client.on_end(OkStatus());
  test.client.event_loop.RunFor(seconds(1));
  test.client.Send(WatchEventType::kBookmark, Map("", "20"));
  test.client.on_end(UnavailableError("reset"));
  test.client.event_loop.RunFor(seconds(1));
  EXPECT_THAT(test.client.calls, ElementsAre("list ", "watch 7", "watch 9", "watch 20"));
}

TEST(InformerTest, ExpiredVersionLeadsToANewListAndItsDifferences) {
  Fixture test;
  test.client.AddList(
      "7", {Map("a", "3", "x"), Map("b", "4", "x"), Map("c", "5", "x"), Map("d", "6", "x")});
  test.informer.Start();
  test.client.event_loop.RunReady();
  test.Take();
  test.client.AddList("30", {Map("a", "3", "x"), Map("b", "20", "y"),
                             Map("d", "21", "z", "another-uid"), Map("e", "22", "x")});
  test.client.on_end(Status(StatusCode::kOutOfRange, "too old resource version"));
  test.client.event_loop.RunFor(seconds(1));
  EXPECT_THAT(test.Take(),
              ElementsAre("delete c=x", "update x> b=y", "delete d=x", "add d=z", "add e=x"));
  EXPECT_THAT(test.client.calls, ElementsAre("list ", "watch 7", "list ", "watch 30"));
}

TEST(InformerTest, ErrorsAreTriedAgainAfterDoublingDelays) {
  Fixture test;
  for (int i = 0; i < 3; ++i) {
    test.client.lists.push_back(UnavailableError("refused"));
  }
  test.client.AddList("7", {});
  test.informer.Start();
  test.client.event_loop.RunFor(milliseconds(700));
  EXPECT_EQ(test.client.calls.size(), 1u);
  test.client.event_loop.RunFor(milliseconds(200));  // 0.8 s
  EXPECT_EQ(test.client.calls.size(), 2u);
  test.client.event_loop.RunFor(milliseconds(1600));  // 2.4 s
  EXPECT_EQ(test.client.calls.size(), 3u);
  test.client.event_loop.RunFor(milliseconds(3000));  // 5.5 s
  EXPECT_FALSE(test.informer.synced());
  test.client.event_loop.RunFor(milliseconds(300));  // 5.8 s
  EXPECT_TRUE(test.informer.synced());
}

TEST(InformerTest, DestroyedWhileAListIsUnderWay) {
  RecordingClient client;
  client.AddList("7", {Map("a", "3")});
  {
    Informer<ConfigMap> informer(client);
    informer.Start([] { FAIL() << "the informer is gone"; });
  }
  client.event_loop.RunFor(seconds(5));
}

}  // namespace
}  // namespace assay::api::client
