// TempDir: a directory of its own that is gone, with all that is in it, when its owner is.
//
// Not thread-safe; one per owner.
#ifndef ASSAY_BASE_TEMP_DIR_H_
#define ASSAY_BASE_TEMP_DIR_H_

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace assay {

class TempDir {
 public:
  // Makes <system temp>/<prefix>-XXXXXX with mode 0700. Unix sockets live below it: the path is
  // kept short, since sun_path holds 107 characters.
  static Result<TempDir> Create(std::string_view prefix = "assay");
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&& other) noexcept;
  ~TempDir();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  // Leaves the directory where it is and forgets it (to keep a failed run's traces).
  std::filesystem::path Release();

 private:
  explicit TempDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace assay

#endif  // ASSAY_BASE_TEMP_DIR_H_
