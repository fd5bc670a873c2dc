#include "postgres/connect.hpp"

#include <poll.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

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

// A prepared plan made while the table was empty took 1634 ms for what an index does in one, so only index plans are
// left: by key, in order, without workers and without compiling. The last one makes the server notice that a relay
// which waited for a lock is gone; it exists from version 14 on.
const char* const kSettings =
    "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off; set enable_mergejoin = off;"
    " set enable_hashjoin = off; set jit = off;"
    " set plan_cache_mode = force_generic_plan; set max_parallel_workers_per_gather = 0;"
    " set default_transaction_isolation = 'read committed'; set lock_timeout = 0;"
    " select set_config(name, '2s', false) from pg_settings where name = 'client_connection_check_interval'";

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

Options Parse(const std::string& connection) {
  char* text = nullptr;
  Options options(PQconninfoParse(connection.c_str(), &text), PQconninfoFree);
  PQfreemem(text);  // it would quote a piece of the string
  if (!options)
    throw Error(OUTBOX_BAD_CONFIG,
                "options: 'connection' is neither a list of keyword=value nor a postgresql:// address;"
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

struct Finish {
  void operator()(PGconn* c) const { PQfinish(c); }
};

// SOCI puts a sentence of its own before libpq's lines.
std::string OneLine(std::string text) {
  text.erase(0, text.find('\n') + 1);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) {
    const auto next = text.find_first_not_of("\n\t ", at);
    text.replace(at, std::min(next, text.size()) - at, "; ");
  }
  return text;
}

// libpq keeps the SQLSTATE of a refused connection to itself but for its verbose text, and SOCI does not ask for that.
// So a failed attempt is made once more to learn why; the text of the server may be in any language, the code is not.
bool RefusedForGood(const std::string& connection) {
  const std::unique_ptr<PGconn, Finish> probe(PQconnectStart(connection.c_str()));
  if (!probe) return false;
  PQsetErrorVerbosity(probe.get(), PQERRORS_VERBOSE);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED;
       state = PQconnectPoll(probe.get())) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    pollfd polled{PQsocket(probe.get()), static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    poll(&polled, 1, 1000);
  }
  if (PQconnectionNeedsPassword(probe.get()) != 0) return true;
  // Of several hosts each has its line: while one of them only does not answer, it may be the right one.
  const std::string text = PQerrorMessage(probe.get());
  bool refused = false;
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const auto has = [&](const char* code) { return line.find(code) != std::string::npos; };
    if (has("  28000: ") || has("  28P01: ") || has("  3D000: "))
      refused = true;
    else if (has("connection to server"))
      return false;
  }
  return refused;
}

}  // namespace

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

std::unique_ptr<soci::session> Connect(const std::string& complete) {
  try {
    auto session = std::make_unique<soci::session>(soci::postgresql, complete);
    PGconn* const native = NativeHandle(*session);
    const std::unique_ptr<PGresult, decltype(&PQclear)> set(PQexec(native, kSettings), PQclear);
    if (PQresultStatus(set.get()) != PGRES_TUPLES_OK)
      throw Error(OUTBOX_UNAVAILABLE, "PostgreSQL: " + std::string(PQerrorMessage(native)));
    return session;
  } catch (const soci::soci_error& error) {
    const std::string text = OneLine(error.get_error_message());
    // A server's refusal reads "SEVERITY:  reason"; all else is libpq's own, and asking again would only cost time.
    const bool answered =
        text.find(":  ") != std::string::npos || text.find("no password supplied") != std::string::npos;
    if (answered && RefusedForGood(complete))
      throw Error(OUTBOX_BAD_CONFIG, "PostgreSQL: " + text + "; correct 'connection'");
    throw Error(OUTBOX_UNAVAILABLE, "PostgreSQL: " + text);
  }
}

PGconn* NativeHandle(soci::session& session) {
  return static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
}

}  // namespace outbox::postgres
