// Runc: runs containers with runc, where it is there and may run: the OCI spec that the agent made,
// CDI edits and all, comes to life. The image of every container is the host's own file system, of
// which it has a copy of its own to write to (overlayfs); there is no network of its own.
//
//   ASSAY_ASSIGN_OR_RETURN(auto runc, Runc::Open({.directory = dir / "runc"}));
//   ASSAY_RETURN_IF_ERROR(runc->Run("pod-main", spec));
//
// Only root can do that: what a user namespace gives cannot make device nodes.
//
// Not thread-safe. Calls block while runc works, some 0.1 s.
#ifndef ASSAY_CONTROLPLANE_NODE_RUNC_H_
#define ASSAY_CONTROLPLANE_NODE_RUNC_H_

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "controlplane/node/cdi/oci.h"

namespace assay::controlplane::node {

class Runc {
 public:
  struct Options {
    std::string program = "runc";
    // For bundles, runc's state and what containers print; is made, and emptied at the end. Not on
    // an overlay itself.
    std::filesystem::path directory;
  };

  // Runs a container to see whether it can be done. kUnavailable says why not.
  static Result<std::unique_ptr<Runc>> Open(Options options);
  // Ends all containers.
  ~Runc();
  Runc(const Runc&) = delete;
  Runc& operator=(const Runc&) = delete;

  // Starts a container of this name; what it prints goes to output(id). Without a command it waits
  // to be ended.
  Status Run(const std::string& id, const cdi::OciSpec& spec);
  void Delete(const std::string& id);
  std::filesystem::path output(const std::string& id) const {
    return options_.directory / id / "output";
  }

 private:
  explicit Runc(Options options) : options_(std::move(options)) {}

  Status WriteBundle(const std::string& id, const cdi::OciSpec& spec);
  Status Call(const std::string& id, const std::vector<std::string>& arguments);
  std::filesystem::path RootOf(const std::string& id) const {
    return options_.directory / id / "rootfs";
  }

  Options options_;
  std::set<std::string> containers_;
};

// The whole of a container's config.json: what the agent made of it, and what else runc asks for.
std::string RuncConfig(const cdi::OciSpec& spec, const std::filesystem::path& root);

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_RUNC_H_
