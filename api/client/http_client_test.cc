#include "api/client/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/http/server.h"
#include "base/testing/status_matchers.h"

namespace assay::api::client {
namespace {

using core::ConfigMap;
using core::Pod;
using resource::DeviceTaintRule;
using resource::ResourceSlice;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

constexpr char kStatusNotFound[] =
    R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
    R"("message":"configmaps \"a\" not found","reason":"NotFound","code":404})";
constexpr char kStatusExpired[] =
    R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
    R"("message":"too old resource version","reason":"Expired","code":410})";

// An HTTP server whose answers a test scripts.
class ScriptedServer {
 public:
  using Answer = std::function<void(const http::Request&, http::Responder&)>;

  explicit ScriptedServer(Answer answer) : answer_(std::move(answer)) {
    server_ = *http::Server::Start(
        {}, [this](http::Request request, std::shared_ptr<http::Responder> responder) {
          {
            const std::lock_guard lock(mu_);
            requests_.push_back(request);
          }
          answer_(request, *responder);
        });
  }

  std::unique_ptr<BlockingClient> Connect() {
    ClientConfig config;
    config.server = server_->url();
    config.token = "secret";
    config.user_agent = "test/1";
    return *BlockingClient::Connect(config, std::chrono::seconds(10));
  }
  std::vector<http::Request> requests() {
    const std::lock_guard lock(mu_);
    return requests_;
  }

 private:
  std::mutex mu_;
  std::vector<http::Request> requests_;  // Guarded by mu_.
  Answer answer_;
  std::unique_ptr<http::Server> server_;
};

ScriptedServer::Answer Always(int status, std::string body) {
  return [status, body](const http::Request&, http::Responder& responder) {
    responder.Send({.status = status, .headers = {}, .body = body});
  };
}

TEST(HttpClientTest, GetsAnObject) {
  ScriptedServer server(Always(
      200, R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"ns"},)"
           R"("data":{"k":"v"},"fieldOfALaterKubernetes":1})"));
  const auto client = server.Connect();
  ASSAY_ASSERT_OK_AND_ASSIGN(const ConfigMap map, client->Get<ConfigMap>("ns", "a"));
  EXPECT_EQ(map.data.at("k"), "v");
  const http::Request request = server.requests().at(0);
  EXPECT_EQ(request.target, "/api/v1/namespaces/ns/configmaps/a");
  EXPECT_EQ(request.headers.Get("Authorization"), "Bearer secret");
  EXPECT_EQ(request.headers.Get("User-Agent"), "test/1");
}

TEST(HttpClientTest, ErrorsAreTheServersStatus) {
  ScriptedServer server(Always(404, kStatusNotFound));
  EXPECT_THAT(server.Connect()->Get<ConfigMap>("ns", "a"),
              StatusIs(StatusCode::kNotFound, "configmaps \"a\" not found"));
}

TEST(HttpClientTest, ErrorsWithoutAStatusGoByTheHttpCode) {
  ScriptedServer server(Always(503, "try later"));
  EXPECT_THAT(server.Connect()->Get<ConfigMap>("ns", "a"), StatusIs(StatusCode::kUnavailable));
}

TEST(HttpClientTest, ListsInPagesWithSelectors) {
  ScriptedServer server([](const http::Request& request, http::Responder& responder) {
    const bool first = request.query.Get("continue").empty();
    responder.Send(
        {.status = 200,
         .headers = {},
         .body =
             first
                 ? R"({"kind":"ConfigMapList","apiVersion":"v1","metadata":)"
                   R"({"resourceVersion":"9","continue":"c1"},"items":[{"metadata":{"name":"a"}}]})"
                 : R"({"kind":"ConfigMapList","apiVersion":"v1","metadata":)"
                   R"({"resourceVersion":"9"},"items":[{"metadata":{"name":"b"}}]})"});
  });
  const auto client = server.Connect();
  ASSAY_ASSERT_OK_AND_ASSIGN(
      const std::vector<ConfigMap> maps,
      client->List<ConfigMap>({.label_selector = "app in (a,b)", .limit = 1}));
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[1].metadata.name, "b");
  EXPECT_EQ(server.requests().at(1).query.Get("continue"), "c1");
  EXPECT_EQ(server.requests().at(1).query.Get("labelSelector"), "app in (a,b)");
  EXPECT_EQ(server.requests().at(1).path, "/api/v1/configmaps");
}

TEST(HttpClientTest, WritesNameTheirSubresourceAndOptions) {
  ScriptedServer server(
      Always(200, R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"ns"}})"));
  const auto client = server.Connect();
  Pod pod;
  pod.metadata.namespace_ = "ns";
  pod.metadata.name = "p";
  pod.metadata.uid = "u";
  pod.spec.node_name = "n";
  EXPECT_THAT(client->Create(pod, {.field_manager = "me", .dry_run = true}), IsOk());
  EXPECT_THAT(client->UpdateStatus(pod), IsOk());
  EXPECT_THAT(client->Patch<Pod>({"ns", "p"}, "{}",
                                 {.type = PatchType::kApply,
                                  .subresource = "status",
                                  .field_manager = "me",
                                  .force = true}),
              IsOk());
  EXPECT_THAT(client->Delete<Pod>({"ns", "p"}, {.uid = "u", .grace_period_seconds = 0}), IsOk());
  EXPECT_THAT(client->Create(pod, {.subresource = "binding"}), IsOk());
  EXPECT_THAT(client->Create(pod, {.subresource = "proxy"}),
              StatusIs(StatusCode::kInvalidArgument));

  const std::vector<http::Request> requests = server.requests();
  std::vector<std::string> lines;
  for (const http::Request& request : requests) {
    lines.push_back(request.method + " " + request.target);
  }
  EXPECT_THAT(lines,
              ElementsAre("POST /api/v1/namespaces/ns/pods?fieldManager=me&dryRun=All",
                          "PUT /api/v1/namespaces/ns/pods/p/status",
                          "PATCH /api/v1/namespaces/ns/pods/p/status?fieldManager=me&force=true",
                          "DELETE /api/v1/namespaces/ns/pods/p",
                          "POST /api/v1/namespaces/ns/pods/p/binding"));
  EXPECT_EQ(requests[2].headers.Get("Content-Type"), "application/apply-patch+yaml");
  EXPECT_THAT(requests[3].body, HasSubstr(R"("gracePeriodSeconds":0)"));
  EXPECT_THAT(requests[3].body, HasSubstr(R"("preconditions":{"uid":"u"})"));
  EXPECT_THAT(requests[4].body, HasSubstr(R"("kind":"Binding")"));
  EXPECT_THAT(requests[4].body, HasSubstr(R"("target":{"kind":"Node","name":"n"})"));
}

TEST(HttpClientTest, WaitFollowsTheWatchAcrossItsEnds) {
  // The list is empty. The first watch is too old; then comes another list, and a watch whose
  // events arrive in pieces.
  std::atomic<int> watches = 0;
  ScriptedServer server([&](const http::Request& request, http::Responder& responder) {
    if (request.query.Get("watch") != "true") {
      responder.Send({.status = 200,
                      .headers = {},
                      .body = R"({"kind":"ConfigMapList","apiVersion":"v1",)"
                              R"("metadata":{"resourceVersion":"5"},"items":[]})"});
      return;
    }
    if (watches++ == 0) {
      const auto stream = responder.StartStream(200, {});
      stream->Write(std::string(R"({"type":"ERROR","object":)") + kStatusExpired + "}\n");
      stream->End();
      return;
    }
    const auto stream = responder.StartStream(200, {});
    stream->Write(R"({"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1",)");
    stream->Write(R"("metadata":{"name":"a","namespace":"ns","resourceVersion":"6"}}})");
    stream->Write(
        "\n{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\",\"namespace\":"
        "\"ns\",\"resourceVersion\":\"7\"},\"data\":{\"k\":\"v\"}}}\n");
  });
  ASSAY_ASSERT_OK_AND_ASSIGN(const ConfigMap map, server.Connect()->WaitFor<ConfigMap>(
                                                      {"ns", "a"}, [](const ConfigMap& m) {
                                                        return m.data.contains("k");
                                                      }));
  EXPECT_EQ(map.metadata.resource_version, "7");
  EXPECT_EQ(watches.load(), 2);
  EXPECT_EQ(server.requests().at(1).query.Get("fieldSelector"), "metadata.name=a");
  EXPECT_EQ(server.requests().at(1).query.Get("resourceVersion"), "5");
}

TEST(HttpClientTest, WaitThatFailsTellsWhatItSawLast) {
  ScriptedServer server([&](const http::Request& request, http::Responder& responder) {
    if (request.query.Get("watch") == "true") {
      responder.StartStream(200, {});
      return;
    }
    responder.Send({.status = 200,
                    .headers = {},
                    .body = R"({"metadata":{"resourceVersion":"5"},"items":[{"metadata":)"
                            R"({"name":"a","namespace":"ns"},"data":{"k":"old"}}]})"});
  });
  const auto connected = server.Connect();
  BlockingClient client(connected->client(), std::chrono::milliseconds(200));
  EXPECT_THAT(client.WaitFor<ConfigMap>({"ns", "a"}, [](const ConfigMap&) { return false; }),
              StatusIs(StatusCode::kDeadlineExceeded,
                       AllOf(HasSubstr("ConfigMap ns/a"), HasSubstr(R"("k":"old")"))));
}

// In client-go's words (rest/request.go): what would make the path another one is not sent.
TEST(HttpClientTest, NamesThatAreNoPathSegmentsAreRefused) {
  ScriptedServer server(Always(200, "{}"));
  const auto client = server.Connect();
  const auto refusal = [&](const std::string& namespace_name, const std::string& name) {
    return client->Get<ConfigMap>(namespace_name, name).status().message();
  };
  EXPECT_EQ(refusal("ns", ".."), R"(invalid resource name "..": [may not be '..'])");
  EXPECT_EQ(refusal("ns", "."), R"(invalid resource name ".": [may not be '.'])");
  EXPECT_EQ(refusal("ns", "../../x%2f"),
            R"(invalid resource name "../../x%2f": [may not contain '/' may not contain '%'])");
  EXPECT_EQ(refusal("..", "a"), R"(invalid namespace "..": [may not be '..'])");
  EXPECT_EQ(refusal("a/b", ".."), R"(invalid namespace "a/b": [may not contain '/'])");
  EXPECT_EQ(refusal("ns", ""), "resource name may not be empty");
  EXPECT_EQ(refusal("", "a"), "an empty namespace may not be set when a resource name is provided");

  ConfigMap map;
  map.metadata.name = "..";
  map.metadata.namespace_ = "ns";
  EXPECT_THAT(client->Update(map), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(client->Delete<ConfigMap>({"ns", ".."}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(client->Patch<ConfigMap>({"ns", ".."}, "{}"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(client->List<ConfigMap>({.namespace_ = ".."}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("invalid namespace")));
  map.metadata.namespace_.clear();
  EXPECT_THAT(client->Create(map), StatusIs(StatusCode::kInvalidArgument,
                                            "an empty namespace may not be set during creation"));
  EXPECT_THAT(server.requests(), ::testing::IsEmpty());
}

// A server that has resource.k8s.io only in `version`, with one object at every path below it.
ScriptedServer::Answer ServesOnly(const std::string& version, const std::string& resource,
                                  const std::string& object) {
  return [=](const http::Request& request, http::Responder& responder) {
    const std::string root = "/apis/resource.k8s.io/" + version;
    if (request.path == root) {
      responder.Send({.status = 200,
                      .headers = {},
                      .body = R"({"kind":"APIResourceList","groupVersion":"resource.k8s.io/)" +
                              version + R"(","resources":[{"name":")" + resource + R"("}]})"});
    } else if (!request.path.starts_with(root + "/")) {
      responder.Send({.status = 404, .headers = {}, .body = "404 page not found\n"});
    } else if (request.query.Get("watch") == "true") {
      const auto stream = responder.StartStream(200, {});
      stream->Write(R"({"type":"ADDED","object":)" + object + "}\n");
    } else if (request.method == "GET" && request.path.ends_with(resource)) {
      responder.Send({.status = 200, .headers = {}, .body = R"({"items":[)" + object + "]}"});
    } else {
      responder.Send({.status = 200, .headers = {}, .body = object});
    }
  };
}

TEST(HttpClientTest, SpeaksAnOlderVersionWhereTheServerHasNoOther) {
  ScriptedServer server(ServesOnly(
      "v1beta1", "resourceslices",
      R"({"apiVersion":"resource.k8s.io/v1beta1","kind":"ResourceSlice","metadata":{"name":"s"},)"
      R"("spec":{"driver":"d","devices":[{"name":"gpu-0","basic":{"attributes":)"
      R"({"a":{"int":7}}}}]}})"));
  const auto client = server.Connect();
  ASSAY_ASSERT_OK_AND_ASSIGN(const ResourceSlice slice, client->Get<ResourceSlice>("", "s"));
  EXPECT_EQ(slice.spec.devices.at(0).attributes.at("a").int_, 7);
  const auto paths = [&] {
    std::vector<std::string> all;
    for (const http::Request& request : server.requests()) {
      all.push_back(request.path);
    }
    return all;
  };
  EXPECT_THAT(paths(),
              ElementsAre("/apis/resource.k8s.io/v1/resourceslices/s", "/apis/resource.k8s.io/v1",
                          "/apis/resource.k8s.io/v1beta2", "/apis/resource.k8s.io/v1beta1",
                          "/apis/resource.k8s.io/v1beta1/resourceslices/s"));

  // Found once, it is remembered; what is sent is converted too.
  ASSERT_THAT(client->Create(slice), IsOk());
  EXPECT_THAT(paths(), ::testing::SizeIs(6));
  EXPECT_THAT(
      server.requests().back().body,
      AllOf(HasSubstr(R"("apiVersion":"resource.k8s.io/v1beta1")"), HasSubstr("\"basic\"")));
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::vector<ResourceSlice> list, client->List<ResourceSlice>());
  EXPECT_EQ(list.at(0).spec.devices.at(0).name, "gpu-0");

  // A patch cannot be converted.
  EXPECT_THAT(client->Patch<ResourceSlice>({"", "s"}, "{}"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("v1beta1")));
}

TEST(HttpClientTest, WatchesInAnOlderVersionToo) {
  ScriptedServer server(
      ServesOnly("v1alpha3", "devicetaintrules",
                 R"({"apiVersion":"resource.k8s.io/v1alpha3","kind":"DeviceTaintRule",)"
                 R"("metadata":{"name":"r","resourceVersion":"3"},"spec":{"taint":{"key":"k"}}})"));
  const auto connected = server.Connect();
  std::promise<std::string> seen;
  std::unique_ptr<WatchHandle> watch;
  Client& client = connected->client();
  client.loop().Post([&] {
    watch = client.Watch(
        KindOf<DeviceTaintRule>(), {},
        [&](const WatchEvent& event) {
          seen.set_value(event.object.As<DeviceTaintRule>().spec.taint.key);
        },
        [](const Status&) {});
  });
  EXPECT_EQ(seen.get_future().get(), "k");
  std::promise<void> closed;
  client.loop().Post([&] {
    watch.reset();
    closed.set_value();
  });
  closed.get_future().wait();

  // The versions have the same fields: a patch goes through, an apply in the server's version.
  ASSERT_THAT(connected->Patch<DeviceTaintRule>(
                  {"", "r"}, R"({"kind":"DeviceTaintRule","apiVersion":"resource.k8s.io/v1"})",
                  {.type = PatchType::kApply, .field_manager = "me"}),
              IsOk());
  EXPECT_EQ(server.requests().back().body,
            R"({"kind":"DeviceTaintRule","apiVersion":"resource.k8s.io/v1alpha3"})");
}

// An object that is not there is no reason to look for another version.
TEST(HttpClientTest, MissingObjectsAreNoReasonForDiscovery) {
  ScriptedServer server(
      Always(404, R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                  R"("message":"resourceslices.resource.k8s.io \"s\" not found",)"
                  R"("reason":"NotFound","details":{"name":"s","group":"resource.k8s.io",)"
                  R"("kind":"resourceslices"},"code":404})"));
  EXPECT_THAT(server.Connect()->Get<ResourceSlice>("", "s"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(server.requests(), ::testing::SizeIs(1));
}

TEST(HttpClientTest, ServersWithoutTheKindSayNotFound) {
  ScriptedServer server(Always(404, "404 page not found\n"));
  EXPECT_THAT(server.Connect()->Get<ResourceSlice>("", "s"),
              StatusIs(StatusCode::kNotFound, "the server could not find the requested resource"));
}

TEST(HttpClientTest, BadConfigurationIsRefused) {
  ClientConfig config;
  config.server = "nonsense";
  EXPECT_THAT(BlockingClient::Connect(config).status(), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace assay::api::client
