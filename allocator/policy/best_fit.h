// Best fit: of all allocations that are possible on a node, the one that strands the least.
//
// One search finds whether there is an allocation at all, in upstream's order and with upstream's
// errors (allocator/search); what it finds is the start from which the solver looks for the best
// devices. Which of a request's alternatives is used stays as upstream decides: the first that is
// possible. So the answer is one that Kubernetes' rules allow, is there if and only if Kubernetes
// would find one, and is never worse than Kubernetes'.
//
// Requests for all devices, and those with adminAccess, which use nothing up, keep upstream's.
//
// Not thread-safe: it remembers the blocks of nodes that are alike.
#ifndef ASSAY_ALLOCATOR_POLICY_BEST_FIT_H_
#define ASSAY_ALLOCATOR_POLICY_BEST_FIT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "allocator/policy/ledger.h"
#include "allocator/policy/quality.h"
#include "allocator/policy/solver.h"
#include "allocator/search/search.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::allocator::policy {

struct BestFitOptions {
  // Devices tried after which the best that was found is taken.
  std::uint64_t max_steps = 20'000;
  // Attributes whose values are topology domains, besides those that the claims match on.
  std::vector<std::string> topology = {"resource.kubernetes.io/numaNode",
                                       "resource.kubernetes.io/pcieRoot"};
};

struct Placement {
  std::string node;
  std::vector<api::resource::AllocationResult> allocations;  // of the claims, in their order
  // Of each request with alternatives, in order: which one was taken.
  std::vector<std::size_t> alternatives;
  Cost cost;
  // No allocation on this node with these alternatives strands less.
  double bound = 0;
  // The node's devices that are in use afterwards, by size, and all of them.
  double used = 0;
  double size = 0;
  std::uint64_t steps = 0;

  double gap() const { return cost.stranded - bound; }
  // Whether it is the better place: earlier alternatives, less cost, then the fuller node, then the
  // node's name. So the best of many does not hang on their order.
  bool BetterThan(const Placement& other) const;
};

class BestFit {
 public:
  // Borrowed.
  BestFit(const Scale& scale, const Ledger& ledger, BestFitOptions options = {})
      : scale_(&scale), ledger_(&ledger), options_(std::move(options)) {}
  ~BestFit();

  // As search::Search, which see for errors: all claims or none.
  Result<std::optional<Placement>> Place(const search::Input& input);

  // What a node strands as it is; `stranded` of nothing in use is 0.
  struct NodeQuality {
    double stranded = 0;
    double used = 0;  // sizes of devices, see Placement
    double size = 0;
  };
  NodeQuality Judge(const search::Input& input);

  // For Place.
  struct NodeModel;

 private:
  std::shared_ptr<const NodeModel> ModelOf(const search::Input& input);

  const Scale* scale_;
  const Ledger* ledger_;
  BestFitOptions options_;
  // By layouts and domains.
  std::map<std::vector<std::uint64_t>, std::shared_ptr<const NodeModel>> models_;
};

}  // namespace assay::allocator::policy

#endif  // ASSAY_ALLOCATOR_POLICY_BEST_FIT_H_
