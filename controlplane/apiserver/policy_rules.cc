#include "controlplane/apiserver/policy_rules.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "api/validation/field_error.h"

namespace assay::controlplane::apiserver {
namespace {

using Strings = std::vector<std::string>;

bool Contains(const Strings& values, std::string_view value) {
  return std::ranges::find(values, value) != values.end();
}

bool ContainsOrAll(const Strings& values, std::string_view value) {
  return Contains(values, "*") || Contains(values, value);
}

// `resource` is "pods" or "pods/status".
bool NamesResource(const Strings& resources, std::string_view resource) {
  if (ContainsOrAll(resources, resource)) {
    return true;
  }
  const std::size_t slash = resource.find('/');
  return slash != std::string_view::npos &&
         Contains(resources, "*" + std::string(resource.substr(slash)));
}

bool NamesUrl(const Strings& urls, std::string_view path) {
  return std::ranges::any_of(urls, [&](std::string_view url) {
    return url == path ||
           (url.ends_with('*') && path.starts_with(url.substr(0, url.find_last_not_of('*') + 1)));
  });
}

// Rules with one value in each of their fields: rights, which one rule covers or does not.
std::vector<PolicyRule> RightsOf(const PolicyRule& rule) {
  std::vector<PolicyRule> rights;
  for (const std::string& group : rule.api_groups) {
    for (const std::string& resource : rule.resources) {
      for (const std::string& verb : rule.verbs) {
        PolicyRule right{.verbs = {verb}, .api_groups = {group}, .resources = {resource}};
        if (rule.resource_names.empty()) {
          rights.push_back(right);
        }
        for (const std::string& name : rule.resource_names) {
          right.resource_names = {name};
          rights.push_back(right);
        }
      }
    }
  }
  for (const std::string& url : rule.non_resource_urls) {
    for (const std::string& verb : rule.verbs) {
      rights.push_back({.verbs = {verb}, .non_resource_urls = {url}});
    }
  }
  return rights;
}

bool Covers(const PolicyRule& rule, const PolicyRule& right) {
  if (!ContainsOrAll(rule.verbs, right.verbs[0])) {
    return false;
  }
  const bool all_names = rule.resource_names.empty();
  if (!right.non_resource_urls.empty()) {
    return all_names && NamesUrl(rule.non_resource_urls, right.non_resource_urls[0]);
  }
  return ContainsOrAll(rule.api_groups, right.api_groups[0]) &&
         NamesResource(rule.resources, right.resources[0]) &&
         (all_names || (!right.resource_names.empty() &&
                        Contains(rule.resource_names, right.resource_names[0])));
}

// As Go's %q writes a []string.
std::string Quoted(const Strings& values) {
  std::string text;
  for (const std::string& value : values) {
    text += (text.empty() ? "" : " ") + api::validation::GoQuote(value);
  }
  return "[" + text + "]";
}

std::string ToString(const PolicyRule& rule) {
  std::string text;
  for (const auto& [name, values] :
       {std::pair<const char*, const Strings&>{"APIGroups", rule.api_groups},
        {"Resources", rule.resources},
        {"NonResourceURLs", rule.non_resource_urls},
        {"ResourceNames", rule.resource_names},
        {"Verbs", rule.verbs}}) {
    if (!values.empty()) {
      text += (text.empty() ? "" : ", ") + std::string(name) + ":" + Quoted(values);
    }
  }
  return "{" + text + "}";
}

}  // namespace

bool RuleAllows(const PolicyRule& rule, const RequestInfo& info) {
  if (!ContainsOrAll(rule.verbs, info.verb)) {
    return false;
  }
  if (!info.is_resource) {
    return NamesUrl(rule.non_resource_urls, info.path);
  }
  return ContainsOrAll(rule.api_groups, info.group) &&
         NamesResource(rule.resources, info.subresource.empty()
                                           ? info.resource
                                           : info.resource + "/" + info.subresource) &&
         (rule.resource_names.empty() || Contains(rule.resource_names, info.name));
}

bool AppliesTo(const std::vector<api::rbac::Subject>& subjects, const User& user,
               const std::string& binding_namespace) {
  return std::ranges::any_of(subjects, [&](const api::rbac::Subject& subject) {
    if (subject.kind == "User") {
      return user.name == subject.name;
    }
    if (subject.kind == "Group") {
      return user.InGroup(subject.name);
    }
    const std::string& its_namespace =
        subject.namespace_.empty() ? binding_namespace : subject.namespace_;
    return subject.kind == "ServiceAccount" && !its_namespace.empty() &&
           user.name == "system:serviceaccount:" + its_namespace + ":" + subject.name;
  });
}

std::vector<std::string> MissingRights(const std::vector<PolicyRule>& held,
                                       const std::vector<PolicyRule>& wanted) {
  std::set<std::string> lines;
  // By group, resource and name: its verbs, in the order in which they were wanted.
  std::map<std::tuple<Strings, Strings, Strings>, PolicyRule> resources;
  for (const PolicyRule& rule : wanted) {
    for (PolicyRule& right : RightsOf(rule)) {
      if (std::ranges::any_of(held, [&](const PolicyRule& own) { return Covers(own, right); })) {
        continue;
      }
      if (!right.non_resource_urls.empty()) {
        lines.insert(ToString(right));
        continue;
      }
      const auto [at, is_new] = resources.emplace(
          std::tuple(right.api_groups, right.resources, right.resource_names), right);
      if (!is_new) {
        at->second.verbs.push_back(right.verbs[0]);
      }
    }
  }
  for (const auto& [resource, rule] : resources) {
    lines.insert(ToString(rule));
  }
  return {lines.begin(), lines.end()};
}

}  // namespace assay::controlplane::apiserver
