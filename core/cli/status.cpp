// `outbox-relay status`: what waits, what is stuck and who works on it, as the database tells.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/moments.hpp"
#include "observe/log.hpp"

namespace outbox::cli {
namespace {

using nlohmann::ordered_json;

struct State {
  const char* word;  // of the JSON; never renamed
  const char* text;
};

State StateOf(const Stats& stats, bool has_leases) {
  if (stats.backlog == 0) return {"empty", "nothing waits"};
  if (!has_leases) return {"waiting", "events wait; this storage does not tell whether a relay runs"};
  if (stats.shards_owned == 0) return {"no_relay", "events wait and no relay works on them"};
  if (stats.shards_owned < stats.shards_total) return {"partly", "some shards have no relay"};
  if (stats.blocked > 0) return {"blocked", "a relay is at work, and some keys wait for an operator"};
  return {"working", "a relay is at work"};
}

void PrintJson(const Stats& stats, const State& state) {
  ordered_json shown = {{"state", state.word},
                        {"backlog", stats.backlog},
                        {"backlog_exact", stats.backlog_exact},
                        {"oldest_age_ms", nullptr},
                        {"retrying", stats.retrying},
                        {"blocked", stats.blocked},
                        {"dead", stats.dead},
                        {"shards_total", stats.shards_total},
                        {"shards_owned", stats.shards_owned},
                        {"live_relays", stats.live_relays},
                        {"shards", ordered_json::array()}};
  if (stats.oldest_age.count() >= 0) shown["oldest_age_ms"] = stats.oldest_age.count();
  for (const ShardHolder& holder : stats.holders) {
    ordered_json entry = {{"shard", holder.shard}, {"token", holder.token}, {"relay", nullptr}};
    if (holder.relay_id) {
      entry["relay"] = *holder.relay_id;
      entry["expires_in_ms"] = holder.expires_in.count();
    }
    shown["shards"].push_back(std::move(entry));
  }
  // A relay's id is whatever its configuration says.
  std::cout << shown.dump(2, ' ', false, ordered_json::error_handler_t::replace) << std::endl;
}

void PrintText(const Stats& stats, const State& state) {
  std::cout << fmt::format("state      {} ({})\n", state.word, state.text)
            << fmt::format("backlog    {}{}\n", stats.backlog, stats.backlog_exact ? "" : " (estimate)")
            << fmt::format("oldest     {}\n", stats.oldest_age.count() < 0 ? "-" : Age(stats.oldest_age))
            << fmt::format("retrying   {}\n", stats.retrying) << fmt::format("blocked    {}\n", stats.blocked)
            << fmt::format("dead       {}\n", stats.dead)
            << fmt::format("relays     {} live, {} of {} shards held\n", stats.live_relays, stats.shards_owned,
                           stats.shards_total);
  for (const ShardHolder& holder : stats.holders) {
    std::string who = "free";
    if (holder.relay_id) {
      who = holder.expires_in.count() < 0
                ? fmt::format("{}, expired {} ago", observe::Escape(*holder.relay_id), Age(-holder.expires_in))
                : fmt::format("{}, for {} more unless renewed", observe::Escape(*holder.relay_id),
                              Age(holder.expires_in));
    }
    std::cout << fmt::format("shard {:<4} {}\n", holder.shard, who);
  }
  std::cout << std::flush;
}

}  // namespace

void AddStatus(CLI::App& app, Action& action) {
  struct Options {
    std::string config;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("status", "Show backlog, age, failed events and who works; needs no relay");
  AddConfigOption(*command, options->config);
  command->add_flag("--json", options->json, "As JSON");
  command->footer(
      "state: empty, working, partly (some shards have no relay), no_relay, blocked (only events that wait for an\n"
      "operator are left), waiting (the storage cannot tell).\n"
      "\n"
      "Examples:\n"
      "  outbox-relay status -c relay.json\n"
      "  outbox-relay status -c relay.json --json | jq .backlog");
  command->callback([options, &action] {
    action = [options] {
      auto outbox = OpenOutbox(options->config);
      if (!outbox.ok()) return Report(outbox.status());
      const auto stats = outbox->session->ReadStats(outbox->call());
      if (!stats.ok()) return Report(stats.status());
      const State state = StateOf(*stats, outbox->store->HasLeases());
      options->json ? PrintJson(*stats, state) : PrintText(*stats, state);
      return static_cast<int>(kOk);
    };
  });
}

}  // namespace outbox::cli
