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
  std::optional<std::uint64_t> count;  // The expected number of events, as a dry run printed it.
};

// Adds the filters, --all, --limit and --dry-run to `command`. REQUIRES: `bulk` lives as long as the command's action.
void AddBulkOptions(Command& command, Bulk& bulk);
// Adds --count, which changes that are guarded require (see CheckBulk).
void AddCountOption(Command& command, Bulk& bulk);

// Checks that the command line says clearly which events are meant. If `guarded`, a change by filter or --all must also
// say how many events it expects. Returns kOk, or kUsage after a message on stderr. Needs no connection.
[[nodiscard]] int CheckBulk(const Bulk& bulk, const char* command, bool guarded);

// A change, and the words for it in messages.
struct BulkAction {
  std::uint32_t from;  // The list that has the events: one of OUTBOX_FROM_...
  storage::Change change;
  const char* of;    // The kind of event, such as "dead".
  const char* done;  // The participle of the change, such as "requeued".
  // Another option that the change requires and a dry run does not, with a blank before it, such as " --break-order".
  const char* also_needed = "";
  // Returns the only state whose events are changed, or nothing if every event of the list is.
  [[nodiscard]] std::optional<std::int32_t> State() const {
    return change == storage::Change::kDiscardBlocked ? std::optional<std::int32_t>(OUTBOX_STATE_BLOCKED)
                                                      : std::nullopt;
  }
};
// Makes the change and returns how many events were changed. With bulk.dry_run it changes nothing and returns how many
// events would be. Errors: OUTBOX_BAD_DATA if another number of events than bulk.count is found; nothing is changed
// then.
[[nodiscard]] Result<std::uint64_t> ChangeAll(const Outbox& outbox, const Bulk& bulk, const BulkAction& action);

// Formats a number of events, such as "1 event" or "3 dead events".
[[nodiscard]] std::string Events(std::uint64_t count, const std::string& of = {});

}  // namespace outbox::cli
