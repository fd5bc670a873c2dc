// `outbox-relay find`: lists the events in the outbox and then the dead letters, page by page.
#include <iostream>
#include <map>
#include <set>

#include "cli/commands/commands.hpp"
#include "cli/common/bulk_action.hpp"
#include "cli/common/record_view.hpp"
#include "cli/common/time_format.hpp"
#include "monitoring/log.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

const std::map<std::string, std::int32_t>& States() {
  static const std::map<std::string, std::int32_t> kStates = [] {
    std::map<std::string, std::int32_t> words;
    for (const std::int32_t s :
         {OUTBOX_STATE_WAITING, OUTBOX_STATE_RETRYING, OUTBOX_STATE_BLOCKED, OUTBOX_STATE_DEAD, OUTBOX_STATE_DELIVERED})
      words[StateWord(s)] = s;
    return words;
  }();
  return kStates;
}

// The last row of a page, as printed for --after. `dead` is true if the row is a dead letter: the first pages list the
// outbox, and the dead letters follow.
struct Place {
  bool dead = false;
  std::string row_id;  // Row id as text.
  [[nodiscard]] std::string Text() const { return (dead ? "dead:" : "outbox:") + row_id; }
};

std::optional<Place> ParsePlace(const std::string& text) {
  for (const bool dead : {false, true}) {
    const std::string start = Place{dead, ""}.Text();
    if (text.starts_with(start) && text.size() > start.size()) return Place{dead, text.substr(start.size())};
  }
  return std::nullopt;
}

struct Options {
  std::string config, after, state;
  EventFilter filter;
  std::uint64_t limit = 100;
  bool contents = false, json = false;
};

std::string FoundLine(const Record& record) {
  return fmt::format("{:<24}  {:<36}  {:<8}  {:<20}  {}", Moment(record.event.created_us),
                     monitoring::Escape(record.event.event_id), StateWord(record.state),
                     monitoring::Escape(record.event.topic),
                     record.event.aggregate_id ? monitoring::Escape(*record.event.aggregate_id) : "(no key)");
}

// Returns the event ids from the command line that are not in `seen`, comma-separated and escaped for printing.
std::string Missing(const Options& options, const std::set<std::string>& seen) {
  std::string missing;
  for (const std::string& event : options.filter.events)
    if (!seen.contains(event)) missing += (missing.empty() ? "" : ", ") + monitoring::Escape(event);
  return missing;
}

int Find(Options options) {
  const auto outbox = OpenOutbox(options.config);
  if (!outbox.ok()) return Report(outbox.status());
  if (const int wrong = ResolveEventIds(*outbox, "find", options.filter.events); wrong != kOk) return wrong;
  const std::optional<Place> after = options.after.empty() ? std::nullopt : ParsePlace(options.after);
  if (after && !outbox->ParseRowId(after->row_id)) {
    std::cerr << "outbox-relay find: --after " << monitoring::Escape(options.after)
              << ": no row of this outbox can have this id; expected the place that was printed at the end of a page"
              << std::endl;
    return kUsage;
  }
  std::optional<std::int32_t> state;
  if (!options.state.empty()) state = States().at(options.state);

  std::uint64_t shown = 0;
  std::set<std::string> seen;
  bool more = false;
  Place last;
  for (const bool dead : {false, true}) {
    if ((after && after->dead && !dead) || (state && dead != (*state == OUTBOX_STATE_DEAD))) continue;
    EventFilter filter = options.filter;
    filter.limit = options.limit - shown + 1;  // One event more than is shown, to learn whether there are more.
    Walk walk;
    const std::int32_t wanted = state.value_or(OUTBOX_STATE_ABSENT);
    const bool failed = wanted == OUTBOX_STATE_RETRYING || wanted == OUTBOX_STATE_BLOCKED;
    const bool delivered = wanted == OUTBOX_STATE_DELIVERED;
    walk.from = dead        ? OUTBOX_FROM_DEAD
                : failed    ? OUTBOX_FROM_FAILED
                : delivered ? OUTBOX_FROM_DELIVERED
                            : OUTBOX_FROM_OUTBOX;
    walk.state = state;
    walk.contents = options.contents;
    walk.by_creation = true;
    if (after && after->dead == dead) walk.after = outbox->ParseRowId(after->row_id);
    walk.found = [&](const Record& record) {
      more = shown == options.limit;
      if (more) return;
      if (options.json) {
        std::cout << ToJson(record, options.contents).Dump() << '\n';
      } else if (options.contents) {
        std::cout << (shown == 0 ? "" : "\n") << Paragraph(record, true);
      } else {
        if (shown == 0)
          std::cout << fmt::format("{:<24}  {:<36}  {:<8}  {:<20}  {}\n", "CREATED", "EVENT", "STATE", "TOPIC", "KEY");
        std::cout << FoundLine(record) << '\n';
      }
      ++shown;
      if (!options.filter.events.empty()) seen.emplace(record.event.event_id);
      last = {dead, record.event.row_id.ToText()};
    };
    if (Status status = WalkThrough(*outbox, filter, walk); !status.ok()) return Report(status);
    if (more) break;
  }
  std::cout << std::flush;
  if (!std::cout) return kOk;  // The search ended at the failed write, which Output::Finish() reports.
  if (!options.json) std::cout << Events(shown) << std::endl;
  const bool whole = !more && options.after.empty() && options.state.empty() && !options.filter.HasFilter();
  if (const std::string missing = Missing(options, seen); whole && !missing.empty())
    return Report(
        {OUTBOX_BAD_DATA, "not in the outbox and not dead: " + missing +
                              "; run `outbox-relay explain EVENT` for the possible reasons, or give --key KEY to find "
                              "the events of a key"});
  if (more) std::cerr << "there are more; continue with --after " << monitoring::Escape(last.Text()) << std::endl;
  return kOk;
}

void Declare(Command& command, Options& options) {
  command.Config(options.config);
  AddEvents(command, options.filter, "Event ids; or give filters, or nothing for all events");
  AddCommonFilters(command, options.filter, "creation");
  std::vector<std::string> words;
  for (const auto& [word, state] : States()) words.push_back(word);
  command.Add("--state", options.state, "Only events that are waiting, retrying, blocked, dead or undeletable")
      .OneOf(words)
      .Value("STATE");
  command.Add("--limit", options.limit, "List at most N events, oldest rows first (default: 100)")
      .Between(1, 1'000'000'000)
      .Value("N");
  command.Add("--after", options.after, "List the next page: PLACE is what the previous page printed at its end")
      .Check([](const std::string& text) {
        return ParsePlace(text) ? std::string() : "expected outbox:ROW or dead:ROW, as printed at the end of a page";
      })
      .Value("PLACE");
  command.Flag("--payload", options.contents, "Include payload and headers");
  command.Flag("--json", options.json, "Print one JSON object per line");
  command.Footer("Delivered events are not in the outbox: look for them in Kafka.\n" + std::string(kEventIdForms) +
                 "\n"
                 "Examples:\n"
                 "  outbox-relay find -c relay.json --topic 'orders*' --older-than 10m\n"
                 "  outbox-relay find -c relay.json --key order-1 --json\n"
                 "  outbox-relay find -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11 --payload");
}

}  // namespace

constinit const CommandEntry kFindCommand{"find", "List events in the outbox and dead letters; needs no running relay",
                                          [](Command& command) { return Bind(command, Declare, Find); }};

}  // namespace outbox::cli
