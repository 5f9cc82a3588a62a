#include "base/http/server.h"

#include <fcntl.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <utility>

#include "base/http/internal/session.h"

namespace assay::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using internal::ServerCore;
using internal::Session;

// After an accept that failed (out of file descriptors), before the next.
constexpr auto kAcceptPause = std::chrono::milliseconds(50);

}  // namespace

struct Server::Impl {
  std::shared_ptr<ServerCore> core;  // Shared with the sessions.
  std::unique_ptr<tcp::acceptor> acceptor;
  std::unique_ptr<asio::steady_timer> accept_timer;
  asio::strand<asio::io_context::executor_type> accept_strand;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::vector<std::jthread> threads;
  std::uint16_t port = 0;

  explicit Impl(std::shared_ptr<ServerCore> shared)
      : core(std::move(shared)), accept_strand(asio::make_strand(core->io)) {}

  Status Listen() {
    boost::system::error_code error;
    acceptor = std::make_unique<tcp::acceptor>(accept_strand);
    accept_timer = std::make_unique<asio::steady_timer>(accept_strand);
    const asio::ip::address address = asio::ip::make_address(core->options.address, error);
    const tcp::endpoint endpoint(address, core->options.port);
    if (!error) {
      acceptor->open(endpoint.protocol(), error);
    }
    if (!error) {
      ::fcntl(acceptor->native_handle(), F_SETFD, FD_CLOEXEC);
      acceptor->set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error) {
      acceptor->bind(endpoint, error);
    }
    if (!error) {
      acceptor->listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
      return UnavailableError("listening on " + core->options.address + ":" +
                              std::to_string(core->options.port) + ": " + error.message());
    }
    port = acceptor->local_endpoint().port();
    return OkStatus();
  }

  void Accept() {
    auto strand = asio::make_strand(core->io);
    acceptor->async_accept(
        strand, [this, strand](const boost::system::error_code& error, tcp::socket socket) {
          if (error == asio::error::operation_aborted || !acceptor->is_open()) {
            return;
          }
          if (error) {
            accept_timer->expires_after(kAcceptPause);
            accept_timer->async_wait([this](const boost::system::error_code& cancelled) {
              if (!cancelled) {
                Accept();
              }
            });
            return;
          }
          // No child process shall hold a connection, or the port.
          ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
          auto session = std::make_shared<Session>(core, strand, std::move(socket));
          asio::post(strand, [session] { session->Start(); });
          Accept();
        });
  }

  // Runs `task` of every live session on its strand.
  void ForEachSession(void (Session::*task)()) {
    std::vector<std::shared_ptr<Session>> sessions;
    {
      std::lock_guard lock(core->sessions_mu);
      for (const auto& [key, weak] : core->sessions) {
        if (auto session = weak.lock()) {
          sessions.push_back(std::move(session));
        }
      }
    }
    for (const auto& session : sessions) {
      core->Post(session, [raw = session.get(), task] { (raw->*task)(); });
    }
  }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Handler handler) {
  auto core = std::make_shared<ServerCore>();
  if (options.tls) {
    ASSAY_ASSIGN_OR_RETURN(core->tls,
                           internal::TlsContext::ForServer(*options.tls, options.client_ca_pem));
  }
  core->options = std::move(options);
  core->handler = std::move(handler);
  auto impl = std::make_unique<Impl>(core);
  ASSAY_RETURN_IF_ERROR(impl->Listen());
  impl->work.emplace(asio::make_work_guard(core->io));
  asio::post(impl->accept_strand, [raw = impl.get()] { raw->Accept(); });
  for (int i = 0; i < core->options.threads; ++i) {
    impl->threads.emplace_back([core] { core->io.run(); });
  }
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::~Server() { Stop(); }

std::uint16_t Server::port() const { return impl_->port; }

std::string Server::url() const {
  return std::string(impl_->core->tls == nullptr ? "http" : "https") +
         "://127.0.0.1:" + std::to_string(impl_->port);
}

std::size_t Server::connections() const {
  std::lock_guard lock(impl_->core->sessions_mu);
  return impl_->core->sessions.size();
}

void Server::Stop(Duration grace) {
  if (impl_->threads.empty()) {
    return;
  }
  ServerCore& core = *impl_->core;
  {
    std::lock_guard lock(core.sessions_mu);
    core.stopping = true;
  }
  asio::post(impl_->accept_strand, [raw = impl_.get()] {
    boost::system::error_code ignored;
    raw->acceptor->close(ignored);
    raw->accept_timer->cancel();
  });
  impl_->ForEachSession(&Session::Wind);
  {
    std::unique_lock lock(core.sessions_mu);
    core.sessions_changed.wait_for(lock, grace, [&core] { return core.sessions.empty(); });
  }
  impl_->ForEachSession(&Session::Close);
  {
    // What is posted from now on would never run, and would keep its session alive for ever.
    std::unique_lock lock(core.post_mu);
    core.stopped = true;
  }
  impl_->work.reset();
  impl_->threads.clear();  // Joins once every operation has ended: all sockets are closed.
}

}  // namespace assay::http
