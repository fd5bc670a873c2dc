// `outbox-relay explain`: explains why an event or the events of a key have not been delivered.
#include <iostream>

#include "cli/commands/commands.hpp"
#include "cli/common/command.hpp"
#include "cli/common/diagnosis.hpp"
#include "cli/common/event_filter.hpp"
#include "cli/common/event_list.hpp"
#include "cli/common/record_view.hpp"
#include "cli/common/time_format.hpp"
#include "monitoring/log.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

using util::Json;

struct Options {
  std::string config, event;
  std::optional<std::string> key;
  std::uint32_t limit = 20;
  bool json = false;
};

void Print(const Diagnosis& diagnosis) {
  for (const std::string& line : diagnosis.lines) std::cout << line << '\n';
  for (const std::string& fix : diagnosis.fixes) std::cout << "  -> " << fix << '\n';
}

int ExplainEvent(const Outbox& outbox, const Options& options) {
  std::vector<std::string> ids{options.event};
  if (const int wrong = ResolveEventIds(outbox, "explain", ids); wrong != kOk) return wrong;
  const auto diagnosis = Explain(outbox, ids.front());
  if (!diagnosis.ok()) return Report(diagnosis.status());
  if (options.json)
    std::cout << diagnosis->json.Dump() << '\n';
  else
    Print(*diagnosis);
  std::cout << std::flush;
  return kOk;
}

// Calls `use` for the first options.limit events with the key options.key in the list `from` (OUTBOX_FROM_...). Returns
// true if the list contains more events with this key.
Result<bool> Collect(const Outbox& outbox, const Options& options, std::uint32_t from,
                     const std::function<void(const Record&)>& use) {
  std::uint32_t seen = 0;
  const Query query{.from = from, .key = *options.key, .max = options.limit + 1};
  const auto take = [&](const Record& record) {
    if (++seen > options.limit) return false;
    use(record);
    return true;
  };
  if (Status status = ListEvents(outbox, query, take); !status.ok()) return status;
  return seen > options.limit;
}

int ExplainKey(const Outbox& outbox, const Options& options) {
  const std::string key = monitoring::Escape(*options.key);
  Json json = Json::Object({{"key", *options.key}, {"explanation", nullptr}});
  std::string first, listed;
  for (const bool dead : {false, true}) {
    Json events = Json::Array();
    std::string lines;
    const auto more = Collect(outbox, options, dead ? OUTBOX_FROM_DEAD : OUTBOX_FROM_OUTBOX, [&](const Record& record) {
      if (!dead && first.empty()) first = record.event.event_id;
      events.Append(ToJson(record, false));
      lines +=
          fmt::format("  {:<36}  {:<8}  {}  {}\n", monitoring::Escape(record.event.event_id), StateWord(record.state),
                      Moment(record.event.created_us), monitoring::Escape(record.event.topic));
    });
    if (!more.ok()) return Report(more.status());
    const std::size_t count = events.size();
    json.Set(dead ? "dead" : "events", std::move(events));
    json.Set(dead ? "more_dead" : "more_events", *more);
    if (count == 0) continue;
    listed += fmt::format("{}{}:\n{}", *more ? "the first " : "",
                          dead ? fmt::format("{} dead; the key goes on without them", count)
                               : fmt::format("{} in the outbox, the oldest first", count),
                          lines);
  }
  if (!first.empty()) {
    const auto diagnosis = Explain(outbox, first);
    if (!diagnosis.ok()) return Report(diagnosis.status());
    json.Set("explanation", diagnosis->json);
    if (!options.json) Print(*diagnosis);
  } else if (!options.json) {
    std::cout << fmt::format("no event of key \"{}\" is in the outbox. An expected event {}\n", key, kNoTrace);
  }
  std::cout << (options.json ? json.Dump(Json::NotUtf8::kReplace) + '\n' : listed) << std::flush;
  return kOk;
}

int ExplainWhat(const Options& options) {
  if (options.event.empty() == !options.key.has_value()) {
    std::cerr << "outbox-relay explain: give one event id, or a key with --key KEY" << std::endl;
    return kUsage;
  }
  const auto outbox = OpenOutbox(options.config);
  if (!outbox.ok()) return Report(outbox.status());
  return options.key ? ExplainKey(*outbox, options) : ExplainEvent(*outbox, options);
}

void Declare(Command& command, Options& options) {
  command.Config(options.config);
  command.Add("EVENT", options.event, "Event id").Value("");
  command.Add("--key", options.key, "Explain the events of this key instead").Value("KEY");
  command.Add("--limit", options.limit, "With --key: list at most N events (default: 20)")
      .Between(1, 10'000)
      .Value("N");
  command.Flag("--json", options.json, "Print a JSON object");
  command.Footer("Reads the database only, so it cannot tell whether a relay has already read a waiting event.\n" +
                 std::string(kEventIdForms) +
                 "\n"
                 "Examples:\n"
                 "  outbox-relay explain -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11\n"
                 "  outbox-relay explain -c relay.json --key order-1\n"
                 "  outbox-relay explain -c relay.json --key order-1 --json | jq .explanation.why");
}

}  // namespace

constinit const CommandEntry kExplainCommand{
    "explain", "Explain why an event or a key has not been delivered; needs no running relay",
    [](Command& command) { return Bind(command, Declare, ExplainWhat); }};

}  // namespace outbox::cli
