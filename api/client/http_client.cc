#include "api/client/http_client.h"

#include <memory>
#include <string_view>
#include <utility>

#include "api/client/internal/json_slices.h"
#include "api/client/internal/served_versions.h"
#include "api/codec/codec.h"
#include "api/conversion/conversion.h"
#include "api/core/types.h"
#include "api/json/go_quote.h"
#include "api/json/json.h"
#include "api/meta/status.h"
#include "api/validation/metadata.h"
#include "base/http/client.h"

namespace assay::api::client {
namespace {

// Lists of a large cluster are large; the HTTP client has a limit of its own.
constexpr std::size_t kMaxBodyBytes = std::size_t{512} << 20;
constexpr std::size_t kMaxEventBytes = std::size_t{16} << 20;
// The server is asked to end a watch after this, so that one whose connection has silently died
// is noticed (as client-go does).
constexpr Duration kWatchTimeout = std::chrono::minutes(5);
constexpr Duration kWatchGrace = std::chrono::seconds(30);

// What a call is about: the path below the group and version, and the query.
struct Target {
  const Kind* kind = nullptr;  // Not null.
  std::string namespace_;      // Empty: all, or none.
  std::string name;
  std::string subresource;
  http::Query query;
  bool collection = false;  // All of the kind, or a place for a new one: there is no name.
};

// "/api/v1/namespaces/default/pods/a/status?fieldManager=me"
std::string PathOf(const Target& target, const KindVersion& version) {
  const Kind& kind = *target.kind;
  std::string path = internal::GroupVersionPath(kind, version);
  if (!target.namespace_.empty()) {
    path += "/namespaces/" + http::PercentEncode(target.namespace_);
  }
  path += "/" + kind.resource;
  if (!target.name.empty()) {
    path += "/" + http::PercentEncode(target.name);
  }
  if (!target.subresource.empty()) {
    path += "/" + target.subresource;
  }
  return target.query.empty() ? path : path + "?" + target.query.Encode();
}

Target TargetOf(const Kind& kind, const ObjectKey& key, std::string subresource = "") {
  return {.kind = &kind,
          .namespace_ = kind.namespaced ? key.namespace_ : "",
          .name = key.name,
          .subresource = std::move(subresource)};
}

Target CollectionOf(const Kind& kind, const std::string& namespace_name, http::Query query) {
  return {.kind = &kind,
          .namespace_ = kind.namespaced ? namespace_name : "",
          .query = std::move(query),
          .collection = true};
}

assay::Status CheckSegment(std::string_view what, std::string_view name) {
  std::string problems;
  for (const std::string& problem : validation::NameIsPathSegment(name, /*prefix=*/false)) {
    problems += (problems.empty() ? "" : " ") + problem;
  }
  return problems.empty() ? OkStatus()
                          : InvalidArgumentError("invalid " + std::string(what) + " " +
                                                 json::GoQuote(name) + ": [" + problems + "]");
}

// What client-go refuses to send, in its words: a name that would make the path another one.
// Source: client-go, rest/request.go.
assay::Status CheckTarget(const std::string& method, const Target& target) {
  const bool namespaced = target.kind->namespaced;
  if (namespaced) {
    ASSAY_RETURN_IF_ERROR(CheckSegment("namespace", target.namespace_));
  }
  if (!target.collection) {
    if (target.name.empty()) {
      return InvalidArgumentError("resource name may not be empty");
    }
    ASSAY_RETURN_IF_ERROR(CheckSegment("resource name", target.name));
  }
  if (!namespaced || !target.namespace_.empty()) {
    return OkStatus();
  }
  if (method == "POST") {
    return InvalidArgumentError("an empty namespace may not be set during creation");
  }
  return target.collection
             ? OkStatus()
             : InvalidArgumentError(
                   "an empty namespace may not be set when a resource name is provided");
}

void AddTo(http::Query& query, std::string key, const std::string& value) {
  if (!value.empty()) {
    query.Add(std::move(key), value);
  }
}

http::Query SelectionQuery(const ListOptions& options) {
  http::Query query;
  AddTo(query, "labelSelector", options.label_selector);
  AddTo(query, "fieldSelector", options.field_selector);
  AddTo(query, "resourceVersion", options.resource_version);
  AddTo(query, "limit", options.limit > 0 ? std::to_string(options.limit) : "");
  AddTo(query, "continue", options.continue_);
  return query;
}

http::Query WriteQuery(const WriteOptions& options) {
  http::Query query;
  AddTo(query, "fieldManager", options.field_manager);
  AddTo(query, "dryRun", options.dry_run ? "All" : "");
  return query;
}

std::string_view ContentType(PatchType type) {
  switch (type) {
    case PatchType::kJson:
      return "application/json-patch+json";
    case PatchType::kMerge:
      return "application/merge-patch+json";
    case PatchType::kStrategicMerge:
      return "application/strategic-merge-patch+json";
    case PatchType::kApply:
      return "application/apply-patch+yaml";
  }
  return "";
}

std::string EncodeDeleteOptions(const DeleteOptions& options) {
  std::string body = R"({"kind":"DeleteOptions","apiVersion":"v1")";
  if (options.grace_period_seconds) {
    body += ",\"gracePeriodSeconds\":" + std::to_string(*options.grace_period_seconds);
  }
  if (options.propagation_policy) {
    body += ",\"propagationPolicy\":" + json::Quote(*options.propagation_policy);
  }
  if (options.uid || options.resource_version) {
    body += ",\"preconditions\":{";
    if (options.uid) {
      body += "\"uid\":" + json::Quote(*options.uid);
    }
    if (options.resource_version) {
      body += std::string(options.uid ? "," : "") +
              "\"resourceVersion\":" + json::Quote(*options.resource_version);
    }
    body += "}";
  }
  return body + "}";
}

json::DecodeOptions Lenient() {
  // A server may be newer than Assay.
  return {.field_validation = json::FieldValidation::kIgnore, .max_bytes = kMaxBodyBytes};
}

assay::Status ErrorOf(std::string_view status_json, int http_code) {
  Result<meta::Status> status = json::DecodeAs<meta::Status>(status_json, Lenient());
  if (!status.ok() || status->status != "Failure") {
    return meta::ToAssayStatus(meta::FromHttpCode(http_code, status_json));
  }
  return meta::ToAssayStatus(*status);
}

// OK, or the error that the answer carries.
assay::Status CheckResponse(const Result<http::Response>& response) {
  if (!response.ok()) {
    return response.status();
  }
  if (response->status < 200 || response->status > 299) {
    return ErrorOf(response->body, response->status);
  }
  return OkStatus();
}

// A callback for answers of which only the outcome counts.
auto StatusOf(Client::DoneCallback done) {
  return [done = std::move(done)](const KindVersion&, const Result<http::Response>& response) {
    done(CheckResponse(response));
  };
}

// The object in whichever version the server takes.
auto Encoded(Object object) {
  return [object = std::move(object)](const KindVersion& version) -> Result<std::string> {
    return codec::EncodeJson(object, version);
  };
}

Result<Object> DecodeObject(const Kind& kind, const KindVersion& version, std::string_view text) {
  ASSAY_ASSIGN_OR_RETURN(json::Decoded decoded, codec::DecodeJson(kind, version, text, Lenient()));
  return std::move(decoded.object);
}

Result<ObjectList> DecodeList(const Kind& kind, const KindVersion& version, std::string_view text) {
  ObjectList list;
  const auto on_item = [&](std::string_view item) -> assay::Status {
    ASSAY_ASSIGN_OR_RETURN(Object object, DecodeObject(kind, version, item));
    list.items.push_back(std::move(object));
    return OkStatus();
  };
  const auto on_member = [&](std::string_view key, std::string_view value) -> assay::Status {
    if (key == "items") {
      return internal::ForEachItem(value, on_item);
    }
    if (key == "metadata") {
      ASSAY_ASSIGN_OR_RETURN(const meta::ListMeta metadata,
                             json::DecodeAs<meta::ListMeta>(value, Lenient()));
      list.resource_version = metadata.resource_version;
      list.continue_ = metadata.continue_;
    }
    return OkStatus();
  };
  ASSAY_RETURN_IF_ERROR(internal::ForEachMember(text, on_member));
  return list;
}

// A patch speaks of fields, which cannot be converted; it can be sent where the versions have the
// same ones. An apply's apiVersion becomes that of the path.
Result<std::string> PatchFor(const Kind& kind, const KindVersion& version, const std::string& body,
                             PatchType type) {
  if (&version == &kind.versions.front()) {
    return body;
  }
  if (!conversion::SameFields(kind.hub(), *version.message)) {
    return FailedPreconditionError("the server serves " + kind.resource + " as " + version.version +
                                   ", but the patch is written in " +
                                   kind.versions.front().version);
  }
  if (type != PatchType::kApply) {
    return body;
  }
  std::string converted;
  ASSAY_RETURN_IF_ERROR(
      internal::ForEachMember(body, [&](std::string_view key, std::string_view value) {
        converted += converted.empty() ? "{\"" : ",\"";
        converted.append(key).append("\":");
        converted += key == "apiVersion" ? json::Quote(codec::ApiVersionOf(kind, version))
                                         : std::string(value);
        return OkStatus();
      }));
  return converted + "}";
}

std::string EncodeBinding(const core::Pod& pod) {
  core::Binding binding;
  binding.metadata.name = pod.metadata.name;
  binding.metadata.namespace_ = pod.metadata.namespace_;
  binding.metadata.uid = pod.metadata.uid;
  binding.target.kind = "Node";
  binding.target.name = pod.spec.node_name;
  return json::EncodeAs(binding, {.api_version = "v1", .kind = "Binding"});
}

}  // namespace

// One watch: its stream, and the timer that ends a dead one.
class HttpWatch : public WatchHandle {
 public:
  struct State {
    std::weak_ptr<http::Client> client;  // Null once the HttpClient is gone.
    EventLoop* loop = nullptr;
    Target target;
    const KindVersion* version = nullptr;  // What the stream speaks.
    std::function<void(WatchEvent)> on_event;
    Client::DoneCallback on_end;
    http::Client::CallId call = 0;
    EventLoop::TimerId timer = EventLoop::kNoTimer;
    std::string buffer;
    int http_status = 200;
    bool rediscovered = false;
    bool ended = false;  // No callback runs any more.

    void OnData(std::string_view data);
    assay::Status OnLine(std::string_view line);
    void End(const assay::Status& status);
    void Cancel();
  };

  explicit HttpWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~HttpWatch() override { state_->Cancel(); }

 private:
  // Shared with the stream's callbacks: one of them may destroy the handle.
  std::shared_ptr<State> state_;
};

void HttpWatch::State::OnData(std::string_view data) {
  buffer.append(data);
  if (http_status != 200) {
    return;  // The body is a Status, read at the end.
  }
  std::size_t start = 0;
  while (!ended) {
    const std::size_t end = buffer.find('\n', start);
    if (end == std::string::npos) {
      break;
    }
    const assay::Status status = OnLine(std::string_view(buffer).substr(start, end - start));
    start = end + 1;
    if (!status.ok()) {
      End(status);
      return;
    }
  }
  buffer.erase(0, start);
  if (buffer.size() > kMaxEventBytes) {
    End(ResourceExhaustedError("watch of " + target.kind->resource + ": an event is too large"));
  }
}

assay::Status HttpWatch::State::OnLine(std::string_view line) {
  if (line.find_first_not_of(" \r") == std::string_view::npos) {
    return OkStatus();
  }
  std::string_view type;
  std::string_view text;
  ASSAY_RETURN_IF_ERROR(
      internal::ForEachMember(line, [&](std::string_view key, std::string_view value) {
        (key == "type" ? type : text) = value;
        return OkStatus();
      }));
  if (type == "\"ERROR\"") {
    return ErrorOf(text, 500);
  }
  WatchEvent event{.type = WatchEventType::kBookmark, .object = {}};
  if (type == "\"ADDED\"") {
    event.type = WatchEventType::kAdded;
  } else if (type == "\"MODIFIED\"") {
    event.type = WatchEventType::kModified;
  } else if (type == "\"DELETED\"") {
    event.type = WatchEventType::kDeleted;
  } else if (type != "\"BOOKMARK\"") {
    return OkStatus();  // A type that a later Kubernetes added.
  }
  ASSAY_ASSIGN_OR_RETURN(event.object, DecodeObject(*target.kind, *version, text));
  on_event(std::move(event));
  return OkStatus();
}

void HttpWatch::State::End(const assay::Status& status) {
  if (!ended) {
    Cancel();
    on_end(status);
  }
}

void HttpWatch::State::Cancel() {
  if (ended) {
    return;
  }
  ended = true;
  if (timer != EventLoop::kNoTimer) {
    loop->CancelTimer(timer);
  }
  if (const std::shared_ptr<http::Client> alive = client.lock()) {
    alive->Cancel(call);
  }
}

class HttpClient::Impl {
 public:
  struct Call {
    std::string method;
    Target target;
    std::string content_type;
    // Writes the body in the version that the server is spoken to in; null: there is none.
    std::function<Result<std::string>(const KindVersion&)> body;
    // Gets the answer, and the version that it is in.
    std::function<void(const KindVersion&, const Result<http::Response>&)> done;
  };

  Impl(EventLoop& loop, std::unique_ptr<http::Client> client, const HttpClientOptions& options)
      : loop_(&loop),
        versions_([this](std::string path, std::function<void(std::string_view)> done) {
          Fetch(std::move(path), std::move(done));
        }),
        options_(options),
        http_(std::move(client)) {}

  EventLoop& loop() { return *loop_; }
  const std::shared_ptr<http::Client>& http() { return http_; }

  // Runs `task` later on the loop, unless the client is gone by then.
  void Later(std::function<void()> task) {
    const std::weak_ptr<http::Client> http = http_;
    loop_->Post([http, task = std::move(task)] {
      if (!http.expired()) {
        task();
      }
    });
  }

  void Send(Call call) {
    auto shared = std::make_shared<Call>(std::move(call));
    const assay::Status status = CheckTarget(shared->method, shared->target);
    if (status.ok()) {
      Try(std::move(shared), /*rediscover=*/true);
    } else {
      Fail(std::move(shared), status);
    }
  }

  void SendForObject(Call call, Callback<Object> done) {
    call.done = [kind = call.target.kind, done = std::move(done)](
                    const KindVersion& version, const Result<http::Response>& response) {
      const assay::Status status = CheckResponse(response);
      done(status.ok() ? DecodeObject(*kind, version, response->body) : Result<Object>(status));
    };
    Send(std::move(call));
  }

  void OpenStream(const std::shared_ptr<HttpWatch::State>& state) {
    state->version = &versions_.Of(*state->target.kind);
    state->http_status = 200;
    state->buffer.clear();
    http::StreamCallbacks callbacks;
    callbacks.on_response = [state](const http::Response& response) {
      state->http_status = response.status;
    };
    callbacks.on_data = [state](std::string_view data) {
      if (!state->ended) {
        const std::shared_ptr<HttpWatch::State> keep = state;
        keep->OnData(data);
      }
    };
    callbacks.on_end = [this, state](const assay::Status& status) {
      OnStreamEnd(std::shared_ptr<HttpWatch::State>(state), status);
    };
    state->call = http_->Stream({.target = PathOf(state->target, *state->version),
                                 .headers = {{"Accept", "application/json"}}},
                                std::move(callbacks));
  }

 private:
  // The call's callback and closures are shared with what waits for the answer.
  void Fail(std::shared_ptr<Call> call, const assay::Status& status) {
    const KindVersion& version = versions_.Of(*call->target.kind);
    Later([call = std::move(call), &version, status] {
      call->done(version, Result<http::Response>(status));
    });
  }

  void Try(std::shared_ptr<Call> call, bool rediscover) {
    const KindVersion& version = versions_.Of(*call->target.kind);
    http::ClientRequest request{.method = call->method,
                                .target = PathOf(call->target, version),
                                .headers = {{"Accept", "application/json"}},
                                .timeout = options_.timeout};
    if (call->body != nullptr) {
      Result<std::string> body = call->body(version);
      if (!body.ok()) {
        Fail(std::move(call), body.status());
        return;
      }
      request.body = *std::move(body);
      request.headers.Add("Content-Type", call->content_type);
    }
    http_->Send(std::move(request), [this, call = std::move(call), &version,
                                     rediscover](const Result<http::Response>& response) {
      if (!rediscover || !response.ok() ||
          !internal::IsUnknownPath(response->status, response->body)) {
        call->done(version, response);
        return;
      }
      versions_.Rediscover(*call->target.kind, version,
                           [this, call, &version, response](bool changed) {
                             if (changed) {
                               Try(call, /*rediscover=*/false);
                             } else {
                               call->done(version, response);
                             }
                           });
    });
  }

  void OnStreamEnd(const std::shared_ptr<HttpWatch::State>& state, const assay::Status& status) {
    if (state->http_status == 200) {
      state->End(status);
      return;
    }
    const assay::Status error = ErrorOf(state->buffer, state->http_status);
    if (state->ended || std::exchange(state->rediscovered, true) ||
        !internal::IsUnknownPath(state->http_status, state->buffer)) {
      state->End(error);
      return;
    }
    versions_.Rediscover(*state->target.kind, *state->version, [this, state, error](bool changed) {
      if (state->ended) {
        return;
      }
      if (changed) {
        OpenStream(state);
      } else {
        state->End(error);
      }
    });
  }

  void Fetch(std::string path, std::function<void(std::string_view)> done) {
    http_->Send({.target = std::move(path),
                 .headers = {{"Accept", "application/json"}},
                 .timeout = options_.timeout},
                [done = std::move(done)](const Result<http::Response>& response) {
                  done(response.ok() && response->status == 200 ? response->body : "");
                });
  }

  EventLoop* loop_;
  internal::ServedVersions versions_;
  HttpClientOptions options_;
  // Watches hold it weakly, to know whether it is still there. The last member: no callback of it
  // runs once it is gone, and they use the others.
  std::shared_ptr<http::Client> http_;
};

Result<std::unique_ptr<HttpClient>> HttpClient::Create(EventLoop& loop, const ClientConfig& config,
                                                       const HttpClientOptions& options) {
  http::ClientOptions http_options;
  http_options.url = config.server;
  http_options.ca_pem = config.certificate_authority_pem;
  http_options.insecure_skip_verify = config.insecure_skip_tls_verify;
  http_options.server_name = config.tls_server_name;
  http_options.client_certificate = {.certificate_pem = config.client_certificate_pem,
                                     .key_pem = config.client_key_pem};
  http_options.bearer_token = config.token;
  http_options.user_agent = config.user_agent;
  http_options.max_body_bytes = kMaxBodyBytes;
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<http::Client> client,
                         http::Client::Create(loop, std::move(http_options)));
  auto impl = std::make_unique<Impl>(loop, std::move(client), options);
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

EventLoop& HttpClient::loop() { return impl_->loop(); }

void HttpClient::Get(const Kind& kind, ObjectKey key, Callback<Object> done) {
  impl_->SendForObject({.method = "GET", .target = TargetOf(kind, key)}, std::move(done));
}

void HttpClient::List(const Kind& kind, ListOptions options, Callback<ObjectList> done) {
  impl_->Send({.method = "GET",
               .target = CollectionOf(kind, options.namespace_, SelectionQuery(options)),
               .done = [&kind, done = std::move(done)](const KindVersion& version,
                                                       const Result<http::Response>& response) {
                 const assay::Status status = CheckResponse(response);
                 done(status.ok() ? DecodeList(kind, version, response->body)
                                  : Result<ObjectList>(status));
               }});
}

void HttpClient::Create(Object object, WriteOptions options, Callback<Object> done) {
  const Kind& kind = object.kind();
  http::Query query = WriteQuery(options);
  if (options.subresource.empty()) {
    Target target = CollectionOf(kind, object.namespace_(), std::move(query));
    impl_->SendForObject({.method = "POST",
                          .target = std::move(target),
                          .content_type = "application/json",
                          .body = Encoded(std::move(object))},
                         std::move(done));
    return;
  }
  if (options.subresource != "binding" || !object.Is<core::Pod>()) {
    impl_->Later([done = std::move(done), subresource = options.subresource] {
      done(InvalidArgumentError("cannot create the subresource \"" + subresource + "\""));
    });
    return;
  }
  Target target = TargetOf(kind, {object.namespace_(), object.name()}, options.subresource);
  target.query = std::move(query);
  // The answer is only a Status.
  impl_->Send(
      {.method = "POST",
       .target = std::move(target),
       .content_type = "application/json",
       .body = [object](const KindVersion&) { return EncodeBinding(object.As<core::Pod>()); },
       .done =
           [object, done = std::move(done)](const KindVersion&,
                                            const Result<http::Response>& response) {
             const assay::Status status = CheckResponse(response);
             done(status.ok() ? Result<Object>(object) : Result<Object>(status));
           }});
}

void HttpClient::Update(Object object, WriteOptions options, Callback<Object> done) {
  Target target =
      TargetOf(object.kind(), {object.namespace_(), object.name()}, options.subresource);
  target.query = WriteQuery(options);
  impl_->SendForObject({.method = "PUT",
                        .target = std::move(target),
                        .content_type = "application/json",
                        .body = Encoded(std::move(object))},
                       std::move(done));
}

void HttpClient::Patch(const Kind& kind, ObjectKey key, std::string body, PatchOptions options,
                       Callback<Object> done) {
  Target target = TargetOf(kind, key, options.subresource);
  AddTo(target.query, "fieldManager", options.field_manager);
  AddTo(target.query, "force", options.type == PatchType::kApply && options.force ? "true" : "");
  impl_->SendForObject(
      {.method = "PATCH",
       .target = std::move(target),
       .content_type = std::string(ContentType(options.type)),
       .body = [&kind, body = std::move(body), type = options.type](
                   const KindVersion& version) { return PatchFor(kind, version, body, type); }},
      std::move(done));
}

void HttpClient::Delete(const Kind& kind, ObjectKey key, DeleteOptions options, DoneCallback done) {
  impl_->Send({.method = "DELETE",
               .target = TargetOf(kind, key),
               .content_type = "application/json",
               .body = [options = std::move(options)](
                           const KindVersion&) { return EncodeDeleteOptions(options); },
               .done = StatusOf(std::move(done))});
}

void HttpClient::DeleteCollection(const Kind& kind, ListOptions which, DoneCallback done) {
  impl_->Send({.method = "DELETE",
               .target = CollectionOf(kind, which.namespace_, SelectionQuery(which)),
               .done = StatusOf(std::move(done))});
}

std::unique_ptr<WatchHandle> HttpClient::Watch(const Kind& kind, WatchOptions options,
                                               std::function<void(WatchEvent)> on_event,
                                               DoneCallback on_end) {
  http::Query query{{"watch", "true"}};
  AddTo(query, "labelSelector", options.label_selector);
  AddTo(query, "fieldSelector", options.field_selector);
  AddTo(query, "resourceVersion", options.resource_version);
  AddTo(query, "allowWatchBookmarks", options.allow_bookmarks ? "true" : "");
  query.Add(
      "timeoutSeconds",
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(kWatchTimeout).count()));

  auto state = std::make_shared<HttpWatch::State>();
  state->client = impl_->http();
  state->loop = &impl_->loop();
  state->target = CollectionOf(kind, options.namespace_, std::move(query));
  state->on_event = std::move(on_event);
  state->on_end = std::move(on_end);
  const assay::Status valid = CheckTarget("GET", state->target);
  if (!valid.ok()) {
    impl_->Later([state, valid] { state->End(valid); });
    return std::make_unique<HttpWatch>(std::move(state));
  }
  const std::weak_ptr<HttpWatch::State> weak = state;
  state->timer = impl_->loop().RunAfter(kWatchTimeout + kWatchGrace, [weak] {
    if (const auto alive = weak.lock()) {
      alive->timer = EventLoop::kNoTimer;
      alive->End(UnavailableError("watch of " + alive->target.kind->resource +
                                  ": the server did not end it in time"));
    }
  });
  impl_->OpenStream(state);
  return std::make_unique<HttpWatch>(std::move(state));
}

}  // namespace assay::api::client
