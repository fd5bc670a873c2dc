// Which events a command is about, as the operator says it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/command.hpp"
#include "cli/common/command_line.hpp"

namespace outbox::cli {

struct EventFilter {
  std::vector<std::string> events;  // ids
  std::optional<std::string> key, topic, type, reason;
  std::string older_than, newer_than;
  std::uint64_t limit = 0;  // 0 = none
  // Later failures are not meant: of what was counted first, no more is changed than was counted.
  std::int64_t until_us = 0;

  [[nodiscard]] bool HasFilter() const {
    return key || topic || type || reason || !older_than.empty() || !newer_than.empty();
  }
};

void AddEvents(Command& command, EventFilter& filter, const char* about);

// For the help text of each command that takes event ids.
inline constexpr const char* kEventIdForms =
    "An event id is a UUID, also in upper case, in braces or without hyphens. Where ids are stored as text (MySQL,\n"
    "MariaDB, SQLite), any other text that is the id of an event is taken as well.\n";

// Replaces each event id of the command line by the id as the outbox has it, so that it does not matter in which form
// a UUID was written, and drops repetitions. Returns kUsage with a message on stderr if one is neither a UUID nor the
// id of an event. The outbox is asked only about ids that are not in the canonical form.
[[nodiscard]] int ResolveEventIds(const Outbox& outbox, const char* command, std::vector<std::string>& ids);

void AddFilters(Command& command, EventFilter& filter);
// Those of any event; `verb` is what an age counts from.
void AddCommonFilters(Command& command, EventFilter& filter, const std::string& verb);

// Calls `found` for each one, a page at a time, oldest row first; `page_done` after each page, outside of the call
// to the plugin, and stops where it answers an error. Memory is bounded by a page.
struct Walk {
  std::uint32_t from = OUTBOX_FROM_DEAD;
  std::optional<std::int32_t> state;  // only these
  bool contents = false;
  std::optional<storage::OwnedRowId> after;  // absent = from the first
  bool by_creation = false;                  // ages are since an event was made, not since it failed last
  std::function<void(const Record&)> found;
  std::function<Status()> page_done = [] { return Status(); };
};
[[nodiscard]] Status WalkThrough(const Outbox& outbox, const EventFilter& filter, const Walk& walk);

}  // namespace outbox::cli
