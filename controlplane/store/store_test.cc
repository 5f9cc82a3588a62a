#include "controlplane/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "api/core/types.h"
#include "base/testing/status_matchers.h"

namespace assay::controlplane::store {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using api::core::ConfigMap;

const api::Kind& Kind() { return api::KindOf<ConfigMap>(); }

Draft Make(const std::string& ns, const std::string& name, const std::string& data = "") {
  Draft draft = Draft::New(Kind());
  draft.metadata().namespace_ = ns;
  draft.metadata().name = name;
  draft.As<ConfigMap>().data["key"] = data;
  return draft;
}

std::vector<std::string> Names(const Store::Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const VersionPtr& item : snapshot.items) {
    names.push_back(item->object().namespace_() + "/" + item->object().name());
  }
  return names;
}

std::vector<std::string> Describe(const std::vector<Event>& events) {
  std::vector<std::string> lines;
  for (const Event& event : events) {
    const char* type = event.type == EventType::kAdded      ? "added "
                       : event.type == EventType::kModified ? "modified "
                                                            : "deleted ";
    lines.push_back(type + event.object->object().name());
  }
  return lines;
}

class StoreTest : public ::testing::Test {
 protected:
  StoreOptions Options(std::size_t history_limit = 1000) {
    return {
        .encoder =
            [this](const api::Object& object, const api::KindVersion&, api::codec::Format format) {
              ++encodings_;
              return (format == api::codec::Format::kJson ? "<" : "(") + object.name() + ">";
            },
        .history_limit = history_limit};
  }
  std::atomic<int> encodings_ = 0;
  Store store_{Options()};
};

TEST_F(StoreTest, EveryWriteHasAVersionOfItsOwn) {
  std::uint64_t before = store_.resource_version();
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr a, store_.Create(Make("ns", "a")));
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr b, store_.Create(Make("ns", "b")));
  EXPECT_EQ(a->resource_version(), before + 1);
  EXPECT_EQ(b->resource_version(), before + 2);
  EXPECT_EQ(b->object().metadata().resource_version, std::to_string(before + 2));
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr gone,
                             store_.Delete(Kind(), {"ns", "a"}, a->resource_version()));
  EXPECT_EQ(gone->object().metadata().resource_version, std::to_string(before + 3));
  EXPECT_EQ(store_.Get(Kind(), {"ns", "a"}), nullptr);
}

TEST_F(StoreTest, RefusesWritesThatDoNotFit) {
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr a, store_.Create(Make("ns", "a")));
  std::uint64_t version = a->resource_version();
  EXPECT_THAT(store_.Create(Make("ns", "a")), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(store_.Update(Make("ns", "b"), version), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(store_.Update(Make("ns", "a"), version - 1), StatusIs(StatusCode::kAborted));
  EXPECT_THAT(store_.Delete(Kind(), {"ns", "a"}, version - 1), StatusIs(StatusCode::kAborted));
  EXPECT_THAT(store_.Delete(Kind(), {"ns", "b"}, version), StatusIs(StatusCode::kNotFound));
  EXPECT_EQ(store_.resource_version(), version);
}

TEST_F(StoreTest, ListsInTheOrderOfEtcdsKeys) {
  for (const auto& [ns, name] : std::vector<std::pair<std::string, std::string>>{
           {"a", "x"}, {"a-b", "x"}, {"a", "b"}, {"b", "a"}}) {
    ASSERT_THAT(store_.Create(Make(ns, name)), IsOk());
  }
  ASSAY_ASSERT_OK_AND_ASSIGN(Store::Snapshot all, store_.List(Kind(), {}));
  EXPECT_THAT(Names(all), ElementsAre("a-b/x", "a/b", "a/x", "b/a"));
  ASSAY_ASSERT_OK_AND_ASSIGN(Store::Snapshot one, store_.List(Kind(), {.namespace_ = "a"}));
  EXPECT_THAT(Names(one), ElementsAre("a/b", "a/x"));
  ASSAY_ASSERT_OK_AND_ASSIGN(Store::Snapshot rest, store_.List(Kind(), {.after = "a/b"}));
  EXPECT_THAT(Names(rest), ElementsAre("a/x", "b/a"));
}

TEST_F(StoreTest, ListsThePast) {
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr a, store_.Create(Make("ns", "a", "old")));
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr b, store_.Create(Make("ns", "b")));
  std::uint64_t then = store_.resource_version();
  ASSERT_THAT(store_.Update(Make("ns", "a", "new"), a->resource_version()), IsOk());
  ASSERT_THAT(store_.Delete(Kind(), {"ns", "b"}, b->resource_version()), IsOk());
  ASSERT_THAT(store_.Create(Make("ns", "c")), IsOk());

  ASSAY_ASSERT_OK_AND_ASSIGN(Store::Snapshot past, store_.List(Kind(), {.at = then}));
  EXPECT_THAT(Names(past), ElementsAre("ns/a", "ns/b"));
  EXPECT_EQ(past.items[0]->object().As<ConfigMap>().data.at("key"), "old");
  EXPECT_EQ(past.resource_version, then);

  store_.Compact();
  EXPECT_THAT(store_.List(Kind(), {.at = then}), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(store_.List(Kind(), {.at = store_.resource_version() + 1}),
              StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(StoreTest, AnotherContentEndsAllWatches) {
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr a, store_.Create(Make("ns", "a")));
  const Store::Contents then = store_.All();
  ASSERT_THAT(store_.Create(Make("ns", "b")), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(auto behind,
                             store_.StartWatch({.kind = &Kind(), .after = then.resource_version}));
  ASSAY_ASSERT_OK_AND_ASSIGN(auto waiting, store_.StartWatch({.kind = &Kind()}));
  bool woken = false;
  waiting->Arm([&] { woken = true; });

  store_.Replace(then);
  EXPECT_TRUE(woken);
  EXPECT_THAT(behind->Next(10), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(waiting->Next(10), StatusIs(StatusCode::kOutOfRange));
  ASSAY_ASSERT_OK_AND_ASSIGN(Store::Snapshot now, store_.List(Kind(), {}));
  EXPECT_THAT(Names(now), ElementsAre("ns/a"));
  EXPECT_EQ(now.items[0]->resource_version(), a->resource_version());
  EXPECT_EQ(now.resource_version, then.resource_version);

  ASSAY_ASSERT_OK_AND_ASSIGN(auto fresh, store_.StartWatch({.kind = &Kind()}));
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr c, store_.Create(Make("ns", "c")));
  EXPECT_EQ(c->resource_version(), then.resource_version + 1);
  ASSAY_ASSERT_OK_AND_ASSIGN(Watch::Batch batch, fresh->Next(10));
  EXPECT_EQ(batch.events.size(), 1u);
}

TEST_F(StoreTest, WatchesFromAVersionWithoutGaps) {
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr a, store_.Create(Make("ns", "a")));
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr b, store_.Create(Make("ns", "b")));
  ASSAY_ASSERT_OK_AND_ASSIGN(auto watch,
                             store_.StartWatch({.kind = &Kind(), .after = a->resource_version()}));
  ASSERT_THAT(store_.Update(Make("ns", "a"), a->resource_version()), IsOk());
  ASSERT_THAT(store_.Delete(Kind(), {"ns", "b"}, b->resource_version()), IsOk());

  ASSAY_ASSERT_OK_AND_ASSIGN(Watch::Batch first, watch->Next(1));
  EXPECT_THAT(Describe(first.events), ElementsAre("added b"));
  EXPECT_EQ(first.resource_version, b->resource_version());
  ASSAY_ASSERT_OK_AND_ASSIGN(Watch::Batch rest, watch->Next(100));
  EXPECT_THAT(Describe(rest.events), ElementsAre("modified a", "deleted b"));
  EXPECT_EQ(rest.events[1].previous->resource_version(), b->resource_version());
  EXPECT_EQ(rest.resource_version, store_.resource_version());
}

TEST_F(StoreTest, NotifiesAnArmedWatchOnce) {
  ASSAY_ASSERT_OK_AND_ASSIGN(auto watch, store_.StartWatch({.kind = &Kind()}));
  int notified = 0;
  watch->Arm([&] { ++notified; });
  EXPECT_EQ(notified, 0);
  ASSERT_THAT(store_.Create(Make("ns", "a")), IsOk());
  ASSERT_THAT(store_.Create(Make("ns", "b")), IsOk());
  EXPECT_EQ(notified, 1);
  watch->Arm([&] { ++notified; });
  EXPECT_EQ(notified, 2) << "there was something already";
  ASSAY_ASSERT_OK_AND_ASSIGN(Watch::Batch batch, watch->Next(100));
  EXPECT_THAT(batch.events, SizeIs(2));
}

TEST_F(StoreTest, CompactionEndsWatchesThatAreBehindAndNoOthers) {
  ASSAY_ASSERT_OK_AND_ASSIGN(auto behind, store_.StartWatch({.kind = &Kind()}));
  std::uint64_t old = store_.resource_version();
  ASSERT_THAT(store_.Create(Make("ns", "a")), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(auto current, store_.StartWatch({.kind = &Kind()}));
  store_.Compact();
  EXPECT_THAT(behind->Next(1),
              StatusIs(StatusCode::kOutOfRange, "too old resource version: 1 (2)"));
  ASSAY_ASSERT_OK_AND_ASSIGN(Watch::Batch batch, current->Next(1));
  EXPECT_THAT(batch.events, IsEmpty());
  EXPECT_THAT(store_.StartWatch({.kind = &Kind(), .after = old}),
              StatusIs(StatusCode::kOutOfRange));
}

TEST_F(StoreTest, KeepsNoMoreHistoryThanItsLimit) {
  Store small(Options(/*history_limit=*/3));
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(small.Create(Make("ns", "n" + std::to_string(i))), IsOk());
  }
  EXPECT_THAT(small.StartWatch({.kind = &Kind(), .after = 2}), StatusIs(StatusCode::kOutOfRange));
  ASSAY_ASSERT_OK_AND_ASSIGN(auto watch, small.StartWatch({.kind = &Kind(), .after = 3}));
  ASSAY_ASSERT_OK_AND_ASSIGN(Watch::Batch batch, watch->Next(10));
  EXPECT_THAT(Describe(batch.events), ElementsAre("added n2", "added n3", "added n4"));
}

TEST_F(StoreTest, EncodesAVersionOnce) {
  ASSAY_ASSERT_OK_AND_ASSIGN(VersionPtr a, store_.Create(Make("ns", "a")));
  EXPECT_EQ(encodings_, 0);
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] { EXPECT_EQ(a->Json(Kind().versions.front()), "<a>"); });
  }
  readers.clear();
  EXPECT_EQ(encodings_, 1);
  EXPECT_EQ(a->Protobuf(Kind().versions.front()), "(a>");
  EXPECT_EQ(a->Json(Kind().versions.front()), "<a>");
  EXPECT_EQ(encodings_, 2);
}

TEST_F(StoreTest, ConcurrentWritersLoseNothing) {
  constexpr int kWriters = 4;
  constexpr int kWrites = 50;
  ASSERT_THAT(store_.Create(Make("ns", "shared", "0")), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(auto watch, store_.StartWatch({.kind = &Kind()}));
  std::vector<std::jthread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([this] {
      for (int done = 0; done < kWrites;) {
        VersionPtr current = store_.Get(Kind(), {"ns", "shared"});
        int value = std::stoi(current->object().As<ConfigMap>().data.at("key"));
        if (store_
                .Update(Make("ns", "shared", std::to_string(value + 1)),
                        current->resource_version())
                .ok()) {
          ++done;
        }
      }
    });
  }
  writers.clear();
  EXPECT_EQ(store_.Get(Kind(), {"ns", "shared"})->object().As<ConfigMap>().data.at("key"),
            std::to_string(kWriters * kWrites));
  ASSAY_ASSERT_OK_AND_ASSIGN(Watch::Batch batch, watch->Next(10'000));
  ASSERT_THAT(batch.events, SizeIs(kWriters * kWrites));
  for (std::size_t i = 0; i < batch.events.size(); ++i) {
    EXPECT_EQ(batch.events[i].object->object().As<ConfigMap>().data.at("key"),
              std::to_string(i + 1));
  }
}

}  // namespace
}  // namespace assay::controlplane::store
