#include "base/http/internal/transport.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace assay::http::internal {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;

void CloseSocket(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.shutdown(tcp::socket::shutdown_both, ignored);
  socket.close(ignored);
}

class PlainTransport : public Transport {
 public:
  explicit PlainTransport(tcp::socket socket) : socket_(std::move(socket)) {}

  void Handshake(std::function<void(ErrorCode)> done) override {
    asio::post(socket_.get_executor(), [done = std::move(done)] { done({}); });
  }
  void ReadSome(char* data, std::size_t size, Done done) override {
    socket_.async_read_some(asio::buffer(data, size), std::move(done));
  }
  void Write(const char* data, std::size_t size, Done done) override {
    asio::async_write(socket_, asio::buffer(data, size), std::move(done));
  }
  void Close() override { CloseSocket(socket_); }
  tcp::socket& socket() override { return socket_; }
  PeerIdentity Peer() const override { return {}; }

 private:
  tcp::socket socket_;
};

std::string NameText(X509_NAME* name, int index) {
  ASN1_STRING* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
  unsigned char* utf8 = nullptr;
  int size = ASN1_STRING_to_UTF8(&utf8, data);
  if (size < 0) {
    return "";
  }
  std::string text(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

class TlsTransport : public Transport {
 public:
  TlsTransport(tcp::socket socket, std::shared_ptr<TlsContext> tls, ssl::context& context,
               ssl::stream_base::handshake_type side)
      : tls_(std::move(tls)), stream_(std::move(socket), context), side_(side) {}

  ssl::stream<tcp::socket>& stream() { return stream_; }

  void Handshake(std::function<void(ErrorCode)> done) override {
    stream_.async_handshake(side_, std::move(done));
  }
  void ReadSome(char* data, std::size_t size, Done done) override {
    stream_.async_read_some(asio::buffer(data, size), std::move(done));
  }
  void Write(const char* data, std::size_t size, Done done) override {
    asio::async_write(stream_, asio::buffer(data, size), std::move(done));
  }
  void Close() override { CloseSocket(stream_.next_layer()); }
  tcp::socket& socket() override { return stream_.next_layer(); }

  PeerIdentity Peer() const override {
    PeerIdentity identity;
    // native_handle() is not const, but reading the certificate changes nothing.
    SSL* handle = const_cast<ssl::stream<tcp::socket>&>(stream_).native_handle();
    X509* certificate = SSL_get0_peer_certificate(handle);
    if (certificate == nullptr || SSL_get_verify_result(handle) != X509_V_OK) {
      return identity;
    }
    X509_NAME* name = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (index >= 0) {
      identity.common_name = NameText(name, index);
    }
    for (index = -1;
         (index = X509_NAME_get_index_by_NID(name, NID_organizationName, index)) >= 0;) {
      identity.organizations.push_back(NameText(name, index));
    }
    return identity;
  }

 private:
  std::shared_ptr<TlsContext> tls_;  // Shared: the context outlives its last connection.
  ssl::stream<tcp::socket> stream_;
  ssl::stream_base::handshake_type side_;
};

}  // namespace

struct TlsContext::Impl {
  explicit Impl(ssl::context::method method) : context(method) {}
  ssl::context context;
  bool verify = false;
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

namespace {

Status LoadKeyPair(ssl::context& context, const KeyPair& key_pair) {
  boost::system::error_code error;
  context.use_certificate_chain(asio::buffer(key_pair.certificate_pem), error);
  if (error) {
    return InvalidArgumentError("the certificate cannot be read: " + error.message());
  }
  context.use_private_key(asio::buffer(key_pair.key_pem), ssl::context::pem, error);
  if (error) {
    return InvalidArgumentError("the certificate's key cannot be read: " + error.message());
  }
  return OkStatus();
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::ForServer(const KeyPair& key_pair,
                                                          const std::string& client_ca_pem) {
  auto impl = std::make_unique<Impl>(ssl::context::tls_server);
  impl->context.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                            ssl::context::no_tlsv1_1);
  ASSAY_RETURN_IF_ERROR(LoadKeyPair(impl->context, key_pair));
  if (!client_ca_pem.empty()) {
    boost::system::error_code error;
    impl->context.add_certificate_authority(asio::buffer(client_ca_pem), error);
    if (error) {
      return InvalidArgumentError("the client authority cannot be read: " + error.message());
    }
    // Not verify_fail_if_no_peer_cert: most clients come with a token instead.
    impl->context.set_verify_mode(ssl::verify_peer);
    // A resumed session would need one; without it OpenSSL refuses resumption with an error.
    SSL_CTX_set_session_id_context(impl->context.native_handle(),
                                   reinterpret_cast<const unsigned char*>("assay"), 5);
  }
  return std::make_shared<TlsContext>(std::move(impl));
}

Result<std::shared_ptr<TlsContext>> TlsContext::ForClient(const ClientTrust& trust) {
  auto impl = std::make_unique<Impl>(ssl::context::tls_client);
  boost::system::error_code error;
  if (trust.ca_pem.empty()) {
    impl->context.set_default_verify_paths(error);
  } else {
    impl->context.add_certificate_authority(asio::buffer(trust.ca_pem), error);
  }
  if (error) {
    return InvalidArgumentError("the certificate authority cannot be read: " + error.message());
  }
  if (!trust.client_certificate.certificate_pem.empty()) {
    ASSAY_RETURN_IF_ERROR(LoadKeyPair(impl->context, trust.client_certificate));
  }
  impl->verify = !trust.insecure_skip_verify;
  impl->context.set_verify_mode(impl->verify ? ssl::verify_peer : ssl::verify_none);
  return std::make_shared<TlsContext>(std::move(impl));
}

std::unique_ptr<Transport> MakeServerTransport(tcp::socket socket,
                                               const std::shared_ptr<TlsContext>& tls) {
  if (tls == nullptr) {
    return std::make_unique<PlainTransport>(std::move(socket));
  }
  return std::make_unique<TlsTransport>(std::move(socket), tls, tls->impl().context,
                                        ssl::stream_base::server);
}

std::unique_ptr<Transport> MakeClientTransport(tcp::socket socket,
                                               const std::shared_ptr<TlsContext>& tls,
                                               const std::string& host) {
  if (tls == nullptr) {
    return std::make_unique<PlainTransport>(std::move(socket));
  }
  auto transport = std::make_unique<TlsTransport>(std::move(socket), tls, tls->impl().context,
                                                  ssl::stream_base::client);
  boost::system::error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  if (not_an_address) {
    // RFC 6066 knows no addresses in the server name indication.
    SSL_set_tlsext_host_name(transport->stream().native_handle(), host.c_str());
  }
  if (tls->impl().verify) {
    transport->stream().set_verify_callback(ssl::host_name_verification(host));
  }
  return transport;
}

bool IsCertificateError(const boost::system::error_code& error) {
  return error.category() == asio::error::get_ssl_category() &&
         ERR_GET_REASON(static_cast<unsigned long>(error.value())) ==
             SSL_R_CERTIFICATE_VERIFY_FAILED;
}

}  // namespace assay::http::internal
