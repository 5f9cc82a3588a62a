#include "base/http/client.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/http/internal/transport.h"

namespace assay::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using internal::TlsContext;
using internal::Transport;

constexpr std::size_t kResponseReadBytes = 16 * 1024;

struct Url {
  bool tls = false;
  std::string host;
  std::string port;
  std::string prefix;  // "/k8s", never ends with a slash.
};

Result<Url> ParseUrl(const std::string& text) {
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return InvalidArgumentError("URL \"" + text + "\": expected http:// or https://");
  }
  std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    url.prefix = rest.substr(slash);
    while (url.prefix.ends_with('/')) {
      url.prefix.pop_back();
    }
    rest = rest.substr(0, slash);
  }
  std::size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {  // [::1]:6443
    std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) {
      return InvalidArgumentError("URL \"" + text + "\": \"[\" without \"]\"");
    }
    url.host = rest.substr(1, bracket - 1);
    colon = rest.size() > bracket + 1 ? bracket + 1 : std::string_view::npos;
  } else {
    url.host = rest.substr(0, colon);
  }
  url.port = colon == std::string_view::npos ? (url.tls ? "443" : "80") : rest.substr(colon + 1);
  if (url.host.empty() || url.port.empty()) {
    return InvalidArgumentError("URL \"" + text + "\": expected host and port");
  }
  return url;
}

bool IsIdempotent(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// A kept connection is usable while its socket has nothing to read: neither an end nor an alert.
bool IsUsable(Transport& transport) {
  char byte = 0;
  ssize_t got = ::recv(transport.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

// One call; its callbacks are touched on the loop only, the rest on the I/O thread only.
struct Call {
  Client::CallId id = 0;
  ClientRequest request;
  bool streaming = false;
  std::atomic<bool> cancelled = false;
  std::function<void(Result<Response>)> done;
  StreamCallbacks callbacks;
};

class Connection;

}  // namespace

struct Client::Impl : std::enable_shared_from_this<Client::Impl> {
  Impl(EventLoop& event_loop, ClientOptions client_options, Url parsed)
      : loop(event_loop),
        options(std::move(client_options)),
        url(std::move(parsed)),
        resolver(io),
        work(asio::make_work_guard(io)) {}

  EventLoop& loop;
  const ClientOptions options;
  const Url url;
  std::shared_ptr<TlsContext> tls;  // Shared with the connections; null: plain.

  // On the loop.
  std::unordered_map<CallId, std::shared_ptr<Call>> calls;
  CallId next_call = 1;

  // On the I/O thread.
  asio::io_context io{1};
  tcp::resolver resolver;
  std::vector<std::unique_ptr<Transport>> idle;
  std::unordered_map<CallId, std::shared_ptr<Connection>> active;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::jthread thread;

  CallId Start(std::shared_ptr<Call> call);
  void Finish(const std::shared_ptr<Call>& call, Result<Response> result);
  std::string Head(const ClientRequest& request) const;
};

namespace {

// One exchange: a connection, the request written to it, the answer read from it. All of it runs on
// the I/O thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Client::Impl& client, std::shared_ptr<Call> call)
      : client_(client.shared_from_this()),
        call_(std::move(call)),
        timer_(client.io),
        buffer_(kResponseReadBytes) {}

  void Start() {
    Arm(call_->request.timeout, "no answer within the time-out");
    while (!client_->idle.empty()) {
      transport_ = std::move(client_->idle.back());
      client_->idle.pop_back();
      if (IsUsable(*transport_)) {
        reused_ = true;
        WriteRequest();
        return;
      }
      transport_->Close();
    }
    Connect();
  }

  void Close() {
    closed_ = true;
    timer_.cancel();
    if (transport_ != nullptr) {
      transport_->Close();
    }
  }

  // The loop has consumed what it was given.
  void Resume() {
    if (!closed_) {
      Read();
    }
  }

 private:
  using Parser = beast::http::response_parser<beast::http::buffer_body>;

  void Arm(Duration timeout, std::string what) {
    timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(timeout));
    timer_.async_wait([self = shared_from_this(), what = std::move(what)](const error_code& error) {
      if (!error && !self->closed_) {
        self->Fail(DeadlineExceededError(self->What() + ": " + what));
      }
    });
  }

  std::string What() const { return call_->request.method + " " + call_->request.target; }

  void Connect() {
    reused_ = false;
    client_->resolver.async_resolve(
        client_->url.host, client_->url.port,
        [self = shared_from_this()](const error_code& error,
                                    const tcp::resolver::results_type& endpoints) {
          if (self->closed_) {
            return;
          }
          if (error) {
            self->Fail(
                UnavailableError("resolving " + self->client_->url.host + ": " + error.message()));
            return;
          }
          auto socket = std::make_shared<tcp::socket>(self->client_->io);
          asio::async_connect(*socket, endpoints,
                              [self, socket](const error_code& failed, const tcp::endpoint&) {
                                self->OnConnect(failed, std::move(*socket));
                              });
        });
  }

  void OnConnect(const error_code& error, tcp::socket socket) {
    if (closed_) {
      return;
    }
    const Url& url = client_->url;
    if (error) {
      Fail(UnavailableError("connecting to " + url.host + ":" + url.port + ": " + error.message()));
      return;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const std::string& name = client_->options.server_name;
    transport_ = internal::MakeClientTransport(std::move(socket), client_->tls,
                                               name.empty() ? url.host : name);
    transport_->Handshake([self = shared_from_this()](const error_code& failed) {
      if (self->closed_) {
        return;
      }
      if (failed) {
        std::string message = "TLS with " + self->client_->url.host + ":" +
                              self->client_->url.port + ": " + failed.message();
        self->Fail(internal::IsCertificateError(failed) ? PermissionDeniedError(message)
                                                        : UnavailableError(message));
        return;
      }
      self->WriteRequest();
    });
  }

  void WriteRequest() {
    output_ = client_->Head(call_->request) + call_->request.body;
    parser_.emplace();
    parser_->body_limit(boost::none);
    parser_->header_limit(1024 * 1024);
    parser_->skip(call_->request.method == "HEAD");
    transport_->Write(output_.data(), output_.size(),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        if (self->closed_) {
                          return;
                        }
                        if (error) {
                          self->Broken(error);
                        } else {
                          self->Read();
                        }
                      });
  }

  void Read() {
    transport_->ReadSome(buffer_.data(), buffer_.size(),
                         [self = shared_from_this()](const error_code& error, std::size_t size) {
                           if (!self->closed_) {
                             self->OnRead(error, size);
                           }
                         });
  }

  void OnRead(const error_code& error, std::size_t size) {
    if (error) {
      // A body without a length lasts until the connection ends.
      error_code incomplete;
      if (parser_->is_header_done()) {
        parser_->put_eof(incomplete);
      }
      if (incomplete || !parser_->is_done()) {
        Broken(error);
        return;
      }
      Whole(/*reusable=*/false);
      return;
    }
    got_bytes_ = true;
    input_.append(buffer_.data(), size);
    std::string body;
    error_code failed = Parse(body);
    if (failed) {
      Fail(UnavailableError(What() + ": malformed answer: " + failed.message()));
      return;
    }
    if (parser_->is_header_done() && !head_seen_) {
      head_seen_ = true;
      response_.status = static_cast<int>(parser_->get().result_int());
      for (const auto& field : parser_->get()) {
        response_.headers.Add(std::string(field.name_string()), std::string(field.value()));
      }
      if (call_->streaming) {
        timer_.cancel();
      }
    }
    if (call_->streaming && head_seen_) {
      DeliverStream(std::move(body));
      return;
    }
    if (response_.body.size() + body.size() > client_->options.max_body_bytes) {
      Fail(ResourceExhaustedError(What() + ": the answer is larger than " +
                                  std::to_string(client_->options.max_body_bytes) + " bytes"));
      return;
    }
    response_.body += body;
    if (parser_->is_done()) {
      Whole(parser_->get().keep_alive() && input_.empty());
    } else {
      Read();
    }
  }

  // Feeds the parser all of input_; appends to `body` what it finds of it.
  error_code Parse(std::string& body) {
    std::array<char, kResponseReadBytes> part;
    while (!parser_->is_done()) {
      auto& target = parser_->get().body();
      target.data = part.data();
      target.size = part.size();
      target.more = true;
      error_code error;
      std::size_t used = parser_->put(asio::buffer(input_), error);
      input_.erase(0, used);
      body.append(part.data(), part.size() - target.size);
      if (error == beast::http::error::need_buffer) {
        continue;
      }
      if (error == beast::http::error::need_more) {
        return {};
      }
      if (error) {
        return error;
      }
      if (input_.empty() && !parser_->is_done()) {
        return {};
      }
    }
    return {};
  }

  void DeliverStream(std::string body) {
    bool done = parser_->is_done();
    bool first = !std::exchange(head_delivered_, true);
    client_->loop.Post([self = shared_from_this(), weak = client_->weak_from_this(), first, done,
                        body = std::move(body)] {
      auto client = weak.lock();
      if (client == nullptr || self->call_->cancelled) {
        return;
      }
      const StreamCallbacks& callbacks = self->call_->callbacks;
      if (first && callbacks.on_response) {
        callbacks.on_response(self->response_);
      }
      if (!body.empty() && !self->call_->cancelled && callbacks.on_data) {
        callbacks.on_data(body);
      }
      // The callback may have cancelled the call, or ended the client.
      if (!self->call_->cancelled) {
        asio::post(client->io, [self, done] {
          if (self->closed_) {
            return;
          }
          if (done) {
            self->Whole(self->parser_->get().keep_alive() && self->input_.empty());
          } else {
            self->Resume();
          }
        });
      }
    });
  }

  void Whole(bool reusable) {
    timer_.cancel();
    closed_ = true;
    if (reusable && client_->idle.size() < client_->options.max_idle_connections) {
      client_->idle.push_back(std::move(transport_));
    } else {
      transport_->Close();
    }
    client_->Finish(call_, std::move(response_));
  }

  // The connection ended before its time.
  void Broken(const error_code& error) {
    transport_->Close();
    if (reused_ && !got_bytes_ && IsIdempotent(call_->request.method)) {
      // The server closed the kept connection while the request was on its way.
      input_.clear();
      Connect();
      return;
    }
    Fail(UnavailableError(What() + ": the connection ended: " + error.message()));
  }

  void Fail(Status status) {
    Close();
    client_->Finish(call_, std::move(status));
  }

  // Shared, and before all else: timer and socket live in its I/O context.
  const std::shared_ptr<Client::Impl> client_;
  const std::shared_ptr<Call> call_;
  asio::steady_timer timer_;
  std::unique_ptr<Transport> transport_;
  std::vector<char> buffer_;
  std::string output_;
  std::string input_;  // Read but not parsed.
  std::optional<Parser> parser_;
  Response response_;
  bool reused_ = false;
  bool got_bytes_ = false;
  bool head_seen_ = false;
  bool head_delivered_ = false;
  bool closed_ = false;
};

}  // namespace

std::string Client::Impl::Head(const ClientRequest& request) const {
  std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  std::string head = request.method + " " + url.prefix + request.target + " HTTP/1.1\r\n";
  head += "Host: " + host + ":" + url.port + "\r\n";
  if (request.headers.Find("User-Agent") == nullptr) {
    head += "User-Agent: " + options.user_agent + "\r\n";
  }
  if (!options.bearer_token.empty() && request.headers.Find("Authorization") == nullptr) {
    head += "Authorization: Bearer " + options.bearer_token + "\r\n";
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH") {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  for (const auto& [name, value] : request.headers) {
    head += name + ": " + value + "\r\n";
  }
  return head + "\r\n";
}

Client::CallId Client::Impl::Start(std::shared_ptr<Call> call) {
  call->id = next_call++;
  calls.emplace(call->id, call);
  asio::post(io, [this, call] {
    if (!call->cancelled) {
      auto connection = std::make_shared<Connection>(*this, call);
      active.emplace(call->id, connection);
      connection->Start();
    }
  });
  return call->id;
}

void Client::Impl::Finish(const std::shared_ptr<Call>& call, Result<Response> result) {
  active.erase(call->id);
  loop.Post([call, weak = weak_from_this(), result = std::move(result)]() mutable {
    auto client = weak.lock();
    if (client == nullptr || call->cancelled) {
      return;
    }
    client->calls.erase(call->id);
    call->cancelled = true;
    if (call->streaming) {
      if (call->callbacks.on_end) {
        call->callbacks.on_end(result.status());
      }
    } else if (call->done) {
      call->done(std::move(result));
    }
  });
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Client>> Client::Create(EventLoop& loop, ClientOptions options) {
  ASSAY_ASSIGN_OR_RETURN(Url url, ParseUrl(options.url));
  std::shared_ptr<TlsContext> tls;
  if (url.tls) {
    ASSAY_ASSIGN_OR_RETURN(
        tls, TlsContext::ForClient({.ca_pem = options.ca_pem,
                                    .insecure_skip_verify = options.insecure_skip_verify,
                                    .client_certificate = options.client_certificate}));
  }
  auto impl = std::make_shared<Impl>(loop, std::move(options), std::move(url));
  impl->tls = std::move(tls);
  impl->thread = std::jthread([raw = impl.get()] { raw->io.run(); });
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Client::~Client() {
  for (auto& [id, call] : impl_->calls) {
    call->cancelled = true;
  }
  asio::post(impl_->io, [raw = impl_.get()] {
    raw->resolver.cancel();
    for (auto& [id, connection] : raw->active) {
      connection->Close();
    }
    raw->active.clear();
    for (auto& transport : raw->idle) {
      transport->Close();
    }
    raw->idle.clear();
    raw->work.reset();
  });
  impl_->thread.join();
}

Client::CallId Client::Send(ClientRequest request, std::function<void(Result<Response>)> done) {
  auto call = std::make_shared<Call>();
  call->request = std::move(request);
  call->done = std::move(done);
  return impl_->Start(std::move(call));
}

Client::CallId Client::Stream(ClientRequest request, StreamCallbacks callbacks) {
  auto call = std::make_shared<Call>();
  call->request = std::move(request);
  call->streaming = true;
  call->callbacks = std::move(callbacks);
  return impl_->Start(std::move(call));
}

void Client::Cancel(CallId id) {
  auto found = impl_->calls.find(id);
  if (found == impl_->calls.end()) {
    return;
  }
  found->second->cancelled = true;
  impl_->calls.erase(found);
  asio::post(impl_->io, [raw = impl_.get(), id] {
    auto connection = raw->active.find(id);
    if (connection != raw->active.end()) {
      connection->second->Close();
      raw->active.erase(connection);
    }
  });
}

}  // namespace assay::http
