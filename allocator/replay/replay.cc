#include "allocator/replay/replay.h"

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

}  // namespace

struct Replay::Impl {
  Impl(const Features& f, std::uint64_t patience) : features(f), inventory({.features = f}) {
    options.patience = patience;
    options.new_share_id = [] { return std::string("share"); };
    options.max_steps = 20'000'000;
  }

  std::string Allocate(ResourceClaim claim) {
    const std::string name = claim.metadata.namespace_ + "/" + claim.metadata.name;
    const std::string head = "{\"claim\":" + Quoted(name);
    const std::shared_ptr<const Snapshot> snapshot = inventory.TakeSnapshot();
    std::string error;
    for (const api::core::Node& node : nodes) {
      const ResourceClaim* claims[] = {&claim};
      Result<std::optional<std::vector<AllocationResult>>> allocations =
          snapshot->Allocate(claims, node, options);
      if (!allocations.ok()) {
        error = allocations.status().message();
        if (allocations.status().code() == StatusCode::kFailedPrecondition) {
          continue;
        }
        return head + ",\"error\":" + Quoted(error) + "}";
      }
      if (allocations->has_value()) {
        claim.status.allocation = (**allocations)[0];
        inventory.SetClaim(claim);
        return head + ",\"node\":" + Quoted(node.metadata.name) +
               ",\"allocation\":" + api::json::EncodeAs(*claim.status.allocation) + "}";
      }
    }
    return head + (error.empty() ? "" : ",\"error\":" + Quoted(error)) + "}";
  }

  Features features;
  AllocateOptions options;
  Inventory inventory;
  std::vector<api::core::Node> nodes;
};

Replay::Replay(const Features& features, std::uint64_t patience)
    : impl_(std::make_unique<Impl>(features, patience)) {}
Replay::~Replay() = default;

Result<std::optional<std::string>> Replay::Take(std::string_view line) {
  ASSAY_ASSIGN_OR_RETURN(const api::json::TypeMeta type, api::json::PeekTypeMeta(line));
  if (type.kind == "Reset") {
    impl_ = std::make_unique<Impl>(impl_->features, impl_->options.patience);
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
      return std::optional(impl_->Allocate(std::move(claim)));
    }
    impl_->inventory.SetClaim(claim);
  } else {
    return InvalidArgumentError("unknown kind \"" + type.kind + "\"");
  }
  return std::optional<std::string>();
}

}  // namespace assay::allocator::replay
