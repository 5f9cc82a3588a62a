#include "controlplane/apiserver/server.h"

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "api/meta/status.h"
#include "api/openapi/openapi.h"
#include "base/base64.h"
#include "base/event_loop.h"
#include "base/file.h"
#include "base/http/certificate.h"
#include "base/http/server.h"
#include "base/random.h"
#include "controlplane/apiserver/api_call.h"
#include "controlplane/apiserver/discovery.h"
#include "controlplane/apiserver/forbidden.h"
#include "controlplane/apiserver/impersonation.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/resource_handler.h"
#include "controlplane/apiserver/reviews.h"
#include "controlplane/apiserver/watch_hub.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;

constexpr std::string_view kSwaggerProtobuf =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
constexpr std::string_view kAggregatedParameters =
    ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

std::uint64_t Hash(std::string_view body) {  // FNV-1a
  std::uint64_t hash = 14695981039346656037u;
  for (char c : body) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return body.empty() ? 0 : hash;
}

std::string VersionDocument(api::Level level) {
  std::string minor(api::LevelName(level).substr(2));
  std::string version = level == api::Level::k1_36 ? "v1.36.3" : "v1." + minor + ".0";
  return R"({"major":"1","minor":")" + minor + R"(","gitVersion":")" + version +
         R"(","gitCommit":"","gitTreeState":"clean","buildDate":"","goVersion":"",)" +
         R"("compiler":"","platform":"linux/amd64"})";
}

}  // namespace

struct Server::Impl {
  Impl(Registry& the_registry, ServerOptions the_options)
      : registry(the_registry),
        options(the_options),
        handler(
            the_registry,
            [this](User user, Duration lifetime) { return AddToken(std::move(user), lifetime); }),
        watches(the_options.bookmark_interval) {}

  Registry& registry;
  const ServerOptions options;
  ResourceHandler handler;
  WatchHub watches;
  FaultInjector faults;
  RequestLog log;
  std::string ca_pem;
  std::string admin_token;

  std::mutex mu;
  Random random = Random::FromSystem();  // Guarded by mu.
  struct Token {
    User user;
    std::optional<WallTime> expires;
  };
  std::map<std::string, Token> tokens;  // Guarded by mu.
  // Requests that a fault leaves without an answer.
  std::vector<std::shared_ptr<http::Responder>> hanging;  // Guarded by mu.
  // One that a fault has taken.
  struct Request {
    ApiCall call;
    std::shared_ptr<http::Responder> responder;
    bool acceptable;  // The client takes a form that objects can be sent in.
  };
  std::vector<Request> held;                 // Guarded by mu.
  std::map<std::uint64_t, Request> delayed;  // Guarded by mu.
  std::uint64_t next_delayed = 0;            // Guarded by mu.
  RealEventLoop timers;                      // Of `delayed`.
  http::ServerOptions http_options;
  std::string url;
  std::unique_ptr<http::Server> server;  // Last: its threads use the rest. Null: it is down.

  api::Level level() const { return registry.compatibility().level(); }

  Status Listen() {
    ASSAY_ASSIGN_OR_RETURN(
        server,
        http::Server::Start(http_options, [this](http::Request request,
                                                 std::shared_ptr<http::Responder> responder) {
          Handle(std::move(request), std::move(responder));
        }));
    http_options.port = server->port();
    url = server->url();
    return OkStatus();
  }

  std::string AddToken(User user, std::optional<Duration> lifetime) {
    std::lock_guard lock(mu);
    std::string token = random.Uuid() + random.Uuid();
    Token& added = tokens[token] = {.user = std::move(user)};
    if (lifetime) {
      added.expires = registry.clock().Now() + *lifetime;
    }
    return token;
  }

  std::optional<User> UserOfToken(const std::string& token) {
    std::lock_guard lock(mu);
    auto found = tokens.find(token);
    if (found == tokens.end() ||
        (found->second.expires && *found->second.expires <= registry.clock().Now())) {
      return std::nullopt;
    }
    return found->second.user;
  }

  // Nothing: credentials that are wrong. No credentials: the anonymous user.
  std::optional<User> Authenticate(const http::Request& request) {
    std::string_view header = request.headers.Get("Authorization");
    constexpr std::string_view kBearer = "Bearer ";
    if (header.starts_with(kBearer)) {
      return UserOfToken(std::string(header.substr(kBearer.size())));
    }
    if (!request.peer.common_name.empty()) {
      User user{.name = request.peer.common_name, .groups = request.peer.organizations};
      user.groups.emplace_back("system:authenticated");
      return user;
    }
    return User{.name = "system:anonymous", .groups = {"system:unauthenticated"}};
  }

  void Handle(http::Request request, std::shared_ptr<http::Responder> responder) {
    ApiCall call;
    call.route = ParseRoute(request.method, request.path, request.query, level());
    call.request = std::move(request);
    const RequestInfo& info = call.route.info;
    const bool discovery = info.path == "/api" || info.path == "/apis";
    const std::optional<Output> output =
        NegotiateOutput(call.request.headers.Get("Accept"), discovery);
    call.output = output.value_or(Output());  // Errors are in that form too.
    std::optional<User> user = Authenticate(call.request);
    if (!user) {
      Reply(call, *responder, StatusAnswer(meta::Unauthorized("Unauthorized")));
      return;
    }
    call.user = *std::move(user);
    ApiResult<User> acting = ActingUser(call.user, call.request.headers, registry.authorizer());
    if (!acting.ok()) {
      Reply(call, *responder, StatusAnswer(acting.error()));
      return;
    }
    call.user = *std::move(acting);
    if (call.request.body_too_large) {
      Reply(call, *responder, StatusAnswer(meta::RequestEntityTooLarge("limit is 3145728")));
      return;
    }
    std::string agent(call.request.headers.Get("User-Agent"));
    const std::uint64_t clears = faults.clears();
    if (auto action = faults.Take(call.route.info, call.user.name, agent)) {
      Misbehave({std::move(call), std::move(responder), output.has_value()}, *action, clears);
      return;
    }
    Serve(call, *responder, output.has_value());
  }

  // `acceptable`: see Request.
  void Serve(ApiCall& call, http::Responder& responder, bool acceptable) {
    const RequestInfo& info = call.route.info;
    if (!registry.authorizer().Allows(call.user, info)) {
      Reply(call, responder, StatusAnswer(Forbidden(call.user, info)));
      return;
    }
    // Fixed paths are JSON or text, whatever was asked for.
    if (!acceptable && info.is_resource) {
      Reply(call, responder,
            StatusAnswer(meta::NotAcceptable("only the following media types are accepted: "
                                             "application/json, "
                                             "application/vnd.kubernetes.protobuf")));
      return;
    }
    if (call.route.kind != nullptr && info.verb == "watch" && info.subresource.empty()) {
      Watch(call, responder);
      return;
    }
    Reply(call, responder, Execute(call));
  }

  Answer Execute(ApiCall& call) {
    if (call.route.kind != nullptr) {
      return handler.Handle(call);
    }
    if (auto review = AnswerReview(call, registry.authorizer(), [this](const std::string& token) {
          return UserOfToken(token);
        })) {
      return *std::move(review);
    }
    if (call.route.info.verb == "get" || call.route.info.verb == "list") {
      if (auto document = Document(call)) {
        return *std::move(document);
      }
    }
    return StatusAnswer(meta::PathNotFound());
  }

  // What is at the paths that are no resources.
  std::optional<Answer> Document(const ApiCall& call) {
    const api::codec::Format format = call.output.format;
    const std::string media_type(api::codec::MediaTypeOf(format));
    std::string_view path = call.route.info.path;
    while (path.size() > 1 && path.ends_with('/')) {
      path.remove_suffix(1);
    }
    if (path == "/healthz" || path == "/livez" || path == "/readyz" ||
        path.starts_with("/livez/") || path.starts_with("/readyz/")) {
      return Answer{.body = "ok", .content_type = "text/plain; charset=utf-8"};
    }
    if (path == "/version") {
      return Answer{.body = VersionDocument(level())};
    }
    if (path == "/api" || path == "/apis") {
      bool core = path == "/api";
      if (call.output.form == OutputForm::kAggregatedDiscovery) {
        return Answer{.body = AggregatedDocument(core, level(), format),
                      .content_type = media_type + std::string(kAggregatedParameters)};
      }
      return Answer{.body = core ? CoreVersionsDocument(url.substr(8), format)
                                 : GroupListDocument(level(), format),
                    .content_type = media_type};
    }
    if (path == "/openapi/v2") {
      const api::openapi::Swagger& swagger = api::openapi::SwaggerFor(level());
      return call.request.headers.Get("Accept").find("proto-openapi.spec.v2") ==
                     std::string_view::npos
                 ? Answer{.body = swagger.json}
                 : Answer{.body = swagger.protobuf, .content_type = std::string(kSwaggerProtobuf)};
    }
    if (path == "/openapi/v3") {
      return Answer{.body = api::openapi::DocumentsFor(level()).discovery()};
    }
    return GroupPath(path, format);
  }

  // /api/v1, /apis/<group>, /apis/<group>/<version>, and the same below /openapi/v3.
  std::optional<Answer> GroupPath(std::string_view path, api::codec::Format format) {
    constexpr std::string_view kOpenApi = "/openapi/v3";
    bool openapi = path.starts_with(kOpenApi);
    if (openapi) {
      path.remove_prefix(kOpenApi.size());
    }
    std::string group;
    std::string version;
    if (path.starts_with("/api/")) {
      version = path.substr(5);
    } else if (path.starts_with("/apis/")) {
      path.remove_prefix(6);
      std::size_t slash = path.find('/');
      group = path.substr(0, slash);
      version = slash == std::string_view::npos ? "" : path.substr(slash + 1);
    } else {
      return std::nullopt;
    }
    if (openapi) {
      const std::string* document =
          api::openapi::DocumentsFor(level()).GroupVersion(group, version);
      return document == nullptr ? std::nullopt : std::optional(Answer{.body = *document});
    }
    std::optional<std::string> document =
        version.empty() ? GroupDocument(group, level(), format)
                        : ResourceListDocument(group, version, level(), format);
    if (!document) {
      return std::nullopt;
    }
    return Answer{.body = *std::move(document),
                  .content_type = std::string(api::codec::MediaTypeOf(format))};
  }

  void Watch(ApiCall& call, http::Responder& responder) {
    ApiResult<ResourceHandler::WatchPlan> plan = handler.PlanWatch(call);
    if (!plan.ok()) {
      Reply(call, responder, StatusAnswer(plan.error()));
      return;
    }
    const bool streamed_list = plan->query.send_initial_events.value_or(false);
    ApiResult<std::unique_ptr<WatchCursor>> cursor =
        WatchCursor::Open(registry, call.kind(), std::move(plan->query));
    if (!cursor.ok() && cursor.error().code != 410) {
      Reply(call, responder, StatusAnswer(cursor.error()));
      return;
    }
    Record(call, 200, /*injected=*/false);
    auto stream = responder.StartStream(200, {{"Content-Type", WatchMediaType(call.output.format)},
                                              {"Cache-Control", "no-cache, private"}});
    if (!cursor.ok()) {
      // As upstream: the watch starts, and its first event says that the version is too old.
      stream->Write(WriteErrorEvent(cursor.error(), call.output.format));
      stream->End();
      return;
    }
    Duration timeout = plan->timeout_seconds.value_or(0) > 0
                           ? Duration(std::chrono::seconds(*plan->timeout_seconds))
                           : RandomTimeout();
    watches.Add({.cursor = std::move(*cursor),
                 .stream = std::move(stream),
                 .kind = call.route.kind,
                 .form = handler.FormOf(call),
                 .bookmarks = plan->bookmarks,
                 .streamed_list = streamed_list,
                 .timeout = timeout,
                 .info = call.route.info,
                 .user = call.user.name,
                 .user_agent = std::string(call.request.headers.Get("User-Agent")),
                 .now = [this] { return registry.clock().Now(); }});
  }

  Duration RandomTimeout() {
    std::lock_guard lock(mu);
    auto spread = static_cast<std::uint64_t>(options.min_watch_timeout.count());
    return options.min_watch_timeout +
           Duration(static_cast<std::int64_t>(spread == 0 ? 0 : random.Below(spread)));
  }

  // `clears`: how often faults were cleared before this one was taken.
  void Misbehave(Request request, const Fault::Action& action, std::uint64_t clears) {
    ApiCall& call = request.call;
    http::Responder& responder = *request.responder;
    switch (action.kind) {
      case Fault::Kind::kStatus: {
        meta::Status status{
            .status = "Failure",
            .message = action.message,
            .reason = action.reason,
            .details = meta::StatusDetails{.name = call.route.info.name,
                                           .group = call.route.info.group,
                                           .kind = call.route.info.resource,
                                           .retry_after_seconds = action.retry_after_seconds},
            .code = action.code};
        Reply(call, responder, StatusAnswer(status), /*injected=*/true);
        return;
      }
      case Fault::Kind::kHang: {
        Record(call, 0, /*injected=*/true);
        std::lock_guard lock(mu);
        if (faults.clears() != clears) {
          responder.Drop();
        } else {
          hanging.push_back(std::move(request.responder));
        }
        return;
      }
      case Fault::Kind::kHold: {
        std::unique_lock lock(mu);
        if (faults.clears() == clears) {
          held.push_back(std::move(request));
          return;
        }
        lock.unlock();
        Serve(call, responder, request.acceptable);
        return;
      }
      case Fault::Kind::kSlow:
        Delay(std::move(request), action.delay);
        return;
      case Fault::Kind::kLoseAnswer:
        if (call.route.info.verb != "watch") {
          Execute(call);
        }
        [[fallthrough]];
      case Fault::Kind::kDropConnection:
        Record(call, 0, /*injected=*/true);
        responder.Drop();
        return;
    }
  }

  void Delay(Request request, Duration delay) {
    std::lock_guard lock(mu);
    const std::uint64_t id = next_delayed++;
    delayed.emplace(id, std::move(request));
    timers.Post([this, id, delay] { timers.RunAfter(delay, [this, id] { ServeDelayed(id); }); });
  }
  void ServeDelayed(std::uint64_t id) {
    std::unique_lock lock(mu);
    auto found = delayed.extract(id);
    lock.unlock();
    if (!found.empty()) {
      Request& request = found.mapped();
      Serve(request.call, *request.responder, request.acceptable);
    }
  }

  void DropHanging() {
    std::lock_guard lock(mu);
    for (auto& responder : hanging) {
      responder->Drop();
    }
    hanging.clear();
  }

  void ServeHeld() {
    std::unique_lock lock(mu);
    std::vector<Request> requests = std::exchange(held, {});
    lock.unlock();
    for (Request& each : requests) {
      Serve(each.call, *each.responder, each.acceptable);
    }
  }
  // All that wait for a fault to end.
  void DropRequests() {
    DropHanging();
    std::lock_guard lock(mu);
    for (const Request& each : std::exchange(held, {})) {
      each.responder->Drop();
    }
    for (const auto& [id, each] : std::exchange(delayed, {})) {
      each.responder->Drop();
    }
  }

  void Reply(const ApiCall& call, http::Responder& responder, Answer answer,
             bool injected = false) {
    Record(call, answer.code, injected);
    responder.Send(ToResponse(call, std::move(answer)));
  }

  void Record(const ApiCall& call, int code, bool injected) {
    const http::Request& request = call.request;
    log.Add({.time = registry.clock().Now(),
             .user = call.user.name,
             .user_agent = std::string(request.headers.Get("User-Agent")),
             .info = call.route.info,
             .label_selector = std::string(request.query.Get("labelSelector")),
             .field_selector = std::string(request.query.Get("fieldSelector")),
             .content_type = std::string(request.headers.Get("Content-Type")),
             .body_hash = Hash(request.body),
             .body_bytes = request.body.size(),
             .code = code,
             .injected = injected});
  }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Server>> Server::Start(Registry& registry, ServerOptions options) {
  ASSAY_ASSIGN_OR_RETURN(http::CertificateAuthority authority,
                         http::CertificateAuthority::Create("assay-apiserver"));
  auto impl = std::make_unique<Impl>(registry, options);
  impl->faults.SetOnClear([raw = impl.get()] {
    raw->DropHanging();
    raw->ServeHeld();
  });
  impl->ca_pem = authority.certificate_pem();
  impl->admin_token = impl->AddToken(
      {.name = "kubernetes-admin", .groups = {"system:masters", "system:authenticated"}},
      std::nullopt);
  impl->http_options.port = options.port;
  impl->http_options.threads = options.threads;
  ASSAY_ASSIGN_OR_RETURN(impl->http_options.tls, authority.IssueServer({"kubernetes.default.svc"}));
  impl->http_options.client_ca_pem = authority.certificate_pem();
  impl->timers.Start();
  ASSAY_RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::~Server() { Stop(); }

void Server::GoDown() {
  impl_->DropRequests();
  (void)impl_->watches.Drop({});
  impl_->server->Stop(Duration(0));
  impl_->server = nullptr;
}

Status Server::ComeBack() { return impl_->Listen(); }

void Server::Stop() {
  impl_->DropRequests();
  if (impl_->server != nullptr) {
    impl_->server->Stop();
  }
  impl_->timers.StopAndJoin();
  impl_->watches.Stop();
}

std::string Server::url() const { return impl_->url; }
const std::string& Server::ca_pem() const { return impl_->ca_pem; }
const std::string& Server::admin_token() const { return impl_->admin_token; }
std::string Server::AddToken(User user, std::optional<Duration> lifetime) {
  return impl_->AddToken(std::move(user), lifetime);
}

void Server::RemoveToken(const std::string& token) {
  std::lock_guard lock(impl_->mu);
  impl_->tokens.erase(token);
}

std::string Server::Kubeconfig(const std::string& token, const std::string& namespace_) const {
  return "apiVersion: v1\n"
         "kind: Config\n"
         "clusters:\n"
         "- name: assay\n"
         "  cluster:\n"
         "    server: " +
         url() +
         "\n"
         "    certificate-authority-data: " +
         EncodeBase64(impl_->ca_pem) +
         "\n"
         "users:\n"
         "- name: assay\n"
         "  user:\n"
         "    token: " +
         token +
         "\n"
         "contexts:\n"
         "- name: assay\n"
         "  context:\n"
         "    cluster: assay\n"
         "    user: assay\n"
         "    namespace: " +
         (namespace_.empty() ? "default" : namespace_) +
         "\n"
         "current-context: assay\n";
}

Status Server::WriteKubeconfig(const std::filesystem::path& path, const std::string& token,
                               const std::string& namespace_) const {
  return WriteFileAtomically(path, Kubeconfig(token, namespace_), {.mode = 0600});
}

FaultInjector& Server::faults() { return impl_->faults; }
RequestLog& Server::requests() { return impl_->log; }
std::size_t Server::DropWatches(const RequestMatch& match) { return impl_->watches.Drop(match); }
std::size_t Server::ExpireWatches(const RequestMatch& match) {
  return impl_->watches.Expire(match);
}

}  // namespace assay::controlplane::apiserver
