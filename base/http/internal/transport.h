// Transport: a connected byte stream, over TLS or plain, behind one interface, so that server and
// client are written once and only transport.cc compiles Asio's TLS.
//
// Not thread-safe: used on the socket's executor alone (a strand). At most one read and one write
// are under way at a time. Callbacks run on the executor, never inside the call; they also run,
// with an error, after Close().
#ifndef ASSAY_BASE_HTTP_INTERNAL_TRANSPORT_H_
#define ASSAY_BASE_HTTP_INTERNAL_TRANSPORT_H_

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/http/certificate.h"
#include "base/result.h"

namespace assay::http::internal {

// What a certificate says of its holder.
struct PeerIdentity {
  std::string common_name;
  std::vector<std::string> organizations;
};

class Transport {
 public:
  using ErrorCode = boost::system::error_code;
  using Done = std::function<void(ErrorCode, std::size_t)>;

  virtual ~Transport() = default;

  // TLS: the handshake. Plain: nothing.
  virtual void Handshake(std::function<void(ErrorCode)> done) = 0;
  // At least one byte, or an error.
  virtual void ReadSome(char* data, std::size_t size, Done done) = 0;
  // All of `data`, which must live until `done`.
  virtual void Write(const char* data, std::size_t size, Done done) = 0;
  // Drops the connection. What is under way ends with an error.
  virtual void Close() = 0;

  virtual boost::asio::ip::tcp::socket& socket() = 0;
  // After the handshake; empty without a verified certificate.
  virtual PeerIdentity Peer() const = 0;
};

// Keys and trust for many connections; made once. Null stands for plain connections.
class TlsContext {
 public:
  // `client_ca_pem`: whose client certificates are taken; empty: none is asked for.
  static Result<std::shared_ptr<TlsContext>> ForServer(const KeyPair& key_pair,
                                                       const std::string& client_ca_pem);
  struct ClientTrust {
    std::string ca_pem;  // Empty: the system's.
    bool insecure_skip_verify = false;
    KeyPair client_certificate;  // May be empty.
  };
  static Result<std::shared_ptr<TlsContext>> ForClient(const ClientTrust& trust);

  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  ~TlsContext();
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

std::unique_ptr<Transport> MakeServerTransport(boost::asio::ip::tcp::socket socket,
                                               const std::shared_ptr<TlsContext>& tls);
// `host`: the name or address that the server's certificate must be for.
std::unique_ptr<Transport> MakeClientTransport(boost::asio::ip::tcp::socket socket,
                                               const std::shared_ptr<TlsContext>& tls,
                                               const std::string& host);

// Whether the error is that the server's certificate was not accepted.
bool IsCertificateError(const boost::system::error_code& error);

}  // namespace assay::http::internal

#endif  // ASSAY_BASE_HTTP_INTERNAL_TRANSPORT_H_
