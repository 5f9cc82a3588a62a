// Server: an HTTP/1.1 server, on 127.0.0.1 unless asked otherwise, over TLS or plain, with
// keep-alive and with answers that stream for as long as the client listens (Kubernetes' watches).
//
//   ServerOptions options;
//   options.tls = authority.IssueServer();
//   ASSAY_ASSIGN_OR_RETURN(auto server, Server::Start(std::move(options),
//       [](Request request, std::shared_ptr<Responder> responder) {
//         responder->Send({.status = 200, .body = "hello\n"});
//       }));
//
// The handler runs on one of the server's threads and must not block for long. Responder and
// ResponseStream may be used from any thread, and outlive the connection: once the client has gone
// they do nothing. One connection answers one request at a time, in order.
//
// Thread-safe.
#ifndef ASSAY_BASE_HTTP_SERVER_H_
#define ASSAY_BASE_HTTP_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http/certificate.h"
#include "base/http/message.h"
#include "base/result.h"

namespace assay::http {

// Who is at the other end of a connection.
struct Peer {
  std::string address;  // "127.0.0.1:54321"
  // Of a client certificate that ServerOptions::client_ca_pem vouches for; else empty.
  std::string common_name;
  std::vector<std::string> organizations;
};

struct Request {
  std::string method;  // "GET"
  std::string target;  // "/api/v1/pods?limit=5", as sent
  std::string path;    // "/api/v1/pods", decoded
  Query query;
  Headers headers;
  std::string body;
  // The body was larger than ServerOptions::max_body_bytes: `body` is empty, and the connection
  // ends with the answer.
  bool body_too_large = false;
  Peer peer;
};

// An answer that goes on: chunked, each Write() sent as it comes.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;

  // Queues `data`. False if the stream has ended, the client has gone, or more than
  // ServerOptions::max_stream_buffer_bytes would wait to be sent: then the connection is dropped.
  virtual bool Write(std::string data) = 0;
  // What is queued and not yet taken by the socket.
  virtual std::size_t buffered_bytes() const = 0;
  // Calls `on_drained` each time everything queued has been sent. Set it before the first Write().
  virtual void OnDrained(std::function<void()> on_drained) = 0;
  // Calls `on_closed` once, when the stream is over: End(), Abort(), the client gone, the server
  // stopping. At once if it is over already.
  virtual void OnClosed(std::function<void()> on_closed) = 0;
  // Ends the answer properly once what is queued is sent.
  virtual void End() = 0;
  // Drops the connection in the middle of the answer.
  virtual void Abort() = 0;
};

// Answers one request, once. Destroyed without an answer, it sends a 500.
class Responder {
 public:
  virtual ~Responder() = default;

  virtual void Send(Response response) = 0;
  // Sends status and headers now. `headers` need no framing: the body is chunked.
  virtual std::shared_ptr<ResponseStream> StartStream(int status, Headers headers) = 0;
  // Drops the connection without an answer.
  virtual void Drop() = 0;
};

using Handler = std::function<void(Request, std::shared_ptr<Responder>)>;

struct ServerOptions {
  std::string address = "127.0.0.1";  // "0.0.0.0" or "::": whoever reaches the machine.
  std::uint16_t port = 0;             // 0: any free one.
  // Certificate and key; without them the server speaks plain HTTP.
  std::optional<KeyPair> tls;
  // Client certificates issued by this authority identify the peer. They are never required.
  std::string client_ca_pem;
  int threads = 2;
  std::size_t max_body_bytes = 3 * 1024 * 1024;  // As kube-apiserver's limit.
  std::size_t max_header_bytes = 64 * 1024;
  std::size_t max_stream_buffer_bytes = 16 * 1024 * 1024;
  // A connection without a request for this long is closed.
  Duration idle_timeout = std::chrono::minutes(3);
};

class Server {
 public:
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler);
  ~Server();  // Stop().

  std::uint16_t port() const;
  // "https://127.0.0.1:6443"
  std::string url() const;
  std::size_t connections() const;

  // Stops accepting, ends open streams properly, lets running answers finish for `grace`, then
  // drops what is left. The handler does not run after it. Must not be called from the handler.
  void Stop(Duration grace = std::chrono::seconds(1));

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::http

#endif  // ASSAY_BASE_HTTP_SERVER_H_
