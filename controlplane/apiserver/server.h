// Server: the Kubernetes API over HTTPS on 127.0.0.1, in front of a Registry: routes, content
// negotiation, authentication by bearer token or client certificate, authorisation, discovery,
// OpenAPI, watches. Unmodified client-go and kubectl are its clients.
//
//   ASSAY_ASSIGN_OR_RETURN(auto server, Server::Start(registry, {}));
//   ASSAY_RETURN_IF_ERROR(server->WriteKubeconfig(path, server->admin_token()));
//
// Thread-safe, but for GoDown, ComeBack and Stop, which one thread at a time may call.
#ifndef ASSAY_CONTROLPLANE_APISERVER_SERVER_H_
#define ASSAY_CONTROLPLANE_APISERVER_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "controlplane/apiserver/fault_injector.h"
#include "controlplane/apiserver/request_log.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

class Registry;

struct ServerOptions {
  std::uint16_t port = 0;  // 0: any free one.
  int threads = 2;
  // Watches that ask for bookmarks get one this often; Kubernetes sends one a minute.
  Duration bookmark_interval = std::chrono::seconds(60);
  // A watch without timeoutSeconds ends after a random time between this and its double.
  Duration min_watch_timeout = std::chrono::minutes(30);
};

class Server {
 public:
  // `registry` must outlive the Server.
  static Result<std::unique_ptr<Server>> Start(Registry& registry, ServerOptions options);
  ~Server();  // Stop().

  std::string url() const;  // "https://127.0.0.1:6443"
  const std::string& ca_pem() const;
  // Of the user "kubernetes-admin" in "system:masters"; random for each Server.
  const std::string& admin_token() const;
  // A new random token that authenticates as `user`, for `lifetime` on the registry's clock.
  std::string AddToken(User user, std::optional<Duration> lifetime = std::nullopt);
  // Requests with this token are 401 from now on.
  void RemoveToken(const std::string& token);

  // A kubeconfig for `token`, with the authority's certificate embedded. `namespace_` is the
  // context's; empty: "default".
  std::string Kubeconfig(const std::string& token, const std::string& namespace_ = "") const;
  // The same in a file that only its owner can read.
  Status WriteKubeconfig(const std::filesystem::path& path, const std::string& token,
                         const std::string& namespace_ = "") const;

  FaultInjector& faults();
  RequestLog& requests();

  // Breaks off the open watches that `match` selects; returns how many. Their clients resume.
  std::size_t DropWatches(const RequestMatch& match);
  // Ends them with an ERROR event of reason Expired (410); their clients list again.
  std::size_t ExpireWatches(const RequestMatch& match);

  // As when the machine that it runs on is switched off: connections and watches break, requests
  // under way are lost, new connections are refused. What is stored stays.
  void GoDown();
  // It is there again, at the same address and with the same certificates and tokens.
  Status ComeBack();

  void Stop();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_SERVER_H_
