// What an application says about an event when it writes one, and what is refused before anything reaches the database.
//
//   emit::Emit(connection, {.topic = "orders", .event_type = "OrderPlaced", .aggregate_id = "order-7", .payload = json});
//
// One header per client library: libpq.hpp, sqlite3.hpp, mysql.hpp; with SOCI outbox/soci/*.hpp as well. All insert
// through the connection that the caller hands in and in the transaction that is open there: the event is committed, or
// not, with everything else. Nothing is kept between calls, so any thread may call that may use the connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::emit {

// Absent and empty are two things: no key is not the key "", a tombstone is not an empty payload.
using Bytes = std::optional<std::string_view>;

struct Header {
  std::string_view name;
  Bytes value;  // any bytes; absent = a header without a value
};

// Views: they are read during the call and not kept.
struct NewEvent {
  std::string_view topic;
  std::string_view event_type;
  Bytes aggregate_id = std::nullopt;  // the key; absent = no key and no order
  Bytes payload = std::nullopt;       // absent = a tombstone
  std::vector<Header> headers = {};   // event_id and event_type come from the relay
  std::string_view event_id = {};     // a UUID in its 36 characters; empty = a new one
};

// In one statement. More are refused: databases limit the values of a statement.
inline constexpr std::size_t kMaxEvents = 5000;

// What a broker takes unless told otherwise (message.max.bytes).
inline constexpr std::size_t kDefaultRecordBytes = 1'048'588;

struct Options {
  // As in the relay's configuration: a name or schema.name of letters, digits and _.
  std::string_view table = "outbox_event";
  // Key, payload and headers as Kafka stores them, without compression. Set it to the topic's max.message.bytes.
  std::size_t max_record_bytes = kDefaultRecordBytes;
  // Without an open transaction the event would be committed at once and by itself, whatever becomes of the rest.
  bool allow_autocommit = false;
  // For writers that do not serialise their writes to a key: takes a lock on each key that lasts until the transaction
  // ends, so that events of one key are in the order of their commits. Needs a transaction. docs/guide/emit.md tells what
  // each database does for it.
  bool strict_order = false;
  // PostgreSQL only: the payload column is jsonb. text, bytea and json need nothing.
  bool jsonb_payload = false;
};

enum class EmitCode : std::uint8_t {
  kBadTopic,       // Kafka can have no topic of this name
  kTooLarge,       // the record is larger than max_record_bytes
  kBadHeaders,     // a name that is empty, comes twice, is the relay's own, …
  kBadValue,       // key, type or event id cannot be what they are
  kTooMany,        // more than kMaxEvents
  kBadOptions,     // the table's name is none, or what strict_order needs is not there
  kNoTransaction,  // none is open on the connection, or it has failed already
  kDatabase,       // the database refused; its own code is in sqlstate or native_code
};

// Nothing was inserted. After kDatabase the transaction is as the database leaves it: PostgreSQL wants it rolled back.
// The text shows no key, payload or header value.
struct EmitError : std::runtime_error {
  EmitError(EmitCode error_code, const std::string& text, std::size_t event = 0)
      : runtime_error(text), code(error_code), index(event) {}
  EmitCode code;
  std::size_t index;     // which of the events; 0 where it is none in particular
  std::string sqlstate;  // kDatabase: five characters where the database has one
  int native_code = 0;   // kDatabase: the database's own number, 0 = none
};

}  // namespace outbox::emit
