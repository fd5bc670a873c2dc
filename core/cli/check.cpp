// `outbox-relay check`: is everything in place, and how to mend what is not. Changes nothing, except for topics with
// --create-topics.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command.hpp"
#include "cli/findings.hpp"
#include "cli/topics.hpp"
#include "kafka/topic_directory.hpp"

namespace outbox::cli {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::string config;
  std::vector<std::string> topics;
  bool create_topics = false;
};

constexpr auto kKafkaTimeout = 5s;

class Check {
 public:
  explicit Check(const Options& options) : options_(options) {}

  int Run() {
    auto config = LoadConfig(options_.config);
    if (!config.ok()) return Report(config.status());
    config_ = std::move(*config);
    PrintLine(Verdict::kOk, "configuration " + options_.config);
    for (const std::string& warning : config_.warnings) PrintLine(Verdict::kWarn, warning);
    CheckStorage();
    if (config_.publisher.type == "kafka") CheckKafka();
    return code_;
  }

 private:
  void Wrong(int code, const std::string& text, const std::string& mend = {}) {
    PrintLine(Verdict::kError, text, mend);
    code_ = std::max(code_, code);
  }

  void CheckStorage() {
    const auto store = OpenStore(config_.storage, QuietLogger(config_.log));
    if (!store.ok()) return Wrong(CodeOf(store.status()), store.status().text());
    PrintLine(Verdict::kOk, fmt::format("plugin {} {}", (*store)->name(), (*store)->version()));
    CheckCapabilities(**store);

    const Call call{0, 0, config_.relay.storage_timeout};
    const auto session = (*store)->Connect(call);
    if (!session.ok())
      return Wrong(CodeOf(session.status()), "no connection to the database: " + session.status().text());
    PrintLine(Verdict::kOk, "connection to the database");
    CheckTables(**session, call);
    if (config_.relay.wake_up && code_ == kOk) CheckWakeUps(**store);  // it would say the same once more
  }

  void CheckWakeUps(plugins::Store& store) {
    if (!store.HasWakeUps())
      return Wrong(kConfig, fmt::format("/relay/wake_up is true, and the plugin {} gives no wake-ups", store.name()),
                   "\"wake_up\": false");
    const Call call{0, 0, config_.relay.storage_timeout};
    const auto session = store.Connect(call);
    if (!session.ok()) return Wrong(CodeOf(session.status()), "no second connection: " + session.status().text());
    if (const auto seen = (*session)->WaitForRows(call); !seen.ok())
      return Wrong(CodeOf(seen.status()), "wake-ups: " + seen.status().text());
    PrintLine(Verdict::kOk, "wake-ups");
  }

  void CheckCapabilities(const plugins::Store& store) {
    const std::string plugin(store.name());
    if (config_.relay.ordering == config::Ordering::kKey && !store.Can(OUTBOX_CAN_ORDER_KEYS)) {
      Wrong(kConfig, "/relay/ordering is \"key\", and the plugin " + plugin + " cannot keep the order of keys",
            "\"ordering\": \"none\"");
    }
    const std::string dead_letters = config_.relay.AsksForDeadLetters();
    if (!dead_letters.empty() && !store.Can(OUTBOX_CAN_DEAD_LETTER)) {
      Wrong(kConfig, dead_letters + " is \"dead_letter\", and the plugin " + plugin + " keeps no dead letters",
            "\"on_exhausted\": \"block\"");
    }
    if (!store.Can(OUTBOX_CAN_SHARE)) {
      PrintLine(Verdict::kWarn, "the plugin " + plugin + " cannot share an outbox: run one relay only");
    }
  }

  void CheckTables(plugins::Session& session, const Call& call) {
    const auto findings = session.CheckSchema(call);
    if (!findings.ok() && findings.status().code() == OUTBOX_UNSUPPORTED) {
      return PrintLine(Verdict::kWarn, "tables not looked at: " + findings.status().text());
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
    const auto cluster = Cluster::Open(config_.publisher.kafka);
    if (!cluster.ok()) return Wrong(CodeOf(cluster.status()), cluster.status().text());
    const auto seen = (*cluster)->Look(kKafkaTimeout);
    if (!seen.ok()) {
      return Wrong(kFailure, "no answer from Kafka at " + servers + ": " + seen.status().text(),
                   "see that it runs there and that /publisher/kafka is right; `outbox-relay demo --broker-only` is a "
                   "broker to try with");
    }
    PrintLine(Verdict::kOk,
              fmt::format("Kafka at {}, {} broker{}", servers, seen->brokers, seen->brokers == 1 ? "" : "s"));
    for (const std::string& topic : options_.topics) CheckTopic(**cluster, *seen, topic);
  }

  void CheckTopic(Cluster& cluster, const Cluster::Seen& seen, const std::string& topic) {
    if (const auto bad = kafka::BadTopicName(topic)) return Wrong(kFailure, "topic " + topic + ": " + *bad);
    if (const auto found = seen.partitions.find(topic); found != seen.partitions.end()) {
      const int count = found->second;
      return PrintLine(Verdict::kOk, fmt::format("topic {}, {} partition{}", topic, count, count == 1 ? "" : "s"));
    }
    if (!options_.create_topics) {
      return Wrong(kFailure, "topic " + topic + " does not exist, or this user may not see it",
                   fmt::format("outbox-relay check -c {} --topic {} --create-topics", options_.config, topic));
    }
    if (Status created = cluster.Create(topic, kKafkaTimeout); !created.ok()) {
      return Wrong(kFailure, "topic " + topic + " cannot be created: " + created.text());
    }
    PrintLine(Verdict::kOk, "topic " + topic + " created, with the broker's own number of partitions");
  }

  const Options& options_;
  config::Config config_;
  int code_ = kOk;
};

}  // namespace

void AddCheck(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("check", "Is everything in place? Says what is wrong and how to mend it");
  AddConfigOption(*command, options->config);
  command->add_option("--topic", options->topics, "A topic that events will name; may be repeated")->type_name("NAME");
  command->add_flag("--create-topics", options->create_topics, "Create those of the --topic options that are missing");
  command->footer(
      "Looks at the configuration, the plugin, the connection, tables and grants, Kafka and the topics that are "
      "named.\n"
      "Changes nothing without --create-topics. Exit code 0 = a relay can run; warnings do not count.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay check -c relay.json\n"
      "  outbox-relay check -c relay.json --topic orders --topic payments --create-topics");
  command->callback([options, &action] { action = [options] { return Check(*options).Run(); }; });
}

}  // namespace outbox::cli
