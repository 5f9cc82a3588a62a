// Tests of the scheduler's parts that need no cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/scheduler/extended_resources.h"
#include "controlplane/scheduler/fit_error.h"
#include "controlplane/scheduler/node_affinity.h"
#include "controlplane/scheduler/node_info.h"
#include "controlplane/scheduler/scheduling_queue.h"
#include "controlplane/testing/virtual_cluster.h"

namespace assay::controlplane::scheduler {
namespace {

using api::core::Container;
using api::core::Node;
using api::core::NodeSelector;
using api::core::NodeSelectorRequirement;
using api::core::Pod;
using api::core::Taint;
using api::core::Toleration;
using api::meta::Quantity;
using api::resource::DeviceClass;
using controlplane::testing::MakeNode;
using controlplane::testing::MakePod;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::Pair;

NodeSelector Select(const std::string& key, const std::string& operation,
                    std::vector<std::string> values) {
  NodeSelectorRequirement requirement;
  requirement.key = key;
  requirement.operator_ = operation;
  requirement.values = std::move(values);
  NodeSelector selector;
  selector.node_selector_terms.resize(1);
  auto& term = selector.node_selector_terms[0];
  (key == "metadata.name" ? term.match_fields : term.match_expressions).push_back(requirement);
  return selector;
}

TEST(NodeAffinityTest, Operators) {
  Node node = MakeNode("n");
  node.metadata.labels = {{"zone", "a"}, {"gpus", "8"}};
  EXPECT_TRUE(Matches(Select("zone", "In", {"a", "b"}), node));
  EXPECT_FALSE(Matches(Select("zone", "In", {"b"}), node));
  EXPECT_TRUE(Matches(Select("zone", "NotIn", {"b"}), node));
  EXPECT_TRUE(Matches(Select("gone", "NotIn", {"b"}), node));
  EXPECT_TRUE(Matches(Select("zone", "Exists", {}), node));
  EXPECT_FALSE(Matches(Select("gone", "Exists", {}), node));
  EXPECT_TRUE(Matches(Select("gone", "DoesNotExist", {}), node));
  EXPECT_TRUE(Matches(Select("gpus", "Gt", {"7"}), node));
  EXPECT_FALSE(Matches(Select("gpus", "Gt", {"8"}), node));
  EXPECT_TRUE(Matches(Select("gpus", "Lt", {"9"}), node));
  EXPECT_FALSE(Matches(Select("zone", "Gt", {"7"}), node));
  EXPECT_TRUE(Matches(Select("metadata.name", "In", {"n"}), node));
  EXPECT_FALSE(Matches(Select("metadata.name", "In", {"m"}), node));
}

TEST(NodeAffinityTest, EmptyTermsMatchNothing) {
  NodeSelector selector;
  EXPECT_FALSE(Matches(selector, MakeNode("n")));
  selector.node_selector_terms.resize(1);
  EXPECT_FALSE(Matches(selector, MakeNode("n")));
}

TEST(NodeInfoTest, InitContainersAndSidecarsCountWhileTheyRun) {
  Pod pod = MakePod("p");
  const auto add = [](std::vector<Container>& list, const char* cpu, bool sidecar) {
    Container container;
    container.resources.requests["cpu"] = Quantity::Of(cpu);
    if (sidecar) {
      container.restart_policy = "Always";
    }
    list.push_back(container);
  };
  pod.spec.containers.clear();
  add(pod.spec.containers, "1", false);
  add(pod.spec.containers, "500m", false);
  EXPECT_THAT(RequestsOf(pod), ElementsAre(Pair("cpu", 1500)));
  add(pod.spec.init_containers, "1", true);   // Runs beside all that follows.
  add(pod.spec.init_containers, "3", false);  // 3 + 1
  EXPECT_THAT(RequestsOf(pod), ElementsAre(Pair("cpu", 4000)));
  pod.spec.overhead["cpu"] = Quantity::Of("100m");
  EXPECT_THAT(RequestsOf(pod), ElementsAre(Pair("cpu", 4100)));
}

TEST(NodeInfoTest, Tolerations) {
  Taint taint;
  taint.key = "k";
  taint.value = "v";
  taint.effect = "NoSchedule";
  Toleration toleration;
  toleration.key = "k";
  toleration.value = "v";
  EXPECT_TRUE(Tolerates(toleration, taint));
  toleration.effect = "NoExecute";
  EXPECT_FALSE(Tolerates(toleration, taint));
  toleration.effect = "";
  toleration.value = "w";
  EXPECT_FALSE(Tolerates(toleration, taint));
  toleration.operator_ = "Exists";
  EXPECT_TRUE(Tolerates(toleration, taint));
  toleration.key = "";
  EXPECT_TRUE(Tolerates(toleration, taint));
}

TEST(NodeInfoTest, ReasonsOfResources) {
  NodeInfo info;
  info.node = std::make_shared<const Node>(MakeNode("n"));  // 8 cpus, 32 Gi
  Pod pod = MakePod("p");
  pod.spec.containers[0].resources.requests = {{"cpu", Quantity::Of("9")},
                                               {"memory", Quantity::Of("1Gi")}};
  const PluginStatus never = info.Fit(pod, RequestsOf(pod), {});
  EXPECT_EQ(never.code, PluginStatus::Code::kUnresolvable);
  EXPECT_THAT(never.reasons, ElementsAre("Insufficient cpu"));

  Pod other = MakePod("other");
  other.metadata.uid = "other";
  other.spec.containers[0].resources.requests["cpu"] = Quantity::Of("4");
  info.AddPod(std::make_shared<const Pod>(other));
  pod.spec.containers[0].resources.requests["cpu"] = Quantity::Of("5");
  EXPECT_EQ(info.Fit(pod, RequestsOf(pod), {}).code, PluginStatus::Code::kUnschedulable);
  info.RemovePod("other");
  EXPECT_TRUE(info.Fit(pod, RequestsOf(pod), {}).ok());

  pod.spec.containers[0].resources.requests["example.com/gpu"] = Quantity::Of("1");
  EXPECT_FALSE(info.Fit(pod, RequestsOf(pod), {}).ok());
  EXPECT_TRUE(
      info.Fit(pod, RequestsOf(pod),
               {.delegated =
                    [](const std::string& resource) { return resource == "example.com/gpu"; }})
          .ok());
}

TEST(NodeInfoTest, HostPortsAreTakenOnce) {
  NodeInfo info;
  info.node = std::make_shared<const Node>(MakeNode("n"));
  Pod pod = MakePod("p");
  pod.metadata.uid = "p";
  pod.spec.containers[0].ports.resize(1);
  pod.spec.containers[0].ports[0].host_port = 80;
  info.AddPod(std::make_shared<const Pod>(pod));
  EXPECT_EQ(info.Fit(pod, {}, {}).plugin, "NodePorts");
  pod.spec.containers[0].ports[0].protocol = "UDP";
  EXPECT_TRUE(info.Fit(pod, {}, {}).ok());
}

TEST(FitErrorTest, CountsReasons) {
  FitError error;
  error.nodes = 3;
  error.by_node["a"] = PluginStatus::Unresolvable("DynamicResources", "cannot allocate all claims");
  error.by_node["b"] = error.by_node["a"];
  error.by_node["c"] = {PluginStatus::Code::kUnschedulable,
                        "NodeResourcesFit",
                        {"Insufficient cpu", "Insufficient memory"}};
  EXPECT_EQ(PreemptionMessage(error),
            "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
            "2 Preemption is not helpful for scheduling.");
  error.postfilter = "still not schedulable";
  EXPECT_EQ(error.ToString(),
            "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 2 cannot allocate "
            "all claims. still not schedulable");
}

struct QueueFixture {
  QueueFixture()
      : queue(
            loop, [this](QueuedPod& pod) { return !refused.contains(pod.pod->metadata.uid); },
            [this] { ++wakes; }) {}

  static std::shared_ptr<const Pod> Make(const std::string& uid, int priority = 0) {
    Pod pod = MakePod(uid);
    pod.metadata.uid = uid;
    pod.spec.priority = priority;
    return std::make_shared<const Pod>(pod);
  }
  std::string PopUid() {
    std::optional<QueuedPod> pod = queue.Pop();
    if (!pod) {
      return "";
    }
    last = *pod;
    return pod->pod->metadata.uid;
  }
  void GiveBackLast(bool error) {
    last.failed_with_error = error;
    last.rejected_by = {"X"};
    queue.GiveBack(last);
  }

  VirtualEventLoop loop;
  std::set<std::string> refused;
  int wakes = 0;
  QueuedPod last;
  SchedulingQueue queue;
};

TEST(SchedulingQueueTest, PriorityThenAge) {
  QueueFixture test;
  test.queue.Add(QueueFixture::Make("first"));
  test.loop.RunFor(seconds(1));
  test.queue.Add(QueueFixture::Make("second"));
  test.queue.Add(QueueFixture::Make("important", 10));
  EXPECT_EQ(test.PopUid(), "important");
  EXPECT_EQ(test.PopUid(), "first");
  EXPECT_EQ(test.PopUid(), "second");
  EXPECT_EQ(test.PopUid(), "");
}

TEST(SchedulingQueueTest, RejectedPodWaitsForAnEventThatHelps) {
  QueueFixture test;
  test.queue.Add(QueueFixture::Make("a"));
  test.PopUid();
  test.GiveBackLast(false);
  test.queue.Move([](const QueuedPod&) { return false; });
  EXPECT_EQ(test.PopUid(), "");
  test.queue.Move([](const QueuedPod& pod) { return pod.rejected_by.contains("X"); });
  EXPECT_EQ(test.PopUid(), "a") << "idle: the back-off is cut short";
}

TEST(SchedulingQueueTest, RejectedPodIsTriedAgainAfterFiveMinutes) {
  QueueFixture test;
  test.queue.Add(QueueFixture::Make("a"));
  test.PopUid();
  test.GiveBackLast(false);
  test.loop.RunFor(minutes(5) - seconds(1));
  EXPECT_EQ(test.PopUid(), "");
  test.loop.RunFor(seconds(2));
  EXPECT_EQ(test.PopUid(), "a");
}

TEST(SchedulingQueueTest, ErrorsWaitOutADoublingBackoff) {
  QueueFixture test;
  test.queue.Add(QueueFixture::Make("a"));
  for (const int wait : {1, 2, 4, 8, 10, 10}) {
    ASSERT_EQ(test.PopUid(), "a");
    test.GiveBackLast(true);
    test.loop.RunFor(seconds(wait) - std::chrono::milliseconds(1));
    EXPECT_EQ(test.PopUid(), "") << wait;
    test.loop.RunFor(std::chrono::milliseconds(1));
  }
}

TEST(SchedulingQueueTest, EventDuringTheAttemptIsNotMissed) {
  QueueFixture test;
  test.queue.Add(QueueFixture::Make("a"));
  test.PopUid();
  test.queue.Move([](const QueuedPod&) { return true; });
  test.GiveBackLast(false);
  EXPECT_EQ(test.PopUid(), "a");
}

TEST(SchedulingQueueTest, RefusedPodsEnterOnceTheyMay) {
  QueueFixture test;
  test.refused = {"a"};
  test.queue.Add(QueueFixture::Make("a"));
  EXPECT_EQ(test.PopUid(), "");
  EXPECT_EQ(test.wakes, 0);
  test.refused.clear();
  test.queue.Update(QueueFixture::Make("a"), {.may_help = true});
  EXPECT_EQ(test.PopUid(), "a");
}

TEST(SchedulingQueueTest, RemovedPodsAreGone) {
  QueueFixture test;
  test.queue.Add(QueueFixture::Make("a"));
  test.queue.Remove("a");
  EXPECT_EQ(test.PopUid(), "");
}

Container Asking(const std::string& name, const std::string& amount) {
  Container container;
  container.name = name;
  container.resources.requests = {{"cpu", Quantity::Of("1")},
                                  {"example.com/gpu", Quantity::Of(amount)}};
  return container;
}

TEST(ExtendedResourcesTest, InitContainersUseLaterOnesDevices) {
  Pod pod = MakePod("p");
  pod.spec.init_containers = {Asking("init", "3")};
  pod.spec.containers = {Asking("main", "2")};
  const ExtendedRequests made = MakeExtendedRequests(
      pod, {"example.com/gpu"}, [](const std::string&) { return std::string("gpu"); });
  // cpu is request 0 of each container; the init container has two of main's and one of its own.
  ASSERT_EQ(made.requests.size(), 2u);
  EXPECT_EQ(made.requests[0].name, "container-0-request-1");
  EXPECT_EQ(made.requests[0].exactly->count, 1);
  EXPECT_EQ(made.requests[1].name, "container-1-request-1");
  EXPECT_EQ(made.requests[1].exactly->count, 2);
  std::vector<std::string> mappings;
  for (const auto& mapping : made.mappings) {
    mappings.push_back(mapping.container_name + ">" + mapping.request_name);
  }
  EXPECT_THAT(mappings, ElementsAre("main>container-1-request-1", "init>container-1-request-1",
                                    "init>container-0-request-1"));
}

TEST(ExtendedResourcesTest, LargestInitContainerServesAll) {
  Pod pod = MakePod("p");
  pod.spec.init_containers = {Asking("i0", "1"), Asking("i1", "4")};
  pod.spec.containers[0].resources.requests.clear();
  const ExtendedRequests made = MakeExtendedRequests(
      pod, {"example.com/gpu"}, [](const std::string&) { return std::string("gpu"); });
  ASSERT_EQ(made.requests.size(), 1u);
  EXPECT_EQ(made.requests[0].name, "container-1-request-1");
  EXPECT_EQ(made.requests[0].exactly->count, 4);
  for (const auto& mapping : made.mappings) {
    EXPECT_EQ(mapping.request_name, "container-1-request-1");
  }
}

TEST(ExtendedResourcesTest, NewestExplicitClassWinsThenTheName) {
  const auto make = [](const std::string& name, std::int64_t created, const std::string& resource) {
    auto result = std::make_shared<DeviceClass>();
    result->metadata.name = name;
    result->metadata.creation_timestamp = api::meta::Time::FromUnix(created);
    if (!resource.empty()) {
      result->spec.extended_resource_name = resource;
    }
    return result;
  };
  const std::vector<std::shared_ptr<const DeviceClass>> classes = {
      make("a", 10, "example.com/gpu"), make("b", 20, "example.com/gpu"),
      make("c", 20, "example.com/gpu"), make("d", 30, "")};
  EXPECT_EQ(ClassForResource(classes, "example.com/gpu")->metadata.name, "b");
  EXPECT_EQ(ClassForResource(classes, "deviceclass.resource.kubernetes.io/d")->metadata.name, "d");
  EXPECT_EQ(ClassForResource(classes, "example.com/other"), nullptr);
  EXPECT_TRUE(IsExtendedResource("example.com/gpu"));
  EXPECT_TRUE(IsExtendedResource("deviceclass.resource.kubernetes.io/d"));
  EXPECT_FALSE(IsExtendedResource("cpu"));
  EXPECT_FALSE(IsExtendedResource("hugepages-2Mi"));
  EXPECT_FALSE(IsExtendedResource("kubernetes.io/x"));
}

}  // namespace
}  // namespace assay::controlplane::scheduler
