#include "cli/common/bulk_action.hpp"

#include <iostream>
#include <span>

#include "util/format.hpp"

namespace outbox::cli {
namespace {

int Refuse(const char* command, const std::string& text) {
  std::cerr << "outbox-relay " << command << ": " << text << std::endl;
  return kUsage;
}

struct Chosen {
  storage::OwnedRowId row_id;
  std::int64_t payload_size = 0;
};

constexpr std::int64_t kBytesPerTransaction = std::int64_t{16} << 20;

std::size_t FewEnough(std::span<const Chosen> rows) {
  std::int64_t bytes = 0;
  std::size_t count = 0;
  while (count < rows.size() && (count == 0 || bytes + rows[count].payload_size <= kBytesPerTransaction))
    bytes += rows[count++].payload_size;
  return count;
}

}  // namespace

std::string Events(std::uint64_t count, const std::string& of) {
  return fmt::format("{} {}{}event{}", count, of, of.empty() ? "" : " ", count == 1 ? "" : "s");
}

void AddBulkOptions(Command& command, Bulk& bulk) {
  AddFilters(command, bulk.filter);
  command.Flag("--all", bulk.all, "Select all events, without ids or filters");
  command.Add("--limit", bulk.filter.limit, "Select at most N events, oldest rows first")
      .Between(1, 1'000'000'000)
      .Value("N");
  command.Flag("--dry-run", bulk.dry_run, "Print the number of selected events and change nothing");
}

void AddCountOption(Command& command, Bulk& bulk) {
  command
      .Add("--count", bulk.count, "Expected number of events, as printed by --dry-run; nothing changes if it differs")
      .Between(0, 1'000'000'000)
      .Value("N");
}

int CheckBulk(const Bulk& bulk, const char* command, bool guarded) {
  const bool named = !bulk.filter.events.empty(), filtered = bulk.filter.HasFilter();
  if (named && (filtered || bulk.all || bulk.count))
    return Refuse(command, "event ids cannot be combined with filters, --all or --count; give one or the other");
  if (filtered && bulk.all) return Refuse(command, "--all cannot be combined with a filter; leave one out");
  if (!named && !filtered && !bulk.all)
    return Refuse(command,
                  "no events selected; give event ids, or --topic, --type, --key, --reason, --older-than or "
                  "--newer-than, or --all");
  if (guarded && !named && !bulk.dry_run && !bulk.count)
    return Refuse(command, "refusing an unbounded change: run with --dry-run first, then repeat with --count N");
  return kOk;
}

Result<std::uint64_t> ChangeAll(const Outbox& outbox, const Bulk& bulk, const BulkAction& action) {
  EventFilter filter = bulk.filter;
  if (bulk.dry_run || bulk.count) {
    std::uint64_t found = 0;
    Walk counting;
    counting.from = action.from;
    counting.state = action.State();
    counting.found = [&](const Record& record) {
      // Events that fail after this moment are excluded from both walks, the one that counts and the one that changes.
      if (filter.until_us == 0) filter.until_us = record.now_us;
      ++found;
    };
    if (Status status = WalkThrough(outbox, filter, counting); !status.ok()) return status;
    if (bulk.dry_run) return found;
    if (found != *bulk.count)
      return Status(OUTBOX_BAD_DATA, fmt::format("found {}, expected {}; nothing was changed. Review them, then repeat "
                                                 "with --count {}",
                                                 Events(found, action.of), *bulk.count, found));
    if (found == 0) return found;
    filter.limit = found;
  }

  std::vector<Chosen> rows;
  std::uint64_t changed = 0;
  Walk changing;
  changing.from = action.from;
  changing.state = action.State();
  changing.found = [&](const Record& record) { rows.push_back({record.event.row_id, record.payload_size}); };
  changing.page_done = [&]() -> Status {
    for (std::span<const Chosen> left(rows); !left.empty();) {
      const auto some = left.first(FewEnough(left));
      left = left.subspan(some.size());
      std::vector<outbox_row_id> ids;
      for (const Chosen& one : some) ids.push_back(Raw(one.row_id));
      const auto done = outbox.session->Apply(action.change, ids, outbox.call());
      if (!done.ok()) {
        const auto code = done.status().code();
        const bool unknown = code == OUTBOX_TIMEOUT || code == OUTBOX_UNAVAILABLE;
        return {code, fmt::format("{}; {} {} before this error{}", done.status().text(), Events(changed), action.done,
                                  unknown ? ", and it is unknown whether the next ones were" : "")};
      }
      changed += *done;
    }
    rows.clear();
    return {};
  };
  if (Status status = WalkThrough(outbox, filter, changing); !status.ok()) return status;
  return changed;
}

}  // namespace outbox::cli
