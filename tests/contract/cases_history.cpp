// Compares the reads in random sequences of calls with a small model of the contract. Whatever the order of the calls,
// a read has to return the events that the contract prescribes.
#include <algorithm>
#include <random>

#include "rig.hpp"

namespace outbox::contract {
namespace {

constexpr Millis kTimeout{10'000};

enum class State { kWaiting, kRetrying, kBlocked, kDead, kGone };

struct Entry {
  Note note;
  State state = State::kWaiting;
  bool due = false;  // True if the retry is due; used only in state kRetrying.
  bool outstanding = false;
  std::uint32_t attempts = 0;
  Row row = {};  // The row as it was last returned.
  int call = 0;  // The number of the call that returned the row.

  [[nodiscard]] bool InTrouble() const { return state == State::kRetrying || state == State::kBlocked; }
};

class History {
 public:
  History(Rig& rig, std::uint64_t seed) : rig_(rig), relay_(rig), seed_(seed), random_(seed) {}

  void Run(int steps) {
    late_commits_ = CanCommitLate();
    for (step_ = 0; step_ < steps; ++step_) {
      switch (Below(late_commits_ ? 15 : 14)) {
        case 0:
        case 1:
        case 2:
          Emit();
          break;
        case 3:
        case 4:
        case 5:
        case 6:
          Read();
          break;
        case 7:
        case 8:
          Confirm();
          break;
        case 9:
          Fail();
          break;
        case 10:
          MakeDue();
          break;
        case 11:
          Forget();
          break;
        case 12:
          Below(2) == 0 ? Reconnect() : ChangeOwner();
          break;
        case 13:
          Requeue();
          break;
        case 14:
          OpenOrCommitLate();
          break;
      }
    }
    Drain();
  }

 private:
  // Returns a random number below n. Does not use the standard library's distributions, so that a seed gives the same
  // history everywhere.
  std::size_t Below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  void Did(std::string what) {
    did_.push_back(fmt::format("{}: {}", step_, what));
    if (did_.size() > 12) did_.erase(did_.begin());
  }
  template <class... Args>
  void Check(bool kept, fmt::format_string<Args...> seen, Args&&... args) {
    if (!kept)
      throw Broken(fmt::format("{} (seed {}; last steps: {})", fmt::format(seen, std::forward<Args>(args)...), seed_,
                               fmt::join(did_, "; ")));
  }

  Note NewNote() {
    Note note;
    note.event_id = EventId(++emitted_);
    do {
      const std::size_t which = Below(6);
      note.key = which == 0 ? std::nullopt : Text("key-" + std::to_string(which));
      // The key of the open transaction is not used, because another writer of that key would wait for the transaction.
    } while (note.key && note.key == late_key_);
    note.payload = Below(8) == 0 ? std::nullopt : Text(std::string(Below(300), 'x'));
    return note;
  }

  void Emit() {
    std::vector<Note> notes;
    for (std::size_t n = 1 + Below(5); n > 0; --n) notes.push_back(NewNote());
    const bool commit = Below(4) != 0;
    Did(fmt::format("{} {} events up to {}", commit ? "emit" : "roll back", notes.size(), emitted_));
    const auto session = rig_.Connect();
    Ok(session->BeginEmit(Within(kTimeout)));
    Ok(rig_.Insert(*session, notes));
    Ok(session->EndEmit(commit, Within(kTimeout)));
    if (!commit) return;
    for (Note& note : notes) line_.push_back({std::move(note)});
  }

  bool CanCommitLate() {
    const auto first = rig_.Connect(), second = rig_.Connect();
    Ok(first->BeginEmit(Within(kTimeout)));
    Ok(rig_.Insert(*first, {NewNote()}));
    Status status = second->BeginEmit(Within(Millis(200)));
    if (status.ok()) status = rig_.Insert(*second, {NewNote()});
    (void)second->EndEmit(false, Within(kTimeout));
    Ok(first->EndEmit(false, Within(kTimeout)));
    return status.ok();
  }

  void OpenOrCommitLate() {
    if (!late_) {
      late_ = rig_.Connect();
      Ok(late_->BeginEmit(Within(kTimeout)));
      late_notes_ = {NewNote()};
      late_key_ = late_notes_[0].key;
      Did(fmt::format("open a transaction with {}", emitted_));
      Ok(rig_.Insert(*late_, late_notes_));
      return;
    }
    const bool commit = Below(3) != 0;
    Did(commit ? "commit it" : "roll it back");
    Ok(late_->EndEmit(commit, Within(kTimeout)));
    if (commit)
      for (Note& note : late_notes_) line_.push_back({std::move(note)});
    late_.reset();
    late_notes_.clear();
    late_key_.reset();
  }

  [[nodiscard]] bool Waits(std::size_t at) const {
    const Text& key = line_[at].note.key;
    return key && std::any_of(line_.begin(), line_.begin() + static_cast<std::ptrdiff_t>(at),
                              [&](const Entry& e) { return e.InTrouble() && e.note.key == key; });
  }
  [[nodiscard]] bool Due(std::size_t at) const {
    const Entry& e = line_[at];
    return !e.outstanding && (e.state == State::kWaiting || (e.state == State::kRetrying && e.due)) && !Waits(at);
  }

  // Returns true if the plugin may have withheld a due retry because an earlier row of the same key is in the same
  // batch. The next read must return that retry.
  [[nodiscard]] bool Withheld() const {
    for (std::size_t i = 0; i < line_.size(); ++i) {
      if (!line_[i].note.key || line_[i].state != State::kRetrying || !Due(i)) continue;
      if (std::any_of(line_.begin(), line_.begin() + static_cast<std::ptrdiff_t>(i), [&](const Entry& e) {
            return e.outstanding && e.call == call_ && e.note.key == line_[i].note.key;
          }))
        return true;
    }
    return false;
  }

  void Read() {
    const bool wanted = must_rewind_ || Below(8) == 0, rescan = wanted && Below(2) == 0, rewind = wanted && !rescan;
    Did(rewind ? "rewind" : rescan ? "rescan" : "read");
    if (rescan)
      for (Row& row : relay_.Rescan(static_cast<std::uint32_t>(1 + Below(20)))) Returned(std::move(row));
    bool more = true;
    for (int calls = 0; more || Withheld(); ++calls) {
      Check(calls < 2000, "the plugin reports without end that there is more");
      ++call_;
      for (Row& row : relay_.Reserve({.max_events = static_cast<std::uint32_t>(1 + Below(20)),
                      .max_bytes = 1 + Below(2000),
                      .mode = rewind && calls == 0 ? OUTBOX_REWIND : OUTBOX_READ_ON},
                                     &more))
        Returned(std::move(row));
    }
    for (std::size_t i = 0; i < line_.size(); ++i)
      Check(!Due(i), "event {} of key {} is due and was not returned", line_[i].note.event_id, Key(line_[i]));
    must_rewind_ = false;
  }

  void Returned(Row row) {
    const auto found = std::find_if(line_.begin(), line_.end(), [&](const Entry& e) {
      return e.note.event_id == row.event_id && e.state != State::kDead && e.state != State::kGone;
    });
    Check(found != line_.end(), "event {} was returned, which is not in the outbox", row.event_id);
    Entry& entry = *found;
    const auto at = static_cast<std::size_t>(found - line_.begin());
    Check(!entry.outstanding, "event {} was returned though it is outstanding", row.event_id);
    Check(Due(at), "event {} of key {} was returned though it is not due or waits for an earlier one", row.event_id,
          Key(entry));
    for (std::size_t i = 0; i < at && entry.note.key; ++i)
      Check(!(line_[i].note.key == entry.note.key && Due(i)), "event {} of key {} was returned before {}", row.event_id,
            Key(entry), line_[i].note.event_id);
    Check(row.key == entry.note.key && row.payload == entry.note.payload && row.attempts == entry.attempts,
          "key, payload or attempts of event {} are not what was stored", row.event_id);
    entry.outstanding = true;
    entry.row = std::move(row);
    entry.call = call_;
  }

  static std::string Key(const Entry& e) { return e.note.key.value_or("(none)"); }

  std::vector<Entry*> SomeOutstanding() {
    std::vector<Entry*> some;
    for (Entry& e : line_)
      if (e.outstanding && Below(3) != 0) some.push_back(&e);
    return some;
  }
  static std::vector<Row> Rows(const std::vector<Entry*>& entries) {
    std::vector<Row> rows;
    for (const Entry* e : entries) rows.push_back(e->row);
    return rows;
  }

  void Confirm() {
    const auto some = SomeOutstanding();
    Did("confirm " + Numbers(Rows(some)));
    relay_.Confirm(Rows(some));
    for (Entry* e : some) {
      // Later events of the same key may be behind the reading position.
      must_rewind_ = must_rewind_ || e->InTrouble();
      e->state = State::kGone;
      e->outstanding = false;
    }
  }

  void Fail() {
    const std::vector<Entry*> some = SomeOutstanding();
    const bool can_die = rig_.store().Can(OUTBOX_CAN_DEAD_LETTER);
    // All values but 0 and 1 stand for a retry.
    const auto disposition = static_cast<std::int32_t>(Below(8));
    const std::int32_t chosen = disposition == 0              ? OUTBOX_BLOCK
                                : disposition == 1 && can_die ? OUTBOX_DEAD
                                                              : OUTBOX_RETRY;
    Did(fmt::format("fail {} ({})", Numbers(Rows(some)), chosen));
    relay_.Fail(Rows(some), chosen);
    for (Entry* e : some) {
      must_rewind_ = must_rewind_ || (chosen == OUTBOX_DEAD && e->InTrouble());
      e->state = chosen == OUTBOX_BLOCK ? State::kBlocked : chosen == OUTBOX_DEAD ? State::kDead : State::kRetrying;
      e->due = false;
      e->outstanding = false;
      ++e->attempts;
    }
  }

  void MakeDue() {
    Did("retries fall due");
    rig_.MakeRetriesDue();
    for (Entry& e : line_) e.due = true;
  }

  void Forget() {
    Did("forget what is outstanding");
    relay_.Forget();
    for (Entry& e : line_) e.outstanding = false;
    must_rewind_ = true;
  }

  void Reconnect() {
    Did("reconnect");
    relay_.Reconnect();
  }

  void ChangeOwner() {
    if (!rig_.LeasesShards()) return;
    Did("another relay has the shard for a while");
    std::vector<Row> held;
    for (const Entry& e : line_)
      if (e.outstanding) held.push_back(e.row);
    rig_.ExpireLeases();
    Relay other(rig_, "relay-b");
    if (rig_.store().Can(OUTBOX_CAN_FENCE))
      Check(relay_.TryFail(held, OUTBOX_RETRY, Millis(0)).code() == OUTBOX_LEASE_LOST || held.empty(),
            "a stale owner's failures were not refused");
    other.Return(/*deregister=*/true);
    relay_.Heartbeat();
    relay_.ExpectToOwn();
    Forget();
  }

  void Requeue() {
    std::vector<std::size_t> dead;
    for (std::size_t i = 0; i < line_.size(); ++i)
      if (line_[i].state == State::kDead) dead.push_back(i);
    if (dead.empty() || late_) return;
    Entry& entry = line_[dead[Below(dead.size())]];
    for (const Seen& row : rig_.ListDead()) {
      if (row.event_id != entry.note.event_id) continue;
      Did("requeue " + Numbers(std::vector{row}));
      Check(rig_.Apply(storage::Change::kRequeue, std::vector{row}) == 1, "requeue did not move event {}",
            row.event_id);
      entry.state = State::kGone;
      line_.push_back({entry.note});
      return;
    }
    Check(false, "dead event {} is not listed", entry.note.event_id);
  }

  void Drain() {
    if (late_) OpenOrCommitLate();
    for (int rounds = 0; rounds < 1000; ++rounds) {
      MakeDue();
      Forget();
      Read();
      std::vector<Entry*> all;
      for (Entry& e : line_)
        if (e.outstanding) all.push_back(&e);
      if (all.empty()) break;
      relay_.Confirm(Rows(all));
      for (Entry* e : all) {
        e->state = State::kGone;
        e->outstanding = false;
      }
    }
    for (std::size_t i = 0; i < line_.size(); ++i) {
      const State state = line_[i].state;
      Check(state == State::kGone || state == State::kDead || state == State::kBlocked || Waits(i),
            "event {} of key {} is left over", line_[i].note.event_id, Key(line_[i]));
    }
  }

  Rig& rig_;
  Relay relay_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<Entry> line_;  // The events, in the order in which their rows became visible.
  bool must_rewind_ = false;
  int step_ = 0, call_ = 0;
  std::size_t emitted_ = 0;
  std::vector<std::string> did_;

  bool late_commits_ = false;
  std::unique_ptr<storage::Session> late_;  // A session with an open transaction, or null.
  std::vector<Note> late_notes_;
  Text late_key_;
};

void RandomHistory(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  History(rig, subject.seed).Run(400);
}

}  // namespace

std::vector<Case> HistoryCases() {
  return {{"history", "random-history",
           "Whatever the order of calls, each read returns all that is due, in order, and nothing else (--seed).",
           RandomHistory}};
}

}  // namespace outbox::contract
