#include "allocator/explain/explainer.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

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
      return "not of the class:";
    case Cause::Kind::kRequestSelector:
      return "not selected:";
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
    case Cause::Kind::kNotAtOnce:
      return "not available to all requests at once";
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
    for (const Cause& cause : request.causes) {
      text += separator;
      separator = ", ";
      if (cause.devices > 0) {
        text += std::to_string(cause.devices) + " ";
      }
      text += CauseName(cause.kind);
      text += cause.detail.empty() ? "" : " " + cause.detail;
    }
    if (request.usable > 0) {
      text += separator + std::to_string(request.usable) + " usable";
    }
  }
  return text;
}

}  // namespace assay::allocator

namespace assay::allocator::explain {
namespace {

using inventory::NodeDevice;
using inventory::NodePool;
using inventory::PoolState;
using search::Matcher;
using search::Request;

std::string SelectorText(const std::vector<api::resource::DeviceSelector>& selectors, int number) {
  const auto& selector = selectors[static_cast<std::size_t>(number)];
  return "selector #" + std::to_string(number) + ": " +
         (selector.cel.has_value() ? selector.cel->expression : "");
}

std::string TaintText(const api::resource::DeviceTaint& taint) {
  return taint.key + (taint.value.empty() ? "" : "=" + taint.value) + ":" + taint.effect;
}

class RequestExplainer {
 public:
  RequestExplainer(const search::Input& input, const api::resource::ResourceClaim& claim,
                   const Request& request)
      : input_(input),
        request_(request),
        matcher_(claim, request_, input.selectors, input.node, input.features) {
    explanation_.claim = search::ClaimName(claim);
    explanation_.request = request.FullName();
    explanation_.device_class = request.class_name;
    explanation_.wanted = request.all() ? 0 : static_cast<int>(request.count);
  }

  RequestExplanation Run() {
    for (const auto& pool : input_.pools) {
      if (pool->state != PoolState::kUsable) {
        Count(pool->state == PoolState::kIncomplete ? Cause::Kind::kIncompletePool
                                                    : Cause::Kind::kInvalidPool,
              pool->ToString() + (pool->invalid_reason.empty() ? "" : ": " + pool->invalid_reason),
              0);
        continue;
      }
      for (const NodeDevice& device : pool->devices) {
        ++explanation_.devices;
        Judge(*pool, device);
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
  void Judge(const NodePool& pool, const NodeDevice& device) {
    const api::resource::Device& api = *device.device->api;
    const inventory::DeviceUse* use = device.use;
    for (Matcher::Part part : {Matcher::Part::kClass, Matcher::Part::kRequest}) {
      const Result<int> mismatch = matcher_.FirstMismatch(part, device);
      if (!mismatch.ok()) {
        return Count(Cause::Kind::kSelectorError, mismatch.status().message(), 1);
      }
      if (*mismatch >= 0) {
        const bool of_class = part == Matcher::Part::kClass;
        return Count(
            of_class ? Cause::Kind::kClassSelector : Cause::Kind::kRequestSelector,
            SelectorText(of_class ? request_.device_class->spec.selectors : *request_.selectors,
                         *mismatch),
            1);
      }
    }
    const Result<bool> matches = matcher_.Matches(device);
    if (!matches.ok() || !*matches) {
      return Count(api.binding_conditions.empty() ? Cause::Kind::kNodeSelection
                                                  : Cause::Kind::kDisabledFeature,
                   "", 1);
    }
    if (!request_.admin_access && use != nullptr && use->dedicated > 0) {
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
        !search::FitsCapacity(*device.device, use, nullptr, request_.capacity)) {
      return Count(Cause::Kind::kCapacity, "", 1);
    }
    if (!HasCounters(pool, device)) {
      return;
    }
    ++explanation_.usable;
  }

  bool HasCounters(const NodePool& pool, const NodeDevice& device) {
    if (device.device->api->consumes_counters.empty()) {
      return true;
    }
    if (!input_.features.partitionable_devices) {
      Count(Cause::Kind::kDisabledFeature, "", 1);
      return false;
    }
    for (const auto& [number, amount] : device.counters) {
      const inventory::Counter& counter = pool.counters[number];
      if (pool.over_allocated || amount->Compare(counter.available) > 0) {
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
};

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
  for (const api::resource::ResourceClaim* claim : input.claims) {
    for (const api::resource::DeviceRequest& request : claim->spec.devices.requests) {
      std::vector<Request> alternatives;
      if (request.first_available.empty()) {
        alternatives.push_back(Request::Of(request));
      }
      for (const auto& subrequest : request.first_available) {
        alternatives.push_back(Request::Of(request, subrequest));
      }
      bool could = false;
      for (Request& alternative : alternatives) {
        alternative.device_class = input.find_class(alternative.class_name);
        explanation.requests.push_back(RequestExplainer(input, *claim, alternative).Run());
        const RequestExplanation& last = explanation.requests.back();
        could = could || (last.usable > 0 && last.usable >= last.wanted);
      }
      each_could = each_could && could;
    }
  }
  if (!explanation.fits && each_could && !explanation.requests.empty()) {
    explanation.requests.back().causes.push_back({Cause::Kind::kNotAtOnce, "", 0});
  }
  return explanation;
}

}  // namespace assay::allocator::explain
