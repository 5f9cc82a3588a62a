#include "controlplane/apiserver/role_aggregation.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "api/meta/label_selector.h"

namespace assay::controlplane::apiserver {
namespace {

using api::rbac::ClusterRole;
using api::rbac::PolicyRule;

// After a write that failed, another one's in between for instance.
constexpr Duration kAggregationRetry = std::chrono::milliseconds(200);

}  // namespace

RoleAggregation::RoleAggregation(api::client::Client& client) : client_(&client), roles_(client) {
  roles_.AddHandlers({.on_add = [this](const auto&) { SyncAll(); },
                      .on_update = [this](const auto&, const auto&) { SyncAll(); },
                      .on_delete = [this](const auto&) { SyncAll(); }});
}

RoleAggregation::~RoleAggregation() { client_->loop().CancelTimer(retry_); }

void RoleAggregation::Start() {
  roles_.Start([this] { SyncAll(); });
}

void RoleAggregation::SyncAll() {
  if (!roles_.synced()) {
    return;
  }
  for (const auto& role : roles_.List()) {
    if (role->aggregation_rule) {
      Sync(*role);
    }
  }
}

void RoleAggregation::Sync(const ClusterRole& role) {
  std::vector<PolicyRule> rules;
  for (const auto& selector : role.aggregation_rule->cluster_role_selectors) {
    const Result<api::meta::LabelQuery> query = api::meta::LabelQuery::From(selector);
    // By name, as the cache is ordered.
    for (const auto& other : roles_.List()) {
      if (!query.ok() || other->metadata.name == role.metadata.name ||
          !query->Matches(other->metadata.labels)) {
        continue;
      }
      std::ranges::copy_if(other->rules, std::back_inserter(rules), [&](const PolicyRule& rule) {
        return std::ranges::find(rules, rule) == rules.end();
      });
    }
  }
  if (rules == role.rules) {
    return;
  }
  ClusterRole updated = role;
  updated.rules = std::move(rules);
  client_->Update(api::Object::Of(std::move(updated)),
                  {.field_manager = "clusterrole-aggregation-controller"},
                  [this, alive = std::weak_ptr<bool>(alive_)](const Result<api::Object>& result) {
                    if (alive.expired() || result.ok()) {
                      return;
                    }
                    client_->loop().CancelTimer(retry_);
                    retry_ = client_->loop().RunAfter(kAggregationRetry, [this] { SyncAll(); });
                  });
}

}  // namespace assay::controlplane::apiserver
