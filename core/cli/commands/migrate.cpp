// `outbox-relay migrate`: makes the tables, or prints the SQL that would.
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

// Only what was found, not what is wrong: that nothing copies rows is what was asked for.
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

// Before a trigger copies rows: can records be made of them? What is wrong with the table itself the plan says.
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
  // Building an index or converting payloads takes longer than a call of a relay may.
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
    std::cout << "Nothing copies rows any more. The tables stay, with the rows that were not delivered." << std::endl;
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
  command.Add("--payload", options.schema.payload, "Column type of the payload, where the database has a choice")
      .OneOf({"text", "bytea", "jsonb"});
  command.Flag("--rewrite-events", options.schema.rewrite_events,
               "Let --payload convert waiting events and dead letters too; without it migrate refuses to touch them");
  command.Flag("--remove-capture", options.schema.remove_capture,
               "Instead: take away what copies the rows of the application's table; the relay's tables stay");
  command
      .Add("--shards", options.schema.shards,
           "Shares of the keys that relays divide among them, 1 to 256; changed only while no relay runs")
      .Between(1, 256);
  command.Footer(
      "Lists each change, then makes it. What is there is kept; a second run changes nothing. Locks on tables that "
      "others\n"
      "use are held for moments and tried again. `run` needs no right to change tables, `migrate` does.\n"
      "\n"
      "Examples:\n"
      "  outbox-relay migrate -c relay.json\n"
      "  outbox-relay migrate -c relay.json --print | psql shop     review first, apply by yourself\n"
      "  outbox-relay migrate -c relay.json --payload bytea         payloads that are not text\n"
      "  outbox-relay migrate -c relay.json --shards 4              work for up to four relays at once");
}

}  // namespace

constinit const CommandEntry kMigrateCommand{"migrate", "Make or upgrade the tables of the outbox",
                                             [](Command& command) { return Bind(command, Declare, Migrate); }};

}  // namespace outbox::cli
