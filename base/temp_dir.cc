#include "base/temp_dir.h"

#include <stdlib.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace assay {

Result<TempDir> TempDir::Create(std::string_view prefix) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) {
    return ErrnoError(error.value(), "finding the directory for temporary files");
  }
  std::string path = (parent / std::string(prefix)).string() + "-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return ErrnoError(errno, "making a directory below " + parent.string());
  }
  return TempDir(std::filesystem::path(path));
}

TempDir::TempDir(TempDir&& other) noexcept : path_(other.Release()) {}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TempDir::~TempDir() {
  if (!path_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
}

std::filesystem::path TempDir::Release() { return std::exchange(path_, {}); }

}  // namespace assay
