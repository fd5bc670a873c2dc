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

// The DELETE statements of a session. The adapter owns the object. Thread: the thread of the session.
class Confirmation : public sql::Confirmation {
 public:
  // Prepares the statements. REQUIRES: the tables exist, and both arguments outlive this object.
  Confirmation(Connection& connection, const sql::Tables& tables);

  // Returns the error as OUTBOX_REFUSED if the rows or a trigger are its cause, otherwise unchanged. The error may also
  // come from the constructor.
  [[nodiscard]] static Error Judged(const Error& error, const sql::Tables& tables);

 private:
  Kept Delete(Rows rows, For what) override;
  // Deletes rows from the first one on, as many as fit into a short transaction, and returns their number. Sets `kept`
  // to 1 for the rows that may still be there.
  std::size_t DeleteSome(Rows rows, For what, std::span<std::uint8_t> kept);
  // Deletes rows whose ids follow each other without a hole. Returns how many rows were deleted.
  int DeleteTogether(Rows rows);

  Connection& connection_;
  const sql::Tables& tables_;
  Prepared one_, several_, forget_, troubled_, still_there_;
};

}  // namespace outbox::sqlite
