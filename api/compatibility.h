// Compatibility: which Kubernetes Assay behaves like: a level (1.36 or 1.37) and the feature gates
// by Kubernetes' names, with that level's defaults. One object serves the API, CEL, the allocator
// and the control plane.
//
//   ASSAY_ASSIGN_OR_RETURN(Compatibility compatibility,
//                          Compatibility::Parse("1.36", "DRAListTypeAttributes=true"));
//   if (compatibility.Enabled("DRADeviceTaints")) ...
//
// Thread-safe: immutable once built.
#ifndef ASSAY_API_COMPATIBILITY_H_
#define ASSAY_API_COMPATIBILITY_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay::api {

// The minor version of Kubernetes that is imitated. Ordered.
enum class Level : std::uint8_t { k1_36, k1_37 };

// "1.36"
std::string_view LevelName(Level level);
// From "1.36"; kInvalidArgument names the known ones.
Result<Level> ParseLevel(std::string_view text);

class Compatibility {
 public:
  // Level 1.36 with its default gates.
  Compatibility() : Compatibility(Level::k1_36) {}
  explicit Compatibility(Level level);

  // `level` as in ParseLevel; `gates` as Kubernetes' --feature-gates: "A=true,B=false", or empty.
  // kInvalidArgument for an unknown gate, a value that is no boolean, or a gate that is locked.
  static Result<Compatibility> Parse(std::string_view level, std::string_view gates);

  Level level() const { return level_; }
  bool AtLeast(Level level) const { return level_ >= level; }

  // Whether the gate is on. Asking for a gate that this level does not know is a bug of the caller,
  // but for gates that only a later level brought: those are off.
  bool Enabled(std::string_view gate) const;

  // Turns a gate on or off. kInvalidArgument: "unrecognized feature gate: X", or
  // "cannot set feature gate X to false, feature is locked to true".
  Status Set(std::string_view gate, bool enabled);

  // Every gate that this level knows, sorted by name, with its setting.
  const std::map<std::string, bool, std::less<>>& gates() const { return gates_; }

 private:
  Level level_;
  std::map<std::string, bool, std::less<>> gates_;
};

}  // namespace assay::api

#endif  // ASSAY_API_COMPATIBILITY_H_
