// Snapshots: what a store holds, in a file, as a backup of etcd is. JSON lines: the resource
// version first, then every object in the version of its kind that holds all of it.
//
// Thread-safe: functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_SNAPSHOT_H_
#define ASSAY_CONTROLPLANE_APISERVER_SNAPSHOT_H_

#include <filesystem>

#include "base/result.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

// Secrets are in it: the file is for its owner alone.
Status WriteSnapshot(const store::Store& objects, const std::filesystem::path& path);
// kInvalidArgument "path:line: what was expected".
Result<store::Store::Contents> ReadSnapshot(const std::filesystem::path& path);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_SNAPSHOT_H_
