// One shard at work: the engine on a thread of its own, with a reader, a writer and a publisher that do what it says.
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
    // Answers a Release for kHandOver or kStop: nothing of the shard is outstanding under this token. Thread: the runner's.
    std::function<void(std::uint32_t shard, std::uint64_t token, engine::ReleaseReason reason)> released;
    // The first steps of the slow start under this token are over. Thread: the runner's.
    std::function<void(std::uint32_t shard, std::uint64_t token)> first_steps_over;
  };

  // One of `shards`, among which the relay's window is divided. Fails where the publisher cannot be made
  // (OUTBOX_BAD_CONFIG).
  static Result<std::unique_ptr<ShardRunner>> Start(std::uint32_t shard, std::uint32_t shards, Parts parts,
                                                    const publisher::PublisherFactory& publishers);
  ~ShardRunner() override;

  // See Engine::Hold and Engine::Release; times are those of the shell's clock. Thread: any.
  void Hold(std::uint64_t token, engine::Time until, bool slow_start);
  void Release(engine::ReleaseReason reason, std::uint64_t token, engine::Time until);
  // Rows may have been committed.
  void Wake();
  // No event need wait for a broker any more: nothing new is to be sent.
  void StopPreparing() { publisher_->Cancel(); }
  // Ends calls that hang, at the end of a stop.
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
  // The engine's commands, each carried out by one function.
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
  [[nodiscard]] Event Content(engine::EventIndex e) const;  // as it is sent
  [[nodiscard]] publisher::Refusal WhyFailed(const engine::FailedEvent& failed) const;
  void Confirmed(const Written& written);
  void Recorded();
  void NoteReturn(const Event& row, bool elsewhere);
  // For the observation: the newest row that stays, and why. `e` matters for kRefused only.
  void NoteKept(const Event& row, engine::EventIndex e, engine::Kept why);
  [[nodiscard]] publisher::Refusal WhyKept(const engine::FailedEvent& failed) const;
  void LogFailure(const engine::FailedEvent& failed, const publisher::Refusal& why);
  void LogKept(const engine::FailedEvent& failed, const publisher::Refusal& why);
  [[nodiscard]] Call MakeCall(std::uint64_t token) const;

  const std::uint32_t shard_;
  const Parts parts_;
  const std::shared_ptr<WatchdogHandle> turn_, reset_,
      trial_reset_;  // of the engine's thread, of the publisher's two streams
  const FailurePolicies policies_;
  const engine::Settings settings_;
  Mailbox mailbox_;
  std::unique_ptr<publisher::Publisher> publisher_;
  std::unique_ptr<StorageReader> reader_;
  std::unique_ptr<StorageWriter> writer_;

  // Of the engine's thread.
  engine::Engine engine_;
  std::vector<std::unique_ptr<publisher::PreparedBatch>> batches_;  // by BatchIndex
  std::vector<std::int64_t> created_;                               // of the first event of each, 0 = not known
  std::vector<storage::OwnedRowId> forgotten_;
  std::vector<publisher::Outgoing> outgoing_;
  FailedRows failed_;
  std::vector<engine::FailedEvent> failing_;  // being recorded
  std::unordered_map<engine::EventIndex, std::string>
      refusals_;                       // what the database says of rows that it does not let go
  std::string kept_why_, record_why_;  // the newest of each, for the observation
  ReturnedRows returned_;
  bool mark_failed_ = false;                  // the last try to write a poison mark
  std::optional<std::uint64_t> first_steps_;  // the token of a slow start whose first steps are not over
  FailureLog log_retries_, log_given_up_, log_kept_, log_returns_;

  Latency latency_;

  mutable std::mutex shown_mutex_;
  Tally tally_;
  ShardObservation observation_;
  std::string unreachable_brokers_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::runtime
