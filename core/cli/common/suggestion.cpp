#include "cli/common/suggestion.hpp"

#include <algorithm>
#include <cctype>
#include <set>

namespace outbox::cli {
namespace {

struct KnownTable {
  std::string_view columns;  // Required column names, in lower case without underscores, separated by blanks.
  Suggestion suggestion;
};

// The first table that fits is the suggestion, so tables with more columns come before those with fewer.
const std::vector<KnownTable>& KnownTables() {
  static const std::vector<KnownTable> kTables = {
      {"id eventid topic aggregateid eventtype payload headers createdat",
       {.whose = "an outbox of the relay's own", .is_own = true}},
      {"id aggregatetype aggregateid type timestamp payload",
       {.whose = "the table of Debezium's extension for Quarkus", .like = "debezium-quarkus"}},
      {"id aggregatetype aggregateid payload", {.whose = "the table of Debezium's EventRouter", .like = "debezium"}},
      {"id aggregateid eventtopic eventtype payload status reservedto",
       {.whose = "the table of the Go package github.com/fedotovmax/outbox", .like = "go-package"}},
      {"listenerid eventtype serializedevent publicationdate",
       {.whose = "the event publication registry of Spring Modulith",
        .why_not =
            "it has a row for each listener inside the application, no topic and no key, and the application completes "
            "the rows itself; let a listener write into an outbox"}},
      {"sequencenumber messageid enqueuetime senttime body",
       {.whose = "the outbox of MassTransit",
        .why_not =
            "its messages are addressed to endpoints of a bus, in MassTransit's envelopes; let MassTransit deliver "
            "them"}},
      {"id invocation nextattempttime attempts blocked",
       {.whose = "the outbox of gruelbox transaction-outbox",
        .why_not = "its rows are calls of Java methods, which only the application can make"}},
      {"messageid dispatched dispatchedat operations",
       {.whose = "the outbox of NServiceBus",
        .why_not = "a row holds all messages of one handler, in a format and for a transport of NServiceBus"}},
      {"id ownerid destination deliverby body attempts messagetype",
       {.whose = "the outgoing envelopes of Wolverine",
        .why_not = "its envelopes are for nodes and destinations of Wolverine; let Wolverine deliver them"}},
      {"globalindex eventidentifier payloadtype aggregateidentifier sequencenumber",
       {.whose = "the event store of Axon",
        .why_not =
            "it is not an outbox: events are kept forever and processors keep positions in it; publish with Axon's "
            "Kafka extension, or let a handler write into an outbox"}},
  };
  return kTables;
}

std::string Plain(const std::string& name) {
  std::string plain;
  for (const char c : name)
    if (c != '_') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return plain;
}

}  // namespace

std::optional<Suggestion> SuggestFor(const std::vector<Column>& columns) {
  std::set<std::string> names;
  for (const Column& column : columns) names.insert(Plain(column.name));
  const auto fits = [&](const KnownTable& table) {
    for (std::string_view rest = table.columns; !rest.empty();) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      if (!names.contains(std::string(rest.substr(0, end)))) return false;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return true;
  };
  const auto found = std::find_if(KnownTables().begin(), KnownTables().end(), fits);
  return found == KnownTables().end() ? std::nullopt : std::optional(found->suggestion);
}

}  // namespace outbox::cli
