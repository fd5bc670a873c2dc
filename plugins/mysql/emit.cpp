// outbox.emit/1 on MySQL: many rows in one INSERT.
#include <nlohmann/json.hpp>

#include "mysql/adapter.hpp"
#include "outbox/text.hpp"

namespace outbox::mysql {
namespace {

constexpr std::size_t kBytesPerInsert = std::size_t{1} << 20;
constexpr std::size_t kHead = 512;  // of the statement, besides the rows

}  // namespace

void Adapter::BeginEmit() {
  Client& db = Db();
  if (db.InTransaction()) db.Execute("rollback");
  version_.Check(db, config_->tables);
  db.Execute("start transaction");
}

void Adapter::Insert(Events events) {
  Client& db = Db();
  if (!db.InTransaction()) throw Error(OUTBOX_INTERNAL, "insert without begin");
  std::string rows;
  const auto send = [&] {
    if (rows.empty()) return;
    db.Execute("insert into " + config_->tables.event +
               " (event_id, topic, aggregate_id, event_type, payload, headers) values " + rows);
    rows.clear();
  };
  for (const Event& e : events) {
    if (e.headers && !nlohmann::json::parse(*e.headers, nullptr, false).is_object())
      throw Error(OUTBOX_BAD_DATA, "headers must be a JSON object");
    // A column of text or JSON takes no literal of bytes.
    const bool text = e.payload && IsText(*e.payload);
    const std::string row = "(" + (e.event_id.empty() ? "default" : db.Literal(e.event_id)) + "," +
                            db.Literal(e.topic) + "," + db.Literal(e.aggregate_id) + "," + db.Literal(e.event_type) +
                            "," + (text ? db.Literal(e.payload) : db.Binary(e.payload)) + "," + db.Literal(e.headers) +
                            ")";
    // The server would hang up.
    if (row.size() + kHead > db.server().max_packet)
      throw Error(OUTBOX_BAD_DATA,
                  "the event does not fit into one statement; raise the server's max_allowed_packet (" +
                      std::to_string(db.server().max_packet) + ")");
    if (rows.size() + row.size() + kHead > std::min(kBytesPerInsert, db.server().max_packet)) send();
    rows += (rows.empty() ? "" : ",") + row;
  }
  send();
}

void Adapter::EndEmit(bool commit) {
  Client& db = Db();
  if (commit && !db.InTransaction()) throw Error(OUTBOX_BAD_DATA, "the transaction has been rolled back already");
  db.Execute(commit ? "commit" : "rollback");
}

}  // namespace outbox::mysql
