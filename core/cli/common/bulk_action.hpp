// Changes of failed events that an operator asks for: of those that are named, or of all that a filter finds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/common/event_filter.hpp"

namespace outbox::cli {

struct Bulk {
  std::string config;
  EventFilter filter;
  bool all = false, dry_run = false;
  std::optional<std::uint64_t> count;  // what a dry run has told
};

// The filters, --all, --limit and --dry-run.
void AddBulkOptions(Command& command, Bulk& bulk);
// --count, for changes that are guarded (CheckBulk).
void AddCountOption(Command& command, Bulk& bulk);

// An exit code and a message on stderr where the command line does not say clearly which events are meant, or how many
// (`guarded`). Changes nothing, and needs no connection.
[[nodiscard]] int CheckBulk(const Bulk& bulk, const char* command, bool guarded);

struct BulkAction {
  std::uint32_t from;
  storage::Change change;
  const char* of;                // "dead"
  const char* done;              // "requeued"
  const char* also_needed = "";  // " --break-order": what a dry run did without and the change cannot
  // The only one that it is for.
  [[nodiscard]] std::optional<std::int32_t> State() const {
    return change == storage::Change::kDiscardBlocked ? std::optional<std::int32_t>(OUTBOX_STATE_BLOCKED)
                                                      : std::nullopt;
  }
};
// How many were changed. With a count, nothing is where the filter finds another number.
[[nodiscard]] Result<std::uint64_t> ChangeAll(const Outbox& outbox, const Bulk& bulk, const BulkAction& action);

// "1 event", "3 dead events".
[[nodiscard]] std::string Events(std::uint64_t count, const std::string& of = {});

}  // namespace outbox::cli
