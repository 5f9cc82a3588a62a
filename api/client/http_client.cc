#include "api/client/http_client.h"

#include <string_view>
#include <utility>

#include "api/client/internal/json_slices.h"
#include "api/core/types.h"
#include "api/json/json.h"
#include "api/meta/status.h"
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

// "/api/v1/namespaces/default/pods/a/status"
std::string PathOf(const Kind& kind, const std::string& namespace_name, const std::string& name,
                   const std::string& subresource) {
  std::string path = (kind.group.empty() ? "/api/" : "/apis/") + kind.HubGvk().ApiVersion();
  if (kind.namespaced && !namespace_name.empty()) {
    path += "/namespaces/" + http::PercentEncode(namespace_name);
  }
  path += "/" + kind.resource;
  if (!name.empty()) {
    path += "/" + http::PercentEncode(name);
  }
  if (!subresource.empty()) {
    path += "/" + subresource;
  }
  return path;
}

std::string WithQuery(std::string path, const http::Query& query) {
  if (!query.empty()) {
    path += "?" + query.Encode();
  }
  return path;
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

Result<Object> DecodeObject(const Kind& kind, std::string_view text) {
  ASSAY_ASSIGN_OR_RETURN(json::Decoded decoded, json::Decode(kind, text, Lenient()));
  return std::move(decoded.object);
}

Result<ObjectList> DecodeList(const Kind& kind, std::string_view text) {
  ObjectList list;
  const auto on_item = [&](std::string_view item) -> assay::Status {
    ASSAY_ASSIGN_OR_RETURN(Object object, DecodeObject(kind, item));
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
    const Kind* kind = nullptr;
    std::function<void(WatchEvent)> on_event;
    Client::DoneCallback on_end;
    http::Client::CallId call = 0;
    EventLoop::TimerId timer = EventLoop::kNoTimer;
    std::string buffer;
    int http_status = 200;
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
    End(ResourceExhaustedError("watch of " + kind->resource + ": an event is too large"));
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
  ASSAY_ASSIGN_OR_RETURN(event.object, DecodeObject(*kind, text));
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
  Impl(EventLoop& loop, std::unique_ptr<http::Client> client, const HttpClientOptions& options)
      : loop_(&loop), http_(std::move(client)), options_(options) {}

  EventLoop& loop() { return *loop_; }
  const std::shared_ptr<http::Client>& http() { return http_; }

  void Send(std::string method, std::string target, std::string_view content_type, std::string body,
            std::function<void(Result<http::Response>)> done) {
    http::ClientRequest request{.method = std::move(method),
                                .target = std::move(target),
                                .headers = {{"Accept", "application/json"}},
                                .body = std::move(body),
                                .timeout = options_.timeout};
    if (!content_type.empty()) {
      request.headers.Add("Content-Type", std::string(content_type));
    }
    http_->Send(std::move(request), std::move(done));
  }

  void SendForObject(const Kind& kind, std::string method, std::string target,
                     std::string_view content_type, std::string body, Callback<Object> done) {
    Send(std::move(method), std::move(target), content_type, std::move(body),
         [&kind, done = std::move(done)](const Result<http::Response>& response) {
           const assay::Status status = CheckResponse(response);
           done(status.ok() ? DecodeObject(kind, response->body) : Result<Object>(status));
         });
  }

 private:
  EventLoop* loop_;
  // Watches hold it weakly, to know whether it is still there.
  std::shared_ptr<http::Client> http_;
  HttpClientOptions options_;
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
  impl_->SendForObject(kind, "GET", PathOf(kind, key.namespace_, key.name, ""), "", "",
                       std::move(done));
}

void HttpClient::List(const Kind& kind, ListOptions options, Callback<ObjectList> done) {
  impl_->Send("GET", WithQuery(PathOf(kind, options.namespace_, "", ""), SelectionQuery(options)),
              "", "", [&kind, done = std::move(done)](const Result<http::Response>& response) {
                const assay::Status status = CheckResponse(response);
                done(status.ok() ? DecodeList(kind, response->body) : Result<ObjectList>(status));
              });
}

void HttpClient::Create(Object object, WriteOptions options, Callback<Object> done) {
  const Kind& kind = object.kind();
  const http::Query query = WriteQuery(options);
  if (options.subresource.empty()) {
    impl_->SendForObject(kind, "POST", WithQuery(PathOf(kind, object.namespace_(), "", ""), query),
                         "application/json", json::Encode(object), std::move(done));
    return;
  }
  if (options.subresource != "binding" || !object.Is<core::Pod>()) {
    const std::weak_ptr<http::Client> http = impl_->http();
    impl_->loop().Post([http, done = std::move(done), subresource = options.subresource] {
      if (!http.expired()) {
        done(InvalidArgumentError("cannot create the subresource \"" + subresource + "\""));
      }
    });
    return;
  }
  std::string path = PathOf(kind, object.namespace_(), object.name(), options.subresource);
  // The answer is only a Status.
  impl_->Send("POST", WithQuery(std::move(path), query), "application/json",
              EncodeBinding(object.As<core::Pod>()),
              [object, done = std::move(done)](const Result<http::Response>& response) {
                const assay::Status status = CheckResponse(response);
                done(status.ok() ? Result<Object>(object) : Result<Object>(status));
              });
}

void HttpClient::Update(Object object, WriteOptions options, Callback<Object> done) {
  const Kind& kind = object.kind();
  std::string path = PathOf(kind, object.namespace_(), object.name(), options.subresource);
  impl_->SendForObject(kind, "PUT", WithQuery(std::move(path), WriteQuery(options)),
                       "application/json", json::Encode(object), std::move(done));
}

void HttpClient::Patch(const Kind& kind, ObjectKey key, std::string body, PatchOptions options,
                       Callback<Object> done) {
  http::Query query;
  AddTo(query, "fieldManager", options.field_manager);
  AddTo(query, "force", options.type == PatchType::kApply && options.force ? "true" : "");
  std::string path = PathOf(kind, key.namespace_, key.name, options.subresource);
  impl_->SendForObject(kind, "PATCH", WithQuery(std::move(path), query), ContentType(options.type),
                       std::move(body), std::move(done));
}

void HttpClient::Delete(const Kind& kind, ObjectKey key, DeleteOptions options, DoneCallback done) {
  impl_->Send("DELETE", PathOf(kind, key.namespace_, key.name, ""), "application/json",
              EncodeDeleteOptions(options),
              [done = std::move(done)](const Result<http::Response>& response) {
                done(CheckResponse(response));
              });
}

void HttpClient::DeleteCollection(const Kind& kind, ListOptions which, DoneCallback done) {
  impl_->Send("DELETE", WithQuery(PathOf(kind, which.namespace_, "", ""), SelectionQuery(which)),
              "", "", [done = std::move(done)](const Result<http::Response>& response) {
                done(CheckResponse(response));
              });
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
  state->kind = &kind;
  state->on_event = std::move(on_event);
  state->on_end = std::move(on_end);
  const std::weak_ptr<HttpWatch::State> weak = state;
  state->timer = impl_->loop().RunAfter(kWatchTimeout + kWatchGrace, [weak] {
    if (const auto alive = weak.lock()) {
      alive->timer = EventLoop::kNoTimer;
      alive->End(UnavailableError("watch of " + alive->kind->resource +
                                  ": the server did not end it in time"));
    }
  });
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
  callbacks.on_end = [state](const assay::Status& status) {
    const std::shared_ptr<HttpWatch::State> keep = state;
    keep->End(keep->http_status == 200 ? status : ErrorOf(keep->buffer, keep->http_status));
  };
  state->call =
      impl_->http()->Stream({.target = WithQuery(PathOf(kind, options.namespace_, "", ""), query),
                             .headers = {{"Accept", "application/json"}}},
                            std::move(callbacks));
  return std::make_unique<HttpWatch>(std::move(state));
}

}  // namespace assay::api::client
