// `outbox-relay migrate`: creates or upgrades the tables, or prints the SQL for it.
#include <algorithm>
#include <iostream>

#include "cli/commands/commands.hpp"
#include "cli/common/check_report.hpp"
#include "cli/common/command.hpp"
#include "cli/common/shaping.hpp"
#include "monitoring/log.hpp"

namespace outbox::cli {
namespace {

constexpr Millis kShortest{60'000};

struct Options {
  std::string config;
  bool print = false;
  SchemaOptions schema;
};

// Returns only the notes among `findings`. Errors and warnings are left out, because after --remove-capture the check
// reports that nothing copies rows, which is what the user asked for.
std::vector<Finding> Notes(std::vector<Finding> findings) {
  std::erase_if(findings, [](const Finding& finding) { return !finding.note; });
  return findings;
}

int Print(const Options& options) {
  const auto config = LoadConfig(options.config);
  if (!config.ok()) return Report(config.status());
  const auto store = OpenStore(*config, QuietLogger(config->log));
  if (!store.ok()) return Report(store.status());
  SchemaOptions schema = options.schema;
  schema.wake_up = config->relay.wake_up;
  const auto sql = (*store)->PrintSchema(schema);
  if (!sql.ok()) return Report(sql.status());
  std::cout << *sql << std::flush;
  return kOk;
}

// Checks that records can be made from the rows that a trigger will copy. Mistakes in the table itself are not reported
// here, because PlanSchema reports them.
Status RecordsFit(Outbox& outbox, const Call& call) {
  const auto columns = outbox.session->DescribeColumns(call);
  if (!columns.ok() || columns->empty()) return {};
  return MakeShaper(outbox.config, *columns).status();
}

int Apply(const Options& options) {
  auto outbox = OpenOutbox(options.config);
  if (!outbox.ok()) return Report(outbox.status());
  SchemaOptions schema = options.schema;
  schema.wake_up = outbox->config.relay.wake_up;
  // Building an index or converting payloads may take longer than the timeout for a relay's calls.
  Call call = outbox->call();
  call.timeout = std::max<Millis>(call.timeout, kShortest);
  if (!schema.remove_capture)
    if (Status fits = RecordsFit(*outbox, call); !fits.ok()) return Report(fits);
  const auto changes = outbox->session->PlanSchema(schema, call);
  if (!changes.ok()) return Report(changes.status());
  for (const std::string& change : *changes) std::cout << "  " << monitoring::Escape(change) << "\n";
  std::cout << std::flush;
  if (Status applied = outbox->session->ApplySchema(schema, call); !applied.ok()) return Report(applied);
  const auto findings = outbox->session->CheckSchema(outbox->call());
  if (schema.remove_capture) {
    std::cout << "Rows are no longer copied. The tables are kept, with the rows that were not delivered." << std::endl;
    if (findings.ok()) (void)PrintFindings(Notes(*findings));
    return kOk;
  }
  if (!findings.ok()) return Report(findings.status());
  std::cout << "The outbox is in place (" << outbox->store->name() << ")." << std::endl;
  return PrintFindings(*findings) ? kOk : kConfig;
}

int Migrate(const Options& options) { return options.print ? Print(options) : Apply(options); }

void Declare(Command& command, Options& options) {
  command.Config(options.config);
  command.Flag("--print", options.print, "Print the SQL and change nothing; needs no connection");
  command.Add("--payload", options.schema.payload, "Column type of the payload, if the database offers a choice")
      .OneOf({"text", "bytea", "jsonb"});
  command.Flag("--rewrite-events", options.schema.rewrite_events,
               "Let --payload convert waiting events and dead letters too; without it migrate refuses to touch them");
  command.Flag("--remove-capture", options.schema.remove_capture,
               "Only remove the triggers that copy rows of the application's table; keep the relay's tables");
  command
      .Add("--shards", options.schema.shards,
           "Number of shards that relays divide among themselves, 1 to 256; can change only while no relay runs")
      .Between(1, 256);
  command.Footer(
      "Lists all changes, then makes them. It keeps what exists; a second run changes nothing. It holds locks on\n"
      "tables that are in use only briefly, and retries if it does not get one. Only `migrate` needs permission to\n"
      "change tables, `run` does not.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay migrate -c relay.json\n"
      "  outbox-relay migrate -c relay.json --print | psql shop     review and apply the SQL yourself\n"
      "  outbox-relay migrate -c relay.json --payload bytea         for payloads that are not text\n"
      "  outbox-relay migrate -c relay.json --shards 4              up to four relays deliver at the same time");
}

}  // namespace

constinit const CommandEntry kMigrateCommand{"migrate", "Create or upgrade the tables of the outbox",
                                             [](Command& command) { return Bind(command, Declare, Migrate); }};

}  // namespace outbox::cli
