// Tests of the plugin's file: its symbols, its function tables, and opening and closing stores and sessions.
#include <dlfcn.h>

#include <algorithm>

#include "outbox/ext/columns.h"
#include "outbox/ext/poison.h"
#include "outbox/ext/wakeup.h"
#include "rig.hpp"
#include "storage/elf.hpp"
#include "storage/table.hpp"

namespace outbox::contract {
namespace {

void ExportsOnlyTheEntry(const Subject& subject) {
  const auto symbols = Ok(storage::ExportedSymbols(subject.file));
  Expect(std::count(symbols.begin(), symbols.end(), "outbox_plugin_v1") == 1, "outbox_plugin_v1 is not exported");
  std::string others;
  for (const std::string& symbol : symbols)
    if (symbol != "outbox_plugin_v1" && others.size() < 200) others += " " + symbol;
  if (!others.empty())
    throw Warned(fmt::format("the file exports {} other symbols:{}; link it with the SDK's outbox-plugin.map",
                             symbols.size() - 1, others));
}

void LoadsWithRtldNowLocal(const Subject& subject) {
  (void)LoadSubject(subject);
  Expect(::dlsym(RTLD_DEFAULT, "outbox_plugin_v1") == nullptr,
         "the symbols of the plugin are visible to the whole process");
  void* const again = ::dlopen(subject.file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  Expect(again != nullptr, "the file is no longer loaded: {}", ::dlerror());
}

void EntryAlwaysReturnsTheSameTable(const Subject& subject) {
  const outbox_plugin* const first = LoadSubject(subject);
  Expect(first == LoadSubject(subject), "outbox_plugin_v1 returned two different tables");
}

void UnknownExtensionGivesNull(const Subject& subject) {
  const outbox_plugin* const table = LoadSubject(subject);
  for (const char* id : {"outbox.nothing/1", "", "outbox.leases", "outbox.leases/9999", "org.example.other/1"})
    Expect(table->get_extension(id) == nullptr, "get_extension(\"{}\") is not NULL", id);
}

void ExtensionTablesAreWhole(const Subject& subject) {
  const outbox_plugin* const table = LoadSubject(subject);
  const struct {
    const char* id;
    std::size_t size;
  } extensions[] = {{OUTBOX_LEASES_V1, sizeof(outbox_leases_v1)},  {OUTBOX_WAKEUP_V1, sizeof(outbox_wakeup_v1)},
                    {OUTBOX_EMIT_V1, sizeof(outbox_emit_v1)},      {OUTBOX_SCHEMA_V1, sizeof(outbox_schema_v1)},
                    {OUTBOX_STATS_V1, sizeof(outbox_stats_v1)},    {OUTBOX_ADMIN_V1, sizeof(outbox_admin_v1)},
                    {OUTBOX_POISON_V1, sizeof(outbox_poison_v1)},  {OUTBOX_TESTING_V1, sizeof(outbox_testing_v1)},
                    {OUTBOX_COLUMNS_V1, sizeof(outbox_columns_v1)}};
  for (const auto& extension : extensions) {
    Ok(storage::FindExtension(*table, extension.id, extension.size));
    Expect(table->get_extension(extension.id) == table->get_extension(extension.id),
           "get_extension(\"{}\") returned two different tables", extension.id);
  }
}

void SecondOpenIsIndependent(const Subject& subject) {
  Rig rig(subject);
  {
    const auto other = OpenSubject(subject);
    const auto session = Ok(other->Connect(Within(Millis(10'000))));
  }
  rig.Emit(1, "k");
  Relay relay(rig);
  relay.Confirm(relay.Await(1));
}

void DisconnectsAtAnyTime(const Subject& subject) {
  Rig rig(subject);
  {
    const auto session = rig.Connect();
    Ok(session->BeginEmit(Within(Millis(10'000))));
    Ok(rig.Insert(*session, {Note{}}));
  }
  Relay(rig).ExpectNothing("the session was closed in the middle of a transaction");
}

}  // namespace

std::vector<Case> LibraryCases() {
  return {
      {"library", "exports-only-the-entry", "The file exports no symbol but outbox_plugin_v1.", ExportsOnlyTheEntry},
      {"library", "loads-with-rtld-now-local", "The file loads with RTLD_NOW | RTLD_LOCAL, and stays loaded.",
       LoadsWithRtldNowLocal},
      {"library", "entry-always-returns-the-same-table", "The table is constant and lives as long as the process.",
       EntryAlwaysReturnsTheSameTable},
      {"library", "unknown-extension-gives-null", "get_extension returns NULL for an id that the plugin does not know.",
       UnknownExtensionGivesNull},
      {"library", "extension-tables-are-whole", "Extension tables have their full size and no NULL function.",
       ExtensionTablesAreWhole},
      {"library", "second-open-is-independent", "Closing one store does not affect another one.",
       SecondOpenIsIndependent},
      {"library", "disconnects-at-any-time", "A session that is closed in a transaction rolls it back.",
       DisconnectsAtAnyTime},
  };
}

}  // namespace outbox::contract
