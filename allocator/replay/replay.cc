#include "allocator/replay/replay.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/json/json.h"
#include "api/resource/types.h"

namespace assay::allocator::replay {
namespace {

using api::resource::AllocationResult;
using api::resource::ResourceClaim;

// What the API server's defaulting does to a claim, as far as allocation asks.
void SetDefaults(ResourceClaim& claim) {
  const auto set = [](std::string& mode, std::int64_t& count) {
    if (mode.empty()) {
      mode = "ExactCount";
    }
    if (mode == "ExactCount" && count == 0) {
      count = 1;
    }
  };
  for (auto& request : claim.spec.devices.requests) {
    if (request.exactly.has_value()) {
      set(request.exactly->allocation_mode, request.exactly->count);
    }
    for (auto& subrequest : request.first_available) {
      set(subrequest.allocation_mode, subrequest.count);
    }
  }
}

// A JSON string.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Turns on what a Reset names.
Status Enable(std::string_view reset, Features& features) {
  const nlohmann::json parsed = nlohmann::json::parse(reset);
  features.upstream_defects = parsed.value("upstreamDefects", false);
  const nlohmann::json names = parsed.value("features", nlohmann::json());
  for (const nlohmann::json& name : names) {
    if (name == "DRAListTypeAttributes") {
      features.list_type_attributes = true;
    } else if (name == "DRAFractionalCapacityRange") {
      features.fractional_capacity_range = true;
    } else if (name == "DRAOptionalNodeOperations") {
      features.optional_node_operations = true;
    } else if (name == "DRADeviceCompatibilityGroups") {
      features.compatibility_groups = true;
    } else if (name == "DRADerivedAttributes") {
      features.derived_attributes = true;
    } else {
      return InvalidArgumentError("unknown feature " + name.dump());
    }
  }
  return OkStatus();
}

}  // namespace

struct Replay::Impl {
  Impl(const InventoryOptions& with, std::uint64_t patience)
      : base(with), features(with.features), inventory(with) {
    options.patience = patience;
    options.new_share_id = [] { return std::string("share"); };
    options.max_steps = 20'000'000;
  }

  // The answer to claims: `head` names them, `results` the field of their allocations.
  template <typename Encode>
  std::string Allocate(std::vector<ResourceClaim> claims, const std::string& head,
                       const Encode& encode) {
    const std::shared_ptr<const Snapshot> snapshot = inventory.TakeSnapshot();
    std::vector<const ResourceClaim*> pointers;
    for (const ResourceClaim& claim : claims) {
      pointers.push_back(&claim);
    }
    std::string error;
    Attempt attempt(snapshot, pointers, options);
    for (const api::core::Node& node : nodes) {
      Result<std::optional<std::vector<AllocationResult>>> allocations = attempt.Allocate(node);
      if (!allocations.ok()) {
        error = allocations.status().message();
        if (allocations.status().code() == StatusCode::kFailedPrecondition) {
          continue;
        }
        return head + ",\"error\":" + Quoted(error) + "}";
      }
      if (allocations->has_value()) {
        for (std::size_t i = 0; i < claims.size(); ++i) {
          claims[i].status.allocation = (**allocations)[i];
          inventory.SetClaim(claims[i]);
        }
        return head + ",\"node\":" + Quoted(node.metadata.name) + encode(**allocations) + "}";
      }
    }
    return head + (error.empty() ? "" : ",\"error\":" + Quoted(error)) + "}";
  }

  std::string AllocateOne(ResourceClaim claim) {
    const std::string head = "{\"claim\":" + Quoted(NameOf(claim));
    return Allocate({std::move(claim)}, head, [](const std::vector<AllocationResult>& results) {
      return ",\"allocation\":" + api::json::EncodeAs(results[0]);
    });
  }

  std::string AllocateTogether(std::vector<ResourceClaim> claims) {
    std::string head = "{\"claims\":[";
    for (const ResourceClaim& claim : claims) {
      head += (head.back() == '[' ? "" : ",") + Quoted(NameOf(claim));
    }
    return Allocate(std::move(claims), head + "]",
                    [](const std::vector<AllocationResult>& results) {
                      std::string text = ",\"allocations\":[";
                      for (const AllocationResult& result : results) {
                        text += (text.back() == '[' ? "" : ",") + api::json::EncodeAs(result);
                      }
                      return text + "]";
                    });
  }

  static std::string NameOf(const ResourceClaim& claim) {
    return claim.metadata.namespace_ + "/" + claim.metadata.name;
  }

  InventoryOptions base;
  Features features;
  AllocateOptions options;
  Inventory inventory;
  std::vector<api::core::Node> nodes;
};

Replay::Replay(InventoryOptions options, std::uint64_t patience)
    : impl_(std::make_unique<Impl>(options, patience)) {}
Replay::~Replay() = default;

const Features& Replay::features() const { return impl_->features; }

Result<std::optional<std::string>> Replay::Take(std::string_view line) {
  ASSAY_ASSIGN_OR_RETURN(const api::json::TypeMeta type, api::json::PeekTypeMeta(line));
  if (type.kind == "Reset") {
    const InventoryOptions base = impl_->base;
    InventoryOptions options = base;
    ASSAY_RETURN_IF_ERROR(Enable(line, options.features));
    impl_ = std::make_unique<Impl>(options, impl_->options.patience);
    impl_->base = base;
  } else if (type.kind == "Together") {
    std::vector<ResourceClaim> claims;
    const nlohmann::json together = nlohmann::json::parse(line);
    for (const nlohmann::json& item : together["items"]) {
      ASSAY_ASSIGN_OR_RETURN(auto claim, api::json::DecodeAs<ResourceClaim>(item.dump()));
      SetDefaults(claim);
      claims.push_back(std::move(claim));
    }
    if (claims.empty()) {
      return InvalidArgumentError("no claims to allocate together");
    }
    return std::optional(impl_->AllocateTogether(std::move(claims)));
  } else if (type.kind == "Node") {
    ASSAY_ASSIGN_OR_RETURN(auto node, api::json::DecodeAs<api::core::Node>(line));
    impl_->nodes.push_back(std::move(node));
  } else if (type.kind == "DeviceClass") {
    ASSAY_ASSIGN_OR_RETURN(auto device_class,
                           api::json::DecodeAs<api::resource::DeviceClass>(line));
    impl_->inventory.SetClass(device_class);
  } else if (type.kind == "ResourceSlice") {
    ASSAY_ASSIGN_OR_RETURN(auto slice, api::json::DecodeAs<api::resource::ResourceSlice>(line));
    impl_->inventory.SetSlice(slice);
  } else if (type.kind == "ResourceClaim") {
    ASSAY_ASSIGN_OR_RETURN(auto claim, api::json::DecodeAs<ResourceClaim>(line));
    SetDefaults(claim);
    if (!claim.status.allocation.has_value()) {
      return std::optional(impl_->AllocateOne(std::move(claim)));
    }
    impl_->inventory.SetClaim(claim);
  } else {
    return InvalidArgumentError("unknown kind \"" + type.kind + "\"");
  }
  return std::optional<std::string>();
}

}  // namespace assay::allocator::replay
