// `outbox-relay emit`: inserts events from stdin into the outbox, for experiments and scripts. An application does not
// use this command: it inserts its events in its own transaction.
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <system_error>

#include "cli/commands/commands.hpp"
#include "cli/common/command.hpp"
#include "cli/common/emit_input.hpp"
#include "kafka/settings.hpp"
#include "kafka/topic_cache.hpp"
#include "outbox/record_rules.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

struct Options {
  std::string config;
  std::uint32_t batch = 1;
};

// A transaction that inserts events. If it was not committed, the destructor rolls it back.
class Transaction {
 public:
  explicit Transaction(const Outbox& outbox) : outbox_(outbox) {}
  ~Transaction() {
    // A failure is ignored: the database rolls the transaction back in any case, at the latest when the connection
    // ends.
    if (open_) (void)outbox_.session->EndEmit(false, outbox_.call());
  }
  Transaction(const Transaction&) = delete;

  Status Commit(const std::vector<EventLine>& lines) {
    Status status = outbox_.session->BeginEmit(outbox_.call());
    if (!status.ok()) return status;
    open_ = true;
    std::vector<outbox_event> events;
    events.reserve(lines.size());
    for (const EventLine& line : lines) events.push_back(line.Raw());
    status = outbox_.session->Insert(events, outbox_.call());
    if (!status.ok()) return status;
    open_ = false;
    status = outbox_.session->EndEmit(true, outbox_.call());
    if (status.code() == OUTBOX_TIMEOUT || status.code() == OUTBOX_UNAVAILABLE) {
      return {status.code(), status.text() + "; it is unknown whether these lines are committed"};
    }
    return status;
  }

 private:
  const Outbox& outbox_;
  bool open_ = false;
};

int Emit(const Options& options) {
  auto outbox = OpenOutbox(options.config);
  if (!outbox.ok()) return Report(outbox.status());

  const publisher::HeaderValues headers = kafka::ToSettings(outbox->config).headers;
  const bool to_kafka = outbox->config.publisher.type == "kafka";
  std::vector<EventLine> batch;
  std::uint64_t line_number = 0, events = 0, committed_line = 0;
  const auto stop = [&](outbox_code code, const std::string& what) {
    return Report({code, fmt::format("stdin, {}; {}", what,
                                     committed_line == 0 ? "no earlier line is committed"
                                                         : fmt::format("committed up to line {}", committed_line))});
  };
  const auto commit = [&]() -> Status {
    if (batch.empty()) return {};
    Transaction transaction(*outbox);
    Status status = transaction.Commit(batch);
    if (status.ok()) {
      events += batch.size();
      committed_line = line_number;
      batch.clear();
    }
    return status;
  };

  for (std::string line; std::getline(std::cin, line);) {
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto event = ParseEventLine(line, headers);
    if (!event.ok()) return stop(OUTBOX_BAD_DATA, fmt::format("line {}: {}", line_number, event.status().text()));
    // A bad topic name is refused before the event is inserted: the relay would refuse such an event with the same text,
    // and later events of its key would wait.
    const auto bad = to_kafka ? BadTopicName(event->topic) : std::nullopt;
    if (bad) return stop(OUTBOX_BAD_DATA, fmt::format("line {}: \"topic\": {}", line_number, *bad));
    batch.push_back(std::move(*event));
    if (batch.size() < options.batch) continue;
    if (Status status = commit(); !status.ok()) {
      return stop(status.code(), fmt::format("lines {} to {}: {}", committed_line + 1, line_number, status.text()));
    }
  }
  if (std::ferror(stdin) != 0)
    return stop(OUTBOX_BAD_DATA,
                fmt::format("line {}: cannot be read: {}", line_number + 1, std::generic_category().message(errno)));
  if (Status status = commit(); !status.ok()) {
    return stop(status.code(), fmt::format("lines {} to {}: {}", committed_line + 1, line_number, status.text()));
  }
  std::cout << fmt::format("{} event{} committed", events, events == 1 ? "" : "s") << std::endl;
  return kOk;
}

void Declare(Command& command, Options& options) {
  command.Config(options.config);
  command.Add("--batch", options.batch, "Number of lines per transaction (default: 1)").Between(1, 100'000);
  command.Footer(
      "A line: {\"topic\": ..., \"type\": ..., \"key\": ..., \"payload\": ..., \"headers\": {...}, \"event_id\": ...}\n"
      "key, headers and event_id are optional. payload: a string as its bytes, {\"base64\": \"...\"} as the bytes\n"
      "that it encodes, null as a tombstone, any other JSON as its text without white space. On an invalid\n"
      "line, the command prints the line number and exits; its transaction is rolled back.\n"
      "\n"
      "Examples:\n"
      "  echo '{\"topic\":\"orders\",\"type\":\"created\",\"key\":\"o-1\",\"payload\":{\"total\":3}}' | outbox-relay "
      "emit -c "
      "relay.json\n"
      "  outbox-relay emit -c relay.json --batch 1000 < events.jsonl");
}

}  // namespace

constinit const CommandEntry kEmitCommand{"emit", "Insert events from stdin, one JSON object per line",
                                          [](Command& command) { return Bind(command, Declare, Emit); }};

}  // namespace outbox::cli
