// ClientConfig: where an API server is and how to be somebody there; read from a kubeconfig.
//
// Thread-safe: values and functions without state.
#ifndef ASSAY_API_CLIENT_CONFIG_H_
#define ASSAY_API_CLIENT_CONFIG_H_

#include <filesystem>
#include <string>

#include "base/result.h"

namespace assay::api::client {

struct ClientConfig {
  std::string server;  // "https://127.0.0.1:6443"
  std::string certificate_authority_pem;
  // Not checking the server's certificate, as `insecure-skip-tls-verify` asks for.
  bool insecure_skip_tls_verify = false;
  std::string tls_server_name;  // Empty: the host of `server`.
  std::string token;
  std::string client_certificate_pem;
  std::string client_key_pem;
  std::string namespace_ = "default";  // Of the kubeconfig's context.
  std::string user_agent = "assay";
};

struct KubeconfigOptions {
  std::string context;  // Empty: the file's current-context.
};

// Reads a kubeconfig (YAML or JSON), with certificates, keys and tokens inline or in files beside
// it. kInvalidArgument names file, line and field; users with exec or auth-provider plugins are
// refused (kUnimplemented): Assay starts no foreign program.
Result<ClientConfig> LoadKubeconfig(const std::filesystem::path& path,
                                    const KubeconfigOptions& options = {});

// $KUBECONFIG's first file, else the service account of the pod that this runs in, else
// ~/.kube/config.
Result<ClientConfig> LoadDefaultConfig();

// A kubeconfig with one cluster, one user and one context, all named `name`, everything inline.
std::string FormatKubeconfig(const ClientConfig& config, const std::string& name = "assay");

}  // namespace assay::api::client

#endif  // ASSAY_API_CLIENT_CONFIG_H_
