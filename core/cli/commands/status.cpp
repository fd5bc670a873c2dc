// `outbox-relay status`: shows the backlog, the failed events and the owners of shards, as recorded in the database.
#include <iostream>

#include "cli/commands/commands.hpp"
#include "cli/common/command.hpp"
#include "cli/common/time_format.hpp"
#include "monitoring/log.hpp"
#include "monitoring/status_json.hpp"
#include "runtime/relay_id.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

std::string Backlog(const Statistics& stats) {
  switch (stats.backlog_precision) {
    case Precision::kExact:
      return fmt::format("{}", stats.backlog);
    case Precision::kAtLeast:
      return fmt::format("at least {}", stats.backlog);
    case Precision::kEstimate:
      break;
  }
  return fmt::format("about {} (estimate)", stats.backlog);
}

void PrintText(const Statistics& stats, bool has_leases) {
  const monitoring::OutboxState state = monitoring::StateOf(stats, has_leases);
  std::cout << fmt::format("state      {} ({})\n", state.word, state.text)
            << fmt::format("backlog    {}\n", Backlog(stats))
            << fmt::format("oldest     {}\n", stats.oldest_age.count() < 0 ? "-" : Age(stats.oldest_age))
            << fmt::format("retrying   {}\n", stats.retrying) << fmt::format("blocked    {}\n", stats.blocked)
            << fmt::format("dead       {}\n", stats.dead) << fmt::format("undeletable {}\n", stats.undeletable)
            << fmt::format("relays     {} live, {} of {} shards owned\n", stats.live_relays, stats.shards_owned,
                           stats.shards_total);
  for (const ShardHolder& holder : stats.holders) {
    std::string who = "free";
    if (holder.relay_id) {
      who = holder.expires_in.count() < 0
                ? fmt::format("{}, expired {} ago", monitoring::Escape(runtime::ShowLeaseId(*holder.relay_id)),
                              Age(-holder.expires_in))
                : fmt::format("{}, for another {} unless renewed",
                              monitoring::Escape(runtime::ShowLeaseId(*holder.relay_id)), Age(holder.expires_in));
    }
    std::cout << fmt::format("shard {:<4} {}\n", holder.shard, who);
  }
  std::cout << std::flush;
}

struct Options {
  std::string config;
  bool json = false;
};

int ShowStatus(const Options& options) {
  auto outbox = OpenOutbox(options.config);
  if (!outbox.ok()) return Report(outbox.status());
  const auto stats = outbox->session->ReadStats(outbox->call());
  if (!stats.ok()) return Report(stats.status());
  const bool has_leases = outbox->store->HasLeases();
  if (options.json)
    std::cout << monitoring::StatusJson(*stats, has_leases) << std::flush;
  else
    PrintText(*stats, has_leases);
  return kOk;
}

void Declare(Command& command, Options& options) {
  command.Config(options.config);
  command.Flag("--json", options.json, "Print JSON");
  command.Footer(
      "state: empty, active, degraded (some shards have no owner), no_relay, blocked (every shard has an owner, and\n"
      "at least one event was given up and waits for an operator), undeletable (only delivered events are left,\n"
      "whose rows cannot be removed; see `outbox-relay dead list --undeletable`), waiting (events wait, and this\n"
      "storage does not record which relays run).\n"
      "blocked counts the events that were given up and wait for an operator. The later events of their keys wait\n"
      "too; they are in the backlog and not in this count.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay status -c relay.json\n"
      "  outbox-relay status -c relay.json --json | jq .backlog");
}

}  // namespace

constinit const CommandEntry kStatusCommand{
    "status", "Show backlog, age, failed events and owners of shards; needs no running relay",
    [](Command& command) { return Bind(command, Declare, ShowStatus); }};

}  // namespace outbox::cli
