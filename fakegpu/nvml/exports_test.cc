// What the shared library is to a loader: names, versions, needs. Read from the ELF file itself.

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace assay::fakegpu::nvml {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SharedLibrary {
 public:
  static SharedLibrary Load() {
    Result<std::string> bytes = ReadFile(ASSAY_NVML_LIBRARY);
    EXPECT_THAT(bytes, assay::testing::IsOk());
    return SharedLibrary(bytes.value_or(""));
  }

  std::set<std::string> DefinedNames() const {
    std::set<std::string> names;
    for (const Elf64_Sym& symbol : Entries<Elf64_Sym>(SHT_DYNSYM)) {
      if (symbol.st_shndx != SHN_UNDEF && symbol.st_name != 0) {
        names.insert(Text(SHT_DYNSYM, symbol.st_name));
      }
    }
    return names;
  }
  std::vector<std::string> Dynamic(Elf64_Sxword tag) const {
    std::vector<std::string> values;
    for (const Elf64_Dyn& entry : Entries<Elf64_Dyn>(SHT_DYNAMIC)) {
      if (entry.d_tag == tag) {
        values.push_back(Text(SHT_DYNAMIC, entry.d_un.d_val));
      }
    }
    return values;
  }
  bool HasSection(Elf64_Word type) const { return Section(type) != nullptr; }
  std::vector<std::string> NeededVersions() const {
    std::vector<std::string> versions;
    const Elf64_Shdr* section = Section(SHT_GNU_verneed);
    for (std::size_t at = section != nullptr ? section->sh_offset : 0; at != 0;) {
      const auto& need = At<Elf64_Verneed>(at);
      std::size_t next = at + need.vn_aux;
      for (int i = 0; i < need.vn_cnt; ++i) {
        const auto& version = At<Elf64_Vernaux>(next);
        versions.push_back(Text(SHT_GNU_verneed, version.vna_name));
        next += version.vna_next;
      }
      at = need.vn_next != 0 ? at + need.vn_next : 0;
    }
    return versions;
  }

 private:
  explicit SharedLibrary(std::string bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
  const T& At(std::size_t offset) const {
    EXPECT_LE(offset + sizeof(T), bytes_.size());
    return *reinterpret_cast<const T*>(bytes_.data() + offset);
  }
  const Elf64_Shdr* Section(Elf64_Word type) const {
    const auto& header = At<Elf64_Ehdr>(0);
    for (int i = 0; i < header.e_shnum; ++i) {
      const auto& section =
          At<Elf64_Shdr>(header.e_shoff + static_cast<std::size_t>(i) * header.e_shentsize);
      if (section.sh_type == type) {
        return &section;
      }
    }
    return nullptr;
  }
  template <typename T>
  std::vector<T> Entries(Elf64_Word type) const {
    const Elf64_Shdr* section = Section(type);
    std::vector<T> entries;
    for (std::size_t i = 0; section != nullptr && i < section->sh_size / sizeof(T); ++i) {
      entries.push_back(At<T>(section->sh_offset + i * sizeof(T)));
    }
    return entries;
  }
  // A string of the table that a section is linked to.
  std::string Text(Elf64_Word type, std::size_t offset) const {
    const auto& header = At<Elf64_Ehdr>(0);
    const auto& strings =
        At<Elf64_Shdr>(header.e_shoff + std::size_t{Section(type)->sh_link} * header.e_shentsize);
    return bytes_.c_str() + strings.sh_offset + offset;
  }

  std::string bytes_;
};

std::set<std::string> ExpectedNames() {
  return {
#define NVML_FUNCTION(result, name, parameters) #name,
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
#define NVML_NEWER(name) #name,
#define NVML_UNDECLARED(name) #name,
#include "fakegpu/abi/unlisted_functions.def"
#undef NVML_NEWER
#undef NVML_UNDECLARED
  };
}

TEST(ExportsTest, ExportsEveryNameAndNothingElse) {
  const std::set<std::string> defined = SharedLibrary::Load().DefinedNames();
  std::vector<std::string> missing;
  std::vector<std::string> extra;
  const std::set<std::string> expected = ExpectedNames();
  std::set_difference(expected.begin(), expected.end(), defined.begin(), defined.end(),
                      std::back_inserter(missing));
  std::set_difference(defined.begin(), defined.end(), expected.begin(), expected.end(),
                      std::back_inserter(extra));
  EXPECT_THAT(missing, IsEmpty());
  EXPECT_THAT(extra, IsEmpty());
  EXPECT_EQ(expected.size(), 431u);  // 413 of NVML 13.3, 15 newer, 3 outside of it.
}

TEST(ExportsTest, NeedsTheCLibraryAlone) {
  const SharedLibrary library = SharedLibrary::Load();
  EXPECT_THAT(library.Dynamic(DT_NEEDED), ElementsAre("libc.so.6"));
  EXPECT_THAT(library.Dynamic(DT_SONAME), ElementsAre("libnvidia-ml.so.1"));
  EXPECT_FALSE(library.HasSection(SHT_GNU_verdef)) << "the real library defines no versions";
}

// It is mounted into containers of older distributions: glibc 2.17 is RHEL 7's.
TEST(ExportsTest, NeedsNoSymbolVersionAbove217) {
  const std::vector<std::string> versions = SharedLibrary::Load().NeededVersions();
  EXPECT_FALSE(versions.empty());
  for (const std::string& version : versions) {
    int major = 0;
    int minor = 0;
    int patch = 0;
    ASSERT_GE(std::sscanf(version.c_str(), "GLIBC_%d.%d.%d", &major, &minor, &patch), 2) << version;
    EXPECT_TRUE(major == 2 && minor <= 17) << version;
  }
}

}  // namespace
}  // namespace assay::fakegpu::nvml
