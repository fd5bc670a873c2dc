#include "storage/loader.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>
#include <system_error>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include "outbox/ext/admin.h"
#include "outbox/ext/columns.h"
#include "outbox/ext/emit.h"
#include "outbox/ext/leases.h"
#include "outbox/ext/poison.h"
#include "outbox/ext/schema.h"
#include "outbox/ext/stats.h"
#include "outbox/ext/testing.h"
#include "outbox/ext/wakeup.h"
#include "storage/elf.hpp"
#include "storage/table.hpp"
#include "storage/trust.hpp"
#include "util/plugin_name.hpp"
#include "util/shortage.hpp"

namespace outbox::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "outbox-", kSuffix = ".so";
constexpr std::string_view kEntry = "outbox_plugin_v1", kEntryOfAnyMajor = "outbox_plugin_v";

Status Refuse(std::string why) { return {OUTBOX_BAD_CONFIG, std::move(why)}; }

std::string FileName(std::string_view plugin) { return std::string(kPrefix).append(plugin).append(kSuffix); }

std::optional<std::string> PluginName(const fs::path& file) {
  const std::string name = file.filename().string();
  if (name.size() <= kPrefix.size() + kSuffix.size() || !name.starts_with(kPrefix) || !name.ends_with(kSuffix))
    return std::nullopt;
  return name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
}

Status CheckSymbols(const fs::path& file) {
  const auto symbols = ExportedSymbols(file);
  if (!symbols.ok()) return symbols.status();
  if (std::find(symbols->begin(), symbols->end(), kEntry) != symbols->end()) return {};
  for (const std::string& symbol : *symbols)
    if (symbol.starts_with(kEntryOfAnyMajor))
      return Refuse("built for another plugin ABI: it exports " + symbol + ", this relay needs " + std::string(kEntry) +
                    "; get the build of the plugin for this relay");
  return Refuse("not an outbox plugin: it does not export " + std::string(kEntry));
}

// Loads the file and calls its entry point. From here on, code of the plugin runs.
Result<const outbox_plugin*> RunEntry(const fs::path& file) {
  // Boost.DLL has no name for NODELETE, but passes the bit on. `library` is closed on return and the code stays loaded,
  // because database clients leave threads and destructors behind. DEEPBIND must not be used: with it the plugin may
  // use another allocator than the rest of the process.
  constexpr auto kMode = static_cast<boost::dll::load_mode::type>(boost::dll::load_mode::rtld_now |
                                                                  boost::dll::load_mode::rtld_local | RTLD_NODELETE);
  std::error_code error;
  boost::dll::shared_library library;
  library.load(file, error, kMode);
  if (error) {
    const char* const why = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps it per thread
    const std::string text = why != nullptr ? why : error.message();
    return Status(MentionsShortage(text) ? kShortage : outbox_code{OUTBOX_BAD_CONFIG}, "cannot be loaded: " + text);
  }
  return library.get<const outbox_plugin*()>(std::string(kEntry))();
}

// Loads the plugin `name` from the file. The text of a refusal does not contain the file's name.
Result<const outbox_plugin*> LoadFile(const fs::path& file, std::string_view name, const SearchPath& where) {
  if (!file.is_absolute()) return Refuse("not an absolute path");
  if (const auto trusted = TrustedFile(file, where.trusted_owners); !trusted.ok()) return trusted.status();
  if (Status status = CheckSymbols(file); !status.ok()) return status;
  auto table = RunEntry(file);
  if (!table.ok()) return table;
  if (Status status = CheckTable(*table); !status.ok()) return status;
  if ((*table)->name != name)
    return Refuse("the name in its table is '" + std::string((*table)->name) + "', not '" + std::string(name) + "'");
  return table;
}

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() != fs::file_type::not_found && !error;
}

std::vector<fs::path> FilesIn(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  if (!folder.is_absolute()) return files;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (PluginName(at->path())) files.push_back(at->path());
  std::sort(files.begin(), files.end());
  return files;
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row[b.size()];
}

// Returns the end of the message that a plugin was not found: it names the plugins that exist, and the one with a
// similar name.
std::string Instead(std::string_view name, const SearchPath& where) {
  std::set<std::string> names;
  for (const fs::path& folder : where.folders)
    for (const fs::path& file : FilesIn(folder)) names.insert(*PluginName(file));
  if (names.empty())
    return " There is no plugin in these folders; install the relay, or name the folder that has it in "
           "OUTBOX_PLUGIN_PATH.";
  std::string list;
  std::string nearest;
  std::size_t distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : names) {
    list += (list.empty() ? "" : ", ") + candidate;
    const std::size_t d = EditDistance(name, candidate);
    if (d < distance) {
      distance = d;
      nearest = candidate;
    }
  }
  return " Available: " + list + "." + (nearest.empty() ? "" : " Did you mean '" + nearest + "'?");
}

struct Place {
  fs::path file;
  std::string note;  // why the file is skipped; empty = it is not skipped
};

std::vector<Place> Places(std::string_view name, const SearchPath& where) {
  if (!where.plugin_path.empty()) return {{where.plugin_path, {}}};
  std::vector<Place> places;
  for (const fs::path& folder : where.folders)
    places.push_back({folder / FileName(name), folder.is_absolute() ? "" : " (skipped: not an absolute path)"});
  return places;
}

// Returns the elements of an environment variable, which are separated by colons.
std::vector<std::string> ListFromEnvironment(const char* name) {
  std::vector<std::string> list;
  const char* const env = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  std::string_view rest = env != nullptr ? env : "";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (end > 0) list.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return list;
}

}  // namespace

SearchPath DefaultSearchPath(std::string plugin_path, std::vector<std::string> trusted_owners) {
  SearchPath where{std::move(plugin_path), {}, std::move(trusted_owners)};
  for (std::string& folder : ListFromEnvironment("OUTBOX_PLUGIN_PATH")) where.folders.emplace_back(std::move(folder));
  for (std::string& owner : ListFromEnvironment("OUTBOX_TRUSTED_OWNERS"))
    where.trusted_owners.push_back(std::move(owner));
  where.folders.emplace_back(OUTBOX_PLUGIN_FOLDER);
  return where;
}

Result<const outbox_plugin*> Load(std::string_view name, const SearchPath& where) {
  const std::string quoted = "storage plugin '" + std::string(name) + "'";
  if (!util::IsPluginName(name)) return Refuse(quoted + ": a plugin's name consists of a-z, 0-9, _ and - only");

  std::string searched;
  for (const Place& place : Places(name, where)) {
    searched += (searched.empty() ? " Searched: " : ", ") + place.file.string() + place.note;
    if (!place.note.empty() || !Exists(place.file)) continue;
    auto table = LoadFile(place.file, name, where);
    if (table.ok()) return table;
    return Status(table.status().code(),
                  quoted + " refused: " + place.file.string() + ": " + table.status().text() + "." + searched + ".");
  }
  if (!where.plugin_path.empty())
    return Refuse(quoted + " not found: storage.plugin_path names " + where.plugin_path + ", which does not exist");
  return Refuse(quoted + " not found." + searched + "." + Instead(name, where));
}

std::vector<Found> List(const SearchPath& where) {
  std::vector<fs::path> files;
  if (!where.plugin_path.empty()) files.emplace_back(where.plugin_path);
  for (const fs::path& folder : where.folders)
    for (fs::path& file : FilesIn(folder)) files.push_back(std::move(file));

  std::vector<Found> list;
  std::set<std::string> names;
  for (const fs::path& file : files) {
    Found found;
    found.file = file;
    found.name = PluginName(file).value_or(file.stem().string());
    found.shadowed = !names.insert(found.name).second;
    if (!util::IsPluginName(found.name)) {
      found.refused = "a plugin's name consists of a-z, 0-9, _ and - only";
    } else if (const auto table = LoadFile(file, found.name, where); !table.ok()) {
      found.refused = table.status().text();
    } else {
      found.version = (*table)->version;
      found.capabilities = (*table)->capabilities;
      for (const char* id : {OUTBOX_LEASES_V1, OUTBOX_WAKEUP_V1, OUTBOX_EMIT_V1, OUTBOX_SCHEMA_V1, OUTBOX_STATS_V1,
                             OUTBOX_ADMIN_V1, OUTBOX_POISON_V1, OUTBOX_TESTING_V1, OUTBOX_COLUMNS_V1})
        if ((*table)->get_extension(id) != nullptr) found.extensions.emplace_back(id);
    }
    list.push_back(std::move(found));
  }
  return list;
}

}  // namespace outbox::storage
