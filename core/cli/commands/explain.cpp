// `outbox-relay explain`: why has this event, or this key, not gone out?
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/common/command.hpp"
#include "cli/common/diagnosis.hpp"
#include "cli/common/event_filter.hpp"
#include "cli/common/record_view.hpp"
#include "cli/common/time_format.hpp"
#include "monitoring/log.hpp"

namespace outbox::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  std::string config, event;
  std::optional<std::string> key;
  std::uint32_t limit = 20;
  bool json = false;
};

void Print(const Explanation& explanation) {
  for (const std::string& line : explanation.lines) std::cout << line << '\n';
  for (const std::string& fix : explanation.fixes) std::cout << "  -> " << fix << '\n';
}

int ExplainEvent(const Outbox& outbox, const Options& options) {
  std::vector<std::string> ids{options.event};
  if (const int wrong = ResolveEventIds(outbox, "explain", ids); wrong != kOk) return wrong;
  const auto explanation = Explain(outbox, ids.front());
  if (!explanation.ok()) return Report(explanation.status());
  if (options.json)
    std::cout << explanation->json.dump() << '\n';
  else
    Print(*explanation);
  std::cout << std::flush;
  return kOk;
}

// The first ones of the key, and whether there are more.
Result<bool> Collect(const Outbox& outbox, const Options& options, std::uint32_t from,
                     const std::function<void(const Record&)>& use) {
  std::uint32_t seen = 0;
  const Query query{.from = from, .key = *options.key, .max = options.limit + 1};
  const auto take = [&](const Record& record) {
    if (++seen > options.limit) return false;
    use(record);
    return true;
  };
  if (Status status = outbox.session->List(query, take, outbox.call()); !status.ok()) return status;
  return seen > options.limit;
}

int ExplainKey(const Outbox& outbox, const Options& options) {
  const std::string key = monitoring::Escape(*options.key);
  ordered_json json = {{"key", *options.key}, {"explanation", nullptr}};
  std::string first, listed;
  for (const bool dead : {false, true}) {
    ordered_json events = ordered_json::array();
    std::string lines;
    const auto more = Collect(outbox, options, dead ? OUTBOX_FROM_DEAD : OUTBOX_FROM_OUTBOX, [&](const Record& record) {
      if (!dead && first.empty()) first = record.event.event_id;
      events.push_back(ToJson(record, false));
      lines +=
          fmt::format("  {:<36}  {:<8}  {}  {}\n", monitoring::Escape(record.event.event_id), StateWord(record.state),
                      Moment(record.event.created_us), monitoring::Escape(record.event.topic));
    });
    if (!more.ok()) return Report(more.status());
    const std::size_t count = events.size();
    json[dead ? "dead" : "events"] = std::move(events);
    json[dead ? "more_dead" : "more_events"] = *more;
    if (count == 0) continue;
    listed += fmt::format("{}{}:\n{}", *more ? "the first " : "",
                          dead ? fmt::format("{} dead; the key goes on without them", count)
                               : fmt::format("{} in the outbox, the oldest first", count),
                          lines);
  }
  if (!first.empty()) {
    const auto explanation = Explain(outbox, first);
    if (!explanation.ok()) return Report(explanation.status());
    json["explanation"] = explanation->json;
    if (!options.json) Print(*explanation);
  } else if (!options.json) {
    std::cout << fmt::format("no event of key \"{}\" is in the outbox: {}\n", key, kNoTrace);
  }
  std::cout << (options.json ? json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n' : listed)
            << std::flush;
  return kOk;
}

}  // namespace

void AddExplain(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("explain", "Why has an event or a key not gone out? Needs no relay");
  AddConfigOption(*command, options->config);
  command->add_option("EVENT", options->event, "Its event id")->type_name("");
  command->add_option("--key", options->key, "All events of this key instead")->type_name("KEY");
  command->add_option("--limit", options->limit, "With --key: list at most so many (default: 20)")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N");
  command->add_flag("--json", options->json, "As a JSON object");
  command->footer("It asks the database: what a relay has in its hands, it cannot see.\n" + std::string(kEventIdForms) +
                  "\n"
                  "Examples:\n"
                  "  outbox-relay explain -c relay.json 0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11\n"
                  "  outbox-relay explain -c relay.json --key order-1\n"
                  "  outbox-relay explain -c relay.json --key order-1 --json | jq .explanation.why");
  command->callback([options, &action] {
    action = [options] {
      if (options->event.empty() == !options->key.has_value()) {
        std::cerr << "outbox-relay explain: name one event by its event id, or a key with --key" << std::endl;
        return static_cast<int>(kUsage);
      }
      const auto outbox = OpenOutbox(options->config);
      if (!outbox.ok()) return Report(outbox.status());
      return options->key ? ExplainKey(*outbox, *options) : ExplainEvent(*outbox, *options);
    };
  });
}

}  // namespace outbox::cli
