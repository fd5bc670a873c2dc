// `outbox-relay dead`: lists, shows, requeues or discards the events that were given up.
#include <iostream>

#include "cli/commands/commands.hpp"
#include "cli/common/bulk_action.hpp"
#include "cli/common/record_view.hpp"
#include "monitoring/log.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

struct ListOptions {
  std::string config;
  EventFilter filter;
  bool blocked = false, undeletable = false, json = false;
};

// Prints the number of blocked events, because an operator who looks for events that were given up may not know that
// blocked events are not dead letters. The number goes to stderr, because a script may read the list from stdout.
void NameBlocked(const Outbox& outbox) {
  const auto stats = outbox.session->ReadStats(outbox.call());
  if (!stats.ok() || stats->blocked == 0) return;
  std::cerr << fmt::format("{} {} for an operator: outbox-relay dead list --blocked", Events(stats->blocked, "blocked"),
                           stats->blocked == 1 ? "waits" : "wait")
            << std::endl;
}

int List(const ListOptions& options) {
  auto outbox = OpenOutbox(options.config);
  if (!outbox.ok()) return Report(outbox.status());
  std::uint64_t shown = 0;
  Walk walk;
  walk.from = options.blocked ? OUTBOX_FROM_FAILED : options.undeletable ? OUTBOX_FROM_DELIVERED : OUTBOX_FROM_DEAD;
  if (options.blocked) walk.state = OUTBOX_STATE_BLOCKED;
  walk.found = [&](const Record& record) {
    if (options.json) {
      std::cout << ToJson(record, false).Dump() << '\n';
    } else {
      if (shown == 0) std::cout << HeadLine() << '\n';
      std::cout << Line(record) << '\n';
    }
    ++shown;
  };
  if (Status status = WalkThrough(*outbox, options.filter, walk); !status.ok()) return Report(status);
  if (!options.json)
    std::cout << Events(shown, options.blocked ? "blocked" : options.undeletable ? "undeletable" : "dead") << '\n';
  std::cout << std::flush;
  if (!std::cout) return kOk;  // Output::Finish() reports the failed write.
  if (!options.blocked && !options.filter.HasFilter()) NameBlocked(*outbox);
  return kOk;
}

struct ShowOptions {
  std::string config, event;
  bool payload = false, json = false;
};

int Show(const ShowOptions& options) {
  auto outbox = OpenOutbox(options.config);
  if (!outbox.ok()) return Report(outbox.status());
  EventFilter filter;
  filter.events = {options.event};
  if (const int wrong = ResolveEventIds(*outbox, "dead show", filter.events); wrong != kOk) return wrong;
  bool shown = false;
  Walk walk;
  walk.contents = options.payload;
  walk.found = [&](const Record& record) {
    if (!options.json && shown) std::cout << '\n';
    std::cout << (options.json ? ToJson(record, options.payload).Dump() + '\n' : Paragraph(record, options.payload));
    shown = true;
  };
  for (const std::uint32_t from : {OUTBOX_FROM_DEAD, OUTBOX_FROM_FAILED, OUTBOX_FROM_DELIVERED}) {
    walk.from = from;
    if (Status status = WalkThrough(*outbox, filter, walk); !status.ok()) return Report(status);
  }
  std::cout << std::flush;
  if (shown) return kOk;
  return Report({OUTBOX_BAD_DATA,
                 fmt::format("no event {0} is dead, blocked, retrying or undeletable; run `outbox-relay explain {0}` "
                             "to see its state",
                             monitoring::Escape(filter.events.front()))});
}

// Returns the event ids from the command line that the list `from` (OUTBOX_FROM_...) does not contain, comma-separated
// and escaped for printing.
Result<std::string> Missing(const Outbox& outbox, const EventFilter& filter, std::uint32_t from) {
  std::string missing;
  for (const std::string& event : filter.events) {
    bool there = false;
    EventFilter one;
    one.events = {event};
    Walk walk;
    walk.from = from;
    walk.found = [&](const Record&) { there = true; };
    if (Status status = WalkThrough(outbox, one, walk); !status.ok()) return status;
    if (!there) missing += (missing.empty() ? "" : ", ") + monitoring::Escape(event);
  }
  return missing;
}

int PrintResult(const Bulk& bulk, const BulkAction& action, std::uint64_t changed) {
  if (bulk.dry_run) {
    const bool guarded = bulk.filter.events.empty() && changed > 0;
    std::cout << fmt::format("{} would be {}{}", Events(changed, action.of), action.done,
                             guarded ? fmt::format("; repeat with --count {}{}", changed, action.also_needed) : "")
              << std::endl;
    return kOk;
  }
  std::cout << fmt::format("{} {}", Events(changed, action.of), action.done);
  // Another command may have changed some of the events after they were counted.
  if (bulk.count && changed < *bulk.count)
    std::cout << fmt::format(", of {}; the others have been changed meanwhile", *bulk.count);
  std::cout << std::endl;
  return kOk;
}

int Requeue(Bulk bulk) {
  if (const int wrong = CheckBulk(bulk, "dead requeue", true); wrong != kOk) return wrong;
  auto outbox = OpenOutbox(bulk.config);
  if (!outbox.ok()) return Report(outbox.status());
  if (const int wrong = ResolveEventIds(*outbox, "dead requeue", bulk.filter.events); wrong != kOk) return wrong;
  const auto missing = Missing(*outbox, bulk.filter, OUTBOX_FROM_DEAD);
  if (!missing.ok()) return Report(missing.status());
  const BulkAction action{OUTBOX_FROM_DEAD, storage::Change::kRequeue, "dead", "requeued"};
  const auto changed = ChangeAll(*outbox, bulk, action);
  if (!changed.ok()) return Report(changed.status());
  const int code = PrintResult(bulk, action, *changed);
  if (missing->empty()) return code;
  return Report({OUTBOX_BAD_DATA, "not dead: " + *missing + "; to retry a blocked event, run `outbox-relay unblock`"});
}

struct DiscardOptions : Bulk {
  bool blocked = false, break_order = false;
};

// Returns why the events named on the command line must not be discarded, or "" if they may be discarded.
Result<std::string> Objection(const Outbox& outbox, const DiscardOptions& options) {
  std::string objection;
  Walk walk;
  walk.from = OUTBOX_FROM_FAILED;
  walk.found = [&](const Record& record) {
    const std::string event = monitoring::Escape(record.event.event_id);
    if (record.state != OUTBOX_STATE_BLOCKED)
      objection = fmt::format("event {} is being retried; only dead and blocked events can be discarded", event);
    else if (record.event.aggregate_id && !options.break_order)
      objection = fmt::format(
          "event {} is blocked, and later events of its key \"{}\" are queued behind it and are delivered without "
          "it after the discard; to confirm, add --break-order",
          event, monitoring::Escape(*record.event.aggregate_id));
  };
  if (Status status = WalkThrough(outbox, options.filter, walk); !status.ok()) return status;
  return objection;
}

int DiscardNamed(const Outbox& outbox, const DiscardOptions& options) {
  const auto objection = Objection(outbox, options);
  if (!objection.ok()) return Report(objection.status());
  if (!objection->empty()) return Report({OUTBOX_BAD_DATA, *objection + "; nothing was changed"});
  std::uint64_t changed = 0;
  std::string missing;
  for (const std::string& event : options.filter.events) {
    Bulk one = static_cast<const Bulk&>(options);
    one.filter.events = {event};
    std::uint64_t here = 0;
    for (const BulkAction& action :
         {BulkAction{OUTBOX_FROM_DEAD, storage::Change::kDiscard, "", "discarded"},
          BulkAction{OUTBOX_FROM_FAILED, storage::Change::kDiscardBlocked, "", "discarded"}}) {
      const auto done = ChangeAll(outbox, one, action);
      if (!done.ok()) return Report(done.status());
      here += *done;
    }
    changed += here;
    if (here == 0) missing += (missing.empty() ? "" : ", ") + monitoring::Escape(event);
  }
  (void)PrintResult(options, {0, storage::Change::kDiscard, "", "discarded"}, changed);
  if (missing.empty()) return kOk;
  return Report({OUTBOX_BAD_DATA, "neither dead nor blocked: " + missing +
                                      "; run `outbox-relay explain EVENT` to see the state of an event"});
}

int Discard(DiscardOptions options) {
  if (const int wrong = CheckBulk(options, "dead discard", true); wrong != kOk) return wrong;
  if (options.blocked && options.filter.events.empty() && !options.dry_run && !options.break_order) {
    std::cerr << "outbox-relay dead discard: later events of the same keys are queued behind blocked events and are "
                 "delivered without them after the discard; to confirm, add --break-order"
              << std::endl;
    return kUsage;
  }
  auto outbox = OpenOutbox(options.config);
  if (!outbox.ok()) return Report(outbox.status());
  if (const int wrong = ResolveEventIds(*outbox, "dead discard", options.filter.events); wrong != kOk) return wrong;
  if (!options.filter.events.empty()) return DiscardNamed(*outbox, options);
  const BulkAction action = options.blocked
                                ? BulkAction{OUTBOX_FROM_FAILED, storage::Change::kDiscardBlocked, "blocked",
                                             "discarded", options.break_order ? "" : " --break-order"}
                                : BulkAction{OUTBOX_FROM_DEAD, storage::Change::kDiscard, "dead", "discarded"};
  const auto changed = ChangeAll(*outbox, options, action);
  return changed.ok() ? PrintResult(options, action, *changed) : Report(changed.status());
}

void DeclareList(Command& command, ListOptions& options) {
  command.Config(options.config);
  AddFilters(command, options.filter);
  command.Add("--limit", options.filter.limit, "List at most N events, oldest rows first")
      .Between(1, 1'000'000'000)
      .Value("N");
  const Option blocked =
      command.Flag("--blocked", options.blocked,
                   "List blocked events, which wait for an operator together with their keys, instead of dead letters");
  command
      .Flag("--undeletable", options.undeletable,
            "List undeletable events, which are delivered but whose rows cannot be removed, instead of dead letters")
      .Excludes(blocked);
  command.Flag("--json", options.json, "Print one JSON object per line, without payload and headers");
  command.Footer(
      "Examples:\n"
      "  outbox-relay dead list -c relay.json\n"
      "  outbox-relay dead list -c relay.json --blocked\n"
      "  outbox-relay dead list -c relay.json --undeletable\n"
      "  outbox-relay dead list -c relay.json --topic 'orders*' --reason too_large --newer-than 1d --json");
}

constinit const CommandEntry kListCommand{"list", "List dead letters, one per line",
                                          [](Command& command) { return Bind(command, DeclareList, List); }};

void DeclareShow(Command& command, ShowOptions& options) {
  command.Config(options.config);
  command.Add("EVENT", options.event, "Event id").Required().Value("");
  command.Flag("--payload", options.payload, "Include payload and headers");
  command.Flag("--json", options.json, "Print a JSON object");
  command.Footer(
      std::string(kEventIdForms) +
      "\n"
      "Examples:\n"
      "  outbox-relay dead show -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11\n"
      "  outbox-relay dead show -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11 --payload --json | jq .payload");
}

constinit const CommandEntry kShowCommand{"show",
                                          "Show everything about a dead, blocked, retrying or undeletable event",
                                          [](Command& command) { return Bind(command, DeclareShow, Show); }};

void DeclareRequeue(Command& command, Bulk& options) {
  command.Config(options.config);
  AddEvents(command, options.filter, "Event ids; or give filters or --all");
  AddBulkOptions(command, options);
  AddCountOption(command, options);
  command.Footer(
      "A requeued event keeps its event id and starts without failed attempts. A running relay finds and sends it.\n" +
      std::string(kEventIdForms) +
      "\n"
      "Examples:\n"
      "  outbox-relay dead requeue -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11\n"
      "  outbox-relay dead requeue -c relay.json --topic orders --reason too_large --dry-run\n"
      "  outbox-relay dead requeue -c relay.json --topic orders --reason too_large --count 12");
}

constinit const CommandEntry kRequeueCommand{
    "requeue", "Put dead letters back into the outbox, behind the events already queued for their key",
    [](Command& command) { return Bind(command, DeclareRequeue, Requeue); }};

void DeclareDiscard(Command& command, DiscardOptions& options) {
  command.Config(options.config);
  AddEvents(command, options.filter, "Ids of dead or blocked events; or give filters or --all");
  AddBulkOptions(command, options);
  AddCountOption(command, options);
  command.Flag("--blocked", options.blocked, "Select among the blocked events instead of the dead letters");
  command.Flag("--break-order", options.break_order,
               "Allow discarding blocked events, although later events of their keys are then delivered without them");
  command.Footer(
      "Later events of a dead letter's key are not held up by it. Later events of a blocked event's key wait for it,\n"
      "and are delivered within a minute after it is discarded.\n" +
      std::string(kEventIdForms) +
      "\n"
      "Examples:\n"
      "  outbox-relay dead discard -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11\n"
      "  outbox-relay dead discard -c relay.json --older-than 30d --dry-run\n"
      "  outbox-relay dead discard -c relay.json --older-than 30d --count 3\n"
      "  outbox-relay dead discard -c relay.json 7c9e6679-7425-40de-944b-e07fc1f90ae7 --break-order");
}

constinit const CommandEntry kDiscardCommand{"discard",
                                             "Remove dead letters or blocked events for good; they are never sent",
                                             [](Command& command) { return Bind(command, DeclareDiscard, Discard); }};

Action DeclareSubcommands(Command& command) {
  command.Subcommands({&kListCommand, &kShowCommand, &kRequeueCommand, &kDiscardCommand});
  command.Footer(
      "Examples:\n"
      "  outbox-relay dead list -c relay.json\n"
      "  outbox-relay dead requeue -c relay.json --topic orders --dry-run\n"
      "Run `outbox-relay dead COMMAND --help` for the options of each.");
  return {};
}

}  // namespace

constinit const CommandEntry kDeadCommand{
    "dead", "List, show, requeue or discard events that were given up; needs no running relay", DeclareSubcommands};

}  // namespace outbox::cli
