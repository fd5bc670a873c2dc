// Implements outbox.emit/1 on PostgreSQL, with one statement that inserts whole arrays of events.
#include <array>
#include <nlohmann/json.hpp>

#include "outbox/text.hpp"
#include "postgres/adapter.hpp"
#include "postgres/array.hpp"
#include "sql/sql_template.hpp"

namespace outbox::postgres {
namespace {

// The limits of one insert. The arrays are copied on their way to the server, so they are kept small.
constexpr std::size_t kRowsPerInsert = 1000, kBytesPerInsert = std::size_t{4} << 20;

constexpr const char* kInsert = R"(
insert into {event} (topic, aggregate_id, event_type, payload, headers[column])
select u.topic, u.key, u.type, cast(u.payload as [payload]), cast(u.headers as [headers])[value]
from unnest($1, $2, $3, $4, $5, $6) with ordinality as u (topic, key, type, payload, headers, event_id, n) order by u.n)";

void RequireText(const Bytes& bytes, const std::string& what, const char* fix = "") {
  if (bytes && !IsText(*bytes)) throw Error(OUTBOX_BAD_DATA, what + " is not UTF-8 text without NUL" + fix);
}

// Refuses an invalid event with a helpful reason; the server would only report an "invalid byte sequence".
void CheckEvent(const Event& e, const EventColumns& columns) {
  RequireText(e.topic, "the topic");
  RequireText(e.event_type, "the event type");
  RequireText(e.aggregate_id, "the key");
  RequireText(e.event_id, "the event id");
  if (!columns.IsBytea())
    RequireText(e.payload, "the payload",
                ", and its column cannot hold anything else; run: outbox-relay migrate --payload bytea");
  if (columns.IsJson() && e.payload && !nlohmann::json::accept(*e.payload))
    throw Error(OUTBOX_BAD_DATA,
                "the payload is not JSON, and its column cannot hold anything else;"
                " run: outbox-relay migrate --payload text");
}

}  // namespace

void Adapter::PrepareInsert() {
  if (inserts_) return;
  const EventColumns& columns = OwnColumns();
  const std::vector<Oid> types{kTextArray, kTextArray, kTextArray, columns.IsBytea() ? kByteaArray : kTextArray,
                               kTextArray, kTextArray};
  const auto prepare = [&](const char* name, const char* column, const char* value) {
    const std::string sql = sql::Fill(
        kInsert,
        {{"[column]", column}, {"[value]", value}, {"[payload]", columns.payload}, {"[headers]", columns.headers}});
    client_->Prepare(name, tables().In(sql), types);
  };
  prepare("insert", "", "");
  prepare("insert_named", ", event_id", ", cast(u.event_id as uuid)");
  inserts_ = true;
}

void Adapter::InsertAll(Events events) {
  for (const Event& e : events) CheckEvent(e, *columns_);
  // Splits the events into runs of rows that have an event id and runs of rows that take the column's default.
  for (std::size_t first = 0, next = 0; first < events.size(); first = next) {
    const bool named = !events[first].event_id.empty();
    std::array<Array, 6> columns{Array(kText), Array(kText), Array(kText), Array(columns_->IsBytea() ? kBytea : kText),
                                 Array(kText), Array(kText)};
    std::size_t bytes = 0;
    for (; next < events.size() && next - first < kRowsPerInsert && bytes < kBytesPerInsert; ++next) {
      const Event e = events[next];
      if (named == e.event_id.empty()) break;
      columns[0].Add(Bytes(e.topic));
      columns[1].Add(e.aggregate_id);
      columns[2].Add(Bytes(e.event_type));
      columns[3].Add(e.payload);
      columns[4].Add(e.headers);
      columns[5].Add(named ? Bytes(e.event_id) : std::nullopt);
      bytes += e.payload.value_or("").size();
    }
    std::array<std::string, 6> arrays;
    std::vector<Parameter> parameters;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      arrays[i] = columns[i].Take();
      parameters.push_back({arrays[i], true});
    }
    (void)client_->Execute(named ? "insert_named" : "insert", parameters);
  }
}

}  // namespace outbox::postgres
