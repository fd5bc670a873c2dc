// Tests of threads: batches, cancel, wake-up, and several sessions at once.
#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "outbox/ext/wakeup.h"
#include "rig.hpp"
#include "storage/raw_call.hpp"
#include "storage/table.hpp"

namespace outbox::contract {
namespace {

using SteadyClock = std::chrono::steady_clock;

Millis Since(SteadyClock::time_point start) { return std::chrono::duration_cast<Millis>(SteadyClock::now() - start); }

void BatchReleasedOnAnotherThreadAfterDisconnect(const Subject& subject) {
  Rig rig(subject);
  rig.Emit({{"k", std::string(100'000, 'x')}, {"k", std::string(100'000, 'y')}});
  Relay relay(rig);
  auto batch = Ok(relay.TryReserve({}));
  Expect(batch.size() == 2, "{} events were returned, expected: 2", batch.size());
  relay.Reconnect();
  std::thread([late = std::move(batch)]() mutable {
    Expect(View(late[1].payload) == std::string(100'000, 'y'), "the payload has changed after disconnect");
    const storage::Batch gone = std::move(late);
  }).join();
  relay.Await(2);
}

void SessionMovesBetweenThreads(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(20, "k");
  Relay relay(rig);
  for (int i = 0; i < 20; ++i)
    std::async(std::launch::async, [&] { relay.Confirm(relay.Reserve({.max_events = 1})); }).get();
  relay.Forget();
  relay.ExpectNothing("twenty threads have confirmed one event each");
}

// Runs a writer, a reader and a confirmer at the same time, each with a session of its own. The reader reconnects now
// and then.
void SessionsWorkSideBySide(const Subject& subject) {
  constexpr int kTransactions = 100, kPerTransaction = 20, kEvents = kTransactions * kPerTransaction;
  Rig rig(subject);
  Relay relay(rig);
  std::mutex mutex;
  std::vector<Row> handed;
  std::set<std::string, std::less<>> seen;
  std::atomic<bool> stop = false;

  auto writer = std::async(std::launch::async, [&] {
    const auto session = rig.Connect();
    for (int i = 0; i < kTransactions && !stop; ++i) {
      Ok(session->BeginEmit(Within(Millis(10'000))));
      Ok(rig.Insert(*session, std::vector<Note>(kPerTransaction, Note{"k" + std::to_string(i % 7)})));
      Ok(session->EndEmit(true, Within(Millis(10'000))));
    }
  });
  auto confirmer = std::async(std::launch::async, [&] {
    const auto session = rig.Connect();
    for (std::size_t confirmed = 0; confirmed < kEvents && !stop;) {
      std::vector<Row> rows;
      {
        const std::lock_guard lock(mutex);
        rows.swap(handed);
      }
      if (rows.empty()) {
        std::this_thread::sleep_for(Millis(1));
        continue;
      }
      std::vector<std::uint8_t> kept;
      Ok(session->ConfirmEvent(Relay::Named(rows), kept, Within(Millis(10'000))));
      confirmed += rows.size();
    }
  });

  std::string trouble;
  const auto start = SteadyClock::now();
  try {
    for (int calls = 0; seen.size() < kEvents; ++calls) {
      Expect(Since(start) < Millis(30'000), "{} of {} events were returned within 30 s", seen.size(), kEvents);
      if (calls % 50 == 49) relay.Reconnect();
      auto rows = relay.Reserve({.max_events = 50});
      for (const Row& row : rows) Expect(seen.insert(row.event_id).second, "event {} was returned twice", row.event_id);
      const std::lock_guard lock(mutex);
      handed.insert(handed.end(), rows.begin(), rows.end());
    }
  } catch (const Broken& e) {
    trouble = e.what();
    stop = true;
  }
  writer.get();
  confirmer.get();
  Expect(trouble.empty(), "{}", trouble);
  relay.Forget();
  relay.ExpectNothing("everything is confirmed");
}

void CancelUnblocks(const Subject& subject) {
  Rig rig(subject);
  if (rig.store().table().cancel == nullptr) throw Skipped("cancel is NULL");
  rig.Emit(1, "k");
  Relay relay(rig);
  const auto rows = relay.Await(1);
  // In a store with one writer at a time, the open transaction of this writer makes other writers wait.
  const auto writer = rig.Connect();
  Ok(writer->BeginEmit(Within(Millis(10'000))));
  Ok(rig.Insert(*writer, {Note{}}));

  const auto start = SteadyClock::now();
  auto confirm = std::async(std::launch::async, [&] { return relay.TryConfirm(rows); });
  if (confirm.wait_for(Millis(500)) == std::future_status::ready) {
    Ok(confirm.get());
    throw Skipped("no call waits for another transaction here");
  }
  relay.session().Cancel();
  const Status status = confirm.get();
  Expect(Since(start) < Millis(3'000), "the call returned {} ms after cancel", Since(start).count() - 500);
  Expect(status.code() == OUTBOX_CANCELLED, "the cancelled call returned code {}: {}", status.code(), status.text());
  Ok(writer->EndEmit(false, Within(Millis(10'000))));
  relay.Confirm(rows);
}

void CancelOfAnIdleSessionDoesNoHarm(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  for (int i = 0; i < 5; ++i) relay.session().Cancel();
  rig.Emit(1, "k");
  // The cancel may still end one of the calls.
  for (int i = 0; i < 3; ++i) {
    const auto batch = relay.TryReserve({});
    if (batch.ok() && batch->size() == 1) return;
    Expect(batch.ok() || batch.status().code() == OUTBOX_CANCELLED, "unexpected error: {}", batch.status().text());
  }
  Expect(false, "the session cannot be used after cancel");
}

void TimeoutBoundsTheCall(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(1, "k");
  Relay relay(rig);
  const auto rows = relay.Await(1);
  const auto writer = rig.Connect();
  Ok(writer->BeginEmit(Within(Millis(10'000))));
  Ok(rig.Insert(*writer, {Note{}}));
  std::vector<std::uint8_t> kept;
  const auto start = SteadyClock::now();
  const Status status = relay.session().ConfirmEvent(Relay::Named(rows), kept, Within(Millis(300)));
  Expect(Since(start) < Millis(2'000), "a call with a timeout of 300 ms took {} ms", Since(start).count());
  if (status.ok()) throw Skipped("no call waits for another transaction here");
  Expect(status.code() == OUTBOX_TIMEOUT || status.code() == OUTBOX_UNAVAILABLE, "the call returned code {}: {}",
         status.code(), status.text());
  Ok(writer->EndEmit(false, Within(Millis(10'000))));
  relay.Confirm(rows);
}

// Waits for notifications with the extension outbox.wakeup/1, on a session of its own.
class Waiter {
 public:
  explicit Waiter(Rig& rig) : session_(rig.Connect()) {
    table_ = static_cast<const outbox_wakeup_v1*>(
        Ok(storage::FindExtension(rig.store().table(), OUTBOX_WAKEUP_V1, sizeof(outbox_wakeup_v1))));
    if (table_ == nullptr) throw Skipped("the plugin does not have " OUTBOX_WAKEUP_V1);
  }
  outbox_code Wait(Millis timeout) {
    storage::RawCall call(Within(timeout));
    return table_->wait(session_->raw(), &call.call, &call.error);
  }
  // Consumes notifications of earlier commits.
  void Settle() {
    while (Wait(Millis(100)) == OUTBOX_OK) {
    }
  }
  void Cancel() { session_->Cancel(); }

 private:
  const outbox_wakeup_v1* table_ = nullptr;
  std::unique_ptr<storage::Session> session_;
};

void WaitEndsWhenARowIsCommitted(const Subject& subject) {
  Rig rig(subject);
  Waiter waiter(rig);
  waiter.Settle();
  auto wait = std::async(std::launch::async, [&] { return waiter.Wait(Millis(10'000)); });
  std::this_thread::sleep_for(Millis(100));
  const auto start = SteadyClock::now();
  rig.Emit(1, "k");
  const outbox_code code = wait.get();
  Expect(code == OUTBOX_OK, "wait returned code {}", code);
  Expect(Since(start) < Millis(2'000), "wait returned {} ms after the commit", Since(start).count());
}

void WakeUpBetweenTwoCallsIsNotLost(const Subject& subject) {
  Rig rig(subject);
  Waiter waiter(rig);
  waiter.Settle();
  rig.Emit(1, "k");
  const auto start = SteadyClock::now();
  const outbox_code code = waiter.Wait(Millis(10'000));
  Expect(code == OUTBOX_OK && Since(start) < Millis(2'000), "wait returned code {} after {} ms", code,
         Since(start).count());
}

void WaitTimesOut(const Subject& subject) {
  Rig rig(subject);
  Waiter waiter(rig);
  waiter.Settle();
  const auto start = SteadyClock::now();
  const outbox_code code = waiter.Wait(Millis(300));
  Expect(code == OUTBOX_TIMEOUT, "wait returned code {} though nothing was committed", code);
  Expect(Since(start) >= Millis(290) && Since(start) < Millis(3'000), "wait returned after {} ms, expected: 300",
         Since(start).count());
}

void CancelEndsAWait(const Subject& subject) {
  Rig rig(subject);
  Waiter waiter(rig);
  waiter.Settle();
  auto wait = std::async(std::launch::async, [&] { return waiter.Wait(Millis(10'000)); });
  std::this_thread::sleep_for(Millis(200));
  const auto start = SteadyClock::now();
  waiter.Cancel();
  const outbox_code code = wait.get();
  Expect(code == OUTBOX_CANCELLED && Since(start) < Millis(2'000), "wait returned code {} after {} ms", code,
         Since(start).count());
}

}  // namespace

std::vector<Case> ThreadCases() {
  return {
      {"threads", "batch-released-on-another-thread-after-disconnect", "A batch outlives its session.",
       BatchReleasedOnAnotherThreadAfterDisconnect},
      {"threads", "session-moves-between-threads", "A session may be used on one thread after the other.",
       SessionMovesBetweenThreads},
      {"threads", "sessions-work-side-by-side",
       "While sessions write, read and confirm at once, each event is returned once.", SessionsWorkSideBySide},
      {"threads", "cancel-unblocks", "cancel makes a waiting call return soon.", CancelUnblocks},
      {"threads", "cancel-of-an-idle-session-does-no-harm", "cancel may be called at any time.",
       CancelOfAnIdleSessionDoesNoHarm},
      {"threads", "timeout-bounds-the-call", "A waiting call returns at its timeout.", TimeoutBoundsTheCall},
      {"wakeup", "wait-ends-when-a-row-is-committed", "wait returns when a row is committed.",
       WaitEndsWhenARowIsCommitted},
      {"wakeup", "wake-up-between-two-calls-is-not-lost",
       "A commit between two calls makes the next wait return at once.", WakeUpBetweenTwoCallsIsNotLost},
      {"wakeup", "wait-times-out", "wait returns TIMEOUT if nothing was committed.", WaitTimesOut},
      {"wakeup", "cancel-ends-a-wait", "cancel makes wait return CANCELLED.", CancelEndsAWait},
  };
}

}  // namespace outbox::contract
