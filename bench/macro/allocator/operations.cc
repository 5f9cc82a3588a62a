#include "bench/macro/allocator/operations.h"

#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace assay::bench {
namespace {

using allocator::Snapshot;
using api::resource::AllocationResult;
using api::resource::ResourceClaim;

using Allocated = std::optional<std::vector<AllocationResult>>;

Result<Allocated> AllocateOn(const Snapshot& snapshot, const api::core::Node& node,
                             const ResourceClaim& claim, Answers* answers) {
  const ResourceClaim* const claims[] = {&claim};
  Result<Allocated> allocated = snapshot.Allocate(claims, node);
  if (!allocated.ok()) {
    // Trouble of this node alone: it does not fit here.
    return allocated.status().code() == StatusCode::kFailedPrecondition
               ? Result<Allocated>(Allocated())
               : allocated;
  }
  if (answers != nullptr && allocated->has_value()) {
    answers->Add(node.metadata.name, (**allocated)[0]);
  }
  return allocated;
}

Result<Allocated> FirstFit(const Snapshot& snapshot, const World& world, const ResourceClaim& claim,
                           Answers* answers) {
  for (const api::core::Node& node : world.nodes) {
    ASSAY_ASSIGN_OR_RETURN(Allocated allocated, AllocateOn(snapshot, node, claim, answers));
    if (allocated.has_value()) {
      return allocated;
    }
  }
  return Allocated();
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

class OneNode final : public ClaimOperation {
 public:
  explicit OneNode(World& world)
      : ClaimOperation(world), snapshot_(world.inventory.TakeSnapshot()) {}

  Status Run(std::size_t iteration, Answers* answers) override {
    return AllocateOn(*snapshot_, world().nodes[0], claim(iteration), answers).status();
  }

 private:
  std::shared_ptr<const Snapshot> snapshot_;
};

class FirstFitOperation final : public ClaimOperation {
 public:
  using ClaimOperation::ClaimOperation;

  Status Run(std::size_t iteration, Answers* answers) override {
    const std::shared_ptr<const Snapshot> snapshot = world().inventory.TakeSnapshot();
    return FirstFit(*snapshot, world(), claim(iteration), answers).status();
  }
};

class AllNodes final : public ClaimOperation {
 public:
  using ClaimOperation::ClaimOperation;

  Status Run(std::size_t iteration, Answers* answers) override {
    const std::shared_ptr<const Snapshot> snapshot = world().inventory.TakeSnapshot();
    for (const api::core::Node& node : world().nodes) {
      ASSAY_RETURN_IF_ERROR(AllocateOn(*snapshot, node, claim(iteration), answers).status());
    }
    return OkStatus();
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
    return OkStatus();
  }

 private:
  void Remove() {
    world_.inventory.RemoveClaim(allocated_.metadata.namespace_, allocated_.metadata.name);
  }

  World& world_;
  ResourceClaim allocated_;
  std::shared_ptr<const Snapshot> snapshot_;
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
    const std::shared_ptr<const Snapshot> snapshot = world().inventory.TakeSnapshot();
    ASSAY_ASSIGN_OR_RETURN(Allocated allocated,
                           FirstFit(*snapshot, world(), claim(iteration), answers));
    if (allocated.has_value()) {
      ResourceClaim& open = open_.emplace_back(claim(iteration));
      open.metadata.name += "-" + std::to_string(iteration);
      open.status.allocation = std::move((*allocated)[0]);
      world().inventory.SetClaim(open);
    }
    if (open_.size() > kOpen || (!allocated.has_value() && !open_.empty())) {
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
  ASSAY_ASSIGN_OR_RETURN(Allocated allocated, FirstFit(*world.inventory.TakeSnapshot(), world,
                                                       world.claims[0], nullptr));
  if (!allocated.has_value()) {
    return InvalidArgumentError("upkeep: claim " + world.claims[0].metadata.name + " fits nowhere");
  }
  ResourceClaim claim = world.claims[0];
  claim.status.allocation = std::move((*allocated)[0]);
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
  if (name == "one-node") {
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
