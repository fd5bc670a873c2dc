#include "storage/elf.hpp"

#include <link.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "util/shortage.hpp"

// The ELF header of this program; the linker defines the symbol. It names the machine for which plugins must be built.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

namespace outbox::storage {
namespace {

using Header = ElfW(Ehdr);
using Section = ElfW(Shdr);
using Symbol = ElfW(Sym);

Status Refuse(std::string why) { return {OUTBOX_BAD_CONFIG, std::move(why)}; }

// Reads parts of a file. An ELF file may state wrong offsets and sizes, so a read that would lead outside the file is
// refused.
class File {
 public:
  explicit File(const std::filesystem::path& path) : in_(path, std::ios::binary | std::ios::ate) {
    if (in_) size_ = static_cast<std::uint64_t>(in_.tellg());
  }
  [[nodiscard]] bool readable() const { return in_.good(); }

  template <class T>
  bool Read(std::uint64_t offset, std::uint64_t count, std::vector<T>& out) {
    if (offset > size_ || count > (size_ - offset) / sizeof(T)) return false;
    out.resize(count);
    in_.seekg(static_cast<std::streamoff>(offset));
    in_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(count * sizeof(T)));
    return in_.good();
  }

 private:
  std::ifstream in_;
  std::uint64_t size_ = 0;
};

bool Visible(const Symbol& symbol) {
  const auto binding = symbol.st_info >> 4;
  const auto visibility = symbol.st_other & 3;
  return symbol.st_shndx != SHN_UNDEF && binding != STB_LOCAL &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

}  // namespace

Result<std::vector<std::string>> ExportedSymbols(const std::filesystem::path& path) {
  errno = 0;
  File file(path);
  if (!file.readable()) {
    const int error = errno;
    return Status(IsShortage(error) ? kShortage : outbox_code{OUTBOX_BAD_CONFIG},
                  "cannot be read: " + std::generic_category().message(error));
  }

  std::vector<Header> header;
  if (!file.Read(0, 1, header) || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0)
    return Refuse("not an ELF file, so not a shared library");
  const Header& elf = header[0];
  if (elf.e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS] ||
      elf.e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA] || elf.e_machine != __ehdr_start.e_machine)
    return Refuse("built for another architecture (ELF class " + std::to_string(elf.e_ident[EI_CLASS]) + ", machine " +
                  std::to_string(elf.e_machine) + "; this program is class " +
                  std::to_string(__ehdr_start.e_ident[EI_CLASS]) + ", machine " +
                  std::to_string(__ehdr_start.e_machine) + ")");
  if (elf.e_type != ET_DYN) return Refuse("not a shared library");

  const auto damaged = [] { return Refuse("damaged: its ELF tables lead outside the file"); };
  std::vector<Section> sections;
  if (elf.e_shentsize != sizeof(Section) || !file.Read(elf.e_shoff, elf.e_shnum, sections)) return damaged();

  std::vector<std::string> names;
  for (const Section& section : sections) {
    if (section.sh_type != SHT_DYNSYM) continue;
    if (section.sh_link >= sections.size()) return damaged();
    const Section& text = sections[section.sh_link];
    std::vector<Symbol> symbols;
    std::vector<char> strings;
    if (!file.Read(section.sh_offset, section.sh_size / sizeof(Symbol), symbols) ||
        !file.Read(text.sh_offset, text.sh_size, strings) || strings.empty() || strings.back() != 0)
      return damaged();
    for (const Symbol& symbol : symbols) {
      if (!Visible(symbol)) continue;
      if (symbol.st_name >= strings.size()) return damaged();
      names.emplace_back(&strings[symbol.st_name]);
    }
  }
  return names;
}

}  // namespace outbox::storage
