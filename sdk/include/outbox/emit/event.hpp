// An event that an application emits, with the options and errors of Emit.
//
//   emit::Emit(connection,
//              {.topic = "orders", .event_type = "OrderPlaced", .aggregate_id = "order-7", .payload = json});
//
// There is one header per client library: libpq.hpp, sqlite3.hpp and mysql.hpp; with SOCI, include one of
// outbox/soci/*.hpp too. Emit inserts through the connection that the caller passes, in the transaction that is open
// there, so the event is committed or rolled back together with the other changes of that transaction.
//
// Thread: any that may use the connection. Nothing is kept between calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::emit {

// Bytes that may be absent. Absent differs from empty: no key is not the key "", and a tombstone is not an empty
// payload.
using Bytes = std::optional<std::string_view>;

// A header of the record.
struct Header {
  std::string_view name;
  // Any bytes; absent = a header without a value.
  Bytes value;
};

// An event to be inserted. Views: Emit reads them during the call and does not keep them.
struct NewEvent {
  std::string_view topic;
  std::string_view event_type;
  // The key; absent = the event has no key and no order.
  Bytes aggregate_id = std::nullopt;
  // The payload; absent = the record is a tombstone.
  Bytes payload = std::nullopt;
  // The headers of the record, except event_id and event_type, which the relay adds.
  std::vector<Header> headers = {};
  // The event id: a UUID as text of 36 characters; empty = Emit generates one.
  std::string_view event_id = {};
};

// Largest number of events in one call, which inserts them with one statement. More are refused, because databases
// limit the number of values in a statement.
inline constexpr std::size_t kMaxEvents = 5000;

// Largest size of a record that a broker accepts by default (message.max.bytes), in bytes.
inline constexpr std::size_t kDefaultRecordBytes = 1'048'588;

// The options of Emit.
struct Options {
  // The outbox table, as in the relay's configuration: a name or schema.name of letters, digits and _.
  std::string_view table = "outbox_event";
  // Largest size of a record in bytes: key, payload and headers as Kafka stores them, without compression. Set it to
  // the topic's max.message.bytes.
  std::size_t max_record_bytes = kDefaultRecordBytes;
  // True = do not require an open transaction. Without a transaction the event is committed immediately and
  // independently, even if the change that it describes fails.
  bool allow_autocommit = false;
  // True = lock each key until the transaction ends, so that the events of a key are in the order of their commits. It
  // is for writers that do not serialise their own writes to a key, and requires a transaction. docs/guide/emit.md
  // describes its effect in each database.
  bool strict_order = false;
  // True = the payload column is of type jsonb (PostgreSQL only). The types text, bytea and json need no setting.
  bool jsonb_payload = false;
};

// The reason why Emit refused an event.
enum class EmitCode : std::uint8_t {
  kBadTopic,       // A topic of Kafka cannot have this name.
  kTooLarge,       // The record is larger than Options::max_record_bytes.
  kBadHeaders,     // A header's name is invalid: for example, it is empty, occurs twice or is one of the relay's own.
  kBadValue,       // The key, the type or the event id has an invalid value.
  kTooMany,        // The call has more than kMaxEvents events.
  kBadOptions,     // The name of the table is invalid, or an object that strict_order needs is missing.
  kNoTransaction,  // No transaction is open on the connection, or it has already failed.
  kDatabase,       // The database refused the statement; sqlstate or native_code contains the database's own code.
};

// The error that Emit throws. No event was inserted. After kDatabase the transaction is in the state in which the
// database leaves it: PostgreSQL requires it to be rolled back. The text contains no key, payload or header value.
struct EmitError : std::runtime_error {
  EmitError(EmitCode error_code, const std::string& text, std::size_t event = 0)
      : runtime_error(text), code(error_code), index(event) {}
  EmitCode code;
  std::size_t index;     // Index of the event at fault among the events of the call; 0 if no single event is at fault.
  std::string sqlstate;  // With kDatabase the five characters of the SQLSTATE; empty = none.
  int native_code = 0;   // With kDatabase the database's own error number; 0 = none.
};

}  // namespace outbox::emit
