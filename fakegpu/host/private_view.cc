#include "fakegpu/host/private_view.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "fakegpu/host/file_tree.h"
#include "fakegpu/host/kernel_files.h"
#include "fakegpu/model/state_watch.h"

namespace assay::fakegpu::host {
namespace {

namespace fs = std::filesystem;

// Where the view is put together: a directory that every /proc has, and that is overlaid last.
constexpr char kStage[] = "/proc/driver";
constexpr WriteOptions kInView{.without_devices = WithoutDevices::kBindNull};

Status Refused(int error_number) {
  return PermissionDeniedError(
      "a view of the node needs root or user namespaces, and the kernel "
      "grants neither: " +
      ErrnoError(error_number, "unshare").message());
}

Status WriteMap(const char* file, const std::string& text) {
  const int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return ErrnoError(errno, file);
  }
  const ssize_t count = write(fd, text.data(), text.size());
  const int error_number = errno;
  close(fd);
  return count == static_cast<ssize_t>(text.size()) ? OkStatus() : ErrnoError(error_number, file);
}

// Root needs no user namespace, and can make real devices without one.
Status EnterNamespaces() {
  if (unshare(CLONE_NEWNS) != 0) {
    if (errno != EPERM) {
      return Refused(errno);
    }
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      return Refused(errno);
    }
    const auto self = [](std::uint32_t id) {
      return std::to_string(id) + " " + std::to_string(id) + " 1";
    };
    ASSAY_RETURN_IF_ERROR(WriteMap("/proc/self/setgroups", "deny"));
    ASSAY_RETURN_IF_ERROR(WriteMap("/proc/self/uid_map", self(uid)));
    ASSAY_RETURN_IF_ERROR(WriteMap("/proc/self/gid_map", self(gid)));
  }
  // What the host mounts and unmounts later still comes here; nothing goes back.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0) {
    return OkStatus();
  }
  return errno == EINVAL
             ? FailedPreconditionError(
                   "a view of the node needs a root directory that is a mount point, as a chroot's "
                   "is after `mount --bind DIR DIR` and before `chroot DIR`")
             : ErrnoError(errno, "/");
}

Status Bind(const fs::path& from, const fs::path& to) {
  return mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0
             ? OkStatus()
             : ErrnoError(errno, "bind " + from.string() + " to " + to.string());
}

// The machine's own NVIDIA devices are not part of the node.
bool IsHidden(const fs::path& shown_as, const fs::path& host) {
  const std::string name = shown_as.filename().string();
  const std::string directory = shown_as.parent_path().string();
  if (directory == "/dev" || directory == "/proc/driver") {
    return name.starts_with("nvidia");
  }
  if (directory == "/sys/bus/pci/drivers") {
    return name == "nvidia";
  }
  if (directory == "/sys/bus/pci/devices") {
    const Result<std::string> vendor = ReadFile(host / "vendor");
    return vendor.ok() && vendor->starts_with("0x10de");
  }
  return false;
}

Status ShowEntry(const fs::directory_entry& entry, const fs::path& to) {
  std::error_code error;
  if (entry.is_symlink(error)) {
    const fs::path target = fs::read_symlink(entry.path(), error);
    if (!error) {
      fs::create_symlink(target, to, error);
    }
    return error ? ErrnoError(error.value(), to.string()) : OkStatus();
  }
  if (entry.is_directory(error)) {
    fs::create_directory(to, error);
  } else {
    const int fd = open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      return ErrnoError(errno, to.string());
    }
    close(fd);
  }
  return error ? ErrnoError(error.value(), to.string()) : Bind(entry.path(), to);
}

// Fills what the node has below `shown_as` up with what the machine has there (`host` is the way to
// it). Where both have a directory both are shown; else the node's is.
Status ShowHost(const fs::path& host, const fs::path& shown_as) {
  std::error_code error;
  const fs::path staged = kStage + shown_as.string();
  fs::create_directories(staged, error);
  if (error) {
    return ErrnoError(error.value(), staged.string());
  }
  for (fs::directory_iterator it(host, error), end; !error && it != end; it.increment(error)) {
    const fs::path shown = shown_as / it->path().filename();
    if (IsHidden(shown, it->path())) {
      continue;
    }
    const fs::path to = kStage + shown.string();
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(to, ignored))) {
      ASSAY_RETURN_IF_ERROR(ShowEntry(*it, to));
    } else if (fs::is_directory(fs::symlink_status(to, ignored)) &&
               fs::is_directory(it->symlink_status(ignored))) {
      ASSAY_RETURN_IF_ERROR(ShowHost(it->path(), shown));
    }
  }
  return error ? ErrnoError(error.value(), host.string()) : OkStatus();
}

// The files of a node, and what of them belongs to which GPU.
class View {
 public:
  explicit View(Majors majors) : majors_(majors) {}

  // Makes what is below `root` show `node`.
  Status Show(const fs::path& root, const NodeFacts& node) {
    if (!shown_ || node.driver_loaded != driver_loaded_ || node.gpus.size() != gpus_.size()) {
      HideAll(root);
      node_ = NodeEntries(node, majors_);
      gpus_.assign(node.gpus.size(), {});
      driver_loaded_ = node.driver_loaded;
      shown_ = true;
      ASSAY_RETURN_IF_ERROR(WriteEntries(root, node_, kInView).status());
    }
    for (std::uint32_t slot = 0; slot < gpus_.size(); ++slot) {
      std::vector<Entry>& entries = gpus_[slot];
      if (node.gpus[slot].plugged && entries.empty()) {
        entries = GpuEntries(node, slot, majors_);
        ASSAY_RETURN_IF_ERROR(WriteEntries(root, entries, kInView).status());
      } else if (!node.gpus[slot].plugged && !entries.empty()) {
        RemoveEntries(root, entries);
        entries.clear();
      }
    }
    return OkStatus();
  }

 private:
  void HideAll(const fs::path& root) {
    for (const std::vector<Entry>& gpu : gpus_) {
      RemoveEntries(root, gpu);
    }
    RemoveEntries(root, node_);
  }

  Majors majors_;
  bool shown_ = false;
  bool driver_loaded_ = false;
  std::vector<Entry> node_;
  std::vector<std::vector<Entry>> gpus_;  // By slot; empty: unplugged.
};

Status MountView(const NodeFacts& node, View& view, const std::string& devices) {
  // The way to what the stage is mounted over.
  const int fd = open(kStage, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return ErrnoError(errno, kStage);
  }
  const std::string covered = "/proc/self/fd/" + std::to_string(fd);
  if (mount("tmpfs", kStage, "tmpfs", MS_NOSUID, "mode=755") != 0) {
    return ErrnoError(errno, "tmpfs");
  }
  ASSAY_RETURN_IF_ERROR(view.Show(kStage, node));
  ASSAY_RETURN_IF_ERROR(
      WriteEntries(kStage, {{.path = "/proc/devices", .contents = devices}}).status());
  std::error_code error;
  // A machine without PCI has no place for it in its sysfs.
  const std::string pci = fs::exists("/sys/bus/pci", error) ? "/sys/bus/pci" : "/sys/bus";
  for (const std::string& place : {std::string("/sys/devices"), pci, std::string("/dev")}) {
    ASSAY_RETURN_IF_ERROR(ShowHost(place, place));
  }
  ASSAY_RETURN_IF_ERROR(ShowHost(covered, kStage));
  close(fd);
  for (const std::string& place : {std::string("/sys/devices"), pci, std::string("/dev"),
                                   std::string("/proc/devices"), std::string(kStage)}) {
    ASSAY_RETURN_IF_ERROR(Bind(kStage + place, place));
  }
  return OkStatus();
}

// Keeps the view as the node is, until `owner` (a pidfd) ends.
void KeepView(const fs::path& state, View view, int owner, model::StateWatch watch) {
  for (;;) {
    pollfd waits[] = {{.fd = owner, .events = POLLIN, .revents = 0},
                      {.fd = watch.fd(), .events = POLLIN, .revents = 0}};
    if ((poll(waits, 2, -1) < 0 && errno != EINTR) || waits[0].revents != 0) {
      return;
    }
    watch.Drain();
    const Result<NodeFacts> node = ReadNodeFacts(state);
    // Nobody is there to tell; the next change tries again.
    if (node.ok()) {
      (void)view.Show("", *node);
    }
  }
}

// What belongs to the caller stays with the caller.
void LetGoOfCaller(int keep_first, int keep_second) {
  setsid();
  prctl(PR_SET_NAME, "fakegpu-view");
  (void)chdir("/");
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) {
    dup2(null, fd);
  }
  std::vector<int> others;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::stoi(entry.path().filename().string());
    if (fd > 2 && fd != keep_first && fd != keep_second) {
      others.push_back(fd);
    }
  }
  for (const int fd : others) {
    close(fd);
  }
}

// The keeper is not the caller's child: the program that the caller becomes may wait for all its
// children.
Status StartKeeper(const fs::path& state, View view) {
  ASSAY_ASSIGN_OR_RETURN(model::StateWatch watch, model::StateWatch::Open(state));
  // By its number: the C library declares it for C alone.
  const int owner = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (owner < 0) {
    return ErrnoError(errno, "pidfd_open");
  }
  const pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) {
      LetGoOfCaller(owner, watch.fd());
      KeepView(state, std::move(view), owner, std::move(watch));
    }
    _exit(0);
  }
  const int error_number = errno;
  close(owner);
  if (child < 0) {
    return ErrnoError(error_number, "fork");
  }
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return OkStatus();
}

}  // namespace

Status EnterPrivateView(const fs::path& state) {
  std::error_code error;
  const fs::path absolute = fs::absolute(state, error);
  ASSAY_ASSIGN_OR_RETURN(const NodeFacts node, ReadNodeFacts(absolute));
  ASSAY_ASSIGN_OR_RETURN(const std::string devices, ReadFile("/proc/devices"));
  const Majors majors = ChooseMajors(devices);
  View view(majors);
  ASSAY_RETURN_IF_ERROR(EnterNamespaces());
  ASSAY_RETURN_IF_ERROR(MountView(node, view, ProcDevices(devices, majors)));
  return StartKeeper(absolute, std::move(view));
}

}  // namespace assay::fakegpu::host
