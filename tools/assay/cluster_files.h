// ClusterFiles: the objects that allocation looks at, from manifests (api/manifest/manifests.h).
//
// Every served version of a kind. Claims are defaulted and checked as the API server does when they
// are created. Kinds that allocation does not look at are counted and left out.
//
// Not thread-safe: a command line.
#ifndef ASSAY_TOOLS_ASSAY_CLUSTER_FILES_H_
#define ASSAY_TOOLS_ASSAY_CLUSTER_FILES_H_

#include <string>
#include <vector>

#include "api/compatibility.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::tools {

struct ClusterFiles {
  std::vector<api::core::Node> nodes;
  std::vector<api::resource::DeviceClass> classes;
  std::vector<api::resource::ResourceSlice> slices;
  std::vector<api::resource::ResourceClaim> claims;
  std::vector<api::resource::DeviceTaintRule> taint_rules;
  // What a user should know: "no Nodes in the files: took 3 from the slices". A line each.
  std::vector<std::string> notes;
};

// Errors: one line, "file:line: field: what is wrong".
Result<ClusterFiles> ReadClusterFiles(const std::vector<std::string>& files,
                                      const api::Compatibility& compatibility);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_ASSAY_CLUSTER_FILES_H_
