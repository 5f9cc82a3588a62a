#include "controlplane/node/runc.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/file.h"

extern char** environ;

namespace assay::controlplane::node {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTrial = "assay-trial";

Json Mount(const std::string& destination, const std::string& type,
           const std::vector<std::string>& options) {
  return {{"destination", destination}, {"type", type}, {"source", type}, {"options", options}};
}

// What containerd mounts into every container.
Json DefaultMounts() {
  return {Mount("/proc", "proc", {"nosuid", "noexec", "nodev"}),
          Mount("/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
          Mount("/dev/pts", "devpts",
                {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}),
          Mount("/dev/shm", "tmpfs", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
          Mount("/sys", "sysfs", {"nosuid", "noexec", "nodev", "ro"})};
}

// Runs a program to its end, its output appended to a file. Returns its exit code; 127: it could
// not be run.
int Execute(const std::vector<std::string>& command, const std::filesystem::path& output) {
  std::vector<char*> argv;
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    return 127;
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string RuncConfig(const cdi::OciSpec& spec, const std::filesystem::path& root) {
  Json config = Json::parse(spec.ToJson());
  // What runc 1.1 knows; nothing of it is newer.
  config["ociVersion"] = "1.0.2";
  config["root"] = {{"path", root.string()}};
  Json& process = config["process"];
  process["cwd"] = "/";
  process["noNewPrivileges"] = true;
  if (spec.args.empty()) {
    process["args"] = {"/bin/sleep", "infinity"};
  }
  Json mounts = DefaultMounts();
  for (Json& mount : config["mounts"]) {
    mounts.push_back(std::move(mount));
  }
  config["mounts"] = std::move(mounts);
  Json& linux_part = config["linux"];
  for (const char* type : {"pid", "ipc", "uts", "mount"}) {
    linux_part["namespaces"].push_back({{"type", type}});
  }
  Json rules = {{{"allow", false}, {"access", "rwm"}}};
  for (const Json& rule : linux_part["resources"]["devices"]) {
    rules.push_back(rule);
  }
  linux_part["resources"]["devices"] = std::move(rules);
  return config.dump(2);
}

Result<std::unique_ptr<Runc>> Runc::Open(Options options) {
  if (::geteuid() != 0) {
    return UnavailableError("runc: only root can make containers' device nodes");
  }
  std::unique_ptr<Runc> runc(new Runc(std::move(options)));
  cdi::OciSpec trial;
  trial.args = {"/bin/true"};
  const Status ran = runc->Run(kTrial, trial);
  runc->Delete(kTrial);
  if (!ran.ok()) {
    return UnavailableError("runc cannot run here: " + ran.message());
  }
  return runc;
}

Runc::~Runc() {
  for (const std::string& id : std::set<std::string>(containers_)) {
    Delete(id);
  }
  std::error_code error;
  std::filesystem::remove_all(options_.directory, error);
}

Status Runc::WriteBundle(const std::string& id, const cdi::OciSpec& spec) {
  const std::filesystem::path bundle = options_.directory / id;
  for (const char* name : {"rootfs", "upper", "work"}) {
    std::error_code error;
    std::filesystem::create_directories(bundle / name, error);
    if (error) {
      return ErrnoError(error.value(), "making " + (bundle / name).string());
    }
  }
  const std::string layers = "lowerdir=/,upperdir=" + (bundle / "upper").string() +
                             ",workdir=" + (bundle / "work").string();
  if (::mount("overlay", RootOf(id).c_str(), "overlay", MS_NOSUID, layers.c_str()) != 0) {
    return ErrnoError(errno, "mounting an overlay of / at " + RootOf(id).string());
  }
  return WriteFileAtomically(bundle / "config.json", RuncConfig(spec, RootOf(id)), {.mode = 0600});
}

Status Runc::Run(const std::string& id, const cdi::OciSpec& spec) {
  Delete(id);
  containers_.insert(id);
  ASSAY_RETURN_IF_ERROR(WriteBundle(id, spec));
  return Call(id, {"run", "--detach", "--bundle", (options_.directory / id).string(), id});
}

void Runc::Delete(const std::string& id) {
  if (containers_.erase(id) == 0) {
    return;
  }
  // One that never began is not known to it.
  (void)Call(id, {"delete", "--force", id});
  (void)::umount2(RootOf(id).c_str(), MNT_DETACH);
  std::error_code error;
  std::filesystem::remove_all(options_.directory / id, error);
}

// The error is what runc says, in a log of its own: standard error is the container's.
Status Runc::Call(const std::string& id, const std::vector<std::string>& arguments) {
  const std::filesystem::path log = options_.directory / id / "log";
  std::vector<std::string> command = {
      options_.program, "--root", (options_.directory / "state").string(), "--log", log.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const int code = Execute(command, output(id));
  if (code == 127) {
    return NotFoundError("there is no " + options_.program);
  }
  if (code == 0) {
    return OkStatus();
  }
  const std::string text = ReadFile(log).value_or("");
  return InternalError(options_.program + " " + arguments[0] + ": " +
                       (text.empty() ? "exit code " + std::to_string(code)
                                     : text.substr(0, text.find_last_not_of('\n') + 1)));
}

}  // namespace assay::controlplane::node
