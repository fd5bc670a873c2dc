// `outbox-relay demo`: shows the whole path of events in one process, with nothing to install. It runs an application
// with an SQLite outbox, the same relay as `outbox-relay run`, a broker, and a consumer that counts what arrives.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <thread>

#include "cli/commands/commands.hpp"
#include "cli/common/command.hpp"
#include "cli/common/publishers.hpp"
#include "cli/common/stop_request.hpp"
#include "cli/demo/application.hpp"
#include "cli/demo/consumer.hpp"
#include "cli/demo/screen.hpp"
#include "config/load.hpp"
#include "kafka/embedded_broker.hpp"
#include "kafka/property_policy.hpp"
#include "runtime/relay.hpp"
#include "storage/loader.hpp"
#include "util/format.hpp"
#include "util/json.hpp"

namespace outbox::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using util::Json;

constexpr int kOrdersPartitions = 6;
constexpr int kPaymentsPartitions = 3;
constexpr auto kRedraw = 100ms;
// After this time without any progress the demo stops waiting.
constexpr auto kPatience = 60s;
// The application pauses while the consumer is this many events behind, because the broker keeps only 5 MB per
// partition.
constexpr std::uint64_t kUnread = 20'000;

struct DemoOptions {
  std::uint64_t events = 2000;  // The number of events to commit.
  bool broker_only = false;     // True to run only the broker, until SIGINT or SIGTERM.
};

class TemporaryFolder {
 public:
  TemporaryFolder() : path_((std::filesystem::temp_directory_path() / "outbox-demo-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) {
      throw std::filesystem::filesystem_error("cannot make a folder", path_, {errno, std::generic_category()});
    }
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  [[nodiscard]] std::filesystem::path path() const { return path_; }

 private:
  std::string path_;
};

Result<std::unique_ptr<kafka::EmbeddedBroker>> StartBroker() {
  return kafka::EmbeddedBroker::Start(
      {{std::string(kOrdersTopic), kOrdersPartitions}, {std::string(kPaymentsTopic), kPaymentsPartitions}});
}

// Returns the usual search path and, for a program that was not installed, the folder of the SQLite plugin in its build
// folder.
storage::SearchPath PluginPath() {
  storage::SearchPath where = storage::DefaultSearchPath();
  std::error_code none;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", none);
  const auto built = program.parent_path().parent_path().parent_path() / "plugins" / "sqlite";
  if (!none && std::filesystem::exists(built, none)) where.folders.push_back(built);
  return where;
}

// One run of the demo, from its set-up to the verdict.
class Stage {
 public:
  explicit Stage(const DemoOptions& options) : options_(options) {}

  Status Play() {
    for (const auto step : {&Stage::SetUp, &Stage::Work, &Stage::Finish}) {
      if (Status done = (this->*step)(); !done.ok()) return done;
    }
    return {};
  }
  [[nodiscard]] bool holds() const { return holds_; }

 private:
  Status SetUp() {
    auto broker = StartBroker();
    if (!broker.ok()) return broker.status();
    broker_ = std::move(*broker);

    const std::filesystem::path database = folder_.path() / "shop.db";
    const Json config = Json::Object({
        {"storage", Json::Object({{"plugin", "sqlite"}, {"options", Json::Object({{"path", database.string()}})}})},
        {"publisher", Json::Object({{"kafka", Json::Object({{"bootstrap.servers", broker_->bootstrap()}})}})},
        {"relay", Json::Object({{"poll_interval", "20ms"}})},
    });
    auto parsed = config::Parse(config.Dump(), folder_.path() / "relay.json", kafka::GetPropertyPolicy());
    if (!parsed.ok()) return parsed.status();
    config_ = std::move(*parsed);
    logger_ = QuietLogger(config_.log);

    const auto plugin = storage::Load(config_.storage.plugin, PluginPath());
    if (!plugin.ok()) return plugin.status();
    auto store = storage::Store::Open(*plugin, config_.storage.options, logger_);
    if (!store.ok()) return store.status();
    store_ = std::move(*store);
    auto session = store_->Connect(call_);
    if (!session.ok()) return session.status();
    session_ = std::move(*session);
    if (Status made = session_->ApplySchema({}, call_); !made.ok()) return made;

    auto consumer = DemoConsumer::Start(broker_->bootstrap(), {{std::string(kOrdersTopic), kOrdersPartitions},
                                                               {std::string(kPaymentsTopic), kPaymentsPartitions}});
    if (!consumer.ok()) return consumer.status();
    consumer_ = std::move(*consumer);

    screen_.Introduce(fmt::format("{} ({} {})", database.string(), store_->name(), store_->version()),
                      broker_->bootstrap());
    return {};
  }

  Status Work() {
    auto session = store_->Connect(call_);
    if (!session.ok()) return session.status();
    application_ = std::make_unique<DemoApplication>(std::move(*session), options_.events, [this] {
      while (!over_ && application_->committed() > consumer_->read() + kUnread) std::this_thread::sleep_for(1ms);
      return !over_;
    });
    relay_ = std::make_unique<runtime::Relay>(config_.relay, store_, MakePublishers(config_, logger_), logger_);
    if (Status started = relay_->Start(); !started.ok()) return started;

    std::thread writing([this] {
      Status written = application_->Run();
      const std::lock_guard lock(mutex_);
      written_ = std::move(written);
      wrote_all_ = true;
    });
    Status watched = Watch();
    over_ = true;
    writing.join();
    took_ = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
    if (!watched.ok()) return watched;
    return written_;
  }

  // Shows the progress until everything that was committed has been read back, or there is no progress for kPatience.
  Status Watch() {
    auto moved = Clock::now();
    for (std::uint64_t before = 0;;) {
      const bool interrupted = interrupt_.WaitFor(kRedraw / 5);
      const std::uint64_t committed = application_->committed();
      const bool done = Wrote() && consumer_->read() >= committed && relay_->counters().confirmed >= committed;
      if (done || interrupted || Clock::now() - drawn_ >= kRedraw) {
        screen_.Show(Progress(), done || interrupted);
        drawn_ = Clock::now();
      }
      if (interrupted) return {OUTBOX_CANCELLED, "interrupted"};
      if (done) return {};
      const std::uint64_t now = consumer_->read() + committed;
      if (std::exchange(before, now) != now) moved = Clock::now();
      // A lack of progress is not an error of Watch(): the verdict shows which events are missing.
      if (Clock::now() - moved > kPatience) return {};
    }
  }

  bool Wrote() {
    const std::lock_guard lock(mutex_);
    return wrote_all_;
  }

  Status Finish() {
    if (!relay_->Stop(config_.relay.shutdown_timeout)) {
      return {OUTBOX_TIMEOUT, "the relay did not stop in time"};
    }
    const DemoProgress progress = Progress();
    relay_.reset();
    const auto stats = session_->ReadStats(call_);
    if (!stats.ok()) return stats.status();
    if (!consumer_->Finish(10s)) return {OUTBOX_TIMEOUT, "the consumer did not receive all records in time"};

    const DemoVerdict verdict = consumer_->Judge(application_->journal());
    screen_.ShowOrder(consumer_->OneOrder());
    screen_.ShowVerdict(verdict, progress, stats->backlog, took_);
    holds_ = verdict.Holds() && stats->backlog == 0;
    return {};
  }

  [[nodiscard]] DemoProgress Progress() const {
    return {options_.events, application_->committed(), application_->rolled_back(), relay_->counters().confirmed,
            consumer_->read()};
  }

  const DemoOptions options_;
  const Call call_{0, 0, Millis(30'000)};
  StopRequest interrupt_;  // A StopRequest must be constructed before any other thread is started.
  TemporaryFolder folder_;
  DemoScreen screen_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point drawn_;
  std::chrono::milliseconds took_{0};
  bool holds_ = false;

  config::Config config_;
  std::shared_ptr<spdlog::logger> logger_;
  std::unique_ptr<kafka::EmbeddedBroker> broker_;
  std::shared_ptr<storage::Store> store_;
  std::unique_ptr<storage::Session> session_;
  std::unique_ptr<DemoConsumer> consumer_;
  std::unique_ptr<DemoApplication> application_;
  std::unique_ptr<runtime::Relay> relay_;

  std::atomic<bool> over_{false};
  std::mutex mutex_;
  bool wrote_all_ = false;
  Status written_;
};

int BrokerOnly() {
  StopRequest interrupt;
  const auto broker = StartBroker();
  if (!broker.ok()) return Report(broker.status());
  DemoScreen().ShowBroker((*broker)->bootstrap());
  // The address could not be printed, so nobody can use the broker. Output::Finish() reports the failed write.
  if (!std::cout) return kOk;
  (void)interrupt.Wait();
  return kOk;
}

// Runs the demo. Returns kFailure if an event was lost, invented or delivered out of order.
int Demo(const DemoOptions& options) {
  if (options.broker_only) return BrokerOnly();
  Stage stage(options);
  if (Status played = stage.Play(); !played.ok()) return Report(played);
  return stage.holds() ? kOk : kFailure;
}

void Declare(Command& command, DemoOptions& options) {
  const Option events =
      command.Add("--events", options.events, "Events to commit (default: 2000)").Between(1, 10'000'000);
  command.Flag("--broker-only", options.broker_only, "Run only the test broker, for a relay of your own")
      .Excludes(events);
  command.Footer(
      "Needs neither a database nor Kafka. Its files are in a temporary folder and are removed at the end. Exit code\n"
      "1 = an event was lost, invented or delivered out of order.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay demo\n"
      "  outbox-relay demo --events 100000\n"
      "  outbox-relay demo --broker-only");
}

}  // namespace

constinit const CommandEntry kDemoCommand{"demo", "Run an application, relay, broker and consumer in one process",
                                          [](Command& command) { return Bind(command, Declare, Demo); }, true};

}  // namespace outbox::cli
