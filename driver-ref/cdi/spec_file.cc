#include "driver-ref/cdi/spec_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/file.h"

namespace assay::driver_ref::cdi {
namespace {

constexpr std::string_view kSpecExtension = ".json";
constexpr std::string_view kTemporary = ".tmp";

std::filesystem::path Temporary(const std::filesystem::path& path) {
  return path.parent_path() / ("." + path.filename().string() + std::string(kTemporary));
}

Status Replace(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path temporary = Temporary(path);
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    return ErrnoError(errno, "creating " + temporary.string());
  }
  const ssize_t written = ::write(fd, text.data(), text.size());
  const bool whole = written == static_cast<ssize_t>(text.size());
  const int error = whole && ::fchmod(fd, 0644) == 0 && ::fsync(fd) == 0 ? 0
                    : written >= 0 && !whole                             ? ENOSPC
                                                                         : errno;
  ::close(fd);
  if (error != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = error != 0 ? error : errno;
    ::unlink(temporary.c_str());
    return ErrnoError(reason, "writing " + path.string());
  }
  return OkStatus();
}

Status Unlink(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
    return ErrnoError(errno, "removing " + path.string());
  }
  return OkStatus();
}

}  // namespace

Status WriteSpecFile(const std::filesystem::path& path, const std::string& text) {
  if (const Result<std::string> present = ReadFile(path); present.ok() && *present == text) {
    return OkStatus();
  }
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) {
    return ErrnoError(error.value(), "creating " + path.parent_path().string());
  }
  return Replace(path, text);
}

Status RemoveSpecFile(const std::filesystem::path& path) {
  ASSAY_RETURN_IF_ERROR(Unlink(path));
  return Unlink(Temporary(path));
}

Result<std::set<std::string>> SpecFiles(const std::filesystem::path& directory,
                                        std::string_view prefix) {
  std::set<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.starts_with('.') && name.ends_with(kTemporary)) {
      name = name.substr(1, name.size() - 1 - kTemporary.size());
    }
    if (name.starts_with(prefix) && name.ends_with(kSpecExtension)) {
      names.insert(std::move(name));
    }
  }
  if (error && error != std::errc::no_such_file_or_directory &&
      error != std::errc::not_a_directory) {
    return ErrnoError(error.value(), "reading " + directory.string());
  }
  return names;
}

}  // namespace assay::driver_ref::cdi
