#include "fakegpu/host/driver_root.h"

#include <elf.h>
#include <errno.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "fakegpu/host/file_tree.h"
#include "fakegpu/host/kernel_files.h"
#include "fakegpu/host/stand_in.h"

namespace assay::fakegpu::host {
namespace {

namespace fs = std::filesystem;

constexpr char kLibraries[] = "/usr/lib64/";

struct StandIn {
  const char* name;
  const char* major;  // Of the SONAME; null: the SONAME has the driver's version.
};
// What a driver for compute brings, and container tools look up by the driver's version.
constexpr StandIn kStandIns[] = {{"libcuda.so", "1"},
                                 {"libcudadebugger.so", "1"},
                                 {"libnvcuvid.so", "1"},
                                 {"libnvidia-allocator.so", "1"},
                                 {"libnvidia-cfg.so", "1"},
                                 {"libnvidia-encode.so", "1"},
                                 {"libnvidia-gpucomp.so", nullptr},
                                 {"libnvidia-nvvm.so", "4"},
                                 {"libnvidia-opencl.so", "1"},
                                 {"libnvidia-opticalflow.so", "1"},
                                 {"libnvidia-pkcs11-openssl3.so", nullptr},
                                 {"libnvidia-ptxjitcompiler.so", "1"},
                                 {"libnvidia-sandboxutils.so", "1"}};

void AddLibrary(const std::string& name, const char* major, const std::string& version,
                std::string contents, std::vector<Entry>& entries) {
  const std::string file = name + "." + version;
  entries.push_back({.type = Entry::Type::kFile,
                     .path = kLibraries + file,
                     .contents = std::move(contents),
                     .mode = 0755});
  if (major != nullptr) {
    const std::string soname = name + "." + major;
    entries.push_back({.type = Entry::Type::kLink, .path = kLibraries + soname, .contents = file});
    entries.push_back({.type = Entry::Type::kLink, .path = kLibraries + name, .contents = soname});
  }
}

Result<std::vector<Entry>> Libraries(const std::string& version, const fs::path& library) {
  ASSAY_ASSIGN_OR_RETURN(std::string bytes, ReadFile(library));
  Elf64_Ehdr header{};
  if (bytes.size() < sizeof(header) || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) {
    return InvalidArgumentError(library.string() + ": this is no shared library");
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  std::vector<Entry> entries;
  AddLibrary("libnvidia-ml.so", "1", version, std::move(bytes), entries);
  for (const StandIn& stand_in : kStandIns) {
    const std::string name = stand_in.name;
    const std::string soname = name + "." + (stand_in.major == nullptr ? version : stand_in.major);
    AddLibrary(name, stand_in.major, version, StandInLibrary(soname, header.e_machine), entries);
  }
  return entries;
}

Status CheckIsFree(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(directory, error)) {
    return OkStatus();
  }
  const bool empty = fs::is_directory(directory, error) && fs::is_empty(directory, error);
  if (error) {
    return ErrnoError(error.value(), directory.string());
  }
  return empty ? OkStatus()
               : AlreadyExistsError(directory.string() +
                                    ": expected an empty directory, or none yet");
}

// Instances' capabilities are read from the machine's /proc alone, and are thousands of files.
bool BelongsInRoot(const Entry& entry) {
  return entry.path.starts_with("/dev/") ||
         (entry.path.starts_with("/proc/driver/") &&
          !entry.path.starts_with("/proc/driver/nvidia/capabilities/gpu"));
}

// The kernel's entries of which `wanted` is true.
std::vector<Entry> KernelEntries(const NodeFacts& node, const Majors& majors,
                                 const std::function<bool(const Entry&)>& wanted) {
  std::vector<Entry> kernel = NodeEntries(node, majors);
  for (std::uint32_t slot = 0; slot < node.gpus.size(); ++slot) {
    if (node.gpus[slot].plugged) {
      const std::vector<Entry> gpu = GpuEntries(node, slot, majors);
      kernel.insert(kernel.end(), gpu.begin(), gpu.end());
    }
  }
  std::erase_if(kernel, [&](const Entry& entry) { return !wanted(entry); });
  return kernel;
}

}  // namespace

Result<DriverRoot> WriteDevices(const fs::path& state, const fs::path& directory) {
  ASSAY_ASSIGN_OR_RETURN(const NodeFacts node, ReadNodeFacts(state));
  ASSAY_ASSIGN_OR_RETURN(const std::string devices, ReadFile("/proc/devices"));
  const Majors majors = ChooseMajors(devices);
  std::vector<Entry> entries = KernelEntries(node, majors, [](const Entry& entry) {
    return BelongsInRoot(entry) || entry.path.starts_with("/sys/");
  });
  entries.push_back({.type = Entry::Type::kFile,
                     .path = "/proc/devices",
                     .contents = ProcDevices(devices, majors)});
  ASSAY_ASSIGN_OR_RETURN(const Written written, WriteEntries(directory, entries));
  return DriverRoot{.devices_refused = written.devices_refused};
}

Result<DriverRoot> WriteDriverRoot(const fs::path& state, const fs::path& directory,
                                   const DriverRootOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const NodeFacts node, ReadNodeFacts(state));
  ASSAY_RETURN_IF_ERROR(CheckIsFree(directory));
  ASSAY_ASSIGN_OR_RETURN(std::vector<Entry> entries,
                         Libraries(node.driver_version, options.library));
  if (!options.nvidia_smi.empty()) {
    ASSAY_ASSIGN_OR_RETURN(std::string program, ReadFile(options.nvidia_smi));
    entries.push_back({.type = Entry::Type::kFile,
                       .path = "/usr/bin/nvidia-smi",
                       .contents = std::move(program),
                       .mode = 0755});
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string devices, ReadFile("/proc/devices"));
  const Majors majors = ChooseMajors(devices);
  const std::vector<Entry> kernel = KernelEntries(node, majors, BelongsInRoot);
  entries.insert(entries.end(), kernel.begin(), kernel.end());
  ASSAY_ASSIGN_OR_RETURN(const Written written, WriteEntries(directory, entries));
  return DriverRoot{.devices_refused = written.devices_refused};
}

Result<fs::path> LibraryBesideProgram() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) {
    return ErrnoError(error.value(), "/proc/self/exe");
  }
  const fs::path prefix = program.parent_path().parent_path();
  std::string looked_at;
  // As built; as `cmake --install` lays it out.
  for (const char* place : {"lib", "lib/assay", "lib/x86_64-linux-gnu/assay",
                            "lib/aarch64-linux-gnu/assay", "lib64/assay"}) {
    fs::path library = prefix / place / "libnvidia-ml.so.1";
    if (fs::exists(library, error)) {
      return library;
    }
    looked_at += (looked_at.empty() ? "" : ", ") + library.string();
  }
  return NotFoundError("Assay's library is in none of " + looked_at + "; name it with --library");
}

}  // namespace assay::fakegpu::host
