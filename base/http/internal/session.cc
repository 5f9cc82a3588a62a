#include "base/http/internal/session.h"

#include <array>
#include <boost/asio/post.hpp>
#include <charconv>
#include <ctime>
#include <utility>

namespace assay::http::internal {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr std::size_t kRequestReadBytes = 8 * 1024;
// What a client may send ahead while its request is being answered.
constexpr std::size_t kMaxPipelinedBytes = 64 * 1024;
constexpr Duration kHandshakeTimeout = std::chrono::seconds(10);
// For a client to finish sending what will not be read, and to read the answer.
constexpr Duration kLingerTimeout = std::chrono::seconds(2);

std::string HttpDate() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  std::size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

std::string Chunk(std::string_view data) {
  std::array<char, 16> hex{};
  char* end = std::to_chars(hex.data(), hex.data() + hex.size(), data.size(), 16).ptr;
  std::string out;
  out.reserve(data.size() + 20);
  out.append(hex.data(), end).append("\r\n").append(data).append("\r\n");
  return out;
}

}  // namespace

std::string ResponseHead(int status, const Headers& headers,
                         std::optional<std::size_t> content_length, bool chunked, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(ReasonPhrase(status)).append("\r\n");
  for (const auto& [name, value] : headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  head.append("Date: ").append(HttpDate()).append("\r\n");
  if (content_length) {
    head.append("Content-Length: ").append(std::to_string(*content_length)).append("\r\n");
  }
  if (chunked) {
    head.append("Transfer-Encoding: chunked\r\n");
  }
  if (!keep_alive) {
    head.append("Connection: close\r\n");
  }
  return head.append("\r\n");
}

bool ServerCore::Post(const std::shared_ptr<Session>& session, std::function<void()> task) {
  std::shared_lock lock(post_mu);
  if (!stopped) {
    asio::post(session->strand(), [session, task = std::move(task)] { task(); });
  }
  return !stopped;
}

// --- StreamQueue ---

StreamQueue::StreamQueue(std::shared_ptr<Session> session, bool chunked, std::string head)
    : session_(std::move(session)), chunked_(chunked), pending_(std::move(head)) {}

bool StreamQueue::Write(std::string data) {
  bool overflow = false;
  {
    std::lock_guard lock(mu_);
    if (session_ == nullptr || ended_) {
      return false;
    }
    if (data.empty()) {
      return true;
    }
    overflow = pending_.size() + in_flight_ + data.size() >
               session_->core().options.max_stream_buffer_bytes;
    if (!overflow) {
      pending_ += chunked_ ? Chunk(data) : data;
      WakeSession();
    }
  }
  if (overflow) {
    Abort();
  }
  return !overflow;
}

// With mu_ held.
void StreamQueue::WakeSession() {
  if (woken_ || session_ == nullptr) {
    return;
  }
  woken_ = true;
  Session* session = session_.get();
  session->core().Post(session_, [session] { session->FlushStream(); });
}

std::size_t StreamQueue::buffered_bytes() const {
  std::lock_guard lock(mu_);
  return pending_.size() + in_flight_;
}

void StreamQueue::OnDrained(std::function<void()> on_drained) {
  std::lock_guard lock(mu_);
  on_drained_ = std::move(on_drained);
}

void StreamQueue::OnClosed(std::function<void()> on_closed) {
  {
    std::lock_guard lock(mu_);
    if (session_ != nullptr) {
      on_closed_ = std::move(on_closed);
      return;
    }
  }
  on_closed();
}

void StreamQueue::End() {
  std::lock_guard lock(mu_);
  if (session_ == nullptr || ended_) {
    return;
  }
  ended_ = true;
  if (chunked_) {
    pending_ += "0\r\n\r\n";
  }
  WakeSession();
}

void StreamQueue::Abort() {
  std::lock_guard lock(mu_);
  if (session_ != nullptr) {
    ended_ = true;
    Session* session = session_.get();
    session->core().Post(session_, [session] { session->Close(); });
  }
}

std::string StreamQueue::Take() {
  std::lock_guard lock(mu_);
  woken_ = false;
  in_flight_ = pending_.size();
  return std::exchange(pending_, {});
}

bool StreamQueue::FinishedAfterTake() {
  std::lock_guard lock(mu_);
  return ended_ && pending_.empty();
}

void StreamQueue::Sent() {
  std::function<void()> on_drained;
  {
    std::lock_guard lock(mu_);
    in_flight_ = 0;
    if (pending_.empty() && !ended_) {
      on_drained = on_drained_;
    }
  }
  if (on_drained) {
    on_drained();
  }
}

void StreamQueue::Close() {
  std::shared_ptr<Session> session;
  std::function<void()> on_closed;
  std::function<void()> on_drained;
  {
    std::lock_guard lock(mu_);
    session = std::move(session_);
    session_ = nullptr;
    on_closed = std::move(on_closed_);
    on_closed_ = nullptr;
    // What the callbacks hold goes with them: they often hold the stream itself.
    on_drained = std::move(on_drained_);
    on_drained_ = nullptr;
    pending_.clear();
  }
  if (on_closed) {
    on_closed();
  }
}

// --- Responder ---

class SessionResponder : public Responder {
 public:
  SessionResponder(std::shared_ptr<Session> session, bool chunked)
      : session_(std::move(session)), chunked_(chunked) {}
  ~SessionResponder() override {
    if (!Taken()) {
      Answer({.status = 500,
              .headers = {{"Content-Type", "text/plain"}},
              .body = "the handler gave no answer\n"});
    }
  }

  void Send(Response response) override {
    ASSAY_CHECK(!Taken()) << "a request was answered twice";
    Answer(std::move(response));
  }

  std::shared_ptr<ResponseStream> StartStream(int status, Headers headers) override {
    ASSAY_CHECK(!Taken()) << "a request was answered twice";
    auto stream = std::make_shared<StreamQueue>(
        session_, chunked_, ResponseHead(status, headers, std::nullopt, chunked_, chunked_));
    Session* session = session_.get();
    if (!session->core().Post(session_, [session, stream] { session->StartStream(stream); })) {
      stream->Close();
    }
    return stream;
  }

  void Drop() override {
    ASSAY_CHECK(!Taken()) << "a request was answered twice";
    Session* session = session_.get();
    session->core().Post(session_, [session] { session->Close(); });
  }

 private:
  bool Taken() { return answered_.exchange(true); }
  void Answer(Response response) {
    Session* session = session_.get();
    session->core().Post(session_, [session, response = std::move(response)]() mutable {
      session->SendWhole(std::move(response));
    });
  }

  const std::shared_ptr<Session> session_;
  const bool chunked_;
  std::atomic<bool> answered_ = false;
};

// --- Session ---

Session::Session(std::shared_ptr<ServerCore> core, Strand strand, asio::ip::tcp::socket socket)
    : core_(std::move(core)),
      strand_(std::move(strand)),
      timer_(strand_),
      read_buffer_(kRequestReadBytes) {
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  auto remote = socket.remote_endpoint(ignored);
  peer_.address = remote.address().to_string() + ":" + std::to_string(remote.port());
  transport_ = MakeServerTransport(std::move(socket), core_->tls);
}

Session::~Session() { Leave(); }

void Session::Leave() {
  std::lock_guard lock(core_->sessions_mu);
  if (core_->sessions.erase(this) > 0) {
    core_->sessions_changed.notify_all();
  }
}

void Session::Start() {
  {
    std::lock_guard lock(core_->sessions_mu);
    if (core_->stopping) {
      return;
    }
    core_->sessions.emplace(this, weak_from_this());
  }
  ArmTimer(kHandshakeTimeout);
  transport_->Handshake([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->state_ == State::kClosed) {
      self->Close();
      return;
    }
    PeerIdentity identity = self->transport_->Peer();
    self->peer_.common_name = std::move(identity.common_name);
    self->peer_.organizations = std::move(identity.organizations);
    self->ReadRequest();
  });
}

void Session::ArmTimer(Duration duration) {
  timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    auto self = weak.lock();
    if (!error && self != nullptr) {
      self->Close();
    }
  });
}

void Session::ReadRequest() {
  if (winding_) {
    Close();
    return;
  }
  state_ = State::kReading;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_->options.max_header_bytes));
  parser_->body_limit(core_->options.max_body_bytes);
  continue_sent_ = false;
  body_too_large_ = false;
  ArmTimer(core_->options.idle_timeout);
  Feed();
}

void Session::Feed() {
  namespace http = beast::http;
  while (true) {
    boost::system::error_code error;
    std::size_t used = parser_->put(asio::buffer(input_), error);
    input_.erase(0, used);
    if (error == http::error::need_more) {
      StartRead();
      return;
    }
    if (error == http::error::body_limit) {
      body_too_large_ = true;
      Dispatch();
      return;
    }
    if (error == http::error::header_limit) {
      RefuseRequest(431, "the request's headers are too large\n");
      return;
    }
    if (error) {
      RefuseRequest(400, "malformed request: " + error.message() + "\n");
      return;
    }
    if (parser_->is_done()) {
      Dispatch();
      return;
    }
    if (!parser_->eager()) {
      // The header is complete; the rest is the body.
      parser_->eager(true);
      if (!continue_sent_ && beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
        continue_sent_ = true;
        WriteOut("HTTP/1.1 100 Continue\r\n\r\n", [this] { Feed(); });
        return;
      }
    }
    if (input_.empty()) {
      StartRead();
      return;
    }
  }
}

void Session::StartRead() {
  if (reading_ || state_ == State::kClosed) {
    return;
  }
  reading_ = true;
  transport_->ReadSome(
      read_buffer_.data(), read_buffer_.size(),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
        self->OnRead(error, size);
      });
}

void Session::OnRead(const boost::system::error_code& error, std::size_t size) {
  reading_ = false;
  if (error || state_ == State::kClosed) {
    Close();
    return;
  }
  input_.append(read_buffer_.data(), size);
  if (state_ == State::kReading) {
    Feed();
  } else if (state_ == State::kLingering) {
    input_.clear();
    StartRead();
  } else if (input_.size() < kMaxPipelinedBytes) {
    StartRead();
  }
}

void Session::RefuseRequest(int status, std::string message) {
  state_ = State::kAnswering;
  keep_alive_ = false;
  head_only_ = false;
  SendWhole({.status = status, .headers = {{"Content-Type", "text/plain"}}, .body = message});
}

void Session::Dispatch() {
  state_ = State::kAnswering;
  timer_.cancel();
  auto message = parser_->release();
  keep_alive_ = message.keep_alive() && !body_too_large_;
  http_1_0_ = message.version() < 11;
  head_only_ = message.method() == beast::http::verb::head;

  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  std::string_view target = request.target;
  std::size_t question = target.find('?');
  request.path = PercentDecode(target.substr(0, question));
  if (question != std::string_view::npos) {
    request.query = Query::Parse(target.substr(question + 1));
  }
  for (const auto& field : message) {
    request.headers.Add(std::string(field.name_string()), std::string(field.value()));
  }
  request.body_too_large = body_too_large_;
  if (!body_too_large_) {
    request.body = std::move(message.body());
  }
  request.peer = peer_;
  StartRead();
  core_->handler(std::move(request),
                 std::make_shared<SessionResponder>(shared_from_this(), !http_1_0_));
}

void Session::WriteOut(std::string data, std::function<void()> then) {
  output_ = std::move(data);
  transport_->Write(output_.data(), output_.size(),
                    [self = shared_from_this(), then = std::move(then)](
                        const boost::system::error_code& error, std::size_t) {
                      self->output_.clear();
                      if (error || self->state_ == State::kClosed) {
                        self->Close();
                      } else {
                        then();
                      }
                    });
}

void Session::SendWhole(Response response) {
  if (state_ != State::kAnswering) {
    return;
  }
  std::string data = ResponseHead(response.status, response.headers, response.body.size(),
                                  /*chunked=*/false, keep_alive_ && !winding_);
  if (!head_only_) {
    data += response.body;
  }
  WriteOut(std::move(data), [this] { AnswerDone(); });
}

void Session::AnswerDone() {
  if (body_too_large_) {
    // The client is still sending; closed now, the connection would be reset, and the answer with
    // it be lost.
    state_ = State::kLingering;
    ArmTimer(kLingerTimeout);
    input_.clear();
    StartRead();
  } else if (!keep_alive_) {
    Close();
  } else {
    ReadRequest();
  }
}

void Session::StartStream(std::shared_ptr<StreamQueue> stream) {
  if (state_ != State::kAnswering) {
    stream->Close();
    return;
  }
  state_ = State::kStreaming;
  stream_ = std::move(stream);
  if (winding_) {
    stream_->End();
  }
  FlushStream();
}

void Session::FlushStream() {
  if (state_ != State::kStreaming || !output_.empty()) {
    return;
  }
  std::string data = stream_->Take();
  if (data.empty()) {
    return;
  }
  bool finished = stream_->FinishedAfterTake();
  WriteOut(std::move(data), [this, finished] {
    stream_->Sent();
    if (state_ != State::kStreaming) {
      return;
    }
    if (finished) {
      std::exchange(stream_, nullptr)->Close();
      keep_alive_ = keep_alive_ && !http_1_0_;
      AnswerDone();
    } else {
      FlushStream();
    }
  });
}

void Session::Close() {
  if (state_ == State::kClosed) {
    return;
  }
  state_ = State::kClosed;
  timer_.cancel();
  transport_->Close();
  Leave();
  if (auto stream = std::exchange(stream_, nullptr)) {
    stream->Close();
  }
}

void Session::Wind() {
  winding_ = true;
  if (state_ == State::kHandshake || state_ == State::kReading || state_ == State::kLingering) {
    Close();
  } else if (stream_ != nullptr) {
    stream_->End();
  }
}

}  // namespace assay::http::internal
