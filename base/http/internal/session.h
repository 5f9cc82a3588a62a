// Session: one connection of the server: reads requests, hands them to the handler, writes answers.
//
// Everything but the ends that a handler holds (Responder, ResponseStream) runs on the session's
// strand. A read is always under way while a request is being answered, so that a client that goes
// away is noticed at once.
#ifndef ASSAY_BASE_HTTP_INTERNAL_SESSION_H_
#define ASSAY_BASE_HTTP_INTERNAL_SESSION_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/http/internal/transport.h"
#include "base/http/server.h"

namespace assay::http::internal {

class Session;

// What a server's sessions share. Shared by them, so that a Responder that a handler has kept does
// not outlive the I/O context below it.
struct ServerCore {
  ServerOptions options;
  Handler handler;
  std::shared_ptr<TlsContext> tls;
  boost::asio::io_context io;

  // Runs `task` on `session`'s strand; false if the server has stopped.
  bool Post(const std::shared_ptr<Session>& session, std::function<void()> task);

  std::shared_mutex post_mu;
  bool stopped = false;  // Guarded by post_mu.

  std::mutex sessions_mu;
  std::condition_variable sessions_changed;
  bool stopping = false;                                          // Guarded by sessions_mu.
  std::unordered_map<Session*, std::weak_ptr<Session>> sessions;  // Guarded by sessions_mu.
};

// The queue between a handler's Write() and the session's socket.
class StreamQueue : public ResponseStream {
 public:
  StreamQueue(std::shared_ptr<Session> session, bool chunked, std::string head);

  bool Write(std::string data) override;
  std::size_t buffered_bytes() const override;
  void OnDrained(std::function<void()> on_drained) override;
  void OnClosed(std::function<void()> on_closed) override;
  void End() override;
  void Abort() override;

  // For the session, on its strand. Take: the bytes to send next; nothing: all was sent.
  std::string Take();
  bool FinishedAfterTake();
  // The bytes of the last Take() were sent.
  void Sent();
  // The stream is over, however that came.
  void Close();

 private:
  void WakeSession();

  mutable std::mutex mu_;
  std::shared_ptr<Session> session_;  // Guarded by mu_; null once closed.
  const bool chunked_;
  std::string pending_;               // Guarded by mu_.
  std::size_t in_flight_ = 0;         // Guarded by mu_.
  bool woken_ = false;                // Guarded by mu_. A wake-up of the session is under way.
  bool ended_ = false;                // Guarded by mu_.
  std::function<void()> on_drained_;  // Guarded by mu_.
  std::function<void()> on_closed_;   // Guarded by mu_.
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Strand = boost::asio::strand<boost::asio::io_context::executor_type>;

  Session(std::shared_ptr<ServerCore> core, Strand strand, boost::asio::ip::tcp::socket socket);
  ~Session();

  void Start();
  ServerCore& core() { return *core_; }
  Strand& strand() { return strand_; }

  // The calls below run on the strand.
  void SendWhole(Response response);
  void StartStream(std::shared_ptr<StreamQueue> stream);
  void FlushStream();
  void Close();
  // The server is stopping: an idle connection closes, a stream ends.
  void Wind();

 private:
  enum class State { kHandshake, kReading, kAnswering, kStreaming, kLingering, kClosed };

  // The server need not wait for this session any more.
  void Leave();
  void ReadRequest();
  void Feed();
  void StartRead();
  void OnRead(const boost::system::error_code& error, std::size_t size);
  void RefuseRequest(int status, std::string message);
  void Dispatch();
  void WriteOut(std::string data, std::function<void()> then);
  void AnswerDone();
  void ArmTimer(Duration duration);

  // Before all else: the strand and the socket live in its I/O context.
  const std::shared_ptr<ServerCore> core_;
  Strand strand_;
  std::unique_ptr<Transport> transport_;
  boost::asio::steady_timer timer_;
  Peer peer_;
  State state_ = State::kHandshake;
  std::vector<char> read_buffer_;
  std::string input_;  // Read but not parsed.
  bool reading_ = false;
  bool winding_ = false;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool http_1_0_ = false;
  bool continue_sent_ = false;
  bool body_too_large_ = false;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::string output_;
  std::shared_ptr<StreamQueue> stream_;  // Shared with the handler.

  friend class SessionResponder;
};

// Status line and headers, with Date and, for a whole answer, Content-Length.
std::string ResponseHead(int status, const Headers& headers,
                         std::optional<std::size_t> content_length, bool chunked, bool keep_alive);

}  // namespace assay::http::internal

#endif  // ASSAY_BASE_HTTP_INTERNAL_SESSION_H_
