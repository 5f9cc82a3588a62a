// Diagnosis: why claims fit on no node, what is in their way, and the smallest changes that would
// make them fit, each proven by trying it. WhatIf: what a backlog of claims would need.
//
//   ASSAY_ASSIGN_OR_RETURN(Diagnosis diagnosis, Diagnose(planner, {&claim}));
//   std::cout << diagnosis.ToString();
//
//   ASSAY_ASSIGN_OR_RETURN(Forecast forecast, WhatIf(planner, groups));
//
// Both try things on the planner and leave it as it was.
//
// Not thread-safe, as the planner.
#ifndef ASSAY_ALLOCATOR_PLANNER_DIAGNOSIS_H_
#define ASSAY_ALLOCATOR_PLANNER_DIAGNOSIS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/planner/planner.h"
#include "base/result.h"

namespace assay::allocator {

// A change after which the claims fit.
struct Change {
  enum class Kind : std::uint8_t {
    kEndClaims,       // other claims end
    kTolerate,        // the claim tolerates a taint
    kFewerDevices,    // a request asks for fewer
    kDropConstraint,  // a constraint is left out
    kDropSelector,    // a selector of a request is left out
  };
  Kind kind = Kind::kEndClaims;
  std::string text;                 // "if default/training ended"
  std::string node;                 // where they fit then
  std::vector<std::string> claims;  // kEndClaims: "namespace/name"; none of them can be left out
};

// "kEndClaims" and so on, for JSON: "EndClaims".
std::string_view ChangeName(Change::Kind kind);

struct NodeExplanation {
  std::vector<std::string> nodes;  // of which all of it is true
  Explanation explanation;
};

struct Diagnosis {
  bool fits = false;
  std::string node;   // where, if they fit
  std::string error;  // a fatal error, whichever the node; empty if none
  // By how many nodes they are true of, most first. Nodes without devices come last.
  std::vector<NodeExplanation> nodes;
  // The claims that hold what the claims could have, "namespace/name".
  std::vector<std::string> in_the_way;
  // Least intrusive first; empty: none of the kind, alone, is enough.
  std::vector<Change> changes;

  // For people, some lines.
  std::string ToString() const;
};

Result<Diagnosis> Diagnose(Planner& planner, const Group& claims);

// An addition to the fleet, and what of the backlog it would serve.
struct Remedy {
  enum class Kind : std::uint8_t { kAddNode, kRemoveTaint };
  Kind kind = Kind::kAddNode;
  std::string text;      // "one more node like gpu-1"
  std::size_t fits = 0;  // of the groups left over
};

struct Forecast {
  std::vector<std::optional<Placement>> placements;  // of each group, placed in their order
  std::vector<std::string> errors;                   // of each group; empty if none
  std::vector<NodeState> nodes;                      // afterwards
  double free = 0;                                   // in whole devices, over all nodes
  // What would serve more groups; most first. Only what serves some.
  std::vector<Remedy> remedies;
};

// Places as many groups as possible, one after the other, by best fit, without allocating them.
Result<Forecast> WhatIf(Planner& planner, std::span<const Group> groups);

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_PLANNER_DIAGNOSIS_H_
