#include "api/registry.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>

#include "api/internal/kind_tables.h"

namespace assay::api {
namespace {

// The order in which an API server lists groups: by the priorities in kube-apiserver's
// aggregator.go, then by name.
constexpr std::array<std::string_view, 18> kGroupOrder = {"",
                                                          "apps",
                                                          "events.k8s.io",
                                                          "authentication.k8s.io",
                                                          "authorization.k8s.io",
                                                          "autoscaling",
                                                          "batch",
                                                          "certificates.k8s.io",
                                                          "networking.k8s.io",
                                                          "policy",
                                                          "rbac.authorization.k8s.io",
                                                          "storage.k8s.io",
                                                          "admissionregistration.k8s.io",
                                                          "scheduling.k8s.io",
                                                          "coordination.k8s.io",
                                                          "node.k8s.io",
                                                          "discovery.k8s.io",
                                                          "resource.k8s.io"};

std::size_t GroupRank(std::string_view group) {
  return static_cast<std::size_t>(std::find(kGroupOrder.begin(), kGroupOrder.end(), group) -
                                  kGroupOrder.begin());
}

const std::vector<const Kind*>& Kinds() {
  static const std::vector<const Kind*> kinds = [] {
    std::vector<const Kind*> all = internal::GeneratedKinds();
    std::sort(all.begin(), all.end(), [](const Kind* a, const Kind* b) {
      return std::tuple(GroupRank(a->group), std::string_view(a->group), a->resource) <
             std::tuple(GroupRank(b->group), std::string_view(b->group), b->resource);
    });
    return all;
  }();
  return kinds;
}

template <typename Predicate>
const Kind* FindIf(Predicate predicate) {
  auto found = std::find_if(Kinds().begin(), Kinds().end(),
                            [&](const Kind* kind) { return predicate(*kind); });
  return found == Kinds().end() ? nullptr : *found;
}

// "resource.k8s.io/v1" -> {"resource.k8s.io", "v1"}.
GroupVersion SplitApiVersion(std::string_view api_version) {
  std::size_t slash = api_version.find('/');
  if (slash == std::string_view::npos) {
    return {"", std::string(api_version)};
  }
  return {std::string(api_version.substr(0, slash)), std::string(api_version.substr(slash + 1))};
}

bool HasName(const Kind& kind, std::string_view name) {
  return kind.resource == name || kind.singular == name ||
         std::find(kind.short_names.begin(), kind.short_names.end(), name) !=
             kind.short_names.end();
}

}  // namespace

std::span<const Kind* const> AllKinds() { return Kinds(); }

const Kind* FindByResource(std::string_view group, std::string_view resource) {
  return FindIf([&](const Kind& kind) { return kind.group == group && kind.resource == resource; });
}

const Kind* FindByKind(std::string_view group, std::string_view name) {
  return FindIf([&](const Kind& kind) { return kind.group == group && kind.kind == name; });
}

const Kind* FindByApiVersion(std::string_view api_version, std::string_view name) {
  GroupVersion wanted = SplitApiVersion(api_version);
  const Kind* kind = FindByKind(wanted.group, name);
  return kind != nullptr && FindVersion(*kind, wanted.version) != nullptr ? kind : nullptr;
}

const Kind* FindByAnyName(std::string_view name) {
  if (const Kind* kind = FindIf([&](const Kind& k) { return HasName(k, name); })) {
    return kind;
  }
  std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) {
    return nullptr;
  }
  return FindIf([&](const Kind& kind) {
    return kind.group == name.substr(dot + 1) && HasName(kind, name.substr(0, dot));
  });
}

const KindVersion* FindVersion(const Kind& kind, std::string_view version) {
  auto found = std::find_if(kind.versions.begin(), kind.versions.end(),
                            [&](const KindVersion& v) { return v.version == version; });
  return found == kind.versions.end() ? nullptr : &*found;
}

const KindVersion* FindVersion(const Kind& kind, std::string_view version, Level level) {
  const KindVersion* found = FindVersion(kind, version);
  return found != nullptr && found->ServedAt(level) ? found : nullptr;
}

const KindVersion* PreferredVersion(const Kind& kind, Level level) {
  auto found = std::find_if(kind.versions.begin(), kind.versions.end(),
                            [&](const KindVersion& version) { return version.ServedAt(level); });
  return found == kind.versions.end() ? nullptr : &*found;
}

std::vector<GroupVersion> ServedGroupVersions(Level level) {
  std::vector<GroupVersion> served;
  auto add = [&](std::string_view group, std::string_view version) {
    GroupVersion candidate{std::string(group), std::string(version)};
    if (std::find(served.begin(), served.end(), candidate) == served.end()) {
      served.push_back(std::move(candidate));
    }
  };
  for (const Kind* kind : Kinds()) {
    for (const KindVersion& version : kind->versions) {
      if (version.ServedAt(level)) {
        add(kind->group, version.version);
      }
    }
  }
  // Groups in their order; of one group's versions, those first that a kind prefers: as the names
  // sort, "v1" is before "v1beta2", which is before "v1beta1" and every alpha.
  auto stage = [](const std::string& version) {
    return version.find("alpha") != std::string::npos  ? 2
           : version.find("beta") != std::string::npos ? 1
                                                       : 0;
  };
  std::stable_sort(served.begin(), served.end(), [&](const GroupVersion& a, const GroupVersion& b) {
    return std::tuple(GroupRank(a.group), std::string_view(a.group), stage(a.version),
                      std::string_view(b.version)) <
           std::tuple(GroupRank(b.group), std::string_view(b.group), stage(b.version),
                      std::string_view(a.version));
  });
  return served;
}

const schema::MessageDescriptor* FindWireMessage(std::string_view api_version,
                                                 std::string_view name) {
  static const std::vector<internal::WireMessage> messages = internal::GeneratedWireMessages();
  for (const internal::WireMessage& message : messages) {
    // The options of the API machinery are registered with every group and version.
    bool is_options = message.api_version == "v1" && name.ends_with("Options");
    if (message.kind == name && (message.api_version == api_version || is_options)) {
      return message.message;
    }
  }
  return nullptr;
}

}  // namespace assay::api
