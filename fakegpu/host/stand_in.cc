#include "fakegpu/host/stand_in.h"

#include <elf.h>

#include <cstring>
#include <vector>

namespace assay::fakegpu::host {
namespace {

constexpr char kSectionNames[] = "\0.dynstr\0.dynsym\0.hash\0.dynamic\0.shstrtab";
constexpr std::size_t kSections = 6;

// Everything lies at the address that is its place in the file.
struct Layout {
  std::size_t strings = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
  std::size_t strings_size;
  std::size_t symbols;
  std::size_t hash;
  std::size_t dynamic;
  std::size_t names;
  std::size_t sections;

  explicit Layout(std::size_t soname_size)
      : strings_size(1 + soname_size + 1),
        symbols(Aligned(strings + strings_size)),
        hash(symbols + sizeof(Elf64_Sym)),
        dynamic(Aligned(hash + 4 * sizeof(Elf64_Word))),
        names(dynamic + kDynamicEntries * sizeof(Elf64_Dyn)),
        sections(Aligned(names + sizeof(kSectionNames))) {}

  static constexpr std::size_t kDynamicEntries = 7;
  static std::size_t Aligned(std::size_t offset) { return (offset + 7) / 8 * 8; }
};

template <typename T>
void Put(std::string& bytes, std::size_t offset, const T& value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

Elf64_Shdr Section(Elf64_Word name, Elf64_Word type, std::size_t offset, std::size_t size) {
  Elf64_Shdr section{};
  section.sh_name = name;
  section.sh_type = type;
  section.sh_flags = type == SHT_STRTAB && name != 1 ? 0 : SHF_ALLOC;
  section.sh_addr = section.sh_flags == 0 ? 0 : offset;
  section.sh_offset = offset;
  section.sh_size = size;
  section.sh_addralign = 8;
  return section;
}

Elf64_Ehdr Header(const Layout& layout, std::uint16_t machine) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_shoff = layout.sections;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = kSections;
  header.e_shstrndx = kSections - 1;
  return header;
}

Elf64_Phdr Segment(Elf64_Word type, std::size_t offset, std::size_t size) {
  Elf64_Phdr segment{};
  segment.p_type = type;
  // The loader writes addresses into the dynamic section.
  segment.p_flags = PF_R | PF_W;
  segment.p_offset = segment.p_vaddr = segment.p_paddr = offset;
  segment.p_filesz = segment.p_memsz = size;
  segment.p_align = type == PT_LOAD ? 0x10000 : 8;
  return segment;
}

}  // namespace

std::string StandInLibrary(std::string_view soname, std::uint16_t machine) {
  const Layout layout(soname.size());
  const std::size_t size = layout.sections + kSections * sizeof(Elf64_Shdr);
  const std::size_t dynamic_size = Layout::kDynamicEntries * sizeof(Elf64_Dyn);
  std::string bytes(size, '\0');
  Put(bytes, 0, Header(layout, machine));
  Put(bytes, sizeof(Elf64_Ehdr), Segment(PT_LOAD, 0, size));
  Put(bytes, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
      Segment(PT_DYNAMIC, layout.dynamic, dynamic_size));
  bytes.replace(layout.strings + 1, soname.size(), soname);
  // A hash table of one bucket and the one symbol that every table begins with.
  Put(bytes, layout.hash, Elf64_Word{1});
  Put(bytes, layout.hash + sizeof(Elf64_Word), Elf64_Word{1});
  const std::vector<std::pair<Elf64_Sxword, std::size_t>> dynamic = {
      {DT_SONAME, 1},
      {DT_STRTAB, layout.strings},
      {DT_STRSZ, layout.strings_size},
      {DT_SYMTAB, layout.symbols},
      {DT_SYMENT, sizeof(Elf64_Sym)},
      {DT_HASH, layout.hash},
      {DT_NULL, 0}};
  std::size_t offset = layout.dynamic;
  for (const auto& [tag, value] : dynamic) {
    Elf64_Dyn entry{};
    entry.d_tag = tag;
    entry.d_un.d_val = value;
    Put(bytes, offset, entry);
    offset += sizeof(entry);
  }
  std::memcpy(bytes.data() + layout.names, kSectionNames, sizeof(kSectionNames));
  Elf64_Shdr sections[kSections] = {{},
                                    Section(1, SHT_STRTAB, layout.strings, layout.strings_size),
                                    Section(9, SHT_DYNSYM, layout.symbols, sizeof(Elf64_Sym)),
                                    Section(17, SHT_HASH, layout.hash, 4 * sizeof(Elf64_Word)),
                                    Section(23, SHT_DYNAMIC, layout.dynamic, dynamic_size),
                                    Section(32, SHT_STRTAB, layout.names, sizeof(kSectionNames))};
  constexpr Elf64_Word kStrings = 1;
  constexpr Elf64_Word kSymbols = 2;
  sections[2].sh_link = kStrings;
  sections[2].sh_info = 1;
  sections[2].sh_entsize = sizeof(Elf64_Sym);
  sections[3].sh_link = kSymbols;
  sections[3].sh_entsize = sizeof(Elf64_Word);
  sections[4].sh_link = kStrings;
  sections[4].sh_entsize = sizeof(Elf64_Dyn);
  Put(bytes, layout.sections, sections);
  return bytes;
}

}  // namespace assay::fakegpu::host
