// Deletes delivered rows, by id and event id.
#pragma once

#include <span>
#include <string>

#include "sql/confirmation.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// The event id of a row as text, as the reader hands it over: the application's column may hold anything.
inline constexpr const char* kEventId = "ifnull(cast(event_id as text), '')";

class Confirmation : public sql::Confirmation {
 public:
  // Prepares its statements: the tables must be there.
  Confirmation(Connection& connection, const sql::Tables& tables);

  // OUTBOX_REFUSED instead, where the error is of the rows or of a trigger. Also of an error of the constructor.
  [[nodiscard]] static Error Judged(const Error& error, const sql::Tables& tables);

 private:
  Kept Delete(Rows rows, For what) override;
  // The first of them, as far as a short transaction allows; how many. Those that may still be there get 1 in `kept`.
  std::size_t DeleteSome(Rows rows, For what, std::span<std::uint8_t> kept);
  // Ids without a hole between them; how many of them were there.
  int DeleteTogether(Rows rows);

  Connection& connection_;
  const sql::Tables& tables_;
  Prepared one_, several_, forget_, troubled_, still_there_;
};

}  // namespace outbox::sqlite
