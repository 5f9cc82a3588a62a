// The registry through the client of Assay's own controllers, on a loop without real time.

#include "controlplane/apiserver/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/core/types.h"
#include "api/meta/status.h"
#include "api/registry.h"
#include "api/resource/types.h"
#include "api/validation/defaulting.h"
#include "base/event_loop.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/garbage_collector.h"
#include "controlplane/apiserver/in_process_client.h"
#include "controlplane/apiserver/namespace_controller.h"
#include "controlplane/apiserver/watch_cursor.h"

namespace assay::controlplane::apiserver {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using api::Object;
using api::core::ConfigMap;
using api::core::Namespace;
using api::core::Pod;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
namespace meta = api::meta;

constexpr Duration kLong = std::chrono::seconds(30);

ConfigMap Map(const std::string& name) {
  ConfigMap map;
  map.metadata.name = name;
  map.metadata.namespace_ = "default";
  return map;
}

Pod MakePod(const std::string& name) {
  Pod pod;
  pod.metadata.name = name;
  pod.metadata.namespace_ = "default";
  pod.spec.containers.push_back({.name = "c", .image = "i"});
  return pod;
}

ResourceSlice Slice(const std::string& name, const std::string& node) {
  ResourceSlice slice;
  slice.metadata.name = name;
  slice.spec.driver = "gpu.example.com";
  slice.spec.node_name = node;
  slice.spec.pool = {.name = node, .generation = 1, .resource_slice_count = 1};
  return slice;
}

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() {
    for (const char* name : {"default", "other"}) {
      Namespace ns;
      ns.metadata.name = name;
      EXPECT_TRUE(Create(std::move(ns)).ok());
    }
  }

  template <typename T>
  ApiResult<VersionPtr> Create(T value) {
    RequestContext context = Context();
    ApiResult<Object> decoded = Defaulted(std::move(value));
    return registry_.Create(*decoded, context);
  }
  template <typename T>
  ApiResult<Object> Defaulted(T value) {
    return api::validation::ApplyDefaults(Object::Of(std::move(value)), loop_.clock().Now());
  }
  template <typename T>
  ApiResult<UpdateAnswer> Update(T value, std::string_view subresource = "") {
    RequestContext context = Context();
    return registry_.Update(Object::Of(std::move(value)), subresource, context);
  }
  ApiResult<DeleteAnswer> Delete(const api::Kind& kind, const Key& key, DeleteQuery query = {}) {
    RequestContext context = Context();
    return registry_.Delete(kind, key, std::move(query), context);
  }
  RequestContext Context() const { return {.user = user_, .user_agent = "test/1.0"}; }

  template <typename T>
  T Read(const std::string& name, const std::string& ns = "default") {
    ApiResult<VersionPtr> found = registry_.Get(api::KindOf<T>(), {ns, name});
    EXPECT_TRUE(found.ok()) << name;
    return found.ok() ? (*found)->object().template As<T>() : T();
  }
  template <typename T>
  bool Exists(const std::string& name, const std::string& ns = "default") {
    return registry_.Get(api::KindOf<T>(), {ns, name}).ok();
  }

  VirtualEventLoop loop_;
  Registry registry_{{.clock = &loop_.clock(), .seed = 7}};
  User user_ = User::Controller("test");
};

TEST_F(RegistryTest, FillsInMetadata) {
  ApiResult<VersionPtr> created = Create(Slice("a", "node-1"));
  ASSERT_TRUE(created.ok()) << created.error().message;
  const meta::ObjectMeta& metadata = (*created)->object().metadata();
  EXPECT_THAT(metadata.uid, SizeIs(36));
  EXPECT_EQ(metadata.creation_timestamp, meta::Time::From(loop_.clock().Now()));
  EXPECT_EQ(metadata.generation, 1);
  ASSERT_THAT(metadata.managed_fields, SizeIs(1));
  EXPECT_EQ(metadata.managed_fields[0].manager, "test");
}

TEST_F(RegistryTest, GeneratesNames) {
  ConfigMap map = Map("");
  map.metadata.generate_name = std::string(60, 'a') + "-";
  ApiResult<VersionPtr> created = Create(map);
  ASSERT_TRUE(created.ok()) << created.error().message;
  EXPECT_THAT((*created)->object().name(), AllOf(StartsWith(std::string(58, 'a')), SizeIs(63)));
}

TEST_F(RegistryTest, AnswersAsKubernetesDoes) {
  ASSERT_TRUE(Create(Map("a")).ok());
  EXPECT_EQ(Create(Map("a")).error().message, "configmaps \"a\" already exists");
  EXPECT_EQ(registry_.Get(api::KindOf<ConfigMap>(), {"default", "b"}).error().message,
            "configmaps \"b\" not found");
  ConfigMap lost = Map("a");
  lost.metadata.namespace_ = "nowhere";
  EXPECT_EQ(Create(lost).error().message, "namespaces \"nowhere\" not found");
  ConfigMap versioned = Map("c");
  versioned.metadata.resource_version = "5";
  EXPECT_EQ(Create(versioned).error().code, 500);
  ApiResult<VersionPtr> invalid = Create(Slice("Bad", "node-1"));
  EXPECT_EQ(invalid.error().code, 422);
  EXPECT_THAT(invalid.error().message,
              StartsWith("ResourceSlice.resource.k8s.io \"Bad\" is invalid: metadata.name: "
                         "Invalid value: \"Bad\": a lowercase RFC 1123"));
  EXPECT_EQ(invalid.error().details->causes[0].field, "metadata.name");
}

TEST_F(RegistryTest, UpdatesUnderTheirPrecondition) {
  ASSERT_TRUE(Create(Slice("a", "node-1")).ok());
  ResourceSlice first = Read<ResourceSlice>("a", "");
  first.spec.pool.generation = 2;
  ApiResult<UpdateAnswer> updated = Update(first);
  ASSERT_TRUE(updated.ok()) << updated.error().message;
  EXPECT_EQ(updated->object->object().metadata().generation, 2);
  ApiResult<UpdateAnswer> stale = Update(first);
  EXPECT_EQ(stale.error().code, 409);
  EXPECT_EQ(stale.error().message,
            "Operation cannot be fulfilled on resourceslices.resource.k8s.io \"a\": the object has "
            "been modified; please apply your changes to the latest version and try again");
  first.metadata.resource_version.clear();
  EXPECT_TRUE(Update(first).ok()) << "an unconditional update";
  first.metadata.uid = "another";
  EXPECT_EQ(Update(first).error().code, 409);
}

TEST_F(RegistryTest, AnUpdateWithoutEffectWritesNothing) {
  ASSERT_TRUE(Create(Map("a")).ok());
  std::uint64_t before = registry_.objects().resource_version();
  loop_.RunFor(std::chrono::hours(1));
  ASSERT_TRUE(Update(Read<ConfigMap>("a")).ok());
  EXPECT_EQ(registry_.objects().resource_version(), before);
}

// The same amount in another way is no difference to Kubernetes, but it is stored.
TEST_F(RegistryTest, AnotherSpellingIsWritten) {
  ResourceSlice slice = Slice("a", "node-1");
  slice.spec.devices.push_back({.name = "gpu-0"});
  slice.spec.devices[0].capacity["memory"].value = *meta::Quantity::Parse("1Gi");
  ASSERT_TRUE(Create(slice).ok());
  slice = Read<ResourceSlice>("a", "");
  slice.spec.devices[0].capacity["memory"].value = *meta::Quantity::Parse("1024Mi");
  ASSERT_TRUE(Update(slice).ok());
  EXPECT_EQ(Read<ResourceSlice>("a", "").metadata.resource_version, slice.metadata.resource_version)
      << "1024Mi is 1Gi, which is how it is written";
  slice.spec.devices[0].capacity["memory"].value = *meta::Quantity::Parse("1073741824");
  ApiResult<UpdateAnswer> updated = Update(slice);
  ASSERT_TRUE(updated.ok()) << updated.error().message;
  EXPECT_NE(updated->object->object().metadata().resource_version, slice.metadata.resource_version);
}

// A manager has the fields that it sent, with defaults; not what the registry made of them.
TEST_F(RegistryTest, FieldsAreTrackedAsTheyAreSent) {
  api::core::Namespace ns;
  ns.metadata.name = "tracked";
  ApiResult<VersionPtr> created = Create(ns);
  ASSERT_TRUE(created.ok()) << created.error().message;
  const auto& fields = (*created)->object().metadata().managed_fields;
  ASSERT_THAT(fields, SizeIs(1));
  EXPECT_EQ(fields[0].fields_v1->json,
            R"({"f:metadata":{"f:labels":{".":{},"f:kubernetes.io/metadata.name":{}}}})");
  ns = Read<api::core::Namespace>("tracked", "");
  EXPECT_EQ(ns.status.phase, "Active");
  EXPECT_THAT(ns.spec.finalizers, ElementsAre("kubernetes"));
}

TEST_F(RegistryTest, DryRunStoresNothing) {
  RequestContext context = Context();
  context.dry_run = true;
  ASSERT_TRUE(registry_.Create(Object::Of(Map("a")), context).ok());
  EXPECT_FALSE(Exists<ConfigMap>("a"));
  ASSERT_TRUE(Create(Map("b")).ok());
  std::uint64_t before = registry_.objects().resource_version();
  ConfigMap changed = Read<ConfigMap>("b");
  changed.data["x"] = "y";
  ApiResult<UpdateAnswer> updated = registry_.Update(Object::Of(changed), "", context);
  ASSERT_TRUE(updated.ok());
  EXPECT_EQ(updated->object->object().As<ConfigMap>().data.at("x"), "y");
  ASSERT_TRUE(registry_.Delete(api::KindOf<ConfigMap>(), {"default", "b"}, {}, context).ok());
  EXPECT_EQ(registry_.objects().resource_version(), before);
}

TEST_F(RegistryTest, PatchesInAnyForm) {
  using api::client::PatchType;
  ASSERT_TRUE(Create(Map("a")).ok());
  auto patch = [&](PatchType type, std::string body) {
    RequestContext context = Context();
    context.field_manager = "patcher";
    return registry_.Patch(api::KindOf<ConfigMap>(), {"default", "a"},
                           {.type = type, .body = std::move(body)}, context);
  };
  EXPECT_TRUE(patch(PatchType::kMerge, R"({"data":{"a":"1"}})").ok());
  EXPECT_TRUE(patch(PatchType::kJson, R"([{"op":"add","path":"/data/b","value":"2"}])").ok());
  EXPECT_TRUE(patch(PatchType::kStrategicMerge, R"({"data":{"c":"3"}})").ok());
  EXPECT_TRUE(patch(PatchType::kApply, R"({"apiVersion":"v1","kind":"ConfigMap","metadata":)"
                                       R"({"name":"a","namespace":"default"},"data":{"d":"4"}})")
                  .ok());
  EXPECT_THAT(Read<ConfigMap>("a").data, ElementsAre(std::pair("a", "1"), std::pair("b", "2"),
                                                     std::pair("c", "3"), std::pair("d", "4")));
  EXPECT_EQ(patch(PatchType::kJson, "[{]").error().code, 400);
  EXPECT_EQ(patch(PatchType::kJson, R"([{"op":"remove","path":"/data/x"}])").error().code, 422);
  EXPECT_EQ(patch(PatchType::kMerge, R"({"data":5})").error().code, 422);
  EXPECT_EQ(patch(PatchType::kMerge, R"({"metadata":{"resourceVersion":"1"}})").error().code, 409);
  ApiResult<UpdateAnswer> conflict =
      patch(PatchType::kApply, R"({"apiVersion":"v1","kind":"ConfigMap","data":{"d":"4"}})");
  EXPECT_TRUE(conflict.ok()) << conflict.error().message;
}

TEST_F(RegistryTest, ApplyCreatesWhatIsNotThere) {
  RequestContext context = Context();
  context.field_manager = "applier";
  PatchQuery query{.type = api::client::PatchType::kApply,
                   .body = R"({"apiVersion":"v1","kind":"ConfigMap","data":{"d":"4"}})"};
  ApiResult<UpdateAnswer> applied =
      registry_.Patch(api::KindOf<ConfigMap>(), {"default", "new"}, query, context);
  ASSERT_TRUE(applied.ok()) << applied.error().message;
  EXPECT_TRUE(applied->created);
  const auto& fields = applied->object->object().metadata().managed_fields;
  ASSERT_THAT(fields, SizeIs(1));
  EXPECT_EQ(fields[0].operation, "Apply");
  context.field_manager = "other";
  query.body = R"({"apiVersion":"v1","kind":"ConfigMap","data":{"d":"5"}})";
  ApiResult<UpdateAnswer> conflict =
      registry_.Patch(api::KindOf<ConfigMap>(), {"default", "new"}, query, context);
  EXPECT_EQ(conflict.error().code, 409);
  EXPECT_EQ(conflict.error().message,
            "Apply failed with 1 conflict: conflict with \"applier\": .data.d");
}

TEST_F(RegistryTest, FinalizersDelayDeletion) {
  ConfigMap map = Map("a");
  map.metadata.finalizers = {"example.com/wait"};
  ASSERT_TRUE(Create(map).ok());
  ApiResult<DeleteAnswer> deleted = Delete(api::KindOf<ConfigMap>(), {"default", "a"});
  ASSERT_TRUE(deleted.ok());
  EXPECT_FALSE(deleted->deleted);
  EXPECT_TRUE(Read<ConfigMap>("a").metadata.deletion_timestamp.has_value());
  EXPECT_THAT(Create(Map("a")).error().message, StartsWith("object is being deleted: "));
  ConfigMap more = Read<ConfigMap>("a");
  more.metadata.finalizers.emplace_back("example.com/more");
  EXPECT_EQ(Update(more).error().code, 422);
  ConfigMap free = Read<ConfigMap>("a");
  free.metadata.finalizers.clear();
  ASSERT_TRUE(Update(free).ok());
  EXPECT_FALSE(Exists<ConfigMap>("a"));
}

TEST_F(RegistryTest, ScheduledPodsAreDeletedGracefully) {
  ASSERT_TRUE(Create(MakePod("waiting")).ok());
  ApiResult<DeleteAnswer> at_once = Delete(api::KindOf<Pod>(), {"default", "waiting"});
  ASSERT_TRUE(at_once.ok());
  EXPECT_TRUE(at_once->deleted) << "a pod without a node has nobody to wait for";

  ASSERT_TRUE(Create(MakePod("bound")).ok());
  RequestContext context = Context();
  ApiResult<VersionPtr> bound =
      registry_.BindPod({"default", "bound"}, "node-1", {}, std::nullopt, context);
  ASSERT_TRUE(bound.ok()) << bound.error().message;
  EXPECT_EQ(
      registry_.BindPod({"default", "bound"}, "node-2", {}, std::nullopt, context).error().message,
      "Operation cannot be fulfilled on pods/binding \"bound\": pod bound is already "
      "assigned to node \"node-1\"");
  ApiResult<DeleteAnswer> graceful = Delete(api::KindOf<Pod>(), {"default", "bound"});
  ASSERT_TRUE(graceful.ok());
  EXPECT_FALSE(graceful->deleted);
  Pod pod = Read<Pod>("bound");
  EXPECT_EQ(pod.metadata.deletion_grace_period_seconds, 30);
  EXPECT_EQ(pod.metadata.deletion_timestamp->unix_seconds(),
            meta::Time::From(loop_.clock().Now()).unix_seconds() + 30);
  EXPECT_FALSE(
      Delete(api::KindOf<Pod>(), {"default", "bound"}, {.grace_period_seconds = 40})->deleted)
      << "a grace period can only be shortened";
  EXPECT_EQ(Read<Pod>("bound").metadata.deletion_grace_period_seconds, 30);
  EXPECT_TRUE(
      Delete(api::KindOf<Pod>(), {"default", "bound"}, {.grace_period_seconds = 0})->deleted);
  EXPECT_FALSE(Exists<Pod>("bound"));
}

TEST_F(RegistryTest, DeletionHasPreconditions) {
  ASSERT_TRUE(Create(Map("a")).ok());
  EXPECT_THAT(Delete(api::KindOf<ConfigMap>(), {"default", "a"}, {.uid = "x"}).error().message,
              HasSubstr("the UID in the precondition (x) does not match the UID in record"));
  EXPECT_EQ(
      Delete(api::KindOf<ConfigMap>(), {"default", "a"}, {.resource_version = "1"}).error().code,
      409);
  EXPECT_EQ(Delete(api::KindOf<ConfigMap>(), {"default", "a"}, {.propagation_policy = "Maybe"})
                .error()
                .code,
            422);
}

TEST_F(RegistryTest, NodesWriteOnlyWhatIsTheirs) {
  user_ = User::Node("node-1");
  EXPECT_TRUE(Create(Slice("mine", "node-1")).ok());
  EXPECT_EQ(Create(Slice("theirs", "node-2")).error().message,
            "resourceslices.resource.k8s.io \"theirs\" is forbidden: can only create ResourceSlice "
            "with the same NodeName as the requesting node");
  user_ = User::Node("node-2");
  EXPECT_EQ(Delete(api::KindOf<ResourceSlice>(), {"", "mine"}).error().code, 403);
}

TEST_F(RegistryTest, ListsByPageAtOneVersion) {
  for (const char* name : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(Create(Map(name)).ok());
  }
  const api::Kind& kind = api::KindOf<ConfigMap>();
  ApiResult<ListAnswer> first = registry_.List(kind, {.limit = 3});
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(first->items, SizeIs(3));
  EXPECT_EQ(first->remaining_item_count, 1);
  ASSERT_TRUE(Create(Map("bb")).ok());
  ASSERT_TRUE(Create(Map("dd")).ok());
  ApiResult<ListAnswer> rest = registry_.List(kind, {.limit = 3, .continue_ = first->continue_});
  ASSERT_TRUE(rest.ok());
  ASSERT_THAT(rest->items, SizeIs(1));
  EXPECT_EQ(rest->items[0]->object().name(), "d");
  EXPECT_EQ(rest->resource_version, first->resource_version);
  EXPECT_EQ(rest->continue_, "");

  registry_.objects().Compact();
  ApiResult<ListAnswer> expired = registry_.List(kind, {.limit = 3, .continue_ = first->continue_});
  EXPECT_EQ(expired.error().reason, "Expired");
  ApiResult<ListAnswer> inconsistent =
      registry_.List(kind, {.continue_ = expired.error().metadata.continue_});
  ASSERT_TRUE(inconsistent.ok()) << inconsistent.error().message;
  EXPECT_THAT(inconsistent->items, SizeIs(2)) << "d and dd, as they are now";

  EXPECT_EQ(registry_.List(kind, {.resource_version = "9999"}).error().code, 504);
  EXPECT_EQ(registry_.List(kind, {.resource_version = "x"}).error().code, 400);
  EXPECT_EQ(registry_.List(kind, {.continue_ = "!"}).error().code, 400);
}

TEST_F(RegistryTest, AWatchSeesItsSelectionAlone) {
  const api::Kind& kind = api::KindOf<ConfigMap>();
  ConfigMap map = Map("a");
  map.metadata.labels["app"] = "x";
  ASSERT_TRUE(Create(map).ok());
  Result<Selection> selection = Selection::Parse(kind, api::Level::k1_36, "app=x", "");
  ASSERT_THAT(selection, IsOk());
  auto cursor = WatchCursor::Open(registry_, kind, {.selection = *selection});
  ASSERT_TRUE(cursor.ok());
  auto next = [&] {
    std::vector<std::string> lines;
    ApiResult<WatchCursor::Batch> batch = (*cursor)->Next(100);
    for (const store::Event& event : batch->events) {
      lines.push_back(std::to_string(static_cast<int>(event.type)) + event.object->object().name());
    }
    return lines;
  };
  EXPECT_THAT(next(), ElementsAre("0a"));
  ASSERT_TRUE(Create(Map("b")).ok());
  ConfigMap b = Read<ConfigMap>("b");
  b.metadata.labels["app"] = "x";
  ASSERT_TRUE(Update(b).ok());
  ConfigMap a = Read<ConfigMap>("a");
  a.metadata.labels.clear();
  ASSERT_TRUE(Update(a).ok());
  EXPECT_THAT(next(), ElementsAre("0b", "2a"));
  EXPECT_THAT(next(), IsEmpty());
}

TEST_F(RegistryTest, CollectsGarbageInTheBackground) {
  auto client = MakeInProcessClient(registry_, loop_, User::Controller("gc"));
  GarbageCollector collector(*client, {&api::KindOf<ConfigMap>()});
  collector.Start();
  auto family = [&](const std::string& name) {
    ASSERT_TRUE(Create(Map(name)).ok());
    ConfigMap child = Map(name + "-child");
    child.metadata.owner_references.push_back({.api_version = "v1",
                                               .kind = "ConfigMap",
                                               .name = name,
                                               .uid = Read<ConfigMap>(name).metadata.uid,
                                               .block_owner_deletion = true});
    ASSERT_TRUE(Create(child).ok());
    loop_.RunReady();
  };
  family("background");
  ASSERT_TRUE(Delete(api::KindOf<ConfigMap>(), {"default", "background"}).ok());
  EXPECT_TRUE(loop_.RunUntil([&] { return !Exists<ConfigMap>("background-child"); }, kLong));

  family("foreground");
  ASSERT_TRUE(Delete(api::KindOf<ConfigMap>(), {"default", "foreground"},
                     {.propagation_policy = "Foreground"})
                  .ok());
  EXPECT_TRUE(Exists<ConfigMap>("foreground")) << "it waits for its dependents";
  EXPECT_TRUE(loop_.RunUntil([&] { return !Exists<ConfigMap>("foreground"); }, kLong));
  EXPECT_FALSE(Exists<ConfigMap>("foreground-child"));

  family("orphan");
  ASSERT_TRUE(
      Delete(api::KindOf<ConfigMap>(), {"default", "orphan"}, {.propagation_policy = "Orphan"})
          .ok());
  EXPECT_TRUE(loop_.RunUntil([&] { return !Exists<ConfigMap>("orphan"); }, kLong));
  EXPECT_THAT(Read<ConfigMap>("orphan-child").metadata.owner_references, IsEmpty());

  ConfigMap lost = Map("lost");
  lost.metadata.owner_references.push_back(
      {.api_version = "v1", .kind = "ConfigMap", .name = "never", .uid = "never-was"});
  ASSERT_TRUE(Create(lost).ok());
  EXPECT_TRUE(loop_.RunUntil([&] { return !Exists<ConfigMap>("lost"); }, kLong));
}

TEST_F(RegistryTest, EmptiesANamespaceThatIsDeleted) {
  auto client = MakeInProcessClient(registry_, loop_, User::Controller("namespaces"));
  NamespaceController controller(*client, api::Level::k1_36);
  controller.Start();
  ConfigMap map = Map("a");
  map.metadata.namespace_ = "other";
  ASSERT_TRUE(Create(map).ok());
  map.metadata.name = "held";
  map.metadata.finalizers = {"example.com/wait"};
  ASSERT_TRUE(Create(map).ok());
  ASSERT_TRUE(Delete(api::KindOf<Namespace>(), {"", "other"}).ok());
  loop_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(Read<Namespace>("other", "").status.phase, "Terminating");
  EXPECT_FALSE(Exists<ConfigMap>("a", "other"));
  map.metadata.name = "late";
  EXPECT_THAT(Create(map).error().message,
              HasSubstr("unable to create new content in namespace other because it is being "
                        "terminated"));
  ConfigMap held = Read<ConfigMap>("held", "other");
  held.metadata.finalizers.clear();
  ASSERT_TRUE(Update(held).ok());
  EXPECT_TRUE(loop_.RunUntil([&] { return !Exists<Namespace>("other", ""); }, kLong));
}

TEST_F(RegistryTest, InProcessClientWatchesAndBinds) {
  auto client = MakeInProcessClient(registry_, loop_, User::Controller("client"));
  std::vector<std::string> seen;
  auto handle = client->Watch(
      api::KindOf<Pod>(), {},
      [&](const api::client::WatchEvent& event) {
        seen.push_back(event.type == api::client::WatchEventType::kBookmark
                           ? "bookmark"
                           : event.object.name() + "@" + event.object.As<Pod>().spec.node_name);
      },
      [](const Status& status) { FAIL() << status; });
  ASSERT_TRUE(Create(MakePod("a")).ok());
  loop_.RunReady();
  Pod binding = MakePod("a");
  binding.spec.node_name = "node-1";
  Status bound = InternalError("no answer");
  client->Create(Object::Of(binding), {.subresource = "binding"},
                 [&](const Result<Object>& result) { bound = result.status(); });
  loop_.RunReady();
  EXPECT_THAT(bound, IsOk());
  EXPECT_THAT(seen, ElementsAre("bookmark", "a@", "a@node-1"));
  handle.reset();
  ASSERT_TRUE(Create(MakePod("b")).ok());
  loop_.RunReady();
  EXPECT_THAT(seen, SizeIs(3));

  Status missing;
  client->Get(api::KindOf<Pod>(), {"default", "c"},
              [&](const Result<Object>& result) { missing = result.status(); });
  loop_.RunReady();
  EXPECT_THAT(missing, StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace assay::controlplane::apiserver
