// Holds the authoriser to Kubernetes' own RBAC: random questions about random roles and bindings,
// answered by both.
//
//   rbac_differential generate COUNT SEED | PEER | rbac_differential check
//
// PEER is the program in tools/peers/rbac; differential_test.sh builds it and joins the three.
// `check` prints how many answers it compared, and each that differs. Exit 0: all agree; 1: some do
// not.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/json/json.h"
#include "api/rbac/types.h"
#include "base/random.h"
#include "controlplane/apiserver/authorizer.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

constexpr int kRequests = 20;
constexpr int kGrants = 4;
constexpr int kShownMismatches = 40;

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  json Case() {
    json out = {
        {"user", {{"name", Pick(kUsers)}, {"groups", Some({"system:authenticated", "g", "h"})}}},
        {"roles", json::array()},
        {"clusterRoles", json::array()},
        {"roleBindings", json::array()},
        {"clusterRoleBindings", json::array()},
        {"requests", json::array()},
        {"grants", json::array()}};
    for (const char* name : {"a", "b", "c"}) {
      out["clusterRoles"].push_back({{"metadata", {{"name", name}}}, {"rules", Rules()}});
      for (const char* where : {"x", "y"}) {
        out["roles"].push_back(
            {{"metadata", {{"name", name}, {"namespace", where}}}, {"rules", Rules()}});
      }
    }
    for (int i = 0; i < 3; ++i) {
      out["clusterRoleBindings"].push_back(Binding("", i));
      out["roleBindings"].push_back(Binding("x", i));
      out["roleBindings"].push_back(Binding("y", i));
    }
    for (int i = 0; i < kRequests; ++i) {
      out["requests"].push_back(Request());
    }
    for (int i = 0; i < kGrants; ++i) {
      out["grants"].push_back({{"namespace", Pick({"", "x", "y"})}, {"rules", Rules()}});
    }
    return out;
  }

 private:
  static inline const Words kUsers = {"u", "v", "system:serviceaccount:x:u",
                                      "system:serviceaccount:y:u"};
  static inline const Words kPaths = {"/metrics", "/metrics/a", "/logs", "/logs/a/b"};

  std::string Pick(const Words& words) { return words[random_.Below(words.size())]; }
  // Each with even chances; never none.
  Words Some(const Words& words) {
    Words chosen;
    while (chosen.empty()) {
      for (const std::string& word : words) {
        if (random_.Below(2) == 0) {
          chosen.push_back(word);
        }
      }
    }
    return chosen;
  }
  Words Maybe(const Words& words) { return random_.Below(3) == 0 ? Some(words) : Words(); }

  json Rules() {
    json rules = json::array();
    for (std::uint64_t i = 0, count = random_.Below(3); i < count; ++i) {
      json rule = {{"verbs", Some({"get", "list", "update", "associated-node:update"})}};
      if (random_.Below(8) == 0) {
        rule["verbs"] = {"*"};
      }
      if (random_.Below(4) == 0) {
        rule["nonResourceURLs"] =
            Some({"/metrics", "/metrics/*", "/logs", "/lo**", random_.Below(8) == 0 ? "*" : "/x"});
      } else {
        rule["apiGroups"] = Some({"", "resource.k8s.io", random_.Below(8) == 0 ? "*" : "apps"});
        rule["resources"] = Some({"pods", "pods/status", "*/status", "resourceclaims/driver",
                                  random_.Below(8) == 0 ? "*" : "resourceclaims"});
        rule["resourceNames"] = Maybe({"n", "m"});
      }
      rules.push_back(std::move(rule));
    }
    return rules;
  }

  json Binding(const std::string& where, int number) {
    json binding = {{"metadata", {{"name", "binding-" + std::to_string(number)}}},
                    {"roleRef",
                     {{"apiGroup", "rbac.authorization.k8s.io"},
                      {"kind", where.empty() ? "ClusterRole" : Pick({"ClusterRole", "Role"})},
                      {"name", Pick({"a", "b", "c", "absent"})}}},
                    {"subjects", json::array()}};
    if (!where.empty()) {
      binding["metadata"]["namespace"] = where;
    }
    for (std::uint64_t i = 0, count = random_.Below(4); i < count; ++i) {
      json subject = {{"kind", Pick({"User", "Group", "ServiceAccount"})}};
      subject["name"] = subject["kind"] == "Group"  ? Pick({"g", "h", "system:authenticated", "u"})
                        : subject["kind"] == "User" ? Pick(kUsers)
                                                    : Pick({"u", "v"});
      if (subject["kind"] == "ServiceAccount") {
        subject["namespace"] = Pick({"", "x", "y"});
      }
      binding["subjects"].push_back(std::move(subject));
    }
    return binding;
  }

  json Request() {
    json request = {{"verb", Pick({"get", "list", "update", "delete", "associated-node:update"})}};
    if (random_.Below(4) == 0) {
      request["path"] = Pick(kPaths);
      return request;
    }
    request["group"] = Pick({"", "resource.k8s.io", "apps"});
    request["resource"] = Pick({"pods", "resourceclaims"});
    request["subresource"] = Pick({"", "", "status", "driver"});
    request["namespace"] = Pick({"", "x", "y"});
    request["name"] = Pick({"", "n", "m", "o"});
    return request;
  }

  Random random_;
};

template <typename T>
void StoreAll(const json& objects, store::Store& store) {
  for (const json& object : objects) {
    Result<T> decoded = api::json::DecodeAs<T>(object.dump());
    ASSAY_CHECK(decoded.ok()) << decoded.status() << ": " << object.dump();
    (void)store.Create(store::Draft::CopyOf(api::Object::Of(*std::move(decoded)))).value();
  }
}

RequestInfo ToRequest(const json& request) {
  const auto text = [&](const char* field) { return request.value(field, ""); };
  return {.is_resource = !request.contains("path"),
          .verb = text("verb"),
          .path = text("path"),
          .group = text("group"),
          .resource = text("resource"),
          .subresource = text("subresource"),
          .namespace_ = text("namespace"),
          .name = text("name")};
}

struct Count {
  std::int64_t compared = 0;
  std::int64_t allowed = 0;
  std::int64_t covered = 0;
  std::int64_t different = 0;

  void Compare(const json& ours, const json& upstream, const json& question, const json& all) {
    ++compared;
    if (ours != upstream && ++different <= kShownMismatches) {
      std::cout << "asked " << question << "\n  upstream " << upstream << "\n  ours     " << ours
                << "\n  of " << all << "\n";
    }
  }
};

void CheckCase(const json& line, Count& count) {
  store::Store objects({.encoder = [](const auto&, const auto&, auto) { return std::string(); }});
  StoreAll<api::rbac::Role>(line["roles"], objects);
  StoreAll<api::rbac::ClusterRole>(line["clusterRoles"], objects);
  StoreAll<api::rbac::RoleBinding>(line["roleBindings"], objects);
  StoreAll<api::rbac::ClusterRoleBinding>(line["clusterRoleBindings"], objects);
  const Authorizer authorizer(objects);
  const User user{.name = line["user"]["name"], .groups = line["user"]["groups"]};
  for (std::size_t i = 0; i < line["requests"].size(); ++i) {
    const json& request = line["requests"][i];
    const bool allowed = authorizer.Allows(user, ToRequest(request));
    count.allowed += allowed ? 1 : 0;
    count.Compare(allowed, line["allowed"][i], request, line);
  }
  for (std::size_t i = 0; i < line["grants"].size(); ++i) {
    const json& grant = line["grants"][i];
    std::vector<PolicyRule> wanted;
    for (const json& rule : grant["rules"]) {
      wanted.push_back(api::json::DecodeAs<PolicyRule>(rule.dump()).value());
    }
    const Words missing = MissingRights(authorizer.RulesFor(user, grant["namespace"]), wanted);
    count.covered += missing.empty() && !wanted.empty() ? 1 : 0;
    count.Compare(missing, line["missing"][i], grant, line);
  }
}

int Check() {
  Count count;
  for (std::string line; std::getline(std::cin, line);) {
    CheckCase(json::parse(line), count);
  }
  std::cout << count.compared << " answers, " << count.allowed << " of them yes, " << count.covered
            << " grants of what is held; " << count.different << " differ from upstream's\n";
  return count.different == 0 && count.allowed > 0 && count.covered > 0 ? 0 : 1;
}

int Generate(int count, std::uint64_t seed) {
  std::cerr << "seed " << seed << "\n";
  Generator generator(seed);
  for (int i = 0; i < count; ++i) {
    std::cout << generator.Case() << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace assay::controlplane::apiserver

int main(int argc, char** argv) {
  using namespace assay::controlplane::apiserver;  // NOLINT(google-build-using-namespace): main.
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "generate" && argc == 4) {
    return Generate(std::atoi(argv[2]), std::strtoull(argv[3], nullptr, 10));
  }
  if (mode == "check") {
    return Check();
  }
  std::cerr << "usage: rbac_differential generate COUNT SEED | check\n";
  return 2;
}
