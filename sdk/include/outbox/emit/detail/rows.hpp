// Rows: events that were checked, with the values that the database receives beside the fields of the event.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "../check.hpp"
#include "event_id.hpp"
#include "headers.hpp"
#include "statement.hpp"

namespace outbox::emit::detail {

struct Row {
  EventId id;
  std::string headers;  // JSON; empty = NULL.
};

inline Row MakeRow(const NewEvent& event, const Options& options, std::size_t index = 0) {
  Check(event, options, index);
  Row row{};
  if (event.event_id.empty()) {
    if (!NewEventId(row.id))
      throw EmitError(EmitCode::kBadValue, "the system has no random bytes for an event id", index);
  } else {
    const auto given = ParseEventId(event.event_id);
    if (!given) throw EmitError(EmitCode::kBadValue, "the event id is not a UUID of 36 characters", index);
    row.id = *given;
  }
  if (!event.headers.empty()) row.headers = HeadersJson(event.headers);
  return row;
}

inline std::vector<Row> MakeRows(std::span<const NewEvent> events, const Options& options) {
  if (events.size() > kMaxEvents)
    throw EmitError(EmitCode::kTooMany, std::to_string(events.size()) +
                                            " events in one call, but one statement takes at most " +
                                            std::to_string(kMaxEvents) + "; call again for the rest");
  std::vector<Row> rows;
  rows.reserve(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) rows.push_back(MakeRow(events[i], options, i));
  return rows;
}

inline std::vector<std::string> Ids(const std::vector<Row>& rows) {
  std::vector<std::string> ids;
  ids.reserve(rows.size());
  for (const Row& row : rows) ids.push_back(EventIdText(row.id));
  return ids;
}

inline void RequireTransaction(bool open, const Options& options) {
  if (open || (options.allow_autocommit && !options.strict_order)) return;
  throw EmitError(
      EmitCode::kNoTransaction,
      options.strict_order
          ? "no transaction is open on this connection: begin one, because strict_order locks keys until it ends"
          : "no transaction is open on this connection: begin one, so that the event is committed with the "
            "change that it describes");
}

}  // namespace outbox::emit::detail
