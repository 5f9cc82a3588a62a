#include "bench/macro/allocator/operations.h"

#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace assay::bench {
namespace {

using allocator::Attempt;
using api::resource::AllocationResult;
using api::resource::ResourceClaim;

using Allocated = std::optional<std::vector<AllocationResult>>;

// A claim that is tried on one node after the other.
class Tried {
 public:
  Tried(allocator::Inventory& inventory, const ResourceClaim& claim)
      : claim_(&claim), attempt_(inventory.TakeSnapshot(), {&claim_, 1}) {}

  Result<bool> Fits(const api::core::Node& node) {
    Result<bool> fits = attempt_.Fits(node);
    // Trouble of this node alone: it does not fit here.
    return !fits.ok() && fits.status().code() == StatusCode::kFailedPrecondition ? false : fits;
  }

  // The first node where it fits; null: none.
  Result<const api::core::Node*> FirstFit(World& world) {
    ASSAY_ASSIGN_OR_RETURN(const std::optional<std::size_t> first,
                           world.fleet().FirstFit(attempt_));
    return first.has_value() ? &world.nodes[*first] : nullptr;
  }

  // On a node where it fits.
  Result<AllocationResult> Allocate(const api::core::Node& node, Answers* answers) {
    ASSAY_ASSIGN_OR_RETURN(Allocated allocated, attempt_.Allocate(node));
    if (!allocated.has_value()) {
      return InternalError("claim " + claim_->metadata.name + " fits on node " +
                           node.metadata.name + ", but cannot be allocated");
    }
    if (answers != nullptr) {
      answers->Add(node.metadata.name, (*allocated)[0]);
    }
    return std::move((*allocated)[0]);
  }

 private:
  const ResourceClaim* claim_;
  Attempt attempt_;
};

Result<std::optional<AllocationResult>> FirstFit(World& world, const ResourceClaim& claim,
                                                 Answers* answers) {
  Tried tried(world.inventory, claim);
  ASSAY_ASSIGN_OR_RETURN(const api::core::Node* const node, tried.FirstFit(world));
  if (node == nullptr) {
    return std::optional<AllocationResult>();
  }
  ASSAY_ASSIGN_OR_RETURN(AllocationResult allocated, tried.Allocate(*node, answers));
  return std::optional(std::move(allocated));
}

// Base of those that ask the claims in turn.
class ClaimOperation : public Operation {
 public:
  explicit ClaimOperation(World& world) : world_(world) {}

 protected:
  const ResourceClaim& claim(std::size_t iteration) const {
    return world_.claims[iteration % world_.claims.size()];
  }
  World& world() { return world_; }

 private:
  World& world_;
};

class Check final : public Operation {
 public:
  explicit Check(World& world) : world_(world), tried_(world.inventory, world.claims[0]) {}

  Status Run(std::size_t /*iteration*/, Answers* answers) override {
    ASSAY_ASSIGN_OR_RETURN(const bool fits, tried_.Fits(world_.nodes[0]));
    if (answers != nullptr && fits) {
      return tried_.Allocate(world_.nodes[0], answers).status();
    }
    return OkStatus();
  }

 private:
  World& world_;
  Tried tried_;
};

class OneNode final : public ClaimOperation {
 public:
  using ClaimOperation::ClaimOperation;

  Status Run(std::size_t iteration, Answers* answers) override {
    Tried tried(world().inventory, claim(iteration));
    ASSAY_ASSIGN_OR_RETURN(const bool fits, tried.Fits(world().nodes[0]));
    return fits ? tried.Allocate(world().nodes[0], answers).status() : OkStatus();
  }
};

class FirstFitOperation final : public ClaimOperation {
 public:
  using ClaimOperation::ClaimOperation;

  Status Run(std::size_t iteration, Answers* answers) override {
    return FirstFit(world(), claim(iteration), answers).status();
  }
};

class AllNodes final : public ClaimOperation {
 public:
  using ClaimOperation::ClaimOperation;

  Status Run(std::size_t iteration, Answers* answers) override {
    Tried tried(world().inventory, claim(iteration));
    const api::core::Node* chosen = nullptr;
    for (const api::core::Node& node : world().nodes) {
      ASSAY_ASSIGN_OR_RETURN(const bool fits, tried.Fits(node));
      if (fits && answers != nullptr) {
        ASSAY_RETURN_IF_ERROR(tried.Allocate(node, answers).status());
      }
      if (fits && chosen == nullptr) {
        chosen = &node;
      }
    }
    return chosen == nullptr ? OkStatus() : tried.Allocate(*chosen, nullptr).status();
  }
};

class Upkeep final : public Operation {
 public:
  Upkeep(World& world, ResourceClaim allocated) : world_(world), allocated_(std::move(allocated)) {}
  ~Upkeep() override { Remove(); }

  Status Run(std::size_t iteration, Answers* /*answers*/) override {
    if (iteration % 2 == 0) {
      world_.inventory.SetClaim(allocated_);
    } else {
      Remove();
    }
    // As in a scheduler, where the state of the pod before is let go when that of the next is made.
    snapshot_ = world_.inventory.TakeSnapshot();
    world_.fleet().Update(snapshot_);
    return OkStatus();
  }

 private:
  void Remove() {
    world_.inventory.RemoveClaim(allocated_.metadata.namespace_, allocated_.metadata.name);
  }

  World& world_;
  ResourceClaim allocated_;
  std::shared_ptr<const allocator::Snapshot> snapshot_;
};

class Cycle final : public ClaimOperation {
 public:
  using ClaimOperation::ClaimOperation;
  ~Cycle() override {
    while (!open_.empty()) {
      CloseOldest();
    }
  }

  Status Run(std::size_t iteration, Answers* answers) override {
    constexpr std::size_t kOpen = 100;
    ASSAY_ASSIGN_OR_RETURN(std::optional<AllocationResult> allocated,
                           FirstFit(world(), claim(iteration), answers));
    const bool fits = allocated.has_value();
    if (fits) {
      ResourceClaim& open = open_.emplace_back(claim(iteration));
      open.metadata.name += "-" + std::to_string(iteration);
      open.status.allocation = *std::move(allocated);
      world().inventory.SetClaim(open);
    }
    if (open_.size() > kOpen || (!fits && !open_.empty())) {
      CloseOldest();
    }
    return OkStatus();
  }

 private:
  void CloseOldest() {
    const api::meta::ObjectMeta& oldest = open_.front().metadata;
    world().inventory.RemoveClaim(oldest.namespace_, oldest.name);
    open_.pop_front();
  }

  std::deque<ResourceClaim> open_;
};

Result<std::unique_ptr<Operation>> MakeUpkeep(World& world) {
  ASSAY_ASSIGN_OR_RETURN(std::optional<AllocationResult> allocated,
                         FirstFit(world, world.claims[0], nullptr));
  if (!allocated.has_value()) {
    return InvalidArgumentError("upkeep: claim " + world.claims[0].metadata.name + " fits nowhere");
  }
  ResourceClaim claim = world.claims[0];
  claim.status.allocation = *std::move(allocated);
  return std::unique_ptr<Operation>(std::make_unique<Upkeep>(world, std::move(claim)));
}

}  // namespace

void Answers::Add(std::string_view node, const AllocationResult& allocation) {
  ++fits_;
  const auto add = [this](std::string_view text) {
    for (const char c : text) {
      hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
  };
  add(node);
  for (const auto& result : allocation.devices.results) {
    add(" ");
    add(result.request);
    add("=");
    add(result.driver);
    add("/");
    add(result.pool);
    add("/");
    add(result.device);
  }
  add("\n");
}

double Answers::Number() const {
  return static_cast<double>(hash_ & ((std::uint64_t{1} << 52) - 1));
}

Result<std::unique_ptr<Operation>> MakeOperation(std::string_view name, World& world) {
  if (world.nodes.empty() || world.claims.empty()) {
    return InvalidArgumentError("no nodes or no claims to allocate");
  }
  std::unique_ptr<Operation> made;
  if (name == "check") {
    made = std::make_unique<Check>(world);
  } else if (name == "one-node") {
    made = std::make_unique<OneNode>(world);
  } else if (name == "first-fit" || name == "heap") {
    made = std::make_unique<FirstFitOperation>(world);
  } else if (name == "all-nodes") {
    made = std::make_unique<AllNodes>(world);
  } else if (name == "cycle") {
    made = std::make_unique<Cycle>(world);
  } else if (name == "upkeep") {
    return MakeUpkeep(world);
  } else {
    return InvalidArgumentError("unknown operation \"" + std::string(name) + "\"");
  }
  return made;
}

}  // namespace assay::bench
