// `outbox-relay run`: runs the daemon, which delivers events until it is stopped.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <random>
#include <sstream>

#include "cli/commands/commands.hpp"
#include "cli/commands/version.hpp"
#include "cli/common/check_report.hpp"
#include "cli/common/command.hpp"
#include "cli/common/publishers.hpp"
#include "cli/common/shaping.hpp"
#include "cli/common/signals.hpp"
#include "cli/common/stop_request.hpp"
#include "config/secrets.hpp"
#include "monitoring/endpoints.hpp"
#include "monitoring/log.hpp"
#include "record/shaping_publisher.hpp"
#include "runtime/peer_health.hpp"
#include "runtime/relay.hpp"
#include "util/log.hpp"
#include "util/shortage.hpp"

namespace outbox::cli {
namespace {

using namespace std::chrono_literals;

// Keeps payloads and passwords inside the process: disables core dumps, prevents other processes from attaching a
// debugger, and creates no files that other users can read.
void CloseProcess() {
  umask(027);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

// Determines what a signal does before and after the daemon has a log. Thread: any.
class SignalLog {
 public:
  // Sets the log. Before this call, a signal that asks for a stop ends the process at once, because until then the
  // process may be busy for a long time, for example with reading the configuration from a pipe. After this call, the
  // daemon stops cleanly and logs the stop.
  void Begin(std::shared_ptr<spdlog::logger> logger) {
    const std::lock_guard lock(mutex_);
    logger_ = std::move(logger);
  }
  // Returns the hooks for a StopRequest. REQUIRES: this object outlives the StopRequest.
  [[nodiscard]] StopHooks Hooks() {
    return {[this](int signal) { Stopping(signal); }, [this](int signal) { Ignored(signal); }};
  }

 private:
  void Stopping(int signal) {
    const std::lock_guard lock(mutex_);
    if (logger_) return;
    const std::string text = fmt::format("outbox-relay: {}: stopped before it had started\n", SignalName(signal));
    (void)!write(STDERR_FILENO, text.data(), text.size());
    _exit(kOk);
  }
  void Ignored(int signal) {
    const std::lock_guard lock(mutex_);
    if (!logger_) return;
    util::LogInfo(
        *logger_,
        "{}: ignored; the log goes to stderr and the configuration is read at start, so there is nothing to reopen "
        "or to read again",
        SignalName(signal));
  }

  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_;
};

class Daemon {
 public:
  Daemon(config::Config config, StopRequest& stop, SignalLog& signals)
      : config_(std::move(config)), logger_(monitoring::MakeLogger(config_.log)), stop_(stop) {
    signals.Begin(logger_);
  }

  int Run() {
    try {
      return Work();
    } catch (const std::exception& error) {
      return End(StatusOf(error));
    }
  }

 private:
  int Work() {
    util::LogInfo(*logger_, "{}", VersionLine());
    util::LogInfo(*logger_, "configuration: {}", config_.effective_json);
    for (const std::string& warning : config_.warnings) util::LogWarning(*logger_, "{}", warning);

    const auto store = OpenStore(config_, logger_);
    if (!store.ok()) return End(store.status());

    runtime::Relay relay(config_.relay, *store, record::Shaping(MakePublishers(config_, logger_), shaper_), logger_);
    std::unique_ptr<monitoring::Endpoints> endpoints;  // The endpoints answer even while the database is unavailable.
    if (!config_.http.listen.empty()) {
      auto listening = monitoring::Endpoints::Start(config_, relay, *store, ThisBuild(), logger_);
      if (!listening.ok()) return End(listening.status());
      endpoints = std::move(*listening);
    }
    const auto checked = CheckTables(**store, relay);
    if (!checked) return kOk;
    if (!checked->ok()) return End(*checked);

    if (captured_) relay.WatchSource();
    if (Status started = relay.Start(); !started.ok()) return End(started);
    util::LogInfo(*logger_, "relay {} started (incarnation {})", relay.id(), relay.incarnation());
    if (endpoints) endpoints->BeginLooking();
    const int code = WaitAndStop(relay);
    if (endpoints && !endpoints->Stop(1s)) {
      util::FlushLog(*logger_);
      _exit(code);
    }
    return code;
  }

  int End(const Status& status) {
    // A log entry is one line, but the text of a fix may have several lines, such as SQL to copy.
    std::istringstream lines(config::Redact(status.text()));
    for (std::string line; std::getline(lines, line);) util::LogError(*logger_, "{}", line);
    return CodeOf(status);
  }

  // Checks the tables, and repeats the check while the database is unavailable. Returns nothing if a stop was requested
  // before the database answered.
  std::optional<Status> CheckTables(storage::Store& store, runtime::Relay& relay) {
    const Call call{0, 0, config_.relay.storage_timeout};
    std::minstd_rand random(std::random_device{}());
    runtime::PeerHealth& database = *relay.database();
    const auto post = relay.watchdog()->Watch("start");
    for (auto wait = 100ms;; wait = std::min<std::chrono::milliseconds>(2 * wait, 5s)) {
      Status status = [&] {
        const runtime::Watched watch(*post, "check_schema", 2 * call.timeout);
        return CheckTablesOnce(store, call);
      }();
      if (status.ok() || status.code() == OUTBOX_BAD_CONFIG) {
        if (status.ok()) database.Good({&store});
        return status;
      }
      database.Bad({&store}, config::Redact(status.text()));
      const auto jitter = std::uniform_int_distribution<std::chrono::milliseconds::rep>(0, wait.count() / 2)(random);
      if (stop_.WaitFor(wait - std::chrono::milliseconds(jitter))) return std::nullopt;
    }
  }

  Status CheckTablesOnce(storage::Store& store, const Call& call) {
    const auto session = store.Connect(call);
    if (!session.ok()) return session.status();
    const auto findings = (*session)->CheckSchema(call);
    if (!findings.ok())
      return findings.status().code() == OUTBOX_UNSUPPORTED ? PrepareRecords(**session, call) : findings.status();
    for (const Finding& finding : *findings) {
      if (finding.error) continue;
      util::Log(*logger_, finding.note ? util::LogLevel::kInfo : util::LogLevel::kWarning, "{}{}{}", finding.what,
                finding.fix.empty() ? "" : "; fix: ", finding.fix);
    }
    if (const std::string errors = Errors(*findings); !errors.empty()) return {OUTBOX_BAD_CONFIG, errors};
    return PrepareRecords(**session, call);
  }

  Status PrepareRecords(storage::Session& session, const Call& call) {
    const auto columns = session.DescribeColumns(call);
    if (!columns.ok()) return columns.status();
    captured_ = !columns->empty();
    auto shaper = MakeShaper(config_, *columns);
    if (shaper.ok()) shaper_->Put(std::move(*shaper));
    return shaper.status();
  }

  int WaitAndStop(runtime::Relay& relay) {
    std::thread stopper([&] {
      const int signal = stop_.Wait();
      if (signal == kEnded) return;
      util::LogInfo(
          *logger_,
          "{}: stopping, within {} ms; a second signal, one second from now or later, ends the process at once",
          SignalName(signal), config_.relay.shutdown_timeout.count());
      if (relay.Stop(config_.relay.shutdown_timeout)) return;
      // A call hangs, and destroying the relay would block until that call returns. So the process exits without
      // destroying the relay: the lease expires without a release, and the next relay sends unconfirmed events again.
      util::LogWarning(*logger_,
                       "not everything could be confirmed in time: the next relay will send some events again");
      util::FlushLog(*logger_);
      _exit(kOk);
    });
    const Status status = relay.Wait();
    stop_.Set(kEnded);
    stopper.join();
    if (!status.ok()) return End(status);
    util::LogInfo(*logger_, "stopped, nothing in flight");
    return kOk;
  }

  static constexpr int kEnded = -1;

  const config::Config config_;
  const std::shared_ptr<spdlog::logger> logger_;
  StopRequest& stop_;
  bool captured_ = false;
  const std::shared_ptr<record::ShaperPlace> shaper_ = std::make_shared<record::ShaperPlace>();
};

struct Options {
  std::string config;
};

int Run(const Options& options) {
  CloseProcess();
  SignalLog log;
  StopRequest stop(log.Hooks());
  auto config = LoadConfig(options.config);
  if (!config.ok()) return Report(config.status());
  return Daemon(std::move(*config), stop, log).Run();
}

void Declare(Command& command, Options& options) {
  command.Config(options.config);
  command.Footer(
      "Several relays may run on one outbox: each shard has one owner, and a relay without a shard stands by. The log\n"
      "goes to stderr. The relay keeps retrying while the database or Kafka is down. SIGTERM or SIGINT makes it\n"
      "finish what is in flight and stop; a second signal, a second or more after the first, ends it at once.\n"
      "With /http/listen in the configuration it serves /healthz, /readyz, /metrics and /status.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay run -c relay.json\n"
      "  OUTBOX_RELAY_CONFIG=/etc/outbox-relay/relay.json outbox-relay run");
}

}  // namespace

constinit const CommandEntry kRunCommand{"run", "Deliver events until SIGTERM or SIGINT",
                                         [](Command& command) { return Bind(command, Declare, Run); }, true};

}  // namespace outbox::cli
