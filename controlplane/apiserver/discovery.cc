#include "controlplane/apiserver/discovery.h"

#include <algorithm>
#include <utility>

#include "api/apidiscovery/types.h"
#include "api/codec/codec.h"
#include "api/core/types.h"
#include "api/meta/types.h"
#include "api/registry.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;
namespace discovery = api::apidiscovery;
using api::GroupVersion;
using api::Kind;
using api::codec::Format;

const std::vector<std::string>& AllVerbs() {
  static const auto* verbs = new std::vector<std::string>{
      "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  return *verbs;
}
const std::vector<std::string>& StatusVerbs() {
  static const auto* verbs = new std::vector<std::string>{"get", "patch", "update"};
  return *verbs;
}

// Resources that store nothing: a question is created, the answer comes back.
struct Review {
  std::string_view group;
  std::string_view resource;
  std::string_view kind;
  bool namespaced;
};
constexpr Review kReviews[] = {
    {"authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", false},
    {"authentication.k8s.io", "tokenreviews", "TokenReview", false},
    {"authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", true},
    {"authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false},
    {"authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false},
    {"authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", false},
};

struct Subresource {
  std::string name;
  meta::GroupVersionKind kind;  // What goes in or comes out.
  std::vector<std::string> verbs;
};

std::vector<Subresource> SubresourcesOf(const Kind& kind, const std::string& version) {
  std::vector<Subresource> result;
  for (std::string_view name : ExtraSubresources(kind)) {
    if (name == "binding") {
      result.push_back({"binding", {.group = "", .version = "v1", .kind = "Binding"}, {"create"}});
    } else if (name == "eviction") {
      result.push_back(
          {"eviction", {.group = "policy", .version = "v1", .kind = "Eviction"}, {"create"}});
    } else if (name == "token") {
      result.push_back({"token",
                        {.group = "authentication.k8s.io", .version = "v1", .kind = "TokenRequest"},
                        {"create"}});
    } else {
      result.push_back({std::string(name), {kind.group, version, kind.kind}, {"update"}});
    }
  }
  if (kind.has_status) {
    result.push_back({"status", {kind.group, version, kind.kind}, StatusVerbs()});
  }
  std::sort(result.begin(), result.end(),
            [](const Subresource& a, const Subresource& b) { return a.name < b.name; });
  return result;
}

// The group-versions of discovery: what is stored, and the reviews.
std::vector<GroupVersion> GroupVersions(api::Level level) {
  std::vector<GroupVersion> all = api::ServedGroupVersions(level);
  for (const Review& review : kReviews) {
    GroupVersion version{std::string(review.group), "v1"};
    if (std::find(all.begin(), all.end(), version) == all.end()) {
      all.push_back(std::move(version));
    }
  }
  return all;
}

std::vector<const Kind*> KindsOf(const GroupVersion& version, api::Level level) {
  std::vector<const Kind*> kinds;
  for (const Kind* kind : api::AllKinds()) {
    if (kind->group == version.group &&
        api::FindVersion(*kind, version.version, level) != nullptr) {
      kinds.push_back(kind);
    }
  }
  std::sort(kinds.begin(), kinds.end(),
            [](const Kind* a, const Kind* b) { return a->resource < b->resource; });
  return kinds;
}

meta::APIGroup GroupOf(const std::string& name, const std::vector<GroupVersion>& all) {
  meta::APIGroup group{.name = name};
  for (const GroupVersion& version : all) {
    if (version.group == name) {
      group.versions.push_back(
          {.group_version = name + "/" + version.version, .version = version.version});
    }
  }
  if (!group.versions.empty()) {
    group.preferred_version = group.versions.front();
  }
  return group;
}

// The names of all groups but the core one, in order.
std::vector<std::string> GroupNames(const std::vector<GroupVersion>& all) {
  std::vector<std::string> names;
  for (const GroupVersion& version : all) {
    if (!version.group.empty() &&
        std::find(names.begin(), names.end(), version.group) == names.end()) {
      names.push_back(version.group);
    }
  }
  return names;
}

discovery::APIResourceDiscovery ResourceOf(const Kind& kind, const std::string& version) {
  discovery::APIResourceDiscovery resource{
      .resource = kind.resource,
      .response_kind = meta::GroupVersionKind{kind.group, version, kind.kind},
      .scope = kind.namespaced ? "Namespaced" : "Cluster",
      .singular_resource = kind.singular,
      .verbs = AllVerbs(),
      .short_names = kind.short_names,
      .categories = kind.categories};
  for (Subresource& subresource : SubresourcesOf(kind, version)) {
    resource.subresources.push_back({.subresource = std::move(subresource.name),
                                     .response_kind = std::move(subresource.kind),
                                     .verbs = std::move(subresource.verbs)});
  }
  return resource;
}

discovery::APIGroupDiscovery AggregatedGroup(const std::string& name,
                                             const std::vector<GroupVersion>& all,
                                             api::Level level) {
  discovery::APIGroupDiscovery group;
  group.metadata.name = name;
  for (const GroupVersion& version : all) {
    if (version.group != name) {
      continue;
    }
    discovery::APIVersionDiscovery described{.version = version.version, .freshness = "Current"};
    for (const Kind* kind : KindsOf(version, level)) {
      described.resources.push_back(ResourceOf(*kind, version.version));
    }
    for (const Review& review : kReviews) {
      if (review.group == version.group) {
        std::string singular(review.resource.substr(0, review.resource.size() - 1));
        described.resources.push_back(
            {.resource = std::string(review.resource),
             .response_kind = meta::GroupVersionKind{std::string(review.group), version.version,
                                                     std::string(review.kind)},
             .scope = review.namespaced ? "Namespaced" : "Cluster",
             .singular_resource = std::move(singular),
             .verbs = {"create"}});
      }
    }
    group.versions.push_back(std::move(described));
  }
  return group;
}

}  // namespace

std::vector<const Kind*> ServedKinds(api::Level level) {
  std::vector<const Kind*> kinds;
  for (const Kind* kind : api::AllKinds()) {
    if (api::PreferredVersion(*kind, level) != nullptr) {
      kinds.push_back(kind);
    }
  }
  return kinds;
}

std::vector<std::string_view> ExtraSubresources(const Kind& kind) {
  if (&kind == &api::KindOf<api::core::Pod>()) {
    return {"binding", "eviction"};
  }
  if (&kind == &api::KindOf<api::core::Namespace>()) {
    return {"finalize"};
  }
  if (&kind == &api::KindOf<api::core::ServiceAccount>()) {
    return {"token"};
  }
  return {};
}

std::string CoreVersionsDocument(std::string_view server_address, Format format) {
  meta::APIVersions document{
      .versions = {"v1"},
      .server_address_by_client_cidrs = {
          {.client_cidr = "0.0.0.0/0", .server_address = std::string(server_address)}}};
  return api::codec::EncodeAs(
      document, {.api_version = format == Format::kJson ? "" : "v1", .kind = "APIVersions"},
      format);
}

std::string GroupListDocument(api::Level level, Format format) {
  std::vector<GroupVersion> all = GroupVersions(level);
  meta::APIGroupList list;
  for (const std::string& name : GroupNames(all)) {
    list.groups.push_back(GroupOf(name, all));
  }
  return api::codec::EncodeAs(list, {.api_version = "v1", .kind = "APIGroupList"}, format);
}

std::optional<std::string> GroupDocument(std::string_view group, api::Level level, Format format) {
  meta::APIGroup document = GroupOf(std::string(group), GroupVersions(level));
  if (document.versions.empty()) {
    return std::nullopt;
  }
  return api::codec::EncodeAs(document, {.api_version = "v1", .kind = "APIGroup"}, format);
}

std::optional<std::string> ResourceListDocument(std::string_view group, std::string_view version,
                                                api::Level level, Format format) {
  GroupVersion asked{std::string(group), std::string(version)};
  std::vector<GroupVersion> all = GroupVersions(level);
  if (std::find(all.begin(), all.end(), asked) == all.end()) {
    return std::nullopt;
  }
  meta::APIResourceList list{
      .group_version = asked.group.empty() ? asked.version : asked.group + "/" + asked.version};
  for (const Kind* kind : KindsOf(asked, level)) {
    list.resources.push_back({.name = kind->resource,
                              .singular_name = kind->singular,
                              .namespaced = kind->namespaced,
                              .kind = kind->kind,
                              .verbs = {AllVerbs()},
                              .short_names = kind->short_names,
                              .categories = kind->categories});
    for (Subresource& subresource : SubresourcesOf(*kind, asked.version)) {
      bool own = subresource.kind.group == asked.group && subresource.kind.version == asked.version;
      list.resources.push_back({.name = kind->resource + "/" + subresource.name,
                                .namespaced = kind->namespaced,
                                .group = own ? "" : subresource.kind.group,
                                .version = own ? "" : subresource.kind.version,
                                .kind = subresource.kind.kind,
                                .verbs = {std::move(subresource.verbs)}});
    }
  }
  for (const Review& review : kReviews) {
    if (review.group == asked.group && asked.version == "v1") {
      list.resources.push_back(
          {.name = std::string(review.resource),
           .singular_name = std::string(review.resource.substr(0, review.resource.size() - 1)),
           .namespaced = review.namespaced,
           .kind = std::string(review.kind),
           .verbs = {{"create"}}});
    }
  }
  return api::codec::EncodeAs(list, {.api_version = "v1", .kind = "APIResourceList"}, format);
}

std::string AggregatedDocument(bool core, api::Level level, Format format) {
  std::vector<GroupVersion> all = GroupVersions(level);
  discovery::APIGroupDiscoveryList list;
  if (core) {
    list.items.push_back(AggregatedGroup("", all, level));
  } else {
    for (const std::string& name : GroupNames(all)) {
      list.items.push_back(AggregatedGroup(name, all, level));
    }
  }
  return api::codec::EncodeAs(
      list, {.api_version = "apidiscovery.k8s.io/v2", .kind = "APIGroupDiscoveryList"}, format);
}

}  // namespace assay::controlplane::apiserver
