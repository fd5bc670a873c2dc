// Delivers one shard: runs the engine on a thread of its own, with a reader, a writer and a publisher that carry out
// the engine's commands. Owned by Relay.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "config/config.hpp"
#include "engine/engine.hpp"
#include "publisher/publisher.hpp"
#include "runtime/failed_rows.hpp"
#include "runtime/failure_log.hpp"
#include "runtime/failure_policies.hpp"
#include "runtime/mailbox.hpp"
#include "runtime/observation.hpp"
#include "runtime/returned_rows.hpp"
#include "runtime/storage_reader.hpp"
#include "runtime/storage_writer.hpp"

namespace outbox::runtime {

class ShardRunner : private publisher::PublisherListener {
 public:
  struct Parts {
    config::Relay config;
    std::string relay_id;
    std::shared_ptr<storage::Store> store;
    std::shared_ptr<PeerHealth> database, broker;
    std::shared_ptr<Watchdog> watchdog;
    std::shared_ptr<spdlog::logger> logger;
    // Called as the answer to a Release for kHandOver or kStop, when no event of the shard is outstanding under the
    // token. Thread: engine.
    std::function<void(std::uint32_t shard, std::uint64_t token, engine::ReleaseReason reason)> released;
    // Called when the first steps of the slow start under the token are over. Thread: engine.
    std::function<void(std::uint32_t shard, std::uint64_t token)> first_steps_over;
  };

  // Starts the runner of one of `shards` shards, among which the relay's window is divided. Errors: those of the
  // publisher factory, such as OUTBOX_BAD_CONFIG.
  static Result<std::unique_ptr<ShardRunner>> Start(std::uint32_t shard, std::uint32_t shards, Parts parts,
                                                    const publisher::PublisherFactory& publishers);
  ~ShardRunner() override;

  // Pass a Hold or a Release on to the engine; see Engine::Hold and Engine::Release. `until` is a time of Now().
  // Thread: any.
  void Hold(std::uint64_t token, engine::Time until, bool slow_start);
  void Release(engine::ReleaseReason reason, std::uint64_t token, engine::Time until);
  // Makes the engine poll soon, because rows may have been committed. Thread: any.
  void Wake();
  // Ends all waiting for the broker that precedes the sending of events, because no new event is to be sent.
  void StopPreparing() { publisher_->Cancel(); }
  // Cancels the calls under way. Used at the end of a stop, for calls that hang.
  void CancelCalls();
  [[nodiscard]] Tally tally() const;
  [[nodiscard]] ShardObservation Observe() const;

 private:
  ShardRunner(std::uint32_t shard, std::uint32_t shards, Parts parts);

  void OnReports(std::span<const publisher::Report> reports) override;
  void OnReset(std::uint32_t epoch) override;
  void OnProducerFailed(const std::string& why) override;
  void OnProducerOutdated(const std::string& why) override;
  void OnBrokerState(bool up, const std::string& why) override;
  void OnBrokersUnreachable(const std::string& why) override;
  void OnTopicsKnown() override;

  void Run();
  void CheckInvariants() const;
  void Show();
  void Reported(std::span<const publisher::Report> reports, engine::Time at);
  // Carry out the engine's commands.
  void Execute(const engine::command::Reserve& command);
  void Execute(const engine::command::Publish& command);
  void Execute(const engine::command::Reset& command);
  void Execute(const engine::command::Confirm& command);
  void Execute(const engine::command::Fail& command);
  void Execute(const engine::command::Release& command);
  void Execute(const engine::command::Mark& command);
  void Execute(const engine::command::Remove& command);
  void Execute(const engine::command::Detach& command);
  void Execute(const engine::command::Forget& command);
  void Execute(const engine::command::FreeBatch& command);
  void Execute(const engine::command::Released& command);
  void Answered(const Written& written);
  void Arrived(Reading reading);
  [[nodiscard]] const outbox_event& Row(engine::EventIndex e) const;
  // Content() returns the event as it is sent; Row() returns the event as the plugin has returned it.
  [[nodiscard]] Event Content(engine::EventIndex e) const;
  [[nodiscard]] publisher::Refusal WhyFailed(const engine::FailedEvent& failed) const;
  void Confirmed(const Written& written);
  void Recorded();
  void NoteReturn(const Event& row, bool elsewhere);
  // Remembers, for the observation, the newest delivered row that stays in the outbox, and the reason. `e` is used only
  // for kRefused.
  void NoteKept(const Event& row, engine::EventIndex e, engine::Kept why);
  [[nodiscard]] publisher::Refusal WhyKept(const engine::FailedEvent& failed) const;
  void LogFailure(const engine::FailedEvent& failed, const publisher::Refusal& why);
  void LogKept(const engine::FailedEvent& failed, const publisher::Refusal& why);
  [[nodiscard]] Call MakeCall(std::uint64_t token) const;

  const std::uint32_t shard_;
  const Parts parts_;
  // The watchdog handles of the engine's turns, and of the resets of the publisher's two streams.
  const std::shared_ptr<WatchdogHandle> turn_, reset_, trial_reset_;
  const FailurePolicies policies_;
  const engine::Settings settings_;
  Mailbox mailbox_;
  std::unique_ptr<publisher::Publisher> publisher_;
  std::unique_ptr<StorageReader> reader_;
  std::unique_ptr<StorageWriter> writer_;

  // The members from engine_ to latency_ are used only by the engine's thread.
  engine::Engine engine_;
  std::vector<std::unique_ptr<publisher::PreparedBatch>> batches_;  // indexed by BatchIndex
  // The creation time of the first event of each batch, in microseconds since 1970; 0 = unknown.
  std::vector<std::int64_t> created_;
  std::vector<storage::OwnedRowId> forgotten_;  // the rows for the next ReadRequest::forgotten
  std::vector<publisher::Outgoing> outgoing_;
  FailedRows failed_;
  std::vector<engine::FailedEvent> failing_;  // the failures that are being recorded
  // The reasons that the database has given for refusing to remove rows.
  std::unordered_map<engine::EventIndex, std::string> refusals_;
  std::string kept_why_, record_why_;  // the newest texts for the members of ShardObservation with the same names
  ReturnedRows returned_;
  bool mark_failed_ = false;                  // true if the last attempt to write a poison mark has failed
  std::optional<std::uint64_t> first_steps_;  // the token of a slow start that is in its first steps
  FailureLog log_retries_, log_given_up_, log_kept_, log_returns_;

  Latency latency_;

  mutable std::mutex shown_mutex_;  // guards the next three members
  Tally tally_;
  ShardObservation observation_;
  std::string unreachable_brokers_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::runtime
