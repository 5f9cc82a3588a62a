#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/random.h"

namespace assay {
namespace {

// Closes its file descriptor.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Status WriteAndSync(int fd, std::string_view contents, const std::filesystem::path& path) {
  while (!contents.empty()) {
    const ssize_t written = write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return ErrnoError(errno, "writing " + path.string());
    }
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(fd) != 0) {
    return ErrnoError(errno, "syncing " + path.string());
  }
  return OkStatus();
}

}  // namespace

Result<std::string> ReadFile(const std::filesystem::path& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    return ErrnoError(errno, "opening " + path.string());
  }
  std::string contents;
  char buffer[64 * 1024];
  while (true) {
    const ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return ErrnoError(errno, "reading " + path.string());
    }
    if (got == 0) {
      return contents;
    }
    contents.append(buffer, static_cast<std::size_t>(got));
  }
}

Status WriteFileAtomically(const std::filesystem::path& path, std::string_view contents,
                           WriteFileOptions options) {
  const std::filesystem::path directory = path.has_parent_path() ? path.parent_path() : ".";
  // The name's length does not depend on the target's, which may be the longest allowed.
  const std::filesystem::path temporary =
      directory / ("." + Random::FromSystem().NameSuffix(16) + ".tmp");
  {
    const Fd file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, options.mode));
    if (file.get() < 0) {
      return ErrnoError(errno, "creating a file in " + directory.string());
    }
    Status status = WriteAndSync(file.get(), contents, path);
    // The umask must not decide what the caller asked for.
    if (status.ok() && fchmod(file.get(), options.mode) != 0) {
      status = ErrnoError(errno, "setting the mode of " + path.string());
    }
    if (!status.ok()) {
      unlink(temporary.c_str());
      return status;
    }
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const Status status = ErrnoError(errno, "replacing " + path.string());
    unlink(temporary.c_str());
    return status;
  }
  const Fd parent(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0 || fsync(parent.get()) != 0) {
    return ErrnoError(errno, "syncing " + directory.string());
  }
  return OkStatus();
}

}  // namespace assay
