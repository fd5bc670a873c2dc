// `outbox-relay import`: a configuration from a connector of Debezium's, which connects to nothing; and, with --verify, a comparison
// of the records.
#include <cerrno>
#include <fstream>
#include <iostream>
#include <system_error>

#include "cli/commands/commands.hpp"
#include "cli/common/command.hpp"
#include "cli/verify/verification.hpp"
#include "config/config.hpp"
#include "import/connector.hpp"
#include "monitoring/log.hpp"
#include "util/shortage.hpp"

namespace outbox::cli {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

struct Options {
  std::string connector, worker;
  bool verify = false;
  VerifyRequest verification;
};

Status Unread(const std::string& name, int error) {
  const std::error_code reason(error, std::generic_category());
  return {IsShortage(error) ? kShortage : outbox_code{OUTBOX_BAD_CONFIG},
          name + ": cannot be read: " + reason.message()};
}

// "-" = stdin.
Result<std::string> ReadFile(const std::string& name) {
  std::ifstream file;
  errno = 0;
  if (name != "-") file.open(name, std::ios::binary);
  std::istream& stream = name == "-" ? std::cin : file;
  if (!stream) return Unread(name, errno);
  std::string text(kMaxFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || (errno != 0 && stream.gcount() == 0)) return Unread(name, errno == 0 ? EIO : errno);
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxFile) return Status(OUTBOX_BAD_CONFIG, name + ": is larger than 1 MiB; is it the right file?");
  return text;
}

int Translate(const Options& options) {
  const auto connector = ReadFile(options.connector);
  if (!connector.ok()) return Report(connector.status());
  const auto worker = options.worker.empty() ? Result<std::string>(std::string()) : ReadFile(options.worker);
  if (!worker.ok()) return Report(worker.status());
  const debezium::Translation translation = debezium::Translate(debezium::ReadConnector(*connector, options.connector),
                                                                debezium::ReadWorker(*worker, options.worker));
  for (const std::string& note : translation.notes) std::cerr << "note: " << monitoring::Escape(note) << '\n';
  for (const std::string& refusal : translation.refusals) std::cerr << "error: " << monitoring::Escape(refusal) << '\n';
  std::cerr << std::flush;
  if (!translation.refusals.empty())
    return Report(Status(OUTBOX_BAD_CONFIG, options.connector +
                                                ": no configuration was written: with what is above, records would "
                                                "not be those of Debezium, or it is not known whether they would"));
  std::cout << translation.configuration << std::flush;
  return kOk;
}

int Run(const Options& options) {
  if (options.verify == options.connector.empty())
    return options.verify ? Verify(options.verification) : Translate(options);
  std::cerr << "outbox-relay import: name the connector's file, or with --verify the relay's configuration by -c"
            << std::endl;
  return kUsage;
}

void Declare(Command& command, Options& options) {
  command.Add("FILE", options.connector, "The connector as JSON, as Kafka Connect takes or gives it; - = stdin");
  command.Add("--worker", options.worker, "Properties of the Connect worker, or JSON: its converters and brokers")
      .Value("FILE");
  command.Flag("--verify", options.verify,
               "Instead: compare the records of captured rows with those that the connector has stored, byte for byte");
  command.Config(options.verification.config);
  command.Flag("--remove-delivered", options.verification.remove_delivered,
               "With --verify: remove the captured rows whose records are stored, the same; no relay may run");
  command
      .Add("--prefix", options.verification.prefix,
           "With --verify: the relay's topics begin with it, the connector's do not; what the relay has delivered is "
           "compared too")
      .Value("TEXT");
  command.Add("--since", options.verification.since, "With --prefix: how far back its topics are read (default: 24h)")
      .Value("DURATION");
  command.Footer(
      "Prints a configuration whose relay makes the same records as the connector with its EventRouter, byte for byte "
      "but for\n"
      "the headers __debezium.context.*. What to know about it goes to stderr. Settings that are not known are "
      "refused,\n"
      "as they may change records. Passwords are not carried over; the configuration refers to the environment "
      "instead.\n"
      "Exit code 78 = no configuration, and all reasons on stderr.\n"
      "\n"
      "--verify finds the stored record of an event by the header that has its id. Exit code 0 = something was "
      "compared, and all of\n"
      "it is the same; 1 = something differs, or nothing was compared.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay import connector.json --worker worker.properties > relay.json\n"
      "  curl -s http://connect:8083/connectors/outbox | outbox-relay import - > relay.json\n"
      "  outbox-relay import --verify -c relay.json\n"
      "  outbox-relay import --verify -c relay.json --remove-delivered     the connector is stopped");
}

}  // namespace

constinit const CommandEntry kImportCommand{"import", "Write a configuration from a connector of Debezium's",
                                            [](Command& command) { return Bind(command, Declare, Run); }};

}  // namespace outbox::cli
