// `outbox-relay unblock`: makes failed events due now, and tries again to remove the rows of undeletable events.
#include <algorithm>
#include <iostream>

#include "cli/commands/commands.hpp"
#include "cli/common/bulk_action.hpp"
#include "monitoring/log.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

constexpr BulkAction kRetry{OUTBOX_FROM_FAILED, storage::Change::kRetryNow, "failed", "unblocked"};
constexpr BulkAction kRemove{OUTBOX_FROM_DELIVERED, storage::Change::kRemoveDelivered, "undeletable", "removed"};

// Returns how many undeletable events `bulk` selects.
Result<std::uint64_t> CountUndeletable(const Outbox& outbox, Bulk bulk) {
  bulk.dry_run = true;
  return ChangeAll(outbox, bulk, kRemove);
}

// Tries to remove the undeletable events that `bulk` selects; `count` is their number before this call. Returns how
// many of the selected events are gone, including events that a running relay has removed meanwhile.
Result<std::uint64_t> RemoveUndeletable(const Outbox& outbox, const Bulk& bulk, std::uint64_t count) {
  auto removed = ChangeAll(outbox, bulk, kRemove);
  if (!removed.ok() || *removed == count) return removed;
  auto left = CountUndeletable(outbox, bulk);
  if (!left.ok()) return left;
  return std::max(*removed, count - std::min(*left, count));
}

int Unblock(Bulk bulk) {
  if (const int wrong = CheckBulk(bulk, "unblock", false); wrong != kOk) return wrong;
  auto outbox = OpenOutbox(bulk.config);
  if (!outbox.ok()) return Report(outbox.status());
  if (const int wrong = ResolveEventIds(*outbox, "unblock", bulk.filter.events); wrong != kOk) return wrong;
  std::uint64_t changed = 0, undeletable = 0, removed = 0;
  std::string others;
  const auto change = [&](const Bulk& some) -> Status {
    const auto due = ChangeAll(*outbox, some, kRetry);
    if (!due.ok()) return due.status();
    const auto delivered = CountUndeletable(*outbox, some);
    if (!delivered.ok()) return delivered.status();
    const auto gone =
        bulk.dry_run || *delivered == 0 ? Result<std::uint64_t>(0) : RemoveUndeletable(*outbox, some, *delivered);
    if (!gone.ok()) return gone.status();
    changed += *due;
    undeletable += *delivered;
    removed += *gone;
    if (*due + *delivered == 0 && !some.filter.events.empty())
      others += (others.empty() ? "" : ", ") + monitoring::Escape(some.filter.events.front());
    return {};
  };
  if (bulk.filter.events.empty()) {
    if (const Status status = change(bulk); !status.ok()) return Report(status);
  }
  for (const std::string& event : bulk.filter.events) {
    Bulk one = bulk;
    one.filter.events = {event};
    if (const Status status = change(one); !status.ok()) return Report(status);
  }
  std::cout << fmt::format("{} {} be retried now", Events(changed), bulk.dry_run ? "would" : "will") << std::endl;
  if (undeletable > 0 && bulk.dry_run)
    std::cout << Events(undeletable, "undeletable") << " would be removed, if the database allows it" << std::endl;
  else if (undeletable > 0)
    std::cout << fmt::format("{} of {} removed", removed, Events(undeletable, "undeletable")) << std::endl;
  if (!bulk.dry_run && removed < undeletable)
    return Report({OUTBOX_BAD_DATA,
                   "the other rows still cannot be removed; run `outbox-relay dead list --undeletable` for the "
                   "reasons"});
  if (others.empty()) return kOk;
  return Report({OUTBOX_BAD_DATA,
                 fmt::format("neither blocked, retrying nor undeletable: {}; run `outbox-relay explain EVENT` to "
                             "see the state of an event",
                             others)});
}

void Declare(Command& command, Bulk& options) {
  command.Config(options.config);
  AddEvents(command, options.filter, "Event ids; or give filters or --all");
  AddBulkOptions(command, options);
  command.Footer(
      "Fix the cause first. The attempts are counted from one again: with max_attempts 10 such an event has nine\n"
      "more attempts before it is given up again. A running relay reads it within poll_interval, and its key goes on\n"
      "once it is delivered. An undeletable event is delivered already; only the removal of its row is retried.\n" +
      std::string(kEventIdForms) +
      "\n"
      "Examples:\n"
      "  outbox-relay unblock -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11\n"
      "  outbox-relay unblock -c relay.json --key order-1\n"
      "  outbox-relay unblock -c relay.json --topic orders --reason unknown_topic");
}

}  // namespace

constinit const CommandEntry kUnblockCommand{"unblock", "Retry blocked, retrying and undeletable events now",
                                             [](Command& command) { return Bind(command, Declare, Unblock); }};

}  // namespace outbox::cli
