#include "fakegpu/host/file_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <system_error>

namespace assay::fakegpu::host {
namespace {

namespace fs = std::filesystem;

// Not WriteFileAtomically: nobody reads here yet, and thousands of these need no sync to disk.
Status WriteNewFile(const fs::path& path, std::string_view contents, std::uint32_t mode) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode | S_IWUSR);
  if (fd < 0) {
    return ErrnoError(errno, path.string());
  }
  Status status;
  while (!contents.empty()) {
    const ssize_t count = write(fd, contents.data(), contents.size());
    if (count < 0) {
      status = ErrnoError(errno, path.string());
      break;
    }
    contents.remove_prefix(static_cast<std::size_t>(count));
  }
  if (status.ok() && fchmod(fd, mode) != 0) {
    status = ErrnoError(errno, path.string());
  }
  close(fd);
  return status;
}

// Directories that everybody may read, whatever the caller's umask.
class OpenUmask {
 public:
  OpenUmask() : before_(umask(022)) {}
  OpenUmask(const OpenUmask&) = delete;
  OpenUmask& operator=(const OpenUmask&) = delete;
  ~OpenUmask() { umask(before_); }

 private:
  mode_t before_;
};

Status BindNull(const fs::path& path) {
  ASSAY_RETURN_IF_ERROR(WriteNewFile(path, "", 0666));
  return mount("/dev/null", path.c_str(), nullptr, MS_BIND, nullptr) == 0
             ? OkStatus()
             : ErrnoError(errno, path.string());
}

Status WriteDevice(const fs::path& path, const Entry& entry, WriteOptions options,
                   Written& written) {
  if (mknod(path.c_str(), S_IFCHR | entry.mode, makedev(entry.major, entry.minor)) == 0) {
    // Not as the umask would have it.
    return chmod(path.c_str(), entry.mode) == 0 ? OkStatus() : ErrnoError(errno, path.string());
  }
  if (errno != EPERM) {
    return ErrnoError(errno, path.string());
  }
  ++written.devices_refused;
  return options.without_devices == WithoutDevices::kBindNull ? BindNull(path) : OkStatus();
}

Status WriteEntry(const fs::path& path, const Entry& entry, WriteOptions options,
                  Written& written) {
  switch (entry.type) {
    case Entry::Type::kDirectory: {
      std::error_code error;
      fs::create_directories(path, error);
      return error ? ErrnoError(error.value(), path.string()) : OkStatus();
    }
    case Entry::Type::kFile:
      return WriteNewFile(path, entry.contents, entry.mode);
    case Entry::Type::kLink:
      return symlink(entry.contents.c_str(), path.c_str()) == 0 ? OkStatus()
                                                                : ErrnoError(errno, path.string());
    case Entry::Type::kDevice:
      return WriteDevice(path, entry, options, written);
  }
  return OkStatus();
}

}  // namespace

Result<Written> WriteEntries(const fs::path& root, const std::vector<Entry>& entries,
                             WriteOptions options) {
  const OpenUmask open_umask;
  Written written;
  fs::path made;  // Neighbours share it.
  for (const Entry& entry : entries) {
    const fs::path path = root.string() + entry.path;
    if (path.parent_path() != made) {
      made = path.parent_path();
      std::error_code error;
      fs::create_directories(made, error);
      if (error) {
        return ErrnoError(error.value(), made.string());
      }
    }
    ASSAY_RETURN_IF_ERROR(WriteEntry(path, entry, options, written));
  }
  return written;
}

void RemoveEntries(const fs::path& root, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    fs::path path = root.string() + entry.path;
    if (entry.type == Entry::Type::kDevice) {
      umount2(path.c_str(), MNT_DETACH);  // Where /dev/null stands for it.
    }
    if (unlink(path.c_str()) != 0 && errno != ENOENT && errno != EISDIR) {
      continue;
    }
    while (path.parent_path() != root && rmdir(path.parent_path().c_str()) == 0) {
      path = path.parent_path();
    }
  }
}

}  // namespace assay::fakegpu::host
