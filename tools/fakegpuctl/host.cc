#include "tools/fakegpuctl/host.h"

#include <errno.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/file.h"
#include "fakegpu/capture/capture.h"
#include "fakegpu/control/control.h"
#include "fakegpu/host/private_view.h"

namespace assay::tools {
namespace {

namespace fs = std::filesystem;

constexpr int kExitNotExecutable = 126;
constexpr int kExitNotFound = 127;

// Empty where PATH has none.
fs::path FindInPath(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  std::string directory;
  while (std::getline(directories, directory, ':')) {
    const fs::path candidate = fs::path(directory) / program;
    if (access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return {};
}

Result<fs::path> LibraryOr(const fs::path& named) {
  return named.empty() ? fakegpu::host::LibraryBesideProgram() : Result<fs::path>(named);
}

void Prepend(const char* variable, const std::string& directory) {
  const char* before = std::getenv(variable);
  const std::string rest = before == nullptr || before[0] == '\0' ? "" : ":" + std::string(before);
  setenv(variable, (directory + rest).c_str(), 1);
}

}  // namespace

Status MakeRoot(const fs::path& state, const fs::path& directory,
                fakegpu::host::DriverRootOptions options) {
  ASSAY_ASSIGN_OR_RETURN(options.library, LibraryOr(options.library));
  if (options.nvidia_smi.empty()) {
    options.nvidia_smi = FindInPath("nvidia-smi");
  }
  ASSAY_ASSIGN_OR_RETURN(const fakegpu::host::DriverRoot root,
                         fakegpu::host::WriteDriverRoot(state, directory, options));
  std::string without = options.nvidia_smi.empty() ? " without nvidia-smi: none is installed" : "";
  if (root.devices_refused != 0) {
    without += std::string(without.empty() ? " without" : ", and without") + " the " +
               std::to_string(root.devices_refused) +
               " character devices: this caller may make none";
  }
  std::printf("%s: a driver root%s\n", directory.c_str(), without.c_str());
  return OkStatus();
}

Status RunProgram(const fs::path& state, const fs::path& library,
                  const std::vector<std::string>& program) {
  ASSAY_ASSIGN_OR_RETURN(const fs::path found, LibraryOr(library));
  std::error_code error;
  const fs::path directory = fs::absolute(found, error).parent_path();
  ASSAY_RETURN_IF_ERROR(fakegpu::host::EnterPrivateView(state));
  setenv(std::string(fakegpu::control::kStateVariable).c_str(), fs::absolute(state, error).c_str(),
         1);
  Prepend("LD_LIBRARY_PATH", directory.string());
  std::vector<char*> arguments;
  for (const std::string& argument : program) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  const int reason = errno;
  std::fprintf(stderr, "fakegpuctl: %s: %s\n", arguments[0], std::strerror(reason));
  std::exit(reason == ENOENT ? kExitNotFound : kExitNotExecutable);
}

Status CaptureNode(const std::string& library, const fs::path& directory) {
  fakegpu::capture::CaptureOptions options;
  options.library = library;
  ASSAY_ASSIGN_OR_RETURN(const auto files, fakegpu::capture::Capture(options));
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return ErrnoError(error.value(), directory.string());
  }
  // node.yaml names the others: it comes last.
  for (const bool is_node : {false, true}) {
    for (const auto& [name, text] : files) {
      if ((name == fakegpu::capture::kNodeFile) == is_node) {
        ASSAY_RETURN_IF_ERROR(WriteFileAtomically(directory / name, text));
      }
    }
  }
  std::printf("%s\n", (directory / fakegpu::capture::kNodeFile).c_str());
  return OkStatus();
}

}  // namespace assay::tools
