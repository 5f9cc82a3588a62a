// A file of a CDI directory, which is not ours alone: written so that nobody ever sees half of one,
// and so that what a crash leaves behind is found again: its temporary file's name follows from its
// own, and starts with a dot, which runtimes pass over.
//
// Thread-safe; two writers of one file exclude each other elsewhere.
#ifndef ASSAY_DRIVER_REF_CDI_SPEC_FILE_H_
#define ASSAY_DRIVER_REF_CDI_SPEC_FILE_H_

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::driver_ref::cdi {

// Writes the file, or leaves it where it is already as it should be. Makes the directory.
Status WriteSpecFile(const std::filesystem::path& path, const std::string& text);
// With its temporary file; one that is not there is no error.
Status RemoveSpecFile(const std::filesystem::path& path);
// The names of the directory's specs that start with `prefix`, also of those of which there is only
// a temporary file.
Result<std::set<std::string>> SpecFiles(const std::filesystem::path& directory,
                                        std::string_view prefix);

}  // namespace assay::driver_ref::cdi

#endif  // ASSAY_DRIVER_REF_CDI_SPEC_FILE_H_
