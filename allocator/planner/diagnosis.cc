#include "allocator/planner/diagnosis.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "allocator/search/search.h"

namespace assay::allocator {

using api::core::Node;
using api::resource::DeviceTaint;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

namespace {

// Nodes on which it is tried which claims would have to end.
constexpr std::size_t kMaxNodesToEmpty = 64;
constexpr std::size_t kMaxNodeKinds = 8;  // of which WhatIf tries one more

std::string TaintText(const DeviceTaint& taint) {
  return taint.key + (taint.value.empty() ? "" : "=" + taint.value) + ":" + taint.effect;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

bool Prevents(const DeviceTaint& taint) {
  return taint.effect == "NoSchedule" || taint.effect == "NoExecute";
}

// The taints of the fleet that keep devices back, each once.
std::vector<DeviceTaint> TaintsOf(const Planner& planner) {
  std::map<std::string, DeviceTaint> taints;
  for (const auto& [name, slice] : planner.slices()) {
    for (const auto& device : slice.spec.devices) {
      for (const DeviceTaint& taint : device.taints) {
        if (Prevents(taint)) {
          taints.emplace(TaintText(taint), taint);
        }
      }
    }
  }
  std::vector<DeviceTaint> all;
  for (auto& [text, taint] : taints) {
    all.push_back(std::move(taint));
  }
  return all;
}

class Diagnostician {
 public:
  Diagnostician(Planner& planner, const Group& claims) : planner_(planner), claims_(claims) {}

  Result<Diagnosis> Run() {
    Diagnosis diagnosis;
    const auto placement = planner_.Place(claims_, Policy::kFirstFit);
    if (!placement.ok() && placement.status().code() == StatusCode::kInvalidArgument) {
      diagnosis.error = placement.status().message();
      return diagnosis;
    }
    if (placement.ok() && placement->has_value()) {
      diagnosis.fits = true;
      diagnosis.node = (*placement)->node;
      return diagnosis;
    }
    Explain(diagnosis);
    TryEnding(diagnosis);
    TryTolerating(diagnosis);
    TryFewer(diagnosis);
    TryLeavingOut(diagnosis);
    return diagnosis;
  }

 private:
  void Explain(Diagnosis& diagnosis) {
    const std::shared_ptr<const Snapshot> snapshot = planner_.TakeSnapshot();
    std::map<std::string, std::size_t> known;
    std::set<std::string> in_the_way;
    for (const Node& node : planner_.nodes()) {
      Explanation explanation = snapshot->Explain(claims_, node);
      for (const RequestExplanation& request : explanation.requests) {
        for (const DeviceId& device : request.in_use) {
          for (std::string& claim :
               planner_.ledger().HoldersOf(device.driver, device.pool, device.device)) {
            in_the_way.insert(std::move(claim));
          }
        }
      }
      const auto [entry, added] = known.emplace(explanation.ToString(), diagnosis.nodes.size());
      if (added) {
        diagnosis.nodes.push_back({{}, std::move(explanation)});
      }
      diagnosis.nodes[entry->second].nodes.push_back(node.metadata.name);
    }
    std::ranges::stable_sort(diagnosis.nodes, [](const auto& a, const auto& b) {
      const auto key = [](const NodeExplanation& e) {
        const bool empty = std::ranges::all_of(
            e.explanation.requests, [](const RequestExplanation& r) { return r.devices == 0; });
        return std::pair(empty, -static_cast<std::int64_t>(e.nodes.size()));
      };
      return key(a) < key(b);
    });
    diagnosis.in_the_way.assign(in_the_way.begin(), in_the_way.end());
  }

  // Whether the changed claims fit; where.
  std::optional<std::string> FitsOn(const std::vector<ResourceClaim>& changed) {
    Group group;
    for (const ResourceClaim& claim : changed) {
      group.push_back(&claim);
    }
    const auto placement = planner_.Place(group, Policy::kFirstFit);
    return placement.ok() && placement->has_value() ? std::optional((*placement)->node)
                                                    : std::nullopt;
  }

  bool FitsOnNode(const Node& node) {
    const auto allocations =
        planner_.TakeSnapshot()->Allocate(claims_, node, planner_.options().allocate);
    return allocations.ok() && allocations->has_value();
  }

  std::vector<ResourceClaim> Copy() const {
    std::vector<ResourceClaim> copies;
    for (const ResourceClaim* claim : claims_) {
      copies.push_back(*claim);
    }
    return copies;
  }

  // ---- claims that would have to end ----

  // Those that hold devices which the node sees, least devices first.
  std::vector<ResourceClaim> ClaimsOn(const Snapshot& snapshot, const Node& node) {
    std::set<std::string, std::less<>> names;
    const Status seen = snapshot.WithSearch(
        claims_, node, planner_.options().allocate, [&](const search::Input& input) {
          for (const inventory::NodePool* pool : input.pools) {
            for (const auto& holding : planner_.ledger().Of(pool->driver(), pool->name())) {
              names.insert(holding.claim);
            }
          }
          return OkStatus();
        });
    std::vector<ResourceClaim> claims;
    for (const std::string& name : names) {
      const auto claim = planner_.claims().find(name);
      if (seen.ok() && claim != planner_.claims().end()) {
        claims.push_back(claim->second);
      }
    }
    std::ranges::stable_sort(claims, {}, [](const ResourceClaim& claim) {
      return claim.status.allocation->devices.results.size();
    });
    return claims;
  }

  // On each node: all of its claims end, and come back one by one as long as that leaves room.
  void TryEnding(Diagnosis& diagnosis) {
    const std::shared_ptr<const Snapshot> snapshot = planner_.TakeSnapshot();
    std::optional<Change> best;
    std::size_t tried = 0;
    for (const Node& node : std::vector<Node>(planner_.nodes())) {
      const std::vector<ResourceClaim> claims = ClaimsOn(*snapshot, node);
      if (claims.empty() || ++tried > kMaxNodesToEmpty) {
        continue;
      }
      for (const ResourceClaim& claim : claims) {
        planner_.RemoveClaim(claim.metadata.namespace_, claim.metadata.name);
      }
      std::vector<std::string> ended;
      if (FitsOnNode(node)) {
        // The large ones come back first: the fewest devices are lost.
        for (auto claim = claims.rbegin(); claim != claims.rend(); ++claim) {
          planner_.SetClaim(*claim);
          if (!FitsOnNode(node)) {
            planner_.RemoveClaim(claim->metadata.namespace_, claim->metadata.name);
            ended.push_back(claim->metadata.namespace_ + "/" + claim->metadata.name);
          }
        }
      }
      for (const ResourceClaim& claim : claims) {
        planner_.SetClaim(claim);
      }
      if (!ended.empty() && (!best.has_value() || ended.size() < best->claims.size())) {
        std::ranges::sort(ended);
        best = Change{Change::Kind::kEndClaims, "if " + Joined(ended) + " ended",
                      node.metadata.name, ended};
      }
    }
    if (best.has_value()) {
      diagnosis.changes.push_back(*std::move(best));
    }
  }

  // ---- changes of the claims ----

  void Try(Change::Kind kind, std::string text, const std::vector<ResourceClaim>& changed,
           Diagnosis& diagnosis) {
    if (std::optional<std::string> node = FitsOn(changed); node.has_value()) {
      diagnosis.changes.push_back({kind, std::move(text), *std::move(node), {}});
    }
  }

  // Calls `change` with what every request or subrequest of the claims has.
  template <typename F>
  static void ForEachRequest(std::vector<ResourceClaim>& claims, const F& change) {
    for (ResourceClaim& claim : claims) {
      for (auto& request : claim.spec.devices.requests) {
        if (request.exactly.has_value()) {
          change(request.name, *request.exactly);
        }
        for (auto& subrequest : request.first_available) {
          change(request.name + "/" + subrequest.name, subrequest);
        }
      }
    }
  }

  void TryTolerating(Diagnosis& diagnosis) {
    for (const DeviceTaint& taint : TaintsOf(planner_)) {
      std::vector<ResourceClaim> changed = Copy();
      ForEachRequest(changed, [&](const std::string&, auto& request) {
        auto& toleration = request.tolerations.emplace_back();
        toleration.key = taint.key;
        toleration.operator_ = "Equal";
        toleration.value = taint.value;
        toleration.effect = taint.effect;
      });
      Try(Change::Kind::kTolerate, "if it tolerated " + TaintText(taint), changed, diagnosis);
    }
  }

  void TryFewer(Diagnosis& diagnosis) {
    std::vector<ResourceClaim> original = Copy();
    std::size_t number = 0;
    ForEachRequest(original, [&](const std::string& name, const auto& request) {
      const std::size_t wanted = number++;
      // From the most on, so that what is found is the largest that fits.
      for (std::int64_t count = request.allocation_mode == "All" ? 0 : request.count - 1; count > 0;
           --count) {
        std::vector<ResourceClaim> changed = Copy();
        std::size_t i = 0;
        ForEachRequest(changed, [&](const std::string&, auto& other) {
          if (i++ == wanted) {
            other.count = count;
          }
        });
        const std::size_t before = diagnosis.changes.size();
        Try(Change::Kind::kFewerDevices,
            "if request " + name + " asked for " + std::to_string(count) + " instead of " +
                std::to_string(request.count),
            changed, diagnosis);
        if (diagnosis.changes.size() > before) {
          return;
        }
      }
    });
  }

  void TryLeavingOut(Diagnosis& diagnosis) {
    for (std::size_t c = 0; c < claims_.size(); ++c) {
      const auto& constraints = claims_[c]->spec.devices.constraints;
      for (std::size_t i = 0; i < constraints.size(); ++i) {
        std::vector<ResourceClaim> changed = Copy();
        auto& left = changed[c].spec.devices.constraints;
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(i));
        const bool match = constraints[i].match_attribute.has_value();
        Try(Change::Kind::kDropConstraint,
            std::string("without ") + (match ? "matchAttribute " : "distinctAttribute ") +
                (match ? *constraints[i].match_attribute
                       : constraints[i].distinct_attribute.value_or("")),
            changed, diagnosis);
      }
    }
    std::vector<ResourceClaim> original = Copy();
    std::size_t number = 0;
    ForEachRequest(original, [&](const std::string& name, const auto& request) {
      const std::size_t wanted = number++;
      for (std::size_t i = 0; i < request.selectors.size(); ++i) {
        std::vector<ResourceClaim> changed = Copy();
        std::size_t k = 0;
        ForEachRequest(changed, [&](const std::string&, auto& other) {
          if (k++ == wanted) {
            other.selectors.erase(other.selectors.begin() + static_cast<std::ptrdiff_t>(i));
          }
        });
        Try(Change::Kind::kDropSelector,
            "without selector #" + std::to_string(i) + " of request " + name, changed, diagnosis);
      }
    });
  }

  Planner& planner_;
  const Group& claims_;
};

// ---- what if ----

// How many of the groups left over would be placed.
Result<std::size_t> CountPlaced(Planner& planner, std::span<const Group> groups,
                                const std::vector<std::size_t>& left) {
  std::size_t count = 0;
  std::vector<const ResourceClaim*> assumed;
  for (std::size_t number : left) {
    const auto placement = planner.Place(groups[number], Policy::kBestFit);
    if (!placement.ok() || !placement->has_value()) {
      continue;
    }
    ++count;
    for (std::size_t i = 0; i < groups[number].size(); ++i) {
      ResourceClaim claim = *groups[number][i];
      claim.status.allocation = (*placement)->allocations[i];
      planner.SetClaim(claim);
      assumed.push_back(groups[number][i]);
    }
  }
  for (const ResourceClaim* claim : assumed) {
    planner.RemoveClaim(claim->metadata.namespace_, claim->metadata.name);
  }
  return count;
}

// The slices of each node that has some of its own, one node of each kind: what differs in names
// only is of one kind.
std::vector<std::pair<std::string, std::vector<ResourceSlice>>> NodeKinds(const Planner& planner) {
  std::map<std::string, std::vector<ResourceSlice>> by_node;
  for (const auto& [name, slice] : planner.slices()) {
    if (!slice.spec.node_name.value_or("").empty()) {
      by_node[*slice.spec.node_name].push_back(slice);
    }
  }
  std::map<std::vector<std::string>, std::string> kinds;
  std::vector<std::pair<std::string, std::vector<ResourceSlice>>> found;
  for (auto& [node, slices] : by_node) {
    std::vector<std::string> key;
    for (const ResourceSlice& slice : slices) {
      key.push_back(slice.spec.driver);
      for (const auto& device : slice.spec.devices) {
        key.push_back(device.name);
        for (const auto& [name, capacity] : device.capacity) {
          key.push_back(name + capacity.value.ToString());
        }
      }
    }
    if (kinds.emplace(std::move(key), node).second && found.size() < kMaxNodeKinds) {
      found.emplace_back(node, std::move(slices));
    }
  }
  return found;
}

Status TryOneMoreNode(Planner& planner, std::span<const Group> groups,
                      const std::vector<std::size_t>& left, Forecast& forecast) {
  for (const auto& [like, slices] : NodeKinds(planner)) {
    const auto original = std::ranges::find(planner.nodes(), like,
                                            [](const Node& node) { return node.metadata.name; });
    if (original == planner.nodes().end()) {
      continue;
    }
    Node node = *original;
    node.metadata.name = like + "-and-one-more";
    node.metadata.labels["kubernetes.io/hostname"] = node.metadata.name;
    std::vector<std::string> added;
    for (ResourceSlice slice : slices) {
      slice.metadata.name += "-and-one-more";
      slice.spec.node_name = node.metadata.name;
      slice.spec.pool.name += "-and-one-more";
      for (auto& device : slice.spec.devices) {
        std::erase_if(device.taints, Prevents);
      }
      planner.SetSlice(slice);
      added.push_back(slice.metadata.name);
    }
    planner.SetNode(node);
    const Result<std::size_t> count = CountPlaced(planner, groups, left);
    planner.RemoveNode(node.metadata.name);
    for (const std::string& name : added) {
      planner.RemoveSlice(name);
    }
    ASSAY_RETURN_IF_ERROR(count.status());
    if (*count > 0) {
      forecast.remedies.push_back({Remedy::Kind::kAddNode, "one more node like " + like, *count});
    }
  }
  return OkStatus();
}

Status TryWithoutTaints(Planner& planner, std::span<const Group> groups,
                        const std::vector<std::size_t>& left, Forecast& forecast) {
  for (const DeviceTaint& taint : TaintsOf(planner)) {
    const std::string text = TaintText(taint);
    std::vector<ResourceSlice> before;
    std::size_t devices = 0;
    for (const auto& [name, slice] : planner.slices()) {
      const std::size_t had = devices;
      for (const auto& device : slice.spec.devices) {
        devices += std::ranges::any_of(device.taints,
                                       [&](const DeviceTaint& t) { return TaintText(t) == text; })
                       ? 1
                       : 0;
      }
      if (devices > had) {
        before.push_back(slice);
      }
    }
    for (ResourceSlice slice : before) {
      for (auto& device : slice.spec.devices) {
        std::erase_if(device.taints, [&](const DeviceTaint& t) { return TaintText(t) == text; });
      }
      planner.SetSlice(slice);
    }
    const Result<std::size_t> count = CountPlaced(planner, groups, left);
    for (const ResourceSlice& slice : before) {
      planner.SetSlice(slice);
    }
    ASSAY_RETURN_IF_ERROR(count.status());
    if (*count > 0) {
      forecast.remedies.push_back({Remedy::Kind::kRemoveTaint,
                                   "taint " + text + " removed from " + std::to_string(devices) +
                                       (devices == 1 ? " device" : " devices"),
                                   *count});
    }
  }
  return OkStatus();
}

}  // namespace

std::string_view ChangeName(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kEndClaims:
      return "EndClaims";
    case Change::Kind::kTolerate:
      return "Tolerate";
    case Change::Kind::kFewerDevices:
      return "FewerDevices";
    case Change::Kind::kDropConstraint:
      return "DropConstraint";
    case Change::Kind::kDropSelector:
      return "DropSelector";
  }
  return "";
}

std::string Diagnosis::ToString() const {
  if (!error.empty()) {
    return error + "\n";
  }
  if (fits) {
    return "fits on " + node + "\n";
  }
  std::string text;
  for (const NodeExplanation& entry : nodes) {
    text += "on " + entry.nodes.front();
    if (entry.nodes.size() > 1) {
      text += " and " + std::to_string(entry.nodes.size() - 1) + " more";
    }
    text += ":\n";
    std::string lines = entry.explanation.ToString();
    for (std::size_t from = 0; from < lines.size();) {
      const std::size_t end = std::min(lines.find('\n', from), lines.size());
      text += "  " + lines.substr(from, end - from) + "\n";
      from = end + 1;
    }
  }
  if (!in_the_way.empty()) {
    constexpr std::size_t kShown = 8;
    std::vector<std::string> shown = in_the_way;
    shown.resize(std::min(shown.size(), kShown));
    text += "in the way: " + Joined(shown);
    if (in_the_way.size() > kShown) {
      text += " and " + std::to_string(in_the_way.size() - kShown) + " more";
    }
    text += "\n";
  }
  for (const Change& change : changes) {
    text += "would fit on " + change.node + " " + change.text + "\n";
  }
  return text;
}

Result<Diagnosis> Diagnose(Planner& planner, const Group& claims) {
  return Diagnostician(planner, claims).Run();
}

Result<Forecast> WhatIf(Planner& planner, std::span<const Group> groups) {
  Forecast forecast;
  std::vector<std::size_t> left;
  std::vector<const ResourceClaim*> assumed;
  for (std::size_t number = 0; number < groups.size(); ++number) {
    auto placement = planner.Place(groups[number], Policy::kBestFit);
    forecast.errors.push_back(placement.ok() ? "" : placement.status().message());
    forecast.placements.push_back(placement.ok() ? *std::move(placement) : std::nullopt);
    if (!forecast.placements.back().has_value()) {
      left.push_back(number);
      continue;
    }
    for (std::size_t i = 0; i < groups[number].size(); ++i) {
      ResourceClaim claim = *groups[number][i];
      claim.status.allocation = forecast.placements.back()->allocations[i];
      planner.SetClaim(claim);
      assumed.push_back(groups[number][i]);
    }
  }
  Result<std::vector<NodeState>> states = planner.Judge();
  Status status = states.status();
  if (status.ok()) {
    forecast.nodes = *std::move(states);
    for (const NodeState& node : forecast.nodes) {
      forecast.free += node.size - node.used;
    }
    status = left.empty() ? OkStatus() : TryOneMoreNode(planner, groups, left, forecast);
  }
  if (status.ok() && !left.empty()) {
    status = TryWithoutTaints(planner, groups, left, forecast);
  }
  for (const ResourceClaim* claim : assumed) {
    planner.RemoveClaim(claim->metadata.namespace_, claim->metadata.name);
  }
  ASSAY_RETURN_IF_ERROR(status);
  std::ranges::stable_sort(forecast.remedies,
                           [](const Remedy& a, const Remedy& b) { return a.fits > b.fits; });
  return forecast;
}

}  // namespace assay::allocator
