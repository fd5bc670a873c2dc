// Deletes delivered rows, by row id and event id.
#pragma once

#include <span>
#include <string>

#include "sql/confirmation.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// SQL expression for the event id of a row as text, in the form in which the reader returns it. The application's
// column may hold values of any type.
inline constexpr const char* kEventId = "ifnull(cast(event_id as text), '')";

// Runs the DELETE statements of one session. The adapter owns the object. Thread: the thread of the session.
class Confirmation : public sql::Confirmation {
 public:
  // Prepares the statements. REQUIRES: the tables exist, and both arguments outlive this object.
  Confirmation(Connection& connection, const sql::Tables& tables);

  // Returns `error` as OUTBOX_REFUSED if its cause is the rows or a trigger, otherwise unchanged. `error` may also come
  // from the constructor.
  [[nodiscard]] static Error Judged(const Error& error, const sql::Tables& tables);

 private:
  Kept Delete(Rows rows, For what) override;
  // Deletes as many rows as fit into a short transaction, beginning with the first one, and returns the number of these
  // rows. Sets `kept` to 1 for a row that may still exist, otherwise to 0. `what` is the purpose of the call.
  std::size_t DeleteSome(Rows rows, For what, std::span<std::uint8_t> kept);
  // Deletes rows with consecutive ids, at most kRowsPerStep of them. Returns the number of deleted rows.
  int DeleteTogether(Rows rows);

  Connection& connection_;
  const sql::Tables& tables_;
  Prepared one_, several_, forget_, troubled_, still_there_;
};

}  // namespace outbox::sqlite
