#include "postgres/connect.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "outbox/event.hpp"

namespace outbox::postgres {
namespace {

std::map<std::string, std::string> Defaults() {
  return {
      {"fallback_application_name", "outbox-relay"},
      {"client_encoding", "UTF8"},  // payloads in text columns are UTF-8 in Kafka, whatever the server keeps
      {"connect_timeout", "5"},
      {"keepalives_idle", "5"},
      {"keepalives_interval", "2"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "10000"},
  };
}

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

Options Parse(const std::string& connection) {
  char* text = nullptr;
  Options options(PQconninfoParse(connection.c_str(), &text), PQconninfoFree);
  PQfreemem(text);  // it would quote a piece of the string
  if (!options)
    throw Error(OUTBOX_BAD_CONFIG,
                "options: 'connection' is neither a list such as \"host=db dbname=shop\" nor a postgresql:// address;"
                " a value with spaces stands in single quotes");
  return options;
}

std::string Quoted(const std::string& value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// libpq tries with TLS and without, and then says everything twice.
std::string OneLine(const std::string& text) {
  std::string joined, before;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line); before = line) {
    line.erase(0, line.find_first_not_of("\t "));
    if (!line.empty() && line != before) joined += (joined.empty() ? "" : "; ") + line;
  }
  return joined;
}

// What a person has to mend: by the code of the server's refusal in libpq's verbose text, and by libpq's own words where
// it did not like the server's TLS or a value of ours.
bool IsRefusal(const std::string& line) {
  constexpr std::array kSigns{
      "  28000: ",          "  28P01: ", "  3D000: ", "does not support SSL", "certificate", "for connection option",
      "invalid port number"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](const char* sign) { return line.find(sign) != std::string::npos; });
}

// Of several hosts each has its line: while one of them only does not answer, it may be the right one.
bool RefusedForGood(const std::string& text) {
  bool refused = false;
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (IsRefusal(line))
      refused = true;
    else if (line.find("connection to server") != std::string::npos)
      return false;
  }
  return refused;
}

}  // namespace

// A prepared plan made while the table was empty took 1634 ms for what an index does in one, so only index plans are
// left: by key, in order, without workers and without compiling. The last one makes the server notice that a relay
// which waited for a lock is gone; it exists from version 14 on.
extern const char* const kSettings =
    "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off; set enable_mergejoin = off;"
    " set enable_hashjoin = off; set jit = off;"
    " set plan_cache_mode = force_generic_plan; set max_parallel_workers_per_gather = 0;"
    " set default_transaction_isolation = 'read committed'; set lock_timeout = 0;"
    " select set_config(name, '2s', false) from pg_settings where name = 'client_connection_check_interval'";

std::string CompleteConnection(const std::string& connection) {
  const Options options = Parse(connection);
  auto missing = Defaults();
  std::string complete;
  for (const PQconninfoOption* o = options.get(); o->keyword != nullptr; ++o) {
    if (o->val == nullptr) continue;
    missing.erase(o->keyword);
    complete.append(o->keyword).append("=").append(Quoted(o->val)).append(" ");
  }
  for (const auto& [keyword, value] : missing) complete.append(keyword).append("=").append(value).append(" ");
  return complete;
}

Native Connect(const std::string& complete) {
  Native connection(PQconnectdb(complete.c_str()));
  if (!connection) throw Error(OUTBOX_UNAVAILABLE, "PostgreSQL: out of memory");
  if (PQstatus(connection.get()) == CONNECTION_OK) return connection;
  const std::string text = PQerrorMessage(connection.get());
  // A server's refusal reads "SEVERITY:  reason"; all else is libpq's own, and asking again would only cost time. libpq
  // shows the code of a refusal in its verbose text alone, and the server's words may be in any language.
  bool refused = PQconnectionNeedsPassword(connection.get()) != 0 || RefusedForGood(text);
  if (!refused && text.find(":  ") != std::string::npos) {
    PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
    PQreset(connection.get());
    refused = RefusedForGood(PQerrorMessage(connection.get()));
  }
  if (refused) throw Error(OUTBOX_BAD_CONFIG, "PostgreSQL: " + OneLine(text) + "; correct 'connection'");
  throw Error(OUTBOX_UNAVAILABLE, "PostgreSQL: " + OneLine(text));
}

}  // namespace outbox::postgres
