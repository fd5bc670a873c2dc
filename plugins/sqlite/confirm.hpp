// Deletes delivered rows, by id and event id.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/tables.hpp"
#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// The event id of a row as text, as the reader hands it over: the application's column may hold anything.
inline constexpr const char* kEventId = "ifnull(cast(event_id as text), '')";

class Confirmation {
 public:
  // Prepares its statements: the tables must be there.
  Confirmation(Connection& connection, const sql::Tables& tables);

  // OUTBOX_REFUSED instead, where the error is of the rows or of a trigger. Also of an error of the constructor.
  [[nodiscard]] static Error Judged(const Error& error, const sql::Tables& tables);

  void Confirm(ConfirmedRows rows, KeptRows& kept);
  // Of outbox.admin/1; `rows` none = those that are due.
  std::uint64_t RemoveDelivered(RowIds rows, Millis again);

 private:
  struct Row {
    long long id;
    std::string_view event_id;
    std::size_t place;
    bool kept = false;
  };
  void Delete(std::span<Row> rows, bool forgets);
  std::size_t DeleteSome(std::span<Row> rows, bool forgets);
  // Ids without a hole between them; how many of them were there.
  int DeleteTogether(std::span<const Row> rows);

  Connection& connection_;
  const sql::Tables& tables_;
  Prepared one_, several_, forget_, troubled_, still_there_;
};

}  // namespace outbox::sqlite
