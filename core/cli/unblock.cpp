// `outbox-relay unblock`: events that failed are tried again now.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/bulk.hpp"
#include "observe/log.hpp"

namespace outbox::cli {
namespace {

int Unblock(const Bulk& bulk) {
  if (const int wrong = CheckBulk(bulk, "unblock", false); wrong != kOk) return wrong;
  auto outbox = OpenOutbox(bulk.config);
  if (!outbox.ok()) return Report(outbox.status());
  std::uint64_t changed = 0;
  std::string others;
  const Deed deed{OUTBOX_FROM_FAILED, plugins::Change::kRetryNow, "failed", "made due"};
  const auto change = [&](const Bulk& some) {
    auto done = ChangeAll(*outbox, some, deed);
    if (done.ok()) changed += *done;
    return done;
  };
  if (bulk.selection.events.empty()) {
    if (const auto done = change(bulk); !done.ok()) return Report(done.status());
  }
  for (const std::string& event : bulk.selection.events) {
    Bulk one = bulk;
    one.selection.events = {event};
    const auto done = change(one);
    if (!done.ok()) return Report(done.status());
    if (*done == 0) others += (others.empty() ? "" : ", ") + observe::Escape(event);
  }
  std::cout << fmt::format("{} {} tried again now", Events(changed),
                           bulk.dry_run   ? "would be"
                           : changed == 1 ? "is"
                                          : "are")
            << std::endl;
  if (others.empty()) return kOk;
  return Report(
      {OUTBOX_BAD_DATA, fmt::format("neither blocked nor retrying: {}; `outbox-relay explain EVENT` says what is "
                                    "known of it",
                                    others)});
}

}  // namespace

void AddUnblock(CLI::App& app, Action& action) {
  auto options = std::make_shared<Bulk>();
  CLI::App* command = app.add_subcommand("unblock", "Try events that are blocked, or wait for a retry, again now");
  AddConfigOption(*command, options->config);
  AddEvents(*command, options->selection, "Their event ids; or filters");
  AddBulkOptions(*command, *options);
  command->footer(
      "Mend the cause first. The attempts are counted from one again: with max_attempts 10 such an event has nine "
      "more\n"
      "tries before it is given up anew. A running relay takes it up within poll_interval, and its key goes on once "
      "it\n"
      "is delivered.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay unblock -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11\n"
      "  outbox-relay unblock -c relay.json --key order-1\n"
      "  outbox-relay unblock -c relay.json --topic orders --reason unknown_topic");
  command->callback([options, &action] { action = [options] { return Unblock(*options); }; });
}

}  // namespace outbox::cli
