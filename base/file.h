// Whole files: read at once, written so that nobody ever sees half of one.
//
// Thread-safe.
#ifndef ASSAY_BASE_FILE_H_
#define ASSAY_BASE_FILE_H_

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

// Reads a whole file, or kNotFound / kPermissionDenied naming it.
Result<std::string> ReadFile(const std::filesystem::path& path);

struct WriteFileOptions {
  unsigned mode = 0644;
};

// Writes a temporary file in the same directory (its name starts with a dot), syncs it, renames it
// and syncs the directory: a reader or a crash finds the old contents or the new, whole.
Status WriteFileAtomically(const std::filesystem::path& path, std::string_view contents,
                           WriteFileOptions options = {});

}  // namespace assay

#endif  // ASSAY_BASE_FILE_H_
