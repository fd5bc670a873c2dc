// Tests of the helpers for applications that use SQLite: emit and inbox.
#include <outbox/soci/sqlite3.hpp>
//
#include <outbox/emit/sqlite3.hpp>
#include <outbox/inbox/sqlite3.hpp>

#include <filesystem>

#include "emit_cases.hpp"
#include "inbox_cases.hpp"
#include "sqlite/adapter.hpp"

namespace {

using outbox::testing::EmitCases;
using outbox::testing::InboxCases;

struct Sqlite {
  using Relay = outbox::testing::Driver<outbox::sqlite::Adapter, outbox::sqlite::Config>;
  static constexpr bool kBinaryPayload = true;

  static std::string Path() {
    return (std::filesystem::temp_directory_path() / ("outbox-emit-" + std::to_string(getpid()))).string();
  }
  static Relay MakeRelay() {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(Path() + end);
    const auto config = std::make_shared<outbox::sqlite::Config>(R"({"path": ")" + Path() + "\"}", nullptr);
    sqlite3* db = nullptr;
    sqlite3_open(Path().c_str(), &db);
    sqlite3_close(db);
    Relay relay(config);
    relay.writing().ApplySchema({});
    relay.Heartbeat();
    return relay;
  }
  static std::string Table() { return outbox::inbox::SqliteTable(); }
  static void Script(soci::session& session, const std::string& sql) {
    sqlite3_exec(Native(session), sql.c_str(), nullptr, nullptr, nullptr);
  }
  static soci::session Open() { return soci::session(soci::sqlite3, Path()); }
  static sqlite3* Native(soci::session& session) { return outbox::soci_sqlite3::Native(session); }
};

}  // namespace

OUTBOX_EMIT_CASES(Sqlite)
OUTBOX_INBOX_CASES(Sqlite)
