// The server over HTTPS, request by request.

#include "controlplane/apiserver/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "api/core/types.h"
#include "api/proto/proto.h"
#include "base/event_loop.h"
#include "base/file.h"
#include "base/http/client.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/bootstrap_policy.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/skewed_clock.h"

namespace assay::controlplane::apiserver {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kPatience = std::chrono::seconds(20);
constexpr char kMaps[] = "/api/v1/namespaces/default/configmaps";
constexpr char kSlices[] = "/apis/resource.k8s.io/v1/resourceslices";

std::string MapJson(const std::string& name, const std::string& more = "") {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name + "\"" + more +
         "}}";
}

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RequestContext context{.user = User::Controller("setup")};
    api::core::Namespace ns;
    ns.metadata.name = "default";
    ASSERT_TRUE(registry_.Create(api::Object::Of(std::move(ns)), context).ok());
    ASSAY_ASSERT_OK_AND_ASSIGN(server_, Server::Start(registry_, {}));
    loop_.Start();
    ASSAY_ASSERT_OK_AND_ASSIGN(
        client_, http::Client::Create(loop_, {.url = server_->url(), .ca_pem = server_->ca_pem()}));
    token_ = server_->admin_token();
  }
  void TearDown() override {
    server_->Stop();
    OnLoop([this] { client_.reset(); });
    loop_.StopAndJoin();
  }

  void OnLoop(const std::function<void()>& task) {
    std::promise<void> done;
    loop_.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  Result<http::Response> TryCall(const std::string& method, const std::string& target,
                                 std::string body, http::Headers headers,
                                 Duration timeout = kPatience) {
    if (!token_.empty()) {
      headers.Add("Authorization", "Bearer " + token_);
    }
    auto promise = std::make_shared<std::promise<Result<http::Response>>>();
    loop_.Post([&, promise] {
      client_->Send({.method = method,
                     .target = target,
                     .headers = headers,
                     .body = std::move(body),
                     .timeout = timeout},
                    [promise](Result<http::Response> r) { promise->set_value(std::move(r)); });
    });
    return promise->get_future().get();
  }

  struct Reply {
    int code = 0;
    http::Headers headers;
    std::string text;
    json body;  // Discarded if it is no JSON.
    std::string message() const { return body.value("message", ""); }
  };
  Reply Call(const std::string& method, const std::string& target, std::string body = "",
             http::Headers headers = {}) {
    Result<http::Response> response = TryCall(method, target, std::move(body), std::move(headers));
    EXPECT_THAT(response, IsOk());
    if (!response.ok()) {
      return {};
    }
    return {response->status, response->headers, response->body,
            json::parse(response->body, nullptr, /*allow_exceptions=*/false)};
  }

  // An open watch; collects its lines.
  class Stream {
   public:
    Stream(ServerTest& test, const std::string& target) : test_(test) {
      http::Headers headers{{"Authorization", "Bearer " + test.token_}};
      test_.OnLoop([&] {
        call_ = test_.client_->Stream({.target = target, .headers = headers},
                                      {.on_data = [this](std::string_view data) { Take(data); },
                                       .on_end =
                                           [this](const Status& status) {
                                             std::lock_guard lock(mu_);
                                             end_ = status;
                                             changed_.notify_all();
                                           }});
      });
    }
    ~Stream() {
      test_.OnLoop([&] { test_.client_->Cancel(call_); });
    }

    // The next event; a null one if none comes, or the watch has ended.
    json Next() {
      std::unique_lock lock(mu_);
      changed_.wait_for(lock, kPatience, [&] { return next_ < events_.size() || end_; });
      return next_ < events_.size() ? events_[next_++] : json();
    }
    std::string NextLine() {
      json event = Next();
      if (event.is_null()) {
        return "nothing";
      }
      return event["type"].get<std::string>() + " " +
             event["object"]["metadata"].value("name", "-");
    }
    Status End() {
      std::unique_lock lock(mu_);
      EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return end_.has_value(); }));
      return end_.value_or(OkStatus());
    }

   private:
    void Take(std::string_view data) {
      std::lock_guard lock(mu_);
      rest_ += data;
      for (std::size_t end = 0; (end = rest_.find('\n')) != std::string::npos;) {
        events_.push_back(json::parse(rest_.substr(0, end)));
        rest_.erase(0, end + 1);
      }
      changed_.notify_all();
    }

    ServerTest& test_;
    http::Client::CallId call_ = 0;
    std::mutex mu_;
    std::condition_variable changed_;
    std::string rest_;
    std::vector<json> events_;
    std::size_t next_ = 0;
    std::optional<Status> end_;
  };

  SkewedClock clock_;
  Registry registry_{{.clock = &clock_}};
  RealEventLoop loop_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<http::Client> client_;
  std::string token_;
};

TEST_F(ServerTest, CreatesReadsUpdatesAndDeletes) {
  Reply created = Call("POST", kMaps, MapJson("a"));
  EXPECT_EQ(created.code, 201);
  EXPECT_EQ(created.body["kind"], "ConfigMap");
  Reply read = Call("GET", std::string(kMaps) + "/a");
  EXPECT_EQ(read.body, created.body);
  json changed = read.body;
  changed["data"]["x"] = "y";
  EXPECT_EQ(Call("PUT", std::string(kMaps) + "/a", changed.dump()).code, 200);
  Reply stale = Call("PUT", std::string(kMaps) + "/a", changed.dump());
  EXPECT_EQ(stale.code, 409);
  EXPECT_EQ(stale.body["reason"], "Conflict");
  Reply list = Call("GET", "/api/v1/configmaps");
  EXPECT_EQ(list.body["kind"], "ConfigMapList");
  ASSERT_THAT(list.body["items"], SizeIs(1));
  EXPECT_FALSE(list.body["items"][0].contains("kind")) << "items of typed lists have no type";
  Reply deleted = Call("DELETE", std::string(kMaps) + "/a");
  EXPECT_EQ(deleted.body["kind"], "Status");
  EXPECT_EQ(deleted.body["details"]["kind"], "configmaps");
  Reply missing = Call("GET", std::string(kMaps) + "/a");
  EXPECT_EQ(missing.code, 404);
  EXPECT_EQ(missing.body["details"], (json{{"name", "a"}, {"kind", "configmaps"}}));
}

TEST_F(ServerTest, ChecksThatTheUrlNamesTheObject) {
  EXPECT_THAT(Call("POST", kMaps, MapJson("a", R"(,"namespace":"other")")).message(),
              HasSubstr("does not match the namespace sent on the request"));
  EXPECT_EQ(Call("PUT", std::string(kMaps) + "/b", MapJson("a")).message(),
            "the name of the object (a) does not match the name on the URL (b)");
  EXPECT_EQ(Call("POST", kMaps, R"({"apiVersion":"v1","kind":"Pod"})").code, 400);
  EXPECT_EQ(Call("POST", "/api/v1/configmaps", MapJson("a")).code, 405);
  EXPECT_EQ(Call("GET", "/api/v1/nothings").code, 404);
  EXPECT_EQ(Call("GET", std::string(kMaps) + "/a/status").code, 404);
  EXPECT_EQ(Call("GET", "/apis/resource.k8s.io/v1alpha1/resourceslices").code, 404);
}

TEST_F(ServerTest, ReadsBodiesInEachForm) {
  EXPECT_EQ(Call("POST", kMaps, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\n",
                 {{"Content-Type", "application/yaml"}})
                .code,
            201);
  api::core::ConfigMap map;
  map.metadata.name = "proto";
  map.data["a"] = "b";
  EXPECT_EQ(Call("POST", kMaps, api::proto::Encode(api::Object::Of(map)),
                 {{"Content-Type", "application/vnd.kubernetes.protobuf"}})
                .body["data"]["a"],
            "b");
  EXPECT_EQ(Call("POST", kMaps, "x", {{"Content-Type", "application/cbor"}}).code, 415);
  EXPECT_EQ(
      Call("POST", kMaps, "k8s", {{"Content-Type", "application/vnd.kubernetes.protobuf"}}).code,
      400);
  EXPECT_EQ(Call("POST", kMaps, std::string(4'000'000, ' ')).code, 413);
}

TEST_F(ServerTest, ValidatesFieldsAsAsked) {
  std::string body = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"x":1})";
  Reply strict = Call("POST", std::string(kMaps) + "?fieldValidation=Strict", body);
  EXPECT_EQ(strict.code, 400);
  EXPECT_EQ(strict.message(),
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: "
            "unknown field \"x\"");
  Reply warned = Call("POST", std::string(kMaps) + "?dryRun=All", body);
  EXPECT_EQ(warned.code, 201);
  EXPECT_EQ(warned.headers.Get("Warning"), "299 - \"unknown field \\\"x\\\"\"");
  Reply ignored = Call("POST", std::string(kMaps) + "?fieldValidation=Ignore", body);
  EXPECT_EQ(ignored.headers.Find("Warning"), nullptr);
  EXPECT_EQ(Call("POST", std::string(kMaps) + "?fieldValidation=Maybe", body).code, 422);
}

TEST_F(ServerTest, WritesEachForm) {
  ASSERT_EQ(Call("POST", kMaps, MapJson("a")).code, 201);
  Reply table =
      Call("GET", kMaps, "", {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io"}});
  EXPECT_EQ(table.body["kind"], "Table");
  EXPECT_EQ(table.body["rows"][0]["cells"][0], "a");
  EXPECT_EQ(table.body["rows"][0]["object"]["kind"], "PartialObjectMetadata");
  Reply partial =
      Call("GET", kMaps, "",
           {{"Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}});
  EXPECT_EQ(partial.body["kind"], "PartialObjectMetadataList");
  EXPECT_EQ(partial.body["items"][0]["metadata"]["name"], "a");
  EXPECT_EQ(Call("GET", kMaps, "", {{"Accept", "application/cbor"}}).code, 406);
  EXPECT_EQ(Call("GET", kMaps, "", {{"Accept", "application/cbor, application/json"}}).code, 200);
  // What is wanted less comes last.
  EXPECT_EQ(Call("GET", kMaps, "",
                 {{"Accept", "application/vnd.kubernetes.protobuf;q=0.5, application/json"}})
                .body["kind"],
            "ConfigMapList");
}

// What `T` is in an answer's envelope.
template <typename T>
T Unwrap(std::string_view answer, const std::string& api_version, const std::string& kind) {
  T value;
  Result<api::proto::Envelope> envelope = api::proto::DecodeEnvelope(answer);
  EXPECT_THAT(envelope, IsOk());
  if (envelope.ok()) {
    EXPECT_EQ(envelope->type_meta.api_version, api_version);
    EXPECT_EQ(envelope->type_meta.kind, kind);
    EXPECT_THAT(
        api::proto::DecodeMessage(api::schema::DescriptorOf<T>(), envelope->raw, {}, &value),
        IsOk());
  }
  return value;
}

TEST_F(ServerTest, AnswersInProtobuf) {
  const http::Headers headers{{"Accept", "application/vnd.kubernetes.protobuf"}};
  Reply created = Call("POST", kMaps, MapJson("a", R"(,"labels":{"x":"y"})"), headers);
  EXPECT_EQ(created.code, 201);
  EXPECT_EQ(created.headers.Get("Content-Type"), "application/vnd.kubernetes.protobuf");
  auto map = Unwrap<api::core::ConfigMap>(created.text, "v1", "ConfigMap");
  EXPECT_EQ(map.metadata.name, "a");
  EXPECT_EQ(map.metadata.managed_fields.size(), 1u);
  EXPECT_EQ(Unwrap<api::core::ConfigMap>(Call("GET", std::string(kMaps) + "/a", "", headers).text,
                                         "v1", "ConfigMap"),
            map);

  Reply missing = Call("GET", std::string(kMaps) + "/b", "", headers);
  EXPECT_EQ(missing.code, 404);
  EXPECT_EQ(Unwrap<api::meta::Status>(missing.text, "v1", "Status").reason, "NotFound");
  token_ = "wrong";
  EXPECT_EQ(Unwrap<api::meta::Status>(Call("GET", kMaps, "", headers).text, "v1", "Status").code,
            401);
  token_ = server_->admin_token();

  // A list: metadata 1, items 2, as every kind's.
  Reply list = Call("GET", kMaps, "", headers);
  auto envelope = *api::proto::DecodeEnvelope(list.text);
  EXPECT_EQ(envelope.type_meta.kind, "ConfigMapList");
  auto partial = Unwrap<api::meta::PartialObjectMetadata>(
      Call("GET", std::string(kMaps) + "/a", "",
           {{"Accept",
             "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}})
          .text,
      "meta.k8s.io/v1", "PartialObjectMetadata");
  EXPECT_EQ(partial.metadata, map.metadata);
  // Tables are JSON only: the next best is taken.
  EXPECT_EQ(Call("GET", kMaps, "",
                 {{"Accept",
                   "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,"
                   "application/json"}})
                .body["kind"],
            "ConfigMapList");
  EXPECT_EQ(
      Unwrap<api::meta::APIGroupList>(Call("GET", "/apis", "", headers).text, "v1", "APIGroupList")
          .groups.size(),
      Call("GET", "/apis").body["groups"].size());
}

// Frames of four bytes of length, big endian, and a WatchEvent without an envelope.
TEST_F(ServerTest, StreamsProtobuf) {
  ASSERT_EQ(Call("POST", kMaps, MapJson("a")).code, 201);
  Reply watched = Call("GET", std::string(kMaps) + "?watch=true&timeoutSeconds=1", "",
                       {{"Accept", "application/vnd.kubernetes.protobuf;stream=watch"}});
  EXPECT_EQ(watched.headers.Get("Content-Type"),
            "application/vnd.kubernetes.protobuf;stream=watch");
  ASSERT_GT(watched.text.size(), 4u);
  std::size_t size = 0;
  for (int i = 0; i < 4; ++i) {
    size = size << 8 | static_cast<unsigned char>(watched.text[static_cast<std::size_t>(i)]);
  }
  ASSERT_EQ(watched.text.size(), size + 4);
  api::meta::WatchEvent event;
  ASSERT_THAT(api::proto::DecodeMessage(api::schema::DescriptorOf<api::meta::WatchEvent>(),
                                        std::string_view(watched.text).substr(4), {}, &event),
              IsOk());
  EXPECT_EQ(event.type, "ADDED");
  EXPECT_EQ(Unwrap<api::core::ConfigMap>(event.object.json, "v1", "ConfigMap").metadata.name, "a");
}

TEST_F(ServerTest, ServesEachVersion) {
  std::string slice = R"({"apiVersion":"resource.k8s.io/v1","kind":"ResourceSlice","metadata":)"
                      R"({"name":"s"},"spec":{"driver":"d.example.com","nodeName":"n","pool":)"
                      R"({"name":"n","generation":1,"resourceSliceCount":1},"devices":)"
                      R"([{"name":"gpu","attributes":{"a":{"int":5}}}]}})";
  ASSERT_EQ(Call("POST", kSlices, slice).code, 201);
  Reply old = Call("GET", "/apis/resource.k8s.io/v1beta1/resourceslices/s");
  EXPECT_EQ(old.body["apiVersion"], "resource.k8s.io/v1beta1");
  EXPECT_EQ(old.body["spec"]["devices"][0]["basic"]["attributes"]["a"]["int"], 5);
  Reply strict =
      Call("POST", "/apis/resource.k8s.io/v1beta1/resourceslices?fieldValidation=Strict", slice);
  EXPECT_EQ(strict.code, 400);
}

TEST_F(ServerTest, DiscoversWhatItServes) {
  EXPECT_THAT(Call("GET", "/api").body["versions"], ElementsAre("v1"));
  EXPECT_EQ(Call("GET", "/apis").body["kind"], "APIGroupList");
  EXPECT_EQ(Call("GET", "/apis/resource.k8s.io").body["preferredVersion"]["version"], "v1");
  json resources = Call("GET", "/apis/resource.k8s.io/v1").body["resources"];
  EXPECT_THAT(resources.dump(), HasSubstr("resourceclaims/status"));
  Reply aggregated =
      Call("GET", "/apis", "",
           {{"Accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}});
  EXPECT_EQ(aggregated.headers.Get("Content-Type"),
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  EXPECT_EQ(aggregated.body["kind"], "APIGroupDiscoveryList");
  EXPECT_EQ(Call("GET", "/version").body["gitVersion"], "v1.36.3");
  EXPECT_EQ(Call("GET", "/readyz").text, "ok");
  EXPECT_TRUE(Call("GET", "/openapi/v3").body["paths"].contains("apis/resource.k8s.io/v1"));
  EXPECT_TRUE(Call("GET", "/openapi/v3/apis/resource.k8s.io/v1").body.contains("components"));
  EXPECT_EQ(Call("GET", "/nowhere").code, 404);
}

TEST_F(ServerTest, KnowsWhoAsks) {
  token_ = "wrong";
  EXPECT_EQ(Call("GET", kMaps).code, 401);
  token_ = "";
  EXPECT_THAT(Call("GET", kMaps).message(),
              HasSubstr("User \"system:anonymous\" cannot list resource \"configmaps\""));
  EXPECT_EQ(Call("GET", "/version").code, 200);
  token_ = server_->AddToken(User::ServiceAccount("default", "driver", "node-1"));
  Reply refused = Call("GET", kMaps);
  EXPECT_EQ(refused.code, 403);
  EXPECT_EQ(refused.message(),
            "configmaps is forbidden: User \"system:serviceaccount:default:driver\" cannot list "
            "resource \"configmaps\" in API group \"\" in the namespace \"default\"");
  EXPECT_EQ(Call("GET", "/api").code, 200);

  RequestContext admin{.user = User::Controller("test")};
  for (const api::Object& object : DriverPolicy(User::ServiceAccount("default", "driver"))) {
    EXPECT_TRUE(registry_.Create(object, admin).ok());
  }
  EXPECT_EQ(Call("GET", kSlices).code, 200);
  EXPECT_EQ(Call("GET", "/apis/resource.k8s.io/v1/resourceclaims").code, 403);
  EXPECT_EQ(Call("GET", "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/a").code, 404);

  std::string review = R"({"apiVersion":"authorization.k8s.io/v1","kind":)"
                       R"("SelfSubjectAccessReview","spec":{"resourceAttributes":{"verb":"list",)"
                       R"("group":"resource.k8s.io","resource":"resourceslices"}}})";
  Reply allowed = Call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review);
  EXPECT_EQ(allowed.code, 201);
  EXPECT_EQ(allowed.body["status"]["allowed"], true);
  Reply self = Call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                    R"({"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"})");
  EXPECT_EQ(self.body["status"]["userInfo"]["extra"]["authentication.kubernetes.io/node-name"],
            json::array({"node-1"}));
  std::string token = token_;
  token_ = server_->admin_token();
  Reply reviewed =
      Call("POST", "/apis/authentication.k8s.io/v1/tokenreviews",
           R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":")" +
               token + "\"}}");
  EXPECT_EQ(reviewed.body["status"]["user"]["username"], "system:serviceaccount:default:driver");
  server_->RemoveToken(token);
  token_ = token;
  EXPECT_EQ(Call("GET", kSlices).code, 401);
}

TEST_F(ServerTest, WhoMayActsAsSomebodyElse) {
  const std::string reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const auto seen_as = [&](http::Headers headers) {
    const Reply reply = Call("POST", reviews, "{}", std::move(headers));
    EXPECT_EQ(reply.code, 201) << reply.text;
    return reply.body["status"]["userInfo"];
  };
  EXPECT_EQ(seen_as({{"Impersonate-User", "system:serviceaccount:gpus:driver"}})["groups"],
            json::array(
                {"system:serviceaccounts", "system:serviceaccounts:gpus", "system:authenticated"}));
  const json somebody = seen_as({{"Impersonate-User", "somebody"},
                                 {"impersonate-group", "a"},
                                 {"Impersonate-Group", "b"},
                                 {"Impersonate-Extra-acme.com%2Fscopes", "c"}});
  EXPECT_EQ(somebody["username"], "somebody");
  EXPECT_EQ(somebody["groups"], json::array({"a", "b", "system:authenticated"}));
  EXPECT_EQ(somebody["extra"]["acme.com/scopes"], json::array({"c"}));
  EXPECT_EQ(Call("POST", reviews, "{}", {{"Impersonate-Group", "a"}}).code, 400);
  // What he may, he may: not what the administrator may.
  EXPECT_EQ(Call("GET", kMaps, "", {{"Impersonate-User", "somebody"}}).code, 403);

  token_ = server_->AddToken({.name = "plain", .groups = {"system:authenticated"}});
  EXPECT_EQ(Call("GET", kMaps, "", {{"Impersonate-User", "kubernetes-admin"}}).message(),
            "users \"kubernetes-admin\" is forbidden: User \"plain\" cannot impersonate resource "
            "\"users\" in API group \"\" at the cluster scope");
}

TEST_F(ServerTest, WatchesFromAListWithoutGaps) {
  ASSERT_EQ(Call("POST", kMaps, MapJson("a")).code, 201);
  std::string version = Call("GET", kMaps).body["metadata"]["resourceVersion"];
  ASSERT_EQ(Call("POST", kMaps, MapJson("b")).code, 201);
  Stream stream(*this, std::string(kMaps) + "?watch=true&resourceVersion=" + version);
  EXPECT_EQ(stream.NextLine(), "ADDED b");
  ASSERT_EQ(Call("DELETE", std::string(kMaps) + "/a").code, 200);
  EXPECT_EQ(stream.NextLine(), "DELETED a");
}

TEST_F(ServerTest, StreamsAListAndSaysWhereItEnds) {
  ASSERT_EQ(Call("POST", kMaps, MapJson("a")).code, 201);
  Stream stream(*this, std::string(kMaps) +
                           "?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&"
                           "resourceVersionMatch=NotOlderThan");
  EXPECT_EQ(stream.NextLine(), "ADDED a");
  json bookmark = stream.Next();
  EXPECT_EQ(bookmark["type"], "BOOKMARK");
  EXPECT_EQ(bookmark["object"]["kind"], "ConfigMap");
  EXPECT_EQ(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
  EXPECT_EQ(bookmark["object"]["metadata"]["resourceVersion"],
            Call("GET", kMaps).body["metadata"]["resourceVersion"]);
  ASSERT_EQ(Call("POST", kMaps, MapJson("b")).code, 201);
  EXPECT_EQ(stream.NextLine(), "ADDED b");
  EXPECT_EQ(Call("GET", std::string(kMaps) + "?watch=1&sendInitialEvents=true").code, 422);
}

TEST_F(ServerTest, EndsWatchesAsAsked) {
  Stream timed(*this, std::string(kMaps) + "?watch=1&timeoutSeconds=1");
  EXPECT_THAT(timed.End(), IsOk());

  ASSERT_EQ(Call("POST", kMaps, MapJson("a")).code, 201);
  registry_.objects().Compact();
  Stream old(*this, std::string(kMaps) + "?watch=1&resourceVersion=1");
  json error = old.Next();
  EXPECT_EQ(error["type"], "ERROR");
  EXPECT_EQ(error["object"]["code"], 410);
  EXPECT_EQ(error["object"]["reason"], "Expired");

  Stream dropped(*this, std::string(kMaps) + "?watch=1");
  EXPECT_EQ(dropped.NextLine(), "ADDED a");
  EXPECT_EQ(server_->DropWatches({.resources = {"pods"}}), 0u);
  EXPECT_EQ(server_->DropWatches({.resources = {"configmaps"}}), 1u);
  EXPECT_THAT(dropped.End(), StatusIs(StatusCode::kUnavailable));

  Stream expired(*this, std::string(kMaps) + "?watch=1");
  EXPECT_EQ(expired.NextLine(), "ADDED a");
  EXPECT_EQ(server_->ExpireWatches({}), 1u);
  EXPECT_EQ(expired.Next()["object"]["code"], 410);
  EXPECT_THAT(expired.End(), IsOk());
}

TEST_F(ServerTest, InjectsFaults) {
  FaultInjector& faults = server_->faults();
  auto id = faults.Add({.match = {.verbs = {"create"}, .resources = {"configmaps"}},
                        .action = Fault::TooManyRequests(3),
                        .skip = 1,
                        .times = 1});
  EXPECT_EQ(Call("POST", kMaps, MapJson("a")).code, 201);
  Reply hit = Call("POST", kMaps, MapJson("b"));
  EXPECT_EQ(hit.code, 429);
  EXPECT_EQ(hit.headers.Get("Retry-After"), "3");
  EXPECT_EQ(hit.body["details"]["retryAfterSeconds"], 3);
  EXPECT_EQ(Call("POST", kMaps, MapJson("b")).code, 201);
  EXPECT_EQ(faults.hits(id), 1);

  faults.Add({.match = {.verbs = {"create"}}, .action = Fault::DropConnection()});
  EXPECT_THAT(TryCall("POST", kMaps, MapJson("c"), {}), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(Call("GET", std::string(kMaps) + "/c").code, 404) << "it had no effect";
  faults.Add({.match = {.verbs = {"create"}}, .action = Fault::LoseAnswer()});
  EXPECT_THAT(TryCall("POST", kMaps, MapJson("d"), {}), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(Call("GET", std::string(kMaps) + "/d").code, 200) << "only its answer was lost";
  faults.Add({.match = {.name = "d"}, .action = Fault::Hang()});
  EXPECT_THAT(TryCall("GET", std::string(kMaps) + "/d", "", {}, std::chrono::milliseconds(50)),
              StatusIs(StatusCode::kDeadlineExceeded));
}

TEST_F(ServerTest, HeldRequestsAreCarriedOutLater) {
  FaultInjector& faults = server_->faults();
  const FaultInjector::Id id =
      faults.Add({.match = {.verbs = {"create"}}, .action = Fault::Hold()});
  std::thread writer([&] { EXPECT_EQ(Call("POST", kMaps, MapJson("late")).code, 201); });
  while (faults.hits(id) == 0) {
    std::this_thread::yield();
  }
  EXPECT_EQ(Call("GET", std::string(kMaps) + "/late").code, 404) << "not yet";
  faults.Clear();
  writer.join();
  EXPECT_EQ(Call("GET", std::string(kMaps) + "/late").code, 200);
}

TEST_F(ServerTest, SlowAnswersAreAnswers) {
  constexpr auto kDelay = std::chrono::milliseconds(30);
  FaultInjector& faults = server_->faults();
  faults.Add({.match = {.verbs = {"create"}}, .action = Fault::Slow(kDelay)});
  const MonotonicTime begin = Clock::Real().Monotonic();
  EXPECT_EQ(Call("POST", kMaps, MapJson("late")).code, 201);
  EXPECT_GE(Clock::Real().Monotonic() - begin, kDelay);
  // Who waits when the server ends, waits in vain.
  const FaultInjector::Id id =
      faults.Add({.match = {.verbs = {"create"}}, .action = Fault::Slow(kPatience)});
  std::thread writer([&] {
    EXPECT_THAT(TryCall("POST", kMaps, MapJson("later"), {}), StatusIs(StatusCode::kUnavailable));
  });
  while (faults.hits(id) == 0) {
    std::this_thread::yield();
  }
  server_->Stop();
  writer.join();
}

TEST_F(ServerTest, ComesBackAsItWas) {
  ASSERT_EQ(Call("POST", kMaps, MapJson("a")).code, 201);
  const std::string url = server_->url();
  Stream watch(*this, std::string(kMaps) + "?watch=1&resourceVersion=1");
  EXPECT_EQ(watch.NextLine(), "ADDED a");
  server_->GoDown();
  EXPECT_TRUE(watch.Next().is_null());
  EXPECT_THAT(TryCall("GET", kMaps, "", {}), StatusIs(StatusCode::kUnavailable));
  ASSERT_THAT(server_->ComeBack(), IsOk());
  EXPECT_EQ(server_->url(), url);
  EXPECT_EQ(Call("GET", std::string(kMaps) + "/a").code, 200);
  Stream resumed(*this, std::string(kMaps) + "?watch=1&resourceVersion=1");
  EXPECT_EQ(resumed.NextLine(), "ADDED a");
  server_->GoDown();  // It can be stopped while it is down.
}

TEST_F(ServerTest, TokensOfServiceAccountsEnd) {
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  ASSERT_EQ(Call("POST", accounts, R"({"metadata":{"name":"driver"}})").code, 201);
  ASSERT_EQ(Call("POST", "/api/v1/namespaces/default/pods",
                 R"({"metadata":{"name":"p"},"spec":{"nodeName":"node-1","serviceAccountName":)"
                 R"("driver","containers":[{"name":"c","image":"i"}]}})")
                .code,
            201);
  const std::string tokens = accounts + "/driver/token";
  EXPECT_EQ(Call("POST", tokens, R"({"spec":{"expirationSeconds":599}})").code, 422);
  EXPECT_EQ(Call("POST", tokens, R"({"spec":{"boundObjectRef":{"kind":"Pod","name":"q"}}})").code,
            404);
  Reply made = Call("POST", tokens,
                    R"({"spec":{"expirationSeconds":600,"boundObjectRef":{"kind":"Pod",)"
                    R"("apiVersion":"v1","name":"p"}}})");
  ASSERT_EQ(made.code, 201);
  token_ = made.body["status"]["token"];
  const std::string reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  Reply self = Call("POST", reviews, "{}");
  EXPECT_EQ(self.body["status"]["userInfo"]["username"], "system:serviceaccount:default:driver");
  EXPECT_EQ(self.body["status"]["userInfo"]["extra"]["authentication.kubernetes.io/node-name"],
            json::array({"node-1"}));
  clock_.Skew(std::chrono::seconds(590));
  EXPECT_EQ(Call("POST", reviews, "{}").code, 201);
  clock_.Skew(std::chrono::seconds(600));
  EXPECT_EQ(Call("POST", reviews, "{}").code, 401);
}

TEST_F(ServerTest, RecordsWhoDidWhat) {
  RequestLog& log = server_->requests();
  std::uint64_t before = log.last();
  ASSERT_EQ(Call("POST", kMaps, MapJson("a"), {{"User-Agent", "my-driver/1.2"}}).code, 201);
  ASSERT_EQ(Call("GET", std::string(kSlices) + "?fieldSelector=spec.driver%3Dd").code, 200);
  auto writes = log.Since(before, {.user_agent_contains = "my-driver"});
  ASSERT_THAT(writes, SizeIs(1));
  EXPECT_TRUE(writes[0].IsWrite());
  EXPECT_EQ(writes[0].user, "kubernetes-admin");
  EXPECT_EQ(writes[0].info.verb, "create");
  EXPECT_EQ(writes[0].info.resource, "configmaps");
  EXPECT_EQ(writes[0].code, 201);
  EXPECT_NE(writes[0].body_hash, 0u);
  auto lists = log.Since(before, {.resources = {"resourceslices"}});
  ASSERT_THAT(lists, SizeIs(1));
  EXPECT_EQ(lists[0].field_selector, "spec.driver=d");
  EXPECT_THAT(log.Since(log.last()), IsEmpty());
}

TEST_F(ServerTest, AnswersCreationsBelowPods) {
  std::string pod = R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":)"
                    R"({"containers":[{"name":"c","image":"i"}]}})";
  const std::string pods = "/api/v1/namespaces/default/pods";
  ASSERT_EQ(Call("POST", pods, pod).code, 201);
  std::string binding = R"({"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},)"
                        R"("target":{"kind":"Node","name":"node-1"}})";
  EXPECT_EQ(Call("POST", pods + "/p/binding", binding).code, 201);
  EXPECT_EQ(Call("POST", pods + "/p/binding", binding).code, 409);
  Reply bound = Call("GET", pods + "/p");
  EXPECT_EQ(bound.body["spec"]["nodeName"], "node-1");
  EXPECT_EQ(Call("GET", pods + "?fieldSelector=spec.nodeName%3Dnode-1").body["items"].size(), 1u);
  EXPECT_EQ(Call("POST", pods + "/p/eviction",
                 R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}})")
                .code,
            201);
  EXPECT_TRUE(Call("GET", pods + "/p").body["metadata"].contains("deletionTimestamp"));
}

TEST_F(ServerTest, WritesAKubeconfigThatOnlyItsOwnerReads) {
  ASSAY_ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create());
  auto path = dir / "kubeconfig";
  ASSERT_THAT(server_->WriteKubeconfig(path, server_->admin_token()), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(std::string text, ReadFile(path));
  EXPECT_THAT(text, HasSubstr("server: " + server_->url()));
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace
}  // namespace assay::controlplane::apiserver
