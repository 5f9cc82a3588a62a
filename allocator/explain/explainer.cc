#include "allocator/explain/explainer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "allocator/constraint/constraint.h"
#include "allocator/explain/why_not_selected.h"
#include "allocator/search/capacity.h"

namespace assay::allocator {

std::string_view CauseName(Cause::Kind kind) {
  switch (kind) {
    case Cause::Kind::kNoSuchDevices:
      return "no devices on this node";
    case Cause::Kind::kAllocated:
      return "allocated";
    case Cause::Kind::kTainted:
      return "tainted";
    case Cause::Kind::kClassSelector:
      return "failing the class\'";
    case Cause::Kind::kRequestSelector:
      return "failing";
    case Cause::Kind::kSelectorError:
      return "cannot be judged:";
    case Cause::Kind::kNodeSelection:
      return "for other nodes";
    case Cause::Kind::kCapacity:
      return "without enough capacity left";
    case Cause::Kind::kCounters:
      return "without enough shared counters left";
    case Cause::Kind::kIncompletePool:
      return "pool being updated:";
    case Cause::Kind::kInvalidPool:
      return "pool invalid:";
    case Cause::Kind::kDisabledFeature:
      return "needing a feature that is off";
    case Cause::Kind::kConstraint:
      return "";
    case Cause::Kind::kNotAtOnce:
      return "not available to all requests at once";
  }
  return "";
}

std::string_view CauseId(Cause::Kind kind) {
  switch (kind) {
    case Cause::Kind::kNoSuchDevices:
      return "NoDevices";
    case Cause::Kind::kAllocated:
      return "Allocated";
    case Cause::Kind::kTainted:
      return "Tainted";
    case Cause::Kind::kClassSelector:
      return "ClassSelector";
    case Cause::Kind::kRequestSelector:
      return "RequestSelector";
    case Cause::Kind::kSelectorError:
      return "SelectorError";
    case Cause::Kind::kNodeSelection:
      return "NodeSelection";
    case Cause::Kind::kCapacity:
      return "Capacity";
    case Cause::Kind::kCounters:
      return "Counters";
    case Cause::Kind::kIncompletePool:
      return "IncompletePool";
    case Cause::Kind::kInvalidPool:
      return "InvalidPool";
    case Cause::Kind::kDisabledFeature:
      return "DisabledFeature";
    case Cause::Kind::kConstraint:
      return "Constraint";
    case Cause::Kind::kNotAtOnce:
      return "NotAtOnce";
  }
  return "";
}

std::string Explanation::ToString() const {
  if (!error.empty()) {
    return error;
  }
  std::string text;
  for (const RequestExplanation& request : requests) {
    text += text.empty() ? "" : "\n";
    text += "claim " + request.claim + ", request " + request.request + ": ";
    text += request.wanted == 0 ? "all" : std::to_string(request.wanted);
    text += " wanted of " + std::to_string(request.devices) +
            (request.devices == 1 ? " device" : " devices");
    const char* separator = ": ";
    bool usable_said = request.usable == 0;
    for (const Cause& cause : request.causes) {
      if (cause.devices == 0 && !usable_said) {
        text += separator + std::to_string(request.usable) + " usable";
        separator = "; ";
        usable_said = true;
      }
      text += separator;
      separator = cause.devices > 0 ? ", " : "; ";
      std::string words = cause.devices > 0 ? std::to_string(cause.devices) : "";
      for (std::string_view part : {CauseName(cause.kind), std::string_view(cause.detail)}) {
        words += (words.empty() || part.empty() ? "" : " ") + std::string(part);
      }
      text += words;
    }
    if (!usable_said) {
      text += separator + std::to_string(request.usable) + " usable";
    }
  }
  return text;
}

}  // namespace assay::allocator

namespace assay::allocator::explain {
namespace {

using inventory::DeviceRef;
using inventory::NodePool;
using inventory::PoolState;
using search::Matcher;
using search::Request;

std::string TaintText(const api::resource::DeviceTaint& taint) {
  return taint.key + (taint.value.empty() ? "" : "=" + taint.value) + ":" + taint.effect;
}

class RequestExplainer {
 public:
  RequestExplainer(const search::Input& input, const api::resource::ResourceClaim& claim,
                   const Request& request)
      : input_(input),
        request_(request),
        matcher_(claim, request_, input.selectors, input.features) {
    explanation_.claim = search::ClaimName(claim);
    explanation_.request = request.FullName();
    explanation_.device_class = request.class_name;
    explanation_.wanted = request.all() ? 0 : static_cast<int>(request.count);
  }

  const std::vector<DeviceRef>& usable() const { return usable_; }

  RequestExplanation Run() {
    for (const NodePool* pool : input_.pools) {
      if (pool->state() != PoolState::kUsable) {
        const std::string& reason = pool->layout().invalid_reason;
        Count(pool->state() == PoolState::kIncomplete ? Cause::Kind::kIncompletePool
                                                      : Cause::Kind::kInvalidPool,
              pool->ToString() + (reason.empty() ? "" : ": " + reason), 0);
        continue;
      }
      for (std::uint32_t i = 0; i < pool->devices().size(); ++i) {
        ++explanation_.devices;
        Judge(*pool, {pool, i});
      }
    }
    if (explanation_.devices == 0 && counts_.empty()) {
      Count(Cause::Kind::kNoSuchDevices, "", 0);
    }
    for (const auto& [key, devices] : counts_) {
      explanation_.causes.push_back({key.first, key.second, devices});
    }
    std::stable_sort(explanation_.causes.begin(), explanation_.causes.end(),
                     [](const Cause& a, const Cause& b) { return a.devices > b.devices; });
    return std::move(explanation_);
  }

 private:
  void Count(Cause::Kind kind, std::string detail, int devices) {
    counts_[{kind, std::move(detail)}] += devices;
  }

  // Counts the first thing that keeps the device from serving the request.
  void Judge(const NodePool& pool, DeviceRef device) {
    const api::resource::Device& api = device.api();
    for (Matcher::Part part : {Matcher::Part::kClass, Matcher::Part::kRequest}) {
      const Result<int> mismatch = matcher_.FirstMismatch(part, device);
      if (!mismatch.ok()) {
        return Count(Cause::Kind::kSelectorError, mismatch.status().message(), 1);
      }
      if (*mismatch >= 0) {
        const bool of_class = part == Matcher::Part::kClass;
        return Count(
            of_class ? Cause::Kind::kClassSelector : Cause::Kind::kRequestSelector,
            "selector #" + std::to_string(*mismatch) + ": " +
                WhyNotSelected((of_class ? request_.device_class->spec.selectors
                                         : *request_.selectors)[static_cast<std::size_t>(*mismatch)]
                                   .cel->expression,
                               device, input_.selectors),
            1);
      }
    }
    const Result<bool> matches = search::IsForNode(device.layout(), input_.node, input_.features);
    if (!matches.ok() || !*matches) {
      return Count(api.binding_conditions.empty() ? Cause::Kind::kNodeSelection
                                                  : Cause::Kind::kDisabledFeature,
                   "", 1);
    }
    if (!request_.admin_access && pool.IsTaken(device.number)) {
      AddInUse(device);
      return Count(Cause::Kind::kAllocated, "", 1);
    }
    if (input_.features.device_taints && search::TaintsPrevent(api, *request_.tolerations)) {
      const auto taint = std::find_if(
          api.taints.begin(), api.taints.end(), [this](const api::resource::DeviceTaint& t) {
            return (t.effect == "NoSchedule" || t.effect == "NoExecute") &&
                   std::none_of(
                       request_.tolerations->begin(), request_.tolerations->end(),
                       [&t](const auto& toleration) { return search::Tolerates(toleration, t); });
          });
      return Count(Cause::Kind::kTainted, TaintText(*taint), 1);
    }
    if (input_.features.consumable_capacity &&
        !search::FitsCapacity(device.device(), pool.SharesOf(device.number), nullptr,
                              request_.capacity, input_.features)
             .value_or(false)) {
      AddInUse(device);
      return Count(Cause::Kind::kCapacity, "", 1);
    }
    if (!HasCounters(pool, device)) {
      return;
    }
    ++explanation_.usable;
    usable_.push_back(device);
  }

  void AddInUse(DeviceRef device) {
    const DeviceId id{device.pool->driver(), device.pool->name(), device.api().name};
    const bool known = std::ranges::any_of(explanation_.in_use, [&](const DeviceId& other) {
      return other.device == id.device && other.pool == id.pool && other.driver == id.driver;
    });
    if (!known) {
      explanation_.in_use.push_back(id);
    }
  }

  void AddTakersOf(const NodePool& pool, std::uint32_t counter) {
    for (std::uint32_t i = 0; i < pool.devices().size(); ++i) {
      const auto& takes = pool.devices()[i].counters;
      const bool used = pool.IsTaken(i) || pool.SharesOf(i) != nullptr;
      if (used && std::ranges::any_of(takes, [&](const inventory::CounterUse& use) {
            return use.counter == counter && use.amount > 0;
          })) {
        AddInUse({&pool, i});
      }
    }
  }

  bool HasCounters(const NodePool& pool, DeviceRef device) {
    if (device.api().consumes_counters.empty()) {
      return true;
    }
    if (!input_.features.partitionable_devices) {
      Count(Cause::Kind::kDisabledFeature, "", 1);
      return false;
    }
    for (const auto& [number, amount] : device.layout().counters) {
      const inventory::Counter& counter = pool.layout().counters[number];
      if (pool.over_allocated || amount > pool.Available(number)) {
        AddTakersOf(pool, number);
        Count(Cause::Kind::kCounters,
              std::string(counter.counter_set) + "/" + std::string(counter.name), 1);
        return false;
      }
    }
    return true;
  }

  const search::Input& input_;
  Request request_;
  Matcher matcher_;
  RequestExplanation explanation_;
  std::map<std::pair<Cause::Kind, std::string>, int> counts_;
  std::vector<DeviceRef> usable_;
};

// The value of a device's attribute, as text; none: it has none.
std::optional<std::string> ValueOf(DeviceRef device, std::string_view attribute) {
  const inventory::AttributeRef found = inventory::FindAttribute(device, attribute);
  if (found.own != nullptr) {
    return *found.own;
  }
  return found.attribute == nullptr ? std::nullopt : std::optional(TextOf(*found.attribute));
}

// What a request can have of a claim, for looking at its constraints.
struct Usable {
  Request request;
  int wanted;
  std::vector<DeviceRef> devices;
};

// Why the constraint cannot hold, whatever is chosen of what is usable; empty: it could.
std::string WhyConstraintFails(const api::resource::DeviceConstraint& constraint,
                               const std::vector<Usable>& requests, const Features& features) {
  const constraint::Constraint concerns(constraint, features);
  const std::string attribute(concerns.attribute());
  int wanted = 0;
  std::set<std::string> seen;  // devices count once
  std::map<std::string, int> by_value;
  for (const Usable& usable : requests) {
    if (!concerns.Concerns(usable.request.base_name(), usable.request.subrequest())) {
      continue;
    }
    wanted += usable.wanted;
    for (const DeviceRef& device : usable.devices) {
      const std::optional<std::string> value = ValueOf(device, attribute);
      if (value.has_value() &&
          seen.insert(device.pool->ToString() + "/" + device.api().name).second) {
        ++by_value[*value];
      }
    }
  }
  int most = 0;
  for (const auto& [value, count] : by_value) {
    most = std::max(most, count);
  }
  if (by_value.empty() && wanted > 0) {
    return "no usable device has " + attribute;
  }
  if (concerns.distinct()) {
    const int values = static_cast<int>(by_value.size());
    return values >= wanted ? ""
                            : "only " + std::to_string(values) + " of " + std::to_string(wanted) +
                                  " different values of " + attribute + " left";
  }
  return most >= wanted ? ""
                        : "no " + attribute + " has " + std::to_string(wanted) + " left, at most " +
                              std::to_string(most);
}

}  // namespace

Explanation Explain(const search::Input& input) {
  Explanation explanation;
  const auto allocations = search::Search(input);
  if (!allocations.ok() && allocations.status().code() != StatusCode::kFailedPrecondition) {
    explanation.error = allocations.status().message();
    return explanation;
  }
  explanation.fits = allocations.ok() && allocations->has_value();
  bool each_could = true;
  bool constraints_could = true;
  for (const api::resource::ResourceClaim* claim : input.claims) {
    std::vector<Usable> usable;
    // Without alternatives, of which it is not known which is meant, and derived attributes.
    bool plain = true;
    for (const api::resource::DeviceRequest& request : claim->spec.devices.requests) {
      std::vector<Request> alternatives;
      if (request.first_available.empty()) {
        alternatives.push_back(Request::Of(request));
      }
      for (const auto& subrequest : request.first_available) {
        alternatives.push_back(Request::Of(request, subrequest));
      }
      plain = plain && alternatives.size() == 1 && !alternatives[0].all() &&
              alternatives[0].derived_attributes->empty();
      bool could = false;
      for (Request& alternative : alternatives) {
        alternative.device_class = input.find_class(alternative.class_name);
        RequestExplainer explainer(input, *claim, alternative);
        explanation.requests.push_back(explainer.Run());
        const RequestExplanation& last = explanation.requests.back();
        could = could || (last.usable > 0 && last.usable >= last.wanted);
        usable.push_back({alternative, last.wanted, explainer.usable()});
      }
      each_could = each_could && could;
    }
    for (const auto& constraint : claim->spec.devices.constraints) {
      std::string why = explanation.fits || !plain || explanation.requests.empty() ||
                                input.features.list_type_attributes
                            ? ""
                            : WhyConstraintFails(constraint, usable, input.features);
      if (!why.empty()) {
        constraints_could = false;
        explanation.requests.back().causes.push_back({Cause::Kind::kConstraint, std::move(why), 0});
      }
    }
  }
  if (!explanation.fits && each_could && constraints_could && !explanation.requests.empty()) {
    explanation.requests.back().causes.push_back({Cause::Kind::kNotAtOnce, "", 0});
  }
  return explanation;
}

}  // namespace assay::allocator::explain
