#include "allocator/search/request.h"

#include <algorithm>

#include "allocator/inventory/node_selection.h"

namespace assay::allocator::search {

using api::resource::DeviceSelector;
using api::resource::DeviceTaint;
using api::resource::DeviceToleration;

std::string ClaimName(const api::resource::ResourceClaim& claim) {
  return claim.metadata.namespace_.empty() ? claim.metadata.name
                                           : claim.metadata.namespace_ + "/" + claim.metadata.name;
}

bool Tolerates(const DeviceToleration& toleration, const DeviceTaint& taint) {
  if (!toleration.effect.empty() && toleration.effect != taint.effect) {
    return false;
  }
  if (!toleration.key.empty() && toleration.key != taint.key) {
    return false;
  }
  if (toleration.operator_.empty() || toleration.operator_ == "Equal") {
    return toleration.value == taint.value;
  }
  return toleration.operator_ == "Exists";
}

bool TaintsPrevent(const api::resource::Device& device,
                   const std::vector<DeviceToleration>& tolerations) {
  return std::any_of(device.taints.begin(), device.taints.end(), [&](const DeviceTaint& taint) {
    // Other effects, None among them, prevent nothing.
    if (taint.effect != "NoSchedule" && taint.effect != "NoExecute") {
      return false;
    }
    return std::none_of(tolerations.begin(), tolerations.end(),
                        [&](const DeviceToleration& t) { return Tolerates(t, taint); });
  });
}

Request Request::Of(const api::resource::DeviceRequest& request) {
  static const api::resource::ExactDeviceRequest kNone;
  const api::resource::ExactDeviceRequest& exactly =
      request.exactly.has_value() ? *request.exactly : kNone;
  Request made;
  made.name = request.name;
  made.class_name = exactly.device_class_name;
  made.mode = exactly.allocation_mode;
  made.count = exactly.count;
  made.admin_access = exactly.admin_access.value_or(false);
  made.has_admin_access = exactly.admin_access.has_value();
  made.selectors = &exactly.selectors;
  made.tolerations = &exactly.tolerations;
  made.capacity = exactly.capacity.has_value() ? &*exactly.capacity : nullptr;
  made.derived_attributes = &exactly.derived_attributes;
  return made;
}

Request Request::Of(const api::resource::DeviceRequest& parent,
                    const api::resource::DeviceSubRequest& request) {
  Request made;
  made.name = request.name;
  made.parent = parent.name;
  made.class_name = request.device_class_name;
  made.mode = request.allocation_mode;
  made.count = request.count;
  made.selectors = &request.selectors;
  made.tolerations = &request.tolerations;
  made.capacity = request.capacity.has_value() ? &*request.capacity : nullptr;
  made.derived_attributes = &request.derived_attributes;
  return made;
}

const std::vector<DeviceSelector>& Matcher::SelectorsOf(Part part) const {
  return part == Part::kClass ? request_->device_class->spec.selectors : *request_->selectors;
}

const selector::Selector& Matcher::Compiled(Part part, std::size_t i) {
  auto& compiled = compiled_[static_cast<std::size_t>(part)];
  if (compiled.empty()) {
    for (const DeviceSelector& selector : SelectorsOf(part)) {
      compiled.push_back(cache_->Find(selector.cel.has_value() ? selector.cel->expression : ""));
    }
  }
  return *compiled[i];
}

Result<int> Matcher::FirstMismatch(Part part, inventory::DeviceRef device) {
  const std::size_t count = SelectorsOf(part).size();
  for (std::size_t i = 0; i < count; ++i) {
    const selector::Selector& compiled = Compiled(part, i);
    const auto fail = [&](std::string_view what, const std::string& why) {
      std::string text = part == Part::kClass ? "class " + request_->device_class->metadata.name
                                              : "claim " + ClaimName(*claim_);
      text += ": selector #" + std::to_string(i);
      if (features_->AtLeast1_37() && what == "runtime") {
        text += " on device " + device.pool->ToString() + "/" + device.api().name;
      }
      return InvalidArgumentError(text + ": CEL " + std::string(what) + " error: " + why);
    };
    if (const cel::dra::CompileError* error = compiled.error(); error != nullptr) {
      return fail("compile", error->detail);
    }
    const inventory::Device& prepared = device.device();
    std::vector<selector::OwnAttribute> own;
    for (std::size_t k = 0; k < prepared.own_attributes.size(); ++k) {
      own.push_back(
          {&prepared.own_attributes[k], device.pool->base->own[device.layout().first_own + k]});
    }
    const Result<bool> matches = compiled.Matches(*prepared.content, own);
    if (!matches.ok()) {
      std::string why = matches.status().message();
      if (features_->AtLeast1_37() && why.find("no such key:") != std::string::npos) {
        why +=
            ". consider using CEL optional chaining (.? followed by orValue()) or guarding the "
            "check with has() for optional fields";
      }
      return fail("runtime", why);
    }
    if (!*matches) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

Result<bool> Matcher::Matches(inventory::DeviceRef device) {
  for (Part part : {Part::kClass, Part::kRequest}) {
    ASSAY_ASSIGN_OR_RETURN(const int mismatch, FirstMismatch(part, device));
    if (mismatch >= 0) {
      return false;
    }
  }
  return true;
}

selector::Selector::Answer Matcher::Ask(const inventory::Device& device) {
  using Answer = selector::Selector::Answer;
  for (Part part : {Part::kClass, Part::kRequest}) {
    const std::size_t count = SelectorsOf(part).size();
    for (std::size_t i = 0; i < count; ++i) {
      const selector::Selector& compiled = Compiled(part, i);
      if (compiled.error() != nullptr) {
        return Answer::kError;
      }
      if (std::any_of(device.own_attributes.begin(), device.own_attributes.end(),
                      [&compiled](const std::string& name) { return compiled.Reads(name); })) {
        return Answer::kUnknown;
      }
      const Answer answer = compiled.Ask(*device.content);
      if (answer != Answer::kYes) {
        return answer;
      }
    }
  }
  return Answer::kYes;
}

Result<bool> IsForNode(const inventory::LayoutDevice& device, const api::core::Node& node,
                       const Features& features) {
  const api::resource::Device& api = *device.device->api;
  if (!features.device_binding_and_status && !api.binding_conditions.empty()) {
    return false;
  }
  if (device.slice->per_device_node_selection.value_or(false)) {
    return inventory::NodeMatches({&api.node_name, &api.all_nodes, &api.node_selector}, node);
  }
  return true;
}

}  // namespace assay::allocator::search
