// Selects the events to which a command applies, by event ids and filters from the command line.
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
  // Time in microseconds since 1970; events that failed later are excluded; 0 = no limit. A bulk change sets this time
  // when it counts the events, so that it does not change an event that was not counted.
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

// Replaces each event id from the command line by the id as stored in the outbox, so that a UUID may be written in any
// form, and drops repetitions. Returns kOk, or another exit code after a message on stderr: kUsage if an id is neither
// a UUID nor the id of an event. A UUID in canonical form needs no query of the outbox, unless rows are captured.
[[nodiscard]] int ResolveEventIds(const Outbox& outbox, const char* command, std::vector<std::string>& ids);

// Adds the filters for failed events. Ages count from an event's last failure.
void AddFilters(Command& command, EventFilter& filter);
// Adds the filters for any event. `moment` is the time from which ages count, in the words of the help text.
void AddCommonFilters(Command& command, EventFilter& filter, const std::string& moment);

// The parameters of WalkThrough(), which reads events page by page, oldest row first, and calls `found` for each event
// that matches. After each page, outside of the call to the plugin, it calls `page_done`, and stops if `page_done`
// returns an error. Memory is bounded by one page.
struct Walk {
  std::uint32_t from = OUTBOX_FROM_DEAD;
  std::optional<std::int32_t> state;  // Required state of the events; nothing = any state.
  bool contents = false;              // True to read payload and headers too, one event at a time.
  // The row id after which to begin; nothing = at the first row.
  std::optional<storage::OwnedRowId> after;
  bool by_creation = false;  // True if ages count from an event's creation, false if from its last failure.
  std::function<void(const Record&)> found;
  std::function<Status()> page_done = [] { return Status(); };
};
[[nodiscard]] Status WalkThrough(const Outbox& outbox, const EventFilter& filter, const Walk& walk);

}  // namespace outbox::cli
