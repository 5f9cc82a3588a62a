// Distribution: which groups go to which node, found by trying, where placing one group after the
// other has failed.
//
// Groups are given to nodes in an order; a node takes one more if all of its groups' claims fit on
// it together, which the allocator's search answers exactly. Of nodes that are alike and have none
// of the groups yet only the first is tried. So if no pool is seen by several nodes, trying all
// proves that there is no way.
//
// Not thread-safe; one per question.
#ifndef ASSAY_ALLOCATOR_PLANNER_INTERNAL_DISTRIBUTION_H_
#define ASSAY_ALLOCATOR_PLANNER_INTERNAL_DISTRIBUTION_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/planner/planner.h"
#include "base/result.h"

namespace assay::allocator::internal {

class Distribution {
 public:
  enum class Outcome : std::uint8_t { kFound, kImpossible, kUnknown };

  // All must outlive it. `order`: of the groups.
  Distribution(const Snapshot& snapshot, const std::vector<api::core::Node>& nodes,
               std::span<const Group> groups, const std::vector<std::size_t>& order,
               const PlannerOptions& options);

  Result<Outcome> Find();

  // Of what was found.
  const std::vector<std::size_t>& GroupsOf(std::string_view node) const;
  std::uint64_t steps() const { return steps_; }

 private:
  Status FindKinds();
  Result<bool> Next(std::size_t place);
  Result<bool> Fits(std::size_t node);

  const Snapshot& snapshot_;
  const std::vector<api::core::Node>& nodes_;
  std::span<const Group> groups_;
  const std::vector<std::size_t>& order_;
  const PlannerOptions& options_;
  std::vector<std::string> kinds_;                    // of each node
  std::vector<std::vector<std::size_t>> assignment_;  // groups of each node
  // Whether groups of these forms fit on an empty node of this kind.
  std::map<std::string, bool, std::less<>> known_;
  std::vector<std::string> forms_;  // of each group
  bool separate_ = true;            // no pool is seen by several nodes
  bool gave_up_ = false;
  std::uint64_t steps_ = 0;
};

}  // namespace assay::allocator::internal

#endif  // ASSAY_ALLOCATOR_PLANNER_INTERNAL_DISTRIBUTION_H_
