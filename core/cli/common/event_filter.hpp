// Selects the events that a command is about, by ids and by filters of the command line.
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
  std::vector<std::string> events;  // Event ids.
  std::optional<std::string> key, topic, type, reason;
  std::string older_than, newer_than;
  std::uint64_t limit = 0;  // The maximum number of events; 0 = no limit.
  // Excludes events that failed after this time, in microseconds since 1970; 0 = includes all. It is set between a
  // count and the change that follows, so that no event is changed that was not counted.
  std::int64_t until_us = 0;

  [[nodiscard]] bool HasFilter() const {
    return key || topic || type || reason || !older_than.empty() || !newer_than.empty();
  }
};

// Adds the argument EVENT, which takes any number of event ids.
void AddEvents(Command& command, EventFilter& filter, const char* about);

// Part of the help text of each command that takes event ids.
inline constexpr const char* kEventIdForms =
    "An event id is a UUID, also in upper case, in braces or without hyphens. Where ids are stored as text (MySQL,\n"
    "MariaDB, SQLite), any other text that is the id of an event is accepted as well.\n";

// Replaces each event id of the command line by the id as stored in the outbox, so that a UUID may be written in any
// form, and drops repetitions. Returns kOk, or another exit code after a message on stderr: kUsage if an id is neither
// a UUID nor the id of an event. Queries the outbox only for ids that are not in canonical form, unless rows are
// captured.
[[nodiscard]] int ResolveEventIds(const Outbox& outbox, const char* command, std::vector<std::string>& ids);

// Adds the filters for failed events. Ages count from an event's last failure.
void AddFilters(Command& command, EventFilter& filter);
// Adds the filters for any event. `moment` says in the help text from when ages count, such as "creation".
void AddCommonFilters(Command& command, EventFilter& filter, const std::string& moment);

// How WalkThrough reads events. It reads page by page, oldest row first, and calls `found` for each event that matches.
// After each page, outside of the call to the plugin, it calls `page_done`, and stops if that returns an error. Memory
// is bounded by one page.
struct Walk {
  std::uint32_t from = OUTBOX_FROM_DEAD;
  std::optional<std::int32_t> state;  // Only events in this state; nothing = in any state.
  bool contents = false;              // Read payload and headers, too, one event at a time.
  // The row id after which to begin; nothing = at the first row.
  std::optional<storage::OwnedRowId> after;
  bool by_creation = false;  // Ages count from an event's creation, not from its last failure.
  std::function<void(const Record&)> found;
  std::function<Status()> page_done = [] { return Status(); };
};
[[nodiscard]] Status WalkThrough(const Outbox& outbox, const EventFilter& filter, const Walk& walk);

}  // namespace outbox::cli
