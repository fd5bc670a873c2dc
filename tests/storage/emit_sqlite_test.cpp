// Emit into SQLite.
#include <outbox/soci/sqlite3.hpp>
//
#include <outbox/emit/sqlite3.hpp>

#include <filesystem>

#include "emit_cases.hpp"
#include "sqlite/adapter.hpp"

namespace {

using outbox::testing::EmitCases;

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
  static soci::session Open() { return soci::session(soci::sqlite3, Path()); }
  static auto* Native(soci::session& session) { return outbox::soci_sqlite3::Native(session); }
};

}  // namespace

OUTBOX_EMIT_CASES(Sqlite)
