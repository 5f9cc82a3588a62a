// Client: asynchronous HTTP/1.1 requests to one server, over TLS or plain, with kept-alive
// connections, deadlines, and bodies that are streamed as they arrive.
//
//   ClientOptions options{.url = "https://127.0.0.1:6443", .ca_pem = ca, .bearer_token = token};
//   ASSAY_ASSIGN_OR_RETURN(auto client, Client::Create(loop, std::move(options)));
//   client->Send({.method = "GET", .target = "/version"}, [](Result<Response> response) { ... });
//
// Callbacks run on the EventLoop, never inside the call, and never after Cancel() or the Client's
// end. Any HTTP status is a Response; a Status tells that there was none: kDeadlineExceeded,
// kUnavailable (refused, reset, ended early), kPermissionDenied (the certificate is not trusted),
// kResourceExhausted (larger than ClientOptions::max_body_bytes).
//
// Create, Send, Stream, Cancel and the destructor are called on the loop (or before it runs).
#ifndef ASSAY_BASE_HTTP_CLIENT_H_
#define ASSAY_BASE_HTTP_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/http/certificate.h"
#include "base/http/message.h"
#include "base/result.h"

namespace assay::http {

struct ClientOptions {
  std::string url;     // "https://host:port" or "http://host:port"; a path is prepended to targets
  std::string ca_pem;  // Whom to trust; empty: the system's authorities.
  bool insecure_skip_verify = false;
  std::string server_name;     // What the certificate must be for; empty: the URL's host.
  KeyPair client_certificate;  // Optional.
  std::string bearer_token;    // Optional.
  std::string user_agent = "assay";
  std::size_t max_idle_connections = 16;
  std::size_t max_body_bytes = 512 * 1024 * 1024;  // Of whole responses, not of streams.
  Duration connect_timeout = std::chrono::seconds(10);
};

struct ClientRequest {
  std::string method = "GET";
  std::string target;  // "/api/v1/pods?limit=5"
  Headers headers;     // Beside Host, User-Agent, Authorization and Content-Length.
  std::string body;
  // From the call until the response is whole (Stream: until its headers have come).
  Duration timeout = std::chrono::seconds(30);
};

// What Stream() calls, in this order; on_end exactly once, also when nothing else was called.
struct StreamCallbacks {
  std::function<void(const Response&)> on_response;  // Its body is empty.
  // The next part of the body. The next is not read from the socket before this has returned.
  std::function<void(std::string_view)> on_data;
  std::function<void(Status)> on_end;  // OK: the body was whole.
};

class Client {
 public:
  using CallId = std::uint64_t;

  // kInvalidArgument if the URL or a PEM text cannot be understood. `loop` must outlive the Client.
  static Result<std::unique_ptr<Client>> Create(EventLoop& loop, ClientOptions options);
  ~Client();  // Cancels what is outstanding and drops every connection.

  CallId Send(ClientRequest request, std::function<void(Result<Response>)> done);
  CallId Stream(ClientRequest request, StreamCallbacks callbacks);
  // Drops the call's connection; none of its callbacks runs any more. No-op once it has ended.
  void Cancel(CallId call);

  struct Impl;

 private:
  explicit Client(std::shared_ptr<Impl> impl);
  // Shared with the operations that are still running on the client's thread.
  std::shared_ptr<Impl> impl_;
};

}  // namespace assay::http

#endif  // ASSAY_BASE_HTTP_CLIENT_H_
