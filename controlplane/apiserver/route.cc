#include "controlplane/apiserver/route.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "api/field_selector.h"
#include "api/registry.h"

namespace assay::controlplane::apiserver {
namespace {

std::vector<std::string> Split(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (!part.empty()) {
      parts.emplace_back(part);
    }
  }
  return parts;
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool IsTrue(std::string_view text) { return text == "true" || text == "1"; }

std::string Verb(std::string_view method, const RequestInfo& info, const http::Query& query) {
  if (method == "POST") {
    return "create";
  }
  if (method == "PUT") {
    return "update";
  }
  if (method == "PATCH") {
    return "patch";
  }
  if (method == "DELETE") {
    return info.name.empty() ? "deletecollection" : "delete";
  }
  if (method != "GET" && method != "HEAD") {
    return LowerCase(method);
  }
  if (!info.name.empty()) {
    return "get";
  }
  return IsTrue(query.Get("watch")) ? "watch" : "list";
}

}  // namespace

Route ParseRoute(std::string_view method, std::string_view path, const http::Query& query,
                 api::Level level) {
  Route route;
  RequestInfo& info = route.info;
  info.path = path;
  info.verb = LowerCase(method);
  std::vector<std::string> parts = Split(path);
  std::size_t next = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    info.version = parts[1];
    next = 2;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    info.group = parts[1];
    info.version = parts[2];
    next = 3;
  } else {
    return route;
  }
  info.is_resource = true;
  // "namespaces/<ns>/<resource>..."; namespaces themselves are a resource too.
  if (parts[next] == "namespaces" && parts.size() > next + 1) {
    info.namespace_ = parts[next + 1];
    bool of_namespace =
        parts.size() > next + 2 && parts[next + 2] != "status" && parts[next + 2] != "finalize";
    next += of_namespace ? 2 : 0;
  }
  info.resource = parts[next];
  if (parts.size() > next + 1) {
    info.name = parts[next + 1];
  }
  for (std::size_t i = next + 2; i < parts.size(); ++i) {
    info.subresource += (info.subresource.empty() ? "" : "/") + parts[i];
  }
  info.verb = Verb(method, info, query);
  if (info.name.empty() &&
      (info.verb == "list" || info.verb == "watch" || info.verb == "deletecollection")) {
    // As upstream, so that a rule for one name permits to watch that one.
    Result<api::FieldSelector> selector = api::FieldSelector::Parse(query.Get("fieldSelector"));
    if (selector.ok()) {
      info.name = selector->RequiredValue("metadata.name").value_or("");
    }
  }
  const api::Kind* kind = api::FindByResource(info.group, info.resource);
  if (kind != nullptr) {
    route.version = api::FindVersion(*kind, info.version, level);
    route.kind = route.version == nullptr ? nullptr : kind;
  }
  return route;
}

}  // namespace assay::controlplane::apiserver
