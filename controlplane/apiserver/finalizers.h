// The finalizers with which deletion tells the garbage collector what becomes of dependents.
// Source: apimachinery, pkg/apis/meta/v1/types.go.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_FINALIZERS_H_
#define ASSAY_CONTROLPLANE_APISERVER_FINALIZERS_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace assay::controlplane::apiserver {

// The dependents stay; they lose their owner first.
inline constexpr std::string_view kOrphanFinalizer = "orphan";
// The dependents go first.
inline constexpr std::string_view kForegroundFinalizer = "foregroundDeletion";

inline bool HasFinalizer(const std::vector<std::string>& finalizers, std::string_view finalizer) {
  return std::find(finalizers.begin(), finalizers.end(), finalizer) != finalizers.end();
}

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_FINALIZERS_H_
