#include "api/client/config.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/base64.h"
#include "base/file.h"
#include "base/yaml/yaml.h"

namespace assay::api::client {
namespace {

Result<std::string> Decoded(const yaml::Node& node) {
  std::string text = node.scalar();
  std::erase(text, ' ');  // Of a block that spans lines.
  Result<std::string> bytes = DecodeBase64(text);
  return bytes.ok() ? bytes : node.Error("base64 was expected");
}

// The entry of the list `list` of `root` that is called `name`; its `member`.
Result<const yaml::Node*> FindNamed(const yaml::Node& root, std::string_view list,
                                    std::string_view name, std::string_view member) {
  ASSAY_ASSIGN_OR_RETURN(const yaml::Node* entries, root.Require(list));
  for (const yaml::Node& entry : entries->items()) {
    ASSAY_ASSIGN_OR_RETURN(const std::string entry_name, entry.GetString("name"));
    if (entry_name == name) {
      return entry.Require(member);
    }
  }
  return entries->Error("no entry is named \"" + std::string(name) + "\"");
}

// `key`-data holds it in base64; else `key` names a file, relative to the kubeconfig.
Result<std::string> ReadInlineOrFile(const yaml::Node& node, const std::string& key,
                                     const std::filesystem::path& directory) {
  if (const yaml::Node* data = node.Find(key + "-data"); data != nullptr && !data->IsNull()) {
    return Decoded(*data);
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string file, node.GetStringOr(key, ""));
  if (file.empty()) {
    return std::string();
  }
  Result<std::string> contents = ReadFile(directory / file);
  if (!contents.ok()) {
    return node.Find(key)->Error(contents.status().message());
  }
  return contents;
}

std::string Trimmed(std::string text) {
  const std::string_view blanks = " \t\r\n";
  text.erase(text.find_last_not_of(blanks) + 1);
  text.erase(0, std::min(text.size(), text.find_first_not_of(blanks)));
  return text;
}

Status ReadCluster(const yaml::Node& cluster, const std::filesystem::path& directory,
                   ClientConfig& config) {
  ASSAY_ASSIGN_OR_RETURN(config.server, cluster.GetString("server"));
  while (config.server.ends_with('/')) {
    config.server.pop_back();
  }
  ASSAY_ASSIGN_OR_RETURN(config.certificate_authority_pem,
                         ReadInlineOrFile(cluster, "certificate-authority", directory));
  ASSAY_ASSIGN_OR_RETURN(config.insecure_skip_tls_verify,
                         cluster.GetBoolOr("insecure-skip-tls-verify", false));
  ASSAY_ASSIGN_OR_RETURN(config.tls_server_name, cluster.GetStringOr("tls-server-name", ""));
  return OkStatus();
}

Status ReadUser(const yaml::Node& user, const std::filesystem::path& directory,
                ClientConfig& config) {
  if (user.IsNull()) {
    return OkStatus();
  }
  for (const std::string_view plugin : {"exec", "auth-provider"}) {
    if (const yaml::Node* node = user.Find(plugin)) {
      return UnimplementedError(
          node->Error("credentials from another program are not supported; use a token or a "
                      "certificate")
              .message());
    }
  }
  ASSAY_ASSIGN_OR_RETURN(config.client_certificate_pem,
                         ReadInlineOrFile(user, "client-certificate", directory));
  ASSAY_ASSIGN_OR_RETURN(config.client_key_pem, ReadInlineOrFile(user, "client-key", directory));
  ASSAY_ASSIGN_OR_RETURN(config.token, user.GetStringOr("token", ""));
  ASSAY_ASSIGN_OR_RETURN(const std::string token_file, user.GetStringOr("tokenFile", ""));
  if (!token_file.empty()) {
    // As in client-go, the file counts more than the inline token.
    Result<std::string> token = ReadFile(directory / token_file);
    if (!token.ok()) {
      return user.Find("tokenFile")->Error(token.status().message());
    }
    config.token = Trimmed(*token);
  }
  return OkStatus();
}

// Source: client-go, rest.InClusterConfig.
Result<ClientConfig> LoadServiceAccount(std::string host, const std::string& port) {
  const std::filesystem::path directory = "/var/run/secrets/kubernetes.io/serviceaccount";
  if (host.find(':') != std::string::npos) {
    host = "[" + host + "]";
  }
  ClientConfig config;
  config.server = "https://" + host + ":" + port;
  ASSAY_ASSIGN_OR_RETURN(config.token, ReadFile(directory / "token"));
  config.token = Trimmed(config.token);
  ASSAY_ASSIGN_OR_RETURN(config.certificate_authority_pem, ReadFile(directory / "ca.crt"));
  config.namespace_ = Trimmed(ReadFile(directory / "namespace").value_or("default"));
  return config;
}

}  // namespace

Result<ClientConfig> LoadKubeconfig(const std::filesystem::path& path,
                                    const KubeconfigOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const yaml::Node root, yaml::ParseFile(path));
  std::string context_name = options.context;
  if (context_name.empty()) {
    ASSAY_ASSIGN_OR_RETURN(context_name, root.GetString("current-context"));
  }
  ASSAY_ASSIGN_OR_RETURN(const yaml::Node* context,
                         FindNamed(root, "contexts", context_name, "context"));
  ASSAY_ASSIGN_OR_RETURN(const std::string cluster_name, context->GetString("cluster"));
  ASSAY_ASSIGN_OR_RETURN(const std::string user_name, context->GetStringOr("user", ""));

  ClientConfig config;
  ASSAY_ASSIGN_OR_RETURN(config.namespace_, context->GetStringOr("namespace", "default"));
  const std::filesystem::path directory = path.parent_path();
  ASSAY_ASSIGN_OR_RETURN(const yaml::Node* cluster,
                         FindNamed(root, "clusters", cluster_name, "cluster"));
  ASSAY_RETURN_IF_ERROR(ReadCluster(*cluster, directory, config));
  if (!user_name.empty()) {
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* user, FindNamed(root, "users", user_name, "user"));
    ASSAY_RETURN_IF_ERROR(ReadUser(*user, directory, config));
  }
  return config;
}

Result<ClientConfig> LoadDefaultConfig() {
  if (const char* value = std::getenv("KUBECONFIG"); value != nullptr && *value != '\0') {
    const std::string_view files = value;
    return LoadKubeconfig(files.substr(0, files.find(':')));
  }
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host != nullptr && *host != '\0' && port != nullptr && *port != '\0') {
    return LoadServiceAccount(host, port);
  }
  const char* home = std::getenv("HOME");
  return LoadKubeconfig(std::filesystem::path(home == nullptr ? "/" : home) / ".kube" / "config");
}

std::string FormatKubeconfig(const ClientConfig& config, const std::string& name) {
  std::string text = "apiVersion: v1\nkind: Config\nclusters:\n- name: " + name +
                     "\n  cluster:\n    server: " + config.server + "\n";
  const auto add = [&text](std::string_view key, const std::string& value) {
    if (!value.empty()) {
      text.append("    ").append(key).append(": ").append(value).append("\n");
    }
  };
  add("certificate-authority-data", EncodeBase64(config.certificate_authority_pem));
  add("insecure-skip-tls-verify", config.insecure_skip_tls_verify ? "true" : "");
  add("tls-server-name", config.tls_server_name);
  text += "users:\n- name: " + name + "\n";
  const bool anonymous = config.token.empty() && config.client_certificate_pem.empty();
  text += anonymous ? "  user: {}\n" : "  user:\n";
  add("token", config.token);
  add("client-certificate-data", EncodeBase64(config.client_certificate_pem));
  add("client-key-data", EncodeBase64(config.client_key_pem));
  text += "contexts:\n- name: " + name + "\n  context:\n";
  add("cluster", name);
  add("user", name);
  add("namespace", config.namespace_);
  text += "current-context: " + name + "\n";
  return text;
}

}  // namespace assay::api::client
