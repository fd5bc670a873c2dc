// Implements outbox.emit/1 on MySQL, with many rows in one INSERT.
#include <algorithm>

#include "mysql/adapter.hpp"
#include "outbox/text.hpp"

namespace outbox::mysql {
namespace {

constexpr std::size_t kBytesPerInsert = std::size_t{1} << 20;
constexpr std::size_t kHead = 512;  // maximum size of the INSERT statement without its rows, in bytes

}  // namespace

void Adapter::InsertAll(Events events) {
  std::string rows;
  const auto send = [&] {
    if (rows.empty()) return;
    client_.Execute("insert into " + tables().event +
                    " (event_id, topic, aggregate_id, event_type, payload, headers) values " + rows);
    rows.clear();
  };
  for (const Event& e : events) {
    // A payload that is text is written as a text literal, because a column of a text type or of JSON accepts no binary
    // literal.
    const bool text = e.payload && IsText(*e.payload);
    const std::string row =
        "(" + (e.event_id.empty() ? "default" : client_.Literal(e.event_id)) + "," + client_.Literal(e.topic) + "," +
        client_.Literal(e.aggregate_id) + "," + client_.Literal(e.event_type) + "," +
        (text ? client_.Literal(e.payload) : client_.Binary(e.payload)) + "," + client_.Literal(e.headers) + ")";
    // The server closes a connection that sends a statement larger than max_allowed_packet.
    if (row.size() + kHead > client_.server().max_packet)
      throw Error(OUTBOX_BAD_DATA, "the event does not fit into one statement; max_allowed_packet of the server is " +
                                       std::to_string(client_.server().max_packet) + " bytes; raise it");
    if (rows.size() + row.size() + kHead > std::min(kBytesPerInsert, client_.server().max_packet)) send();
    rows += (rows.empty() ? "" : ",") + row;
  }
  send();
}

}  // namespace outbox::mysql
