#include "cli/common/diagnosis.hpp"

#include <algorithm>

#include "cli/common/bulk_action.hpp"
#include "cli/common/event_list.hpp"
#include "cli/common/record_view.hpp"
#include "cli/common/time_format.hpp"
#include "monitoring/log.hpp"
#include "runtime/relay_id.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

using monitoring::Escape;
using util::Json;

constexpr std::uint32_t kPage = 1000;
// Largest number of rows that is counted exactly; larger numbers are reported as "more than" this one.
constexpr std::uint64_t kCounted = 10'000;

// A copy of those fields of a record that are needed after the List call that returned the record.
struct Known {
  storage::OwnedRowId row_id;
  std::string event_id, topic, reason, error;
  std::optional<std::string> key;
  std::int32_t state = OUTBOX_STATE_ABSENT;
  std::uint32_t shard = 0, attempts = 0;
  std::int64_t now_us = 0, last_failed_us = 0, next_try_us = 0;
  bool left_to_operator = false;
  Json json;
};

Known Keep(const Record& r) {
  const auto own = [](const Bytes& bytes) { return std::string(bytes.value_or("")); };
  Known k;
  k.event_id = r.event.event_id;
  k.row_id = r.event.row_id;
  k.topic = r.event.topic;
  k.reason = own(r.reason);
  k.error = own(r.error);
  if (r.event.aggregate_id) k.key = own(r.event.aggregate_id);
  k.state = r.state;
  k.shard = r.shard;
  k.attempts = r.event.attempts;
  k.now_us = r.now_us;
  k.last_failed_us = r.last_failed_us;
  k.next_try_us = r.next_try_us;
  k.left_to_operator = IsLeftToOperator(r);
  k.json = ToJson(r, false);
  return k;
}

class Explainer {
 public:
  explicit Explainer(const Outbox& outbox) : outbox_(outbox) {}

  Result<Diagnosis> Run(const std::string& event_id) {
    for (const std::uint32_t from : {OUTBOX_FROM_OUTBOX, OUTBOX_FROM_DEAD}) {
      const Query query{.from = from, .event_id = event_id, .max = 1};
      auto found = First(query);
      if (!found.ok()) return found.status();
      if (!*found) continue;
      if (Status status = About(**found); !status.ok()) return status;
      return Done();
    }
    out_.json = Json::Object({{"event_id", event_id}, {"state", StateWord(OUTBOX_STATE_ABSENT)}, {"why", "no_trace"}});
    Say(fmt::format("event {} is neither in the outbox nor a dead letter. It {}", Escape(event_id), kNoTrace));
    // The likeliest mistake is that a key was given in place of an event id.
    for (const std::uint32_t from : {OUTBOX_FROM_OUTBOX, OUTBOX_FROM_DEAD}) {
      const auto of_key = First({.from = from, .key = event_id, .max = 1});
      if (!of_key.ok()) return of_key.status();
      if (!*of_key) continue;
      out_.fixes = {"there are events with this key: outbox-relay explain --key " + Escape(event_id)};
      break;
    }
    return Done();
  }

 private:
  Diagnosis Done() {
    std::string text;
    for (const std::string& line : out_.lines) text += (text.empty() ? "" : "\n") + line;
    out_.json.Set("text", text);
    out_.json.Set("fix", out_.fixes);
    return std::move(out_);
  }
  void Say(std::string line) { out_.lines.push_back(std::move(line)); }
  void Why(const char* word) { out_.json.Set("why", word); }

  Result<std::optional<Known>> First(const Query& query) {
    std::optional<Known> known;
    const auto take = [&](const Record& record) {
      known = Keep(record);
      return false;
    };
    if (Status status = ListEvents(outbox_, query, take); !status.ok()) return status;
    return known;
  }

  Status About(const Known& event) {
    out_.json = event.json;
    if (event.state == OUTBOX_STATE_DEAD) return Dead(event);
    if (event.state == OUTBOX_STATE_DELIVERED) return Undeletable(event);
    return event.state == OUTBOX_STATE_BLOCKED ? Blocked(event) : Waiting(event);
  }

  static std::string Name(const Known& event) {
    return fmt::format("event {} (topic {}, {})", Escape(event.event_id), Escape(event.topic),
                       event.key ? "key \"" + Escape(*event.key) + "\"" : "no key");
  }
  static std::string Failure(const Known& event) {
    return fmt::format("after {} failed {}, most recently at {} ({} ago): {}: {}", event.attempts,
                       event.attempts == 1 ? "attempt" : "attempts", Moment(event.last_failed_us),
                       Age(Millis((event.now_us - event.last_failed_us) / 1000)), Escape(event.reason),
                       Escape(event.error));
  }

  Status Dead(const Known& event) {
    Why("dead");
    Say(fmt::format("{} is dead: given up {}", Name(event), Failure(event)));
    Say("its key goes on without it");
    out_.fixes = {"outbox-relay dead requeue " + Escape(event.event_id),
                  "outbox-relay dead discard " + Escape(event.event_id)};
    return {};
  }

  Status Undeletable(const Known& event) {
    Why("undeletable");
    Say(fmt::format("{} is delivered, but its row {} cannot be removed: {}: {}", Name(event),
                    Escape(event.row_id.ToText()), Escape(event.reason), Escape(event.error)));
    const std::string unblock = "outbox-relay unblock " + Escape(event.event_id);
    if (event.left_to_operator) {
      Say("it is not sent again, and its key goes on; relays do not retry the removal of its row");
      out_.fixes = {"remove what puts the row back, then: " + unblock};
      return {};
    }
    Say(fmt::format("it is not sent again, and its key goes on; the removal of its row is retried at {}",
                    Moment(event.next_try_us)));
    out_.fixes = {"remove what keeps the row, then wait for the retry, or retry now: " + unblock};
    return {};
  }

  Status Blocked(const Known& event) {
    Why("blocked");
    Say(fmt::format("{} is blocked {}", Name(event), Failure(event)));
    if (event.key) {
      const auto behind = Count({.after = event.row_id.View(), .key = *event.key}, std::nullopt);
      if (!behind.ok()) return behind.status();
      out_.json.Set("queued_behind", *behind);
      Say(*behind > kCounted
              ? fmt::format("more than {} later events of its key wait for it", kCounted)
              : fmt::format("{} of its key {} for it", Events(*behind, "later"), *behind == 1 ? "waits" : "wait"));
    }
    out_.fixes = {
        "fix the cause, then: outbox-relay unblock " + Escape(event.event_id),
        "or give it up: outbox-relay dead discard " + Escape(event.event_id) + (event.key ? " --break-order" : "")};
    return {};
  }

  Status Waiting(const Known& event) {
    const bool retrying = event.state == OUTBOX_STATE_RETRYING;
    if (retrying) {
      const auto left = Millis((event.next_try_us - event.now_us) / 1000);
      Say(fmt::format("{} waits for a retry {}", Name(event), Failure(event)));
      Say(left.count() > 0
              ? fmt::format("attempt {} is due at {}, in {}", event.attempts + 1, Moment(event.next_try_us), Age(left))
              : fmt::format("attempt {} has been due since {}", event.attempts + 1, Moment(event.next_try_us)));
    } else {
      Say(Name(event) + " waits in the outbox");
    }
    if (event.key) {
      const Query before{.from = OUTBOX_FROM_FAILED, .before = event.row_id.View(), .key = *event.key, .max = 1};
      const auto head = First(before);
      if (!head.ok()) return head.status();
      if (*head) return Behind(**head);
    }
    const auto shard = Shard(event.shard);
    if (!shard.ok()) return shard.status();
    const bool due = !retrying || event.next_try_us <= event.now_us;
    Why(!due ? "retry" : *shard == Holder::kNobody ? "no_relay" : "not_taken");
    if (retrying) {
      out_.fixes = {"to retry now, once the cause is fixed: outbox-relay unblock " + Escape(event.event_id)};
      return {};
    }
    return Position(event);
  }

  Status Behind(const Known& head) {
    Why("queued_behind");
    out_.json.Set("head", head.json);
    const bool blocked = head.state == OUTBOX_STATE_BLOCKED;
    Say(fmt::format("it is queued behind event {} of its key, which {} {}", Escape(head.event_id),
                    blocked ? "is blocked" : "waits for a retry", Failure(head)));
    if (!blocked) Say("that event is due at " + Moment(head.next_try_us));
    out_.fixes = {"fix the cause, then: outbox-relay unblock " + Escape(head.event_id)};
    if (blocked)
      out_.fixes.push_back("or give that event up: outbox-relay dead discard " + Escape(head.event_id) +
                           " --break-order");
    return {};
  }

  enum class Holder { kUnknown, kNobody, kRelay };
  Result<Holder> Shard(std::uint32_t number) {
    out_.json.Set("shard", number);
    const auto stats = outbox_.session->ReadStats(outbox_.call());
    if (!stats.ok() && stats.status().code() == OUTBOX_UNSUPPORTED) return Holder::kUnknown;
    if (!stats.ok()) return stats.status();
    const auto& holders = stats->holders;
    const auto holder =
        std::find_if(holders.begin(), holders.end(), [&](const ShardHolder& h) { return h.shard == number; });
    if (holder == holders.end()) return Holder::kUnknown;
    out_.json.Set("relay", nullptr);
    if (holder->relay_id && holder->expires_in.count() > 0) {
      out_.json.Set("relay", runtime::SplitLeaseId(*holder->relay_id).name);
      out_.json.Set("lease_left_ms", holder->expires_in.count());
      Say(fmt::format("shard {} is leased to relay {} for another {} unless renewed; check that relay's log for errors",
                      number, Escape(runtime::ShowLeaseId(*holder->relay_id)), Age(holder->expires_in)));
      return Holder::kRelay;
    }
    const std::string last =
        holder->relay_id ? fmt::format("; the lease of {} ended {} ago",
                                       Escape(runtime::ShowLeaseId(*holder->relay_id)), Age(-holder->expires_in))
                         : "";
    Say(fmt::format("shard {} has no owner: no relay delivers its events{}", number, last));
    out_.fixes = {
        "start a relay: outbox-relay run",
        "or, if `outbox-relay status` shows live relays, see their logs for the reason why none owns this shard"};
    return Holder::kNobody;
  }

  Status Position(const Known& event) {
    const auto before = Count({.before = event.row_id.View()}, event.shard);
    if (!before.ok()) return before.status();
    const bool exact = *before <= kCounted;
    out_.json.Set("rows_before", std::min(*before, kCounted));
    out_.json.Set("rows_before_exact", exact);
    Say(fmt::format("{}{} of its shard {} it in the outbox; the database does not show whether a relay has read it",
                    exact ? "" : "more than ", Events(std::min(*before, kCounted)),
                    *before == 1 ? "precedes" : "precede"));
    return {};
  }

  // Counts the events that `query` finds in `shard`, or in all shards if none is given. Stops at kCounted + 1.
  Result<std::uint64_t> Count(Query query, std::optional<std::uint32_t> shard) {
    std::uint64_t count = 0;
    storage::OwnedRowId after;
    query.max = kPage;
    for (;;) {
      std::uint32_t seen = 0;
      storage::OwnedRowId last;
      const auto take = [&](const Record& record) {
        ++seen;
        count += !shard || record.shard == *shard ? 1 : 0;
        last = record.event.row_id;
        return count <= kCounted;
      };
      if (Status status = ListEvents(outbox_, query, take); !status.ok()) return status;
      if (seen < kPage || count > kCounted) return count;
      after = std::move(last);
      query.after = after.View();
    }
  }

  const Outbox& outbox_;
  Diagnosis out_;
};

}  // namespace

Result<Diagnosis> Explain(const Outbox& outbox, const std::string& event_id) { return Explainer(outbox).Run(event_id); }

}  // namespace outbox::cli
