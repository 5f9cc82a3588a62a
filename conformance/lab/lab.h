// Lab: the place in which one driver is certified: a cluster, a node's directories, fake GPUs where
// the profile asks for them, and the driver itself. It plays the kubelet towards the driver, as far
// as a suite wants it to.
//
// Everything lies below one directory and listens on sockets in it or on ports that the
// system chooses, so that any number of labs work side by side.
//
//   ASSAY_ASSIGN_OR_RETURN(
//       auto lab, Lab::Open({.profile = profile, .root = root, .spawner = spawner.get()}));
//   ASSAY_ASSIGN_OR_RETURN(Driver* driver, lab->EnsureDriver());
//   driver->service().Prepare({claim.reference()});
//
// Not thread-safe; one per certification.
#ifndef ASSAY_CONFORMANCE_LAB_LAB_H_
#define ASSAY_CONFORMANCE_LAB_LAB_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/compatibility.h"
#include "api/resource/types.h"
#include "base/result.h"
#include "conformance/lab/driver.h"
#include "conformance/lab/transcript.h"
#include "conformance/testee/device_hooks.h"
#include "conformance/testee/profile.h"
#include "conformance/testee/spawner.h"
#include "controlplane/cluster.h"
#include "controlplane/node/driver_connection.h"
#include "fakegpu/control/control.h"

namespace assay::controlplane::node {
class NodeAgent;
class Runc;
}  // namespace assay::controlplane::node

namespace assay::conformance {

inline constexpr std::string_view kNodeName = "assay-node";
inline constexpr std::string_view kNamespace = "assay";
// Claims with admin access are allowed here.
inline constexpr std::string_view kAdminNamespace = "assay-admin";
inline constexpr std::string_view kDeviceClass = "assay.certified";

// The node's directories, as a kubelet and a runtime have them.
struct Directories {
  std::filesystem::path root;
  std::filesystem::path kubelet;
  std::filesystem::path plugins;
  std::filesystem::path registry;
  std::filesystem::path cdi;
  std::filesystem::path state;
  std::filesystem::path dev;
};

// Files below a directory by relative path, with their contents; sockets and directories left out.
using FileSnapshot = std::map<std::string, std::string>;
FileSnapshot SnapshotFiles(const std::filesystem::path& directory);

// Whether every pool has all slices of its newest generation, and there is one.
bool PoolsAreComplete(const std::vector<api::resource::ResourceSlice>& slices);

struct LabOptions {
  Profile profile;
  // An empty directory with a short path (unix sockets live below it), removed by its owner when
  // the lab is gone.
  std::filesystem::path root;
  Spawner* spawner = nullptr;  // Outlives the lab.
  // Where the driver's output is kept; empty: nowhere.
  std::filesystem::path log_directory;
  std::filesystem::path bin_directory;  // ${BIN_DIR}
  // Claim controller, scheduler and eviction run, and a node agent plays the kubelet: a cluster for
  // people. Suites do all this by hand.
  bool whole_cluster = false;
  // In a whole cluster: containers are run, by runc. kUnavailable where it cannot.
  bool run_containers = false;
  api::Compatibility compatibility = {};
  // A node of this cluster, which outlives the lab; null: of one of its own.
  controlplane::Cluster* cluster = nullptr;
  std::string node_name = std::string(kNodeName);
  std::uint64_t seed = 0;  // Of the fake GPUs; 0: what their node's file says.
};

class Lab {
 public:
  // kFailedPrecondition, kInvalidArgument for set-up trouble; the driver is not started yet.
  static Result<std::unique_ptr<Lab>> Open(LabOptions options);
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  const Profile& profile() const { return options_.profile; }
  const Directories& directories() const { return directories_; }
  // The driver's own directory: sockets, checkpoint.
  std::filesystem::path data_directory() const;
  // The files of `files.state` that are there now, those of directories included.
  std::vector<std::filesystem::path> StateFiles() const;
  // Whether ${DEV_DIR} has the fake GPUs' device nodes: making them takes CAP_MKNOD.
  bool has_device_nodes() const { return has_device_nodes_; }
  const std::string& node_name() const { return options_.node_name; }
  controlplane::Cluster& cluster() { return *cluster_; }
  controlplane::apiserver::Server& api_server() { return cluster_->api_server(); }
  api::client::BlockingClient& admin() { return cluster_->admin(); }
  DeviceHooks& hooks() { return *hooks_; }
  Transcript& transcript() { return transcript_; }
  // The user that the driver authenticates as.
  const std::string& driver_user() const { return driver_user_; }
  const std::string& node_uid() const { return node_uid_; }

  // The driver, started, registered and with its slices published, unless it is so already. The
  // error says which step failed, with the end of the driver's output. After kMaxFailedStarts in a
  // row the lab gives up and answers the last error at once.
  static constexpr int kMaxFailedStarts = 2;
  Result<Driver*> EnsureDriver(const DriverOptions& options = {});
  // The driver as it is; null if none was started or the last was discarded.
  Driver* driver() { return driver_.get(); }
  // One more instance beside the first, or in its place.
  Result<std::unique_ptr<Driver>> StartInstance(const DriverOptions& options = {});
  // Makes `driver` the lab's.
  void Adopt(std::unique_ptr<Driver> driver) { driver_ = std::move(driver); }
  // SIGTERM, and SIGKILL to the tree after the profile's stop timeout; then a new start with the
  // same ${INSTANCE}, as a container restarts within its pod.
  Result<Driver*> Restart();
  // The same with SIGKILL alone.
  Result<Driver*> KillAndRestart();
  // Ends the driver and forgets what it left: files, slices, claims. For after a failure.
  void Reset();

  // What `${...}` stands for, for the instance with this UID.
  Variables VariablesFor(const std::string& instance) const;
  // The driver's slices of this node.
  Result<std::vector<api::resource::ResourceSlice>> Slices();

  // Spreads UIDs of things that only this lab knows of, such as pods: "0000...-<n>".
  std::string NewUid();

 private:
  explicit Lab(LabOptions options);
  Status SetUp();
  Status StartCluster();
  Status SetUpCluster();
  // As whom the driver runs.
  controlplane::apiserver::User DriverUser() const;
  // Creates what says what that user may do.
  Status GrantAccess();
  std::string SliceSelector() const;
  Status SetUpFakeGpus();
  Status SetUpAgent();

  LabOptions options_;
  Transcript transcript_;
  Directories directories_;
  std::unique_ptr<controlplane::Cluster> own_cluster_;  // Null where it is another lab's.
  controlplane::Cluster* cluster_ = nullptr;
  std::filesystem::path driver_kubeconfig_;
  std::string driver_user_;
  std::string node_uid_;
  std::unique_ptr<DeviceHooks> hooks_;
  // With whole_cluster; both live on the cluster's loop.
  std::unique_ptr<api::client::Client> agent_client_;
  std::unique_ptr<controlplane::node::Runc> runc_;
  std::unique_ptr<controlplane::node::NodeAgent> agent_;
  std::unique_ptr<Driver> driver_;
  std::optional<Status> last_start_error_;
  bool has_device_nodes_ = false;
  int starts_ = 0;
  int failed_starts_ = 0;
  std::uint64_t next_uid_ = 1;
};

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_LAB_LAB_H_
