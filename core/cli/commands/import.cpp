// `outbox-relay import`: translates the configuration of a Debezium connector to a configuration of the relay, without
// connecting to anything. With --verify the command compares the relay's records with those of the connector instead of
// translating.
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

// Reads a file of at most kMaxFile bytes, or stdin if the name is "-".
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
                                                ": no configuration was written, because the settings above would make "
                                                "records differ from Debezium's, or might do so"));
  std::cout << translation.configuration << std::flush;
  return kOk;
}

int Run(const Options& options) {
  if (options.verify == options.connector.empty())
    return options.verify ? Verify(options.verification) : Translate(options);
  std::cerr
      << "outbox-relay import: give either the connector's FILE, or --verify and -c with the relay's configuration"
      << std::endl;
  return kUsage;
}

void Declare(Command& command, Options& options) {
  command.Add("FILE", options.connector,
              "The connector's configuration in JSON, as Kafka Connect accepts or returns it; - = stdin");
  command
      .Add("--worker", options.worker,
           "Configuration of the Connect worker, as properties or JSON, for its converters and brokers")
      .Value("FILE");
  command.Flag(
      "--verify", options.verify,
      "Compare the records of captured rows with those that the connector has stored, byte for byte, instead of "
      "translating");
  command.Config(options.verification.config);
  command.Flag("--remove-delivered", options.verification.remove_delivered,
               "With --verify: remove the captured rows whose records are stored identically; no relay may run");
  command
      .Add("--prefix", options.verification.prefix,
           "With --verify: the prefix that the relay's topics have and the connector's do not; also compare the "
           "records that the relay has delivered")
      .Value("TEXT");
  command.Add("--since", options.verification.since, "With --prefix: how far back its topics are read (default: 24h)")
      .Value("DURATION");
  command.Footer(
      "Prints a configuration with which the relay makes the same records as the connector with its EventRouter, byte\n"
      "for byte except for the headers __debezium.context.*. Notes about it go to stderr. Refuses unknown settings,\n"
      "as they may change records. Passwords are not copied; the configuration refers to environment variables\n"
      "instead.\n"
      "Exit code 78 = no configuration was written, and all reasons are on stderr.\n"
      "\n"
      "--verify finds the stored record of an event by the header that has its id. Exit code 0 = something was\n"
      "compared, and all of it is the same; 1 = something differs, or nothing was compared.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay import connector.json --worker worker.properties > relay.json\n"
      "  curl -s http://connect:8083/connectors/outbox | outbox-relay import - > relay.json\n"
      "  outbox-relay import --verify -c relay.json\n"
      "  outbox-relay import --verify -c relay.json --remove-delivered     after the connector has stopped");
}

}  // namespace

constinit const CommandEntry kImportCommand{"import", "Translate the configuration of a Debezium connector",
                                            [](Command& command) { return Bind(command, Declare, Run); }};

}  // namespace outbox::cli
