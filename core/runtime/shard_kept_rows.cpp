// The part of ShardRunner that logs and remembers delivered events whose rows stay in the outbox.

#include "runtime/clock.hpp"
#include "runtime/shard_runner.hpp"
#include "util/log.hpp"

namespace outbox::runtime {

// Notes which rows of a confirm were removed. REQUIRES: the engine has not taken the answer yet, because it may forget
// the events when it takes the answer.
void ShardRunner::Confirmed(const Written& written) {
  const std::span<const engine::EventIndex> events = engine_.Confirming();
  if (written.code == OUTBOX_REFUSED && events.size() == 1) {
    refusals_[events.front()] = written.text;
    NoteKept(Content(events.front()), events.front(), engine::Kept::kRefused);
  }
  if (written.code != OUTBOX_OK) return;
  bool first = true;
  const engine::Time now = Now();
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i < written.kept.size() && written.kept[i] != 0) {
      NoteKept(Content(events[i]), events[i], engine::Kept::kStillThere);
      continue;
    }
    returned_.Removed(ToRowId(Row(events[i]).row_id), View(Row(events[i]).event_id), std::exchange(first, false), now);
  }
}

void ShardRunner::NoteKept(const Event& row, engine::EventIndex e, engine::Kept why) {
  kept_why_ = fmt::format("event {} for topic '{}' (row {}): {}", row.event_id, row.topic, row.row_id.ToText(),
                          WhyKept({e, OUTBOX_DELIVERED, 0, static_cast<std::int32_t>(why)}).text);
}

void ShardRunner::NoteReturn(const Event& row, bool elsewhere) {
  {
    const std::lock_guard lock(shown_mutex_);
    ++tally_.returned;
  }
  log_returns_.Add(Now(), [&] {
    const char* const meaning =
        elsewhere ? "it has another row id, so something inserts delivered events again, such as a trigger, or "
                    "the application uses an event id twice"
                  : "this is normal after a restored backup or a failover; otherwise something puts rows back, and a "
                    "row that comes back again is recorded as delivered and not sent any more";
    return fmt::format(
        "event {} for topic '{}' (row {}) was removed from the outbox after its delivery and has come back; sending it "
        "again; {}",
        row.event_id, row.topic, row.row_id.ToText(), meaning);
  });
}

publisher::Refusal ShardRunner::WhyKept(const engine::FailedEvent& failed) const {
  switch (static_cast<engine::Kept>(failed.error)) {
    case engine::Kept::kRefused: {
      const auto said = refusals_.find(failed.event);
      return {"delete_refused", said != refusals_.end() ? said->second : "the database refuses to delete the row"};
    }
    case engine::Kept::kStillThere:
      return {"delete_ignored",
              "the delete was carried out, but the row is still there: a trigger, a rule or a policy of the database "
              "keeps it"};
    case engine::Kept::kCameBack:
      break;
  }
  return {"returned", "its row was removed after the delivery and came back, more than once: something puts it back"};
}

void ShardRunner::LogKept(const engine::FailedEvent& failed, const publisher::Refusal& why) {
  log_kept_.Add(Now(), [&] {
    const FailedRows::Row& row = failed_[failed.event];
    const std::string next = failed.error == static_cast<std::int32_t>(engine::Kept::kCameBack)
                                 ? "`outbox-relay unblock` retries the removal"
                                 : fmt::format("the removal is retried in {} s, or by `outbox-relay unblock`",
                                               failed.retry_after / engine::kSecond);
    return fmt::format(
        "event {} for topic '{}' (row {}) is delivered and cannot be removed from the outbox: {}: {}; it is recorded "
        "as delivered, is not sent again, and does not hold up its key; {}",
        row.event_id, *row.topic, row.row_id.ToText(), why.reason, why.text, next);
  });
}

}  // namespace outbox::runtime
