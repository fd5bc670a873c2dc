// The part of ShardRunner that records and logs failed events.
#include "runtime/clock.hpp"
#include "runtime/shard_runner.hpp"
#include "util/format.hpp"

namespace outbox::runtime {

void ShardRunner::Execute(const engine::command::Detach& command) {
  for (const engine::EventIndex e : command.events) {
    const publisher::PreparedBatch& batch = *batches_[engine_.BatchOf(e)];
    const std::int32_t refusal = batch.events[engine_.PositionOf(e)].refusal;
    failed_.Add(e, Content(e), refusal >= 0 ? &batch.refusals[static_cast<std::size_t>(refusal)] : nullptr);
  }
}

void ShardRunner::Execute(const engine::command::Fail& command) {
  failing_.assign(command.failures.begin(), command.failures.end());
  WriteRequest order;
  order.what = engine::Write::kFail;
  order.call = MakeCall(command.failures.front().token);
  for (const engine::FailedEvent& f : command.failures) {
    const FailedRows::Row& row = failed_[f.event];
    const publisher::Refusal why = WhyFailed(f);
    const std::string& reason = order.texts.emplace_back(why.reason);
    const std::string& text = order.texts.emplace_back(why.text);
    order.failures.push_back({Raw(row.row_id), Raw(row.event_id), Raw(reason), Raw(text),
                              f.retry_after / engine::kMillisecond, f.disposition, 0});
  }
  writer_->Do(std::move(order));
}

void ShardRunner::Recorded() {
  for (const engine::FailedEvent& f : failing_) {
    const publisher::Refusal why = WhyFailed(f);
    if (f.disposition == OUTBOX_DELIVERED) {
      LogKept(f, why);
      refusals_.erase(f.event);
      continue;
    }
    LogFailure(f, why);
    const std::lock_guard lock(shown_mutex_);
    ++tally_.failures[{why.reason, f.disposition}];
  }
}

publisher::Refusal ShardRunner::WhyFailed(const engine::FailedEvent& failed) const {
  if (failed.disposition == OUTBOX_DELIVERED) return WhyKept(failed);
  if (failed.error == publisher::kEndsRelays)
    return {"poison_event",
            fmt::format("{} consecutive relays terminated while sending only this event; see their logs and those of "
                        "the supervisor and the kernel",
                        settings_.most_owners)};
  const auto& refusal = failed_[failed.event].refusal;
  return refusal ? *refusal : publisher_->Explain(failed.error);
}

void ShardRunner::LogFailure(const engine::FailedEvent& failed, const publisher::Refusal& why) {
  FailureLog& log = failed.disposition == OUTBOX_RETRY ? log_retries_ : log_given_up_;
  log.Add(Now(), [&] {
    const FailedRows::Row& row = failed_[failed.event];
    const std::string next = failed.disposition == OUTBOX_DEAD ? "moved to the dead letters"
                             : failed.disposition == OUTBOX_BLOCK
                                 ? "given up, its key waits for an operator"
                                 : fmt::format("next try in {} ms", failed.retry_after / engine::kMillisecond);
    const auto attempt = row.attempts + 1, most = settings_.policies[policies_.Of(*row.topic)].max_attempts;
    // An operator may request attempts beyond max_attempts.
    return fmt::format("event {} for topic '{}' failed ({}): {}: {}; {}", row.event_id, *row.topic,
                       attempt > most ? fmt::format("attempt {}, max_attempts is {}", attempt, most)
                                      : fmt::format("attempt {} of {}", attempt, most),
                       why.reason, why.text, next);
  });
}

}  // namespace outbox::runtime
