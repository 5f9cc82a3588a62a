#include "allocator/search/request.h"

#include <algorithm>

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
  return made;
}

const std::vector<DeviceSelector>& Matcher::SelectorsOf(Part part) const {
  return part == Part::kClass ? request_->device_class->spec.selectors : *request_->selectors;
}

Result<int> Matcher::FirstMismatch(Part part, const inventory::NodeDevice& device) {
  const std::vector<DeviceSelector>& selectors = SelectorsOf(part);
  auto& compiled = compiled_[static_cast<std::size_t>(part)];
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    if (i == compiled.size()) {
      compiled.push_back(
          cache_->Find(selectors[i].cel.has_value() ? selectors[i].cel->expression : ""));
    }
    const auto fail = [&](std::string_view what, const std::string& why) {
      const std::string owner = part == Part::kClass
                                    ? "class " + request_->device_class->metadata.name
                                    : "claim " + ClaimName(*claim_);
      return InvalidArgumentError(owner + ": selector #" + std::to_string(i) + ": CEL " +
                                  std::string(what) + " error: " + why);
    };
    if (const cel::dra::CompileError* error = compiled[i]->error(); error != nullptr) {
      return fail("compile", error->detail);
    }
    const Result<bool> matches = compiled[i]->Matches(*device.device->content);
    if (!matches.ok()) {
      return fail("runtime", matches.status().message());
    }
    if (!*matches) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

Result<bool> Matcher::Matches(const inventory::NodeDevice& device) {
  const api::resource::Device& api = *device.device->api;
  if (!features_->device_binding_and_status && !api.binding_conditions.empty()) {
    return false;
  }
  for (Part part : {Part::kClass, Part::kRequest}) {
    ASSAY_ASSIGN_OR_RETURN(const int mismatch, FirstMismatch(part, device));
    if (mismatch >= 0) {
      return false;
    }
  }
  if (device.slice->spec().per_device_node_selection.value_or(false)) {
    return inventory::NodeMatches({&api.node_name, &api.all_nodes, &api.node_selector}, *node_);
  }
  return true;
}

}  // namespace assay::allocator::search
