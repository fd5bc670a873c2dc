// `outbox-relay check`: checks that a relay with this configuration could deliver events, and reports how to fix each
// problem. The command changes nothing, except that --create-topics creates topics.
#include <algorithm>
#include <iostream>

#include "cli/commands/commands.hpp"
#include "cli/common/check_listeners.hpp"
#include "cli/common/check_report.hpp"
#include "cli/common/command.hpp"
#include "cli/common/kafka_admin.hpp"
#include "cli/common/record_preview.hpp"
#include "cli/common/shaping.hpp"
#include "cli/common/suggestion.hpp"
#include "kafka/may_produce.hpp"
#include "kafka/settings.hpp"
#include "kafka/topic_cache.hpp"
#include "outbox/record_rules.hpp"
#include "runtime/missing_abilities.hpp"
#include "util/format.hpp"
#include "util/json.hpp"

namespace outbox::cli {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::string config;
  std::vector<std::string> topics;
  bool create_topics = false;
  PreviewRequest show;
  std::string suggest;  // Name of the table for --suggest.
};

constexpr auto kKafkaTimeout = 5s;

int PrintSuggestion(const std::string& table, const std::vector<Column>& columns) {
  const auto suggestion = SuggestFor(columns);
  if (!suggestion) {
    PrintLine(Verdict::kWarn, "the columns of " + table + " are not those of a known outbox table",
              "give its columns their roles in /storage/options/columns, and define the record in /record; "
              "docs/guide/databases.md has an example under Capture");
    std::string names;
    for (const Column& column : columns)
      names += fmt::format("{}{} {}", names.empty() ? "" : ", ", column.name, column.type);
    PrintLine(Verdict::kNote, "its columns are " + names);
    return kFailure;
  }
  if (!suggestion->why_not.empty()) {
    PrintLine(Verdict::kError, table + " is " + suggestion->whose + ": " + suggestion->why_not);
    return kFailure;
  }
  PrintLine(Verdict::kOk, table + " is " + suggestion->whose);
  const std::string quoted = util::Json(table).Dump();
  if (suggestion->is_own) {
    std::cout << "Add to the configuration:\n\n"
              << fmt::format("\"storage\": {{ ..., \"options\": {{ ..., \"table\": {} }} }}\n", quoted);
  } else {
    std::cout << "Add to the configuration, next to the connection and Kafka, and run `outbox-relay migrate`:\n\n"
              << fmt::format(
                     "\"storage\": {{ ..., \"options\": {{ ..., \"table\": {}, \"capture\": \"trigger\" }} }},\n"
                     "\"record\": {{ \"like\": \"{}\" }}\n",
                     quoted, suggestion->like);
  }
  return kOk;
}

class Check {
 public:
  explicit Check(const Options& options) : options_(options) {}

  int Run() {
    if (!options_.show.row.empty()) return Show();
    if (options_.show.json) {
      std::cerr << "outbox-relay check: --json requires --show" << std::endl;
      return kUsage;
    }
    if (!options_.suggest.empty()) return Suggest();
    auto config = LoadConfig(options_.config);
    if (!config.ok()) return Report(config.status());
    config_ = std::move(*config);
    PrintLine(Verdict::kOk, "configuration " + options_.config);
    for (const std::string& warning : config_.warnings) PrintLine(Verdict::kWarn, warning);
    CheckListening();
    CheckStorage();
    if (config_.publisher.type == "kafka") CheckKafka();
    return code_;
  }

 private:
  int Show() {
    const auto outbox = OpenOutbox(options_.config);
    if (!outbox.ok()) return Report(outbox.status());
    const Status shown = ShowRecords(options_.show, *outbox);
    return shown.ok() ? kOk : Report(shown);
  }

  int Suggest() {
    const auto outbox = OpenOutbox(options_.config);
    if (!outbox.ok()) return Report(outbox.status());
    const auto columns = outbox->session->ColumnsOf(options_.suggest, outbox->call());
    if (!columns.ok()) return Report(columns.status());
    if (columns->empty())
      return Report(
          {OUTBOX_BAD_CONFIG, "there is no table " + options_.suggest + ", or this user lacks permission to see it"});
    return PrintSuggestion(options_.suggest, *columns);
  }

  void Wrong(int code, const std::string& text, const std::string& fix = {}) {
    PrintLine(Verdict::kError, text, fix);
    code_ = std::max(code_, code);
  }

  void CheckListening() {
    for (const ListenerFinding& found : CheckListeners(config_)) {
      if (found.status.ok())
        PrintLine(Verdict::kOk, found.text);
      else if (found.in_use)
        PrintLine(Verdict::kWarn, found.status.text() + "; a running relay listens there");
      else
        Wrong(CodeOf(found.status), found.status.text());
    }
  }

  void CheckStorage() {
    const auto store = OpenStore(config_, QuietLogger(config_.log));
    if (!store.ok()) return Wrong(CodeOf(store.status()), store.status().text());
    PrintLine(Verdict::kOk, fmt::format("plugin {} {}", (*store)->name(), (*store)->version()));
    CheckCapabilities(**store);

    const Call call{0, 0, config_.relay.storage_timeout};
    const auto session = (*store)->Connect(call);
    if (!session.ok())
      return Wrong(CodeOf(session.status()), "no connection to the database: " + session.status().text());
    PrintLine(Verdict::kOk, "connection to the database");
    CheckTables(**session, call);
    if (code_ == kOk) CheckRecords(**session, call);
    // After an error, CheckWakeUps() would only report the same error again.
    if (config_.relay.wake_up && code_ == kOk) CheckWakeUps(**store);
  }

  // Checks that the record section fits the columns, and that the object which copies captured rows, such as a trigger,
  // is still in place.
  void CheckRecords(storage::Session& session, const Call& call) {
    const auto columns = session.DescribeColumns(call);
    if (!columns.ok()) return Wrong(CodeOf(columns.status()), columns.status().text());
    const auto shaper = MakeShaper(config_, *columns);
    if (!shaper.ok()) return Wrong(CodeOf(shaper.status()), shaper.status().text());
    if (*shaper != nullptr) PrintLine(Verdict::kOk, "record definition and the columns that it uses");
    if (const Status source = session.VerifySource(call); !source.ok()) Wrong(CodeOf(source), source.text());
  }

  void CheckWakeUps(storage::Store& store) {
    const Call call{0, 0, config_.relay.storage_timeout};
    const auto session = store.Connect(call);
    if (!session.ok())
      return Wrong(CodeOf(session.status()), "no second connection to the database: " + session.status().text());
    if (const auto seen = (*session)->WaitForRows(call); !seen.ok())
      return Wrong(CodeOf(seen.status()), "wake-ups: " + seen.status().text());
    PrintLine(Verdict::kOk, "wake-ups");
  }

  void CheckCapabilities(const storage::Store& store) {
    for (const auto& [text, fix] : runtime::FindMissingAbilities(config_.relay, store)) Wrong(kConfig, text, fix);
    if (!store.Can(OUTBOX_CAN_SHARE)) {
      PrintLine(Verdict::kWarn,
                "the plugin " + std::string(store.name()) + " cannot share an outbox: run one relay only");
    }
  }

  void CheckTables(storage::Session& session, const Call& call) {
    const auto findings = session.CheckSchema(call);
    if (!findings.ok() && findings.status().code() == OUTBOX_UNSUPPORTED) {
      return PrintLine(Verdict::kWarn, "tables not checked: " + findings.status().text());
    }
    if (!findings.ok()) return Wrong(CodeOf(findings.status()), "tables: " + findings.status().text());
    if (PrintFindings(*findings)) {
      PrintLine(Verdict::kOk, "tables and grants");
    } else {
      code_ = kConfig;
    }
  }

  void CheckKafka() {
    const auto& servers = config_.publisher.kafka.at("bootstrap.servers");
    const auto cluster = Cluster::Open(kafka::ToSettings(config_));
    if (!cluster.ok()) return Wrong(CodeOf(cluster.status()), cluster.status().text());
    const auto seen = (*cluster)->Look(kKafkaTimeout);
    if (!seen) {
      const Cluster::Trouble& trouble = (*cluster)->trouble();
      if (trouble.login) return Wrong(kFailure, "Kafka at " + servers + " is unavailable: " + trouble.text);
      return Wrong(kFailure, "no answer from Kafka at " + servers + ": " + trouble.text,
                   "check that it runs there and that /publisher/kafka is right; `outbox-relay demo --broker-only` "
                   "starts a test broker");
    }
    const std::size_t brokers = seen->brokers.size();
    PrintLine(Verdict::kOk, fmt::format("Kafka at {}, {} broker{}", servers, brokers, brokers == 1 ? "" : "s"));
    const auto unreachable = (*cluster)->Unreachable(*seen, kKafkaTimeout);
    for (const std::string& text : unreachable) Wrong(kFailure, text);
    // If a broker is unreachable, CheckProducing() would only report the same errors again.
    if (unreachable.empty()) CheckProducing();
    for (const std::string& topic : options_.topics) CheckTopic(**cluster, *seen, topic);
  }

  void CheckProducing() {
    const Status tried = kafka::TryToProduce(kafka::ToSettings(config_), QuietLogger(config_.log), kKafkaTimeout);
    if (tried.ok()) return PrintLine(Verdict::kOk, "permission to produce");
    if (tried.code() == OUTBOX_REFUSED)
      return Wrong(kFailure, fmt::format("{}: {}", kafka::kMayNotProduce, tried.text()),
                   std::string(kafka::kGrantToProduce));
    Wrong(CodeOf(tried), "cannot produce to Kafka: " + tried.text(),
          "if the cluster is only starting, try again; otherwise look in the brokers' logs for the reason");
  }

  void CheckTopic(Cluster& cluster, const Cluster::Seen& seen, const std::string& topic) {
    if (const auto bad = BadTopicName(topic)) return Wrong(kFailure, "topic " + topic + ": " + *bad);
    if (const auto found = seen.partitions.find(topic); found != seen.partitions.end()) {
      const int count = found->second;
      PrintLine(Verdict::kOk, fmt::format("topic {}, {} partition{}", topic, count, count == 1 ? "" : "s"));
      if (!cluster.MayReadLimit(seen, topic, kKafkaTimeout)) {
        PrintLine(Verdict::kWarn,
                  "topic " + topic +
                      ": its max.message.bytes cannot be read, so a record that is too large is detected only when "
                      "the broker refuses it; grant the relay's user DescribeConfigs on the topic");
      }
      return;
    }
    if (!options_.create_topics) {
      return Wrong(
          kFailure, "topic " + topic + " does not exist, or this user lacks permission to see it",
          fmt::format("outbox-relay check -c {} --topic {} --create-topics\nor, if it exists: grant the relay's "
                      "user Describe and Write on the topic",
                      options_.config, topic));
    }
    if (Status created = cluster.Create(topic, kKafkaTimeout); !created.ok()) {
      return Wrong(kFailure, "topic " + topic + " cannot be created: " + created.text());
    }
    PrintLine(Verdict::kOk, "topic " + topic + " created, with the broker's default number of partitions");
  }

  const Options& options_;
  config::Config config_;
  int code_ = kOk;
};

int Run(const Options& options) { return Check(options).Run(); }

void Declare(Command& command, Options& options) {
  command.Config(options.config);
  command.Add("--topic", options.topics, "Check this topic; may be repeated").Value("NAME");
  command.Flag("--create-topics", options.create_topics, "Create the topics given with --topic that are missing");
  command
      .Add("--show", options.show.row,
           "Only print the record that would be sent for ROW, a row id or event id, or for \"all\" rows")
      .Value("ROW");
  command.Add("--limit", options.show.limit, "With --show all: print at most N records (default: 20)")
      .Between(1, 100'000)
      .Value("N");
  command.Flag("--json", options.show.json, "With --show: print one JSON object per line");
  command
      .Add("--suggest", options.suggest,
           "Only recognise the outbox table TABLE, and print the configuration that delivers it")
      .Value("TABLE");
  command.Footer(
      "Checks the configuration, the addresses at which to listen, the plugin, the connection, tables and grants,\n"
      "Kafka, the permission to produce, and the topics given with --topic. Changes nothing without --create-topics.\n"
      "Exit code 0 = a relay can run; warnings do not count. 78 = the configuration, the plugin or the tables must be\n"
      "corrected. 1 = the database or Kafka does not answer, Kafka refuses something, or a topic is missing.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay check -c relay.json\n"
      "  outbox-relay check -c relay.json --topic orders --topic payments --create-topics\n"
      "  outbox-relay check -c relay.json --show all");
}

}  // namespace

constinit const CommandEntry kCheckCommand{"check",
                                           "Check that everything is in place, and report how to fix what is not",
                                           [](Command& command) { return Bind(command, Declare, Run); }};

}  // namespace outbox::cli
