#include "allocator/search/prepared.h"

#include <algorithm>
#include <limits>

#include "allocator/search/capacity.h"

namespace assay::allocator::search {
namespace {

Result<api::resource::DeviceAttribute> Evaluate(const selector::DerivedAttribute& attribute,
                                                inventory::DeviceRef ref) {
  const inventory::Device& device = ref.device();
  if (device.own_attributes.empty()) {
    return attribute.Evaluate(device.content->device);
  }
  cel::dra::DeviceContent description = device.content->description;
  for (std::size_t i = 0; i < device.own_attributes.size(); ++i) {
    description.attributes.push_back(
        {device.own_attributes[i], *ref.pool->base->own[ref.layout().first_own + i]});
  }
  // A content has lists only where they are wanted.
  return attribute.Evaluate(cel::dra::Device(description, {.list_type_attributes = true}));
}

}  // namespace

using api::resource::DeviceRequest;
using api::resource::ResourceClaim;
using inventory::DeviceRef;
using inventory::NodePool;

Prepared::Prepared(const Input& input)
    : find_class_(input.find_class),
      selectors_(input.selectors),
      shapes_(input.shapes),
      features_(input.features),
      values_(input.features.list_type_attributes) {
  claims_.reserve(input.claims.size());
  for (const ResourceClaim* claim : input.claims) {
    PrepareClaim(*claim);
  }
  for (const PreparedClaim& claim : claims_) {
    for (const constraint::Constraint& constraint : claim.constraints) {
      constraints_.push_back(&constraint);
    }
  }
}

void Prepared::PrepareClaim(const ResourceClaim& claim) {
  PreparedClaim& prepared = claims_.emplace_back();
  prepared.claim = &claim;
  const std::string name = ClaimName(claim);
  for (const DeviceRequest& request : claim.spec.devices.requests) {
    PreparedRequest& made = prepared.requests.emplace_back();
    made.error = CheckFeatures(name, request);
    made.has_alternatives = !request.first_available.empty();
    if (!made.has_alternatives) {
      made.alternatives.push_back(PrepareWanted(claim, Request::Of(request)));
    }
    for (const api::resource::DeviceSubRequest& subrequest : request.first_available) {
      made.alternatives.push_back(PrepareWanted(claim, Request::Of(request, subrequest)));
    }
  }
  const auto& constraints = claim.spec.devices.constraints;
  for (const PreparedClaim& earlier : claims_) {
    prepared.first_constraint += &earlier == &prepared ? 0 : earlier.constraints.size();
  }
  for (std::size_t i = 0; i < constraints.size(); ++i) {
    if (!constraints[i].match_attribute.has_value() &&
        !constraints[i].distinct_attribute.has_value()) {
      prepared.constraint_error =
          InvalidArgumentError("claim " + name + ", constraint #" + std::to_string(i) +
                               ": empty constraint (unsupported constraint type?)");
      break;
    }
    prepared.constraints.emplace_back(constraints[i], features_);
  }
  for (PreparedRequest& request : prepared.requests) {
    for (const auto& wanted : request.alternatives) {
      wanted->claim = claims_.size() - 1;
      for (const constraint::Constraint& constraint : prepared.constraints) {
        const bool concerned =
            constraint.Concerns(wanted->request.base_name(), wanted->request.subrequest());
        wanted->concerned.push_back(concerned);
        wanted->derived.push_back(concerned && features_.derived_attributes
                                      ? PrepareDerived(wanted->request, constraint)
                                      : Wanted::kNotDerived);
      }
    }
  }
}

Status Prepared::CheckFeatures(const std::string& claim, const DeviceRequest& request) const {
  if (!features_.prioritized_list && !request.first_available.empty()) {
    return InvalidArgumentError("claim " + claim + ", request " + request.name +
                                ": has subrequests, but the DRAPrioritizedList feature is "
                                "disabled");
  }
  if (features_.consumable_capacity) {
    return OkStatus();
  }
  const auto refuse = [&claim](std::string_view what, const std::string& name) {
    return InvalidArgumentError("claim " + claim + ", " + std::string(what) + " " + name +
                                ": has capacity requests, but the DRAConsumableCapacity feature "
                                "is disabled");
  };
  if (request.exactly.has_value() && request.exactly->capacity.has_value()) {
    return refuse("request", request.name);
  }
  for (const auto& subrequest : request.first_available) {
    if (subrequest.capacity.has_value()) {
      return refuse("subrequest", subrequest.name);
    }
  }
  return OkStatus();
}

std::unique_ptr<Wanted> Prepared::PrepareWanted(const ResourceClaim& claim, Request request) {
  request.device_class = request.class_name.empty() ? nullptr : find_class_(request.class_name);
  auto made = std::make_unique<Wanted>(claim, std::move(request), selectors_, features_);
  made->number = wanted_.size();
  wanted_.push_back(made.get());
  const Request& wanted = made->request;
  const std::string where = "claim " + ClaimName(claim) + ", request " + wanted.name;
  if (features_.AtLeast1_37() && !features_.derived_attributes &&
      !wanted.derived_attributes->empty()) {
    made->error = InvalidArgumentError(
        where + ": cannot handle request with derived attributes, the feature is disabled");
    return made;
  }
  for (std::size_t i = 0; i < wanted.selectors->size(); ++i) {
    if (!(*wanted.selectors)[i].cel.has_value()) {
      made->error = InvalidArgumentError(where + ", selector #" + std::to_string(i) +
                                         ": CEL expression empty (unsupported selector type?)");
      return made;
    }
  }
  if (!features_.admin_access && wanted.has_admin_access) {
    made->error =
        InvalidArgumentError(where + ": admin access is requested, but the feature is disabled");
  } else if (wanted.class_name.empty()) {
    made->error =
        InvalidArgumentError(where + ": missing device class name (unsupported request type?)");
  } else if (wanted.device_class == nullptr) {
    made->error = InvalidArgumentError(where + ": could not retrieve device class " +
                                       wanted.class_name + ": deviceclass.resource.k8s.io \"" +
                                       wanted.class_name + "\" not found");
  } else if (wanted.mode == "ExactCount") {
    made->num_devices = static_cast<std::size_t>(std::max<std::int64_t>(wanted.count, 0));
  } else if (!wanted.all()) {
    made->error = InvalidArgumentError(where + ": unsupported count mode " + wanted.mode);
  }
  wants_all_ = wants_all_ || wanted.all();
  wants_admin_ = wants_admin_ || wanted.admin_access;
  return made;
}

const LayoutFacts& Prepared::FactsOf(const NodePool& pool) {
  const std::uint64_t id = pool.layout().id;
  if (id == last_layout_ && last_facts_ != nullptr) {
    return *last_facts_;
  }
  std::unique_ptr<LayoutFacts>& facts = facts_[id];
  if (facts == nullptr) {
    facts = MakeFacts(pool);
  }
  last_layout_ = id;
  last_facts_ = facts.get();
  return *facts;
}

std::unique_ptr<LayoutFacts> Prepared::MakeFacts(const NodePool& pool) {
  auto facts = std::make_unique<LayoutFacts>();
  const inventory::Layout& layout = pool.layout();
  const std::size_t words = layout.words();
  facts->shareable.resize(words);
  for (const Wanted* wanted : wanted_) {
    LayoutFacts::OfRequest& of = facts->requests.emplace_back();
    for (DeviceSet* set :
         {&of.matches, &of.fails, &of.unknown, &of.fits, &of.overflow, &of.serves, &of.usable}) {
      set->resize(words);
    }
    static_cast<void>(wanted);
  }
  facts->values.resize(constraints_.size());
  const auto count = static_cast<std::uint32_t>(layout.devices.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    const DeviceRef device{&pool, i};
    if (features_.consumable_capacity && device.device().shareable) {
      facts->shareable[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    for (Wanted* wanted : wanted_) {
      if (wanted->error.ok()) {
        AddFacts(*wanted, device, *facts);
      }
    }
    for (std::size_t k = 0; k < constraints_.size(); ++k) {
      const constraint::ValueId value = FindValue(*constraints_[k], device);
      facts->values[k].push_back(value);
      const bool own = IsOwn(value);
      facts->compares_own = facts->compares_own || own;
      facts->compares_fixed_own =
          facts->compares_fixed_own || (!own && constraint::AttributeValues::IsOwn(value));
    }
    facts->hangs_on_node =
        facts->hangs_on_node || (features_.optional_node_operations &&
                                 !device.layout().slice->skip_node_operations.empty());
  }
  facts->hangs_on_node = facts->hangs_on_node || facts->any_unknown;
  return facts;
}

void Prepared::AddFacts(Wanted& wanted, DeviceRef device, LayoutFacts& facts) {
  using Answer = selector::Selector::Answer;
  const api::resource::Device& api = device.api();
  const std::size_t word = device.number / 64;
  const std::uint64_t bit = std::uint64_t{1} << (device.number % 64);
  LayoutFacts::OfRequest& of = facts.requests[wanted.number];
  const Result<bool> fits =
      features_.consumable_capacity
          ? FitsCapacity(device.device(), nullptr, nullptr, wanted.request.capacity, features_)
          : Result<bool>(true);
  of.fits[word] |= fits.ok() && *fits ? bit : 0;
  of.overflow[word] |= fits.ok() ? 0 : bit;
  const bool prevented =
      (features_.device_taints && TaintsPrevent(api, *wanted.request.tolerations)) ||
      (!features_.partitionable_devices && !api.consumes_counters.empty()) ||
      (features_.IsExperimental() && !features_.optional_node_operations &&
       !device.layout().slice->skip_node_operations.empty());
  of.serves[word] |= fits.ok() && *fits && !prevented ? bit : 0;
  if (!features_.device_binding_and_status && !api.binding_conditions.empty()) {
    return;
  }
  Answer answer = wanted.matcher.Ask(device.device());
  if (answer == Answer::kYes && device.layout().slice->per_device_node_selection.value_or(false)) {
    answer = Answer::kUnknown;
  }
  if (answer == Answer::kUnknown) {
    of.unknown[word] |= bit;
    facts.any_unknown = true;
  } else if (answer == Answer::kError || (answer == Answer::kYes && !fits.ok())) {
    of.fails[word] |= bit;
    facts.any_fails = true;
  } else if (answer == Answer::kYes) {
    of.matches[word] |= bit;
    of.usable[word] |= of.serves[word] & bit;
  }
}

std::size_t Prepared::PrepareDerived(const Request& request,
                                     const constraint::Constraint& constraint) {
  const auto& attributes = *request.derived_attributes;
  const auto derived = std::find_if(attributes.rbegin(), attributes.rend(), [&](const auto& each) {
    return each.name == constraint.attribute();
  });
  if (derived == attributes.rend()) {
    return Wanted::kNotDerived;
  }
  derived_.push_back({derived->name,
                      selector::DerivedAttribute(derived->expression, features_.OfSelectors()),
                      {}});
  return derived_.size() - 1;
}

Result<constraint::ValueId> Prepared::DerivedValueOf(std::size_t derived, DeviceRef device) {
  Derived& of = derived_[derived];
  if (!of.attribute.error().empty()) {
    return InvalidArgumentError("compile derived attribute " + of.name +
                                " failed: " + of.attribute.error());
  }
  const auto [known, fresh] = of.known.try_emplace({device.pool, device.number});
  if (!fresh) {
    return known->second;
  }
  const Result<api::resource::DeviceAttribute> attribute = Evaluate(of.attribute, device);
  if (!attribute.ok()) {
    of.known.erase(known);
    return InvalidArgumentError("evaluate derived attribute " + of.name + " on device " +
                                device.pool->ToString() + "/" + device.api().name +
                                " failed: " + attribute.status().message());
  }
  const std::optional<std::string>& text = attribute->string;
  known->second = values_.Of(*attribute, text.has_value() ? shapes_.FindValue(*text) : nullptr);
  return known->second;
}

constraint::ValueId Prepared::FindValue(const constraint::Constraint& constraint,
                                        DeviceRef device) {
  const inventory::AttributeRef attribute =
      inventory::FindAttribute(device, constraint.attribute());
  if (!attribute) {
    return constraint::kNoValue;
  }
  if (attribute.own != nullptr) {
    return static_cast<constraint::ValueId>(attribute.own_slot) << 3 | kOwnTag;
  }
  const std::optional<std::string>& text = attribute.attribute->string;
  return values_.Of(*attribute.attribute, text.has_value() ? shapes_.FindValue(*text) : nullptr);
}

}  // namespace assay::allocator::search
