// Changes that an operator makes to failed events: to events that are named by id, or to all that a filter matches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/common/event_filter.hpp"

namespace outbox::cli {

// The options of a command that changes events.
struct Bulk {
  std::string config;
  EventFilter filter;
  bool all = false, dry_run = false;
  std::optional<std::uint64_t> count;  // Expected number of events, as printed by a dry run.
};

// Adds the filters, --all, --limit and --dry-run to `command`. REQUIRES: `bulk` lives as long as the command's action.
void AddBulkOptions(Command& command, Bulk& bulk);
// Adds --count, which a guarded change requires (see CheckBulk()).
void AddCountOption(Command& command, Bulk& bulk);

// Checks that the command line says clearly which events are meant. If `guarded`, a change by filter or --all must also
// say how many events it expects. Returns kOk, or kUsage after a message on stderr. Needs no connection.
[[nodiscard]] int CheckBulk(const Bulk& bulk, const char* command, bool guarded);

// A change to events, and the words that messages use for the change.
struct BulkAction {
  std::uint32_t from;  // The list that contains the events: one of OUTBOX_FROM_...
  storage::Change change;
  const char* of;    // Adjective for the events, such as "dead".
  const char* done;  // Participle of the change, such as "requeued".
  // A further option that the change requires but a dry run does not, with a leading blank, such as " --break-order".
  const char* also_needed = "";
  // Returns the state to which the change is limited, or nothing if events in every state are changed.
  [[nodiscard]] std::optional<std::int32_t> State() const {
    return change == storage::Change::kDiscardBlocked ? std::optional<std::int32_t>(OUTBOX_STATE_BLOCKED)
                                                      : std::nullopt;
  }
};
// Makes the change and returns how many events were changed. With bulk.dry_run, changes nothing and returns how many
// events would be changed. Errors: OUTBOX_BAD_DATA, without changing anything, if the number of events found is not
// bulk.count.
[[nodiscard]] Result<std::uint64_t> ChangeAll(const Outbox& outbox, const Bulk& bulk, const BulkAction& action);

// Formats a number of events, such as "1 event" or "3 dead events".
[[nodiscard]] std::string Events(std::uint64_t count, const std::string& of = {});

}  // namespace outbox::cli
