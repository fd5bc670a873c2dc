// Queries brokers about topics on a thread of its own, so that the reader thread need not wait for an answer.
//
// The queries use the current producer. So they need no connection of their own, and librdkafka already has the
// metadata of the topic when the first record of the topic is handed over.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "kafka/producer.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

using Clock = std::chrono::steady_clock;

inline constexpr const char* kUnknownTopic = "unknown_topic";

// An answer about one topic.
struct TopicAnswer {
  enum class To : std::uint8_t {
    kLook,   // answers Look, with the partitions or a refusal
    kLimit,  // answers AskLimit
    // Answers Refresh. If the answer has neither partitions nor a refusal, the topic is queried again when an event
    // names it.
    kRefresh,
    kRefreshFailed,  // answers Refresh when no broker answers; `name` is empty
  };
  To to = To::kLook;
  std::string name = {};
  std::size_t partitions = 0;
  std::optional<publisher::Refusal> refusal = {};
  bool asked_limit = false;
  std::optional<std::uint64_t> limit = {};  // max.message.bytes, if the broker reports it
};

// Owned by TopicCache. Thread: reader, except where a comment says otherwise.
class TopicAsker {
 public:
  using CurrentProducer = std::function<std::shared_ptr<Producer>()>;
  struct Listener {
    std::function<void()> answered;                      // called when answers to Look or AskLimit have arrived
    std::function<void(const std::string& why)> silent;  // called when no broker has answered for the allowed time
  };
  // Makes an asker without a thread; the first question starts the thread.
  TopicAsker(CurrentProducer producer, const Settings& settings, Listener listener,
             std::shared_ptr<spdlog::logger> logger)
      : producer_(std::move(producer)),
        settings_(settings),
        listener_(std::move(listener)),
        logger_(std::move(logger)) {}
  ~TopicAsker() { Stop(); }
  TopicAsker(const TopicAsker&) = delete;
  TopicAsker& operator=(const TopicAsker&) = delete;

  struct Question {
    std::string name;
    bool known_missing = false;  // true if the topic did not exist when it was last queried
  };
  // Query new topics (Look), the size limit of a topic (AskLimit), or known topics again (Refresh). Each question gets
  // one answer, however long the answer takes. If no broker answers for the time `allowed`, the listener's silent() is
  // called.
  void Look(std::vector<Question> questions, std::chrono::milliseconds allowed);
  void AskLimit(std::string name);
  void Refresh(std::vector<std::string> names);

  // Returns the answers that have arrived since the last call. If there are none, waits for an answer until `end` or
  // Cancel.
  [[nodiscard]] std::vector<TopicAnswer> TakeAnswers(Clock::time_point end);
  // True if, for at least a second, no broker has answered a question and no record was stored.
  [[nodiscard]] bool Silent() const;
  [[nodiscard]] std::string Trouble() const;  // [any] why the last unanswered question got no answer
  // [any] Notes that a record was stored, so that a broker is available.
  void NoteStored() { stored_.fetch_add(1, std::memory_order_relaxed); }

  // [any] Sends no further question. A question whose answer is outstanding ends within a second or two.
  void Cancel();
  [[nodiscard]] bool cancelled() const;
  // [any] Does the same as Cancel, and waits until thread_ has ended. REQUIRES: no other thread asks a question during
  // the call.
  void Stop();

 private:
  using Names = std::vector<std::string>;
  // A topic that is being queried. `looks` is the number of replies about the topic so far.
  struct Open {
    int looks = 0;
    bool known_missing = false;
    Clock::time_point next_look;
  };
  // The brokers' replies about topics, by name; nullptr = the reply does not contain the topic.
  struct Replies {
    std::vector<MetadataPtr> raw;
    std::unordered_map<std::string, const rd_kafka_metadata_topic_t*> said;
  };

  void Begin();
  void Run();
  void LookAtOpen();
  void RefreshAll(const Names& names);
  // Queries as many of the topics as `timeout` allows, and stores the replies in `replies`. Returns an error if no
  // broker has replied.
  [[nodiscard]] rd_kafka_resp_err_t Ask(const Names& names, std::chrono::milliseconds timeout, Replies& replies);
  void AddLimits(std::vector<TopicAnswer>& answers);
  void AskForCreations(const Names& names);
  void Unanswered(rd_kafka_resp_err_t error, Clock::time_point asked);
  void Answered();
  void Post(std::vector<TopicAnswer> answers);

  const CurrentProducer producer_;
  const Settings& settings_;
  const Listener listener_;
  const std::shared_ptr<spdlog::logger> logger_;

  // Thread: only thread_, which queries the brokers (all members down to reported_silent_).
  std::unordered_map<std::string, Open> open_;
  std::unordered_map<std::string, Clock::time_point> next_creation_;
  std::chrono::milliseconds slice_;
  std::int32_t broker_ = -1;  // the broker that is queried for size limits
  bool warned_of_limits_ = false;
  Clock::time_point reported_silent_;

  std::atomic<std::uint64_t> stored_{0};
  mutable std::mutex mutex_;
  std::condition_variable asked_, answered_;
  bool cancelled_ = false;
  std::chrono::milliseconds allowed_{0};
  std::vector<Question> questions_;
  Names limits_, refresh_;
  std::vector<TopicAnswer> answers_;
  std::optional<Clock::time_point> unanswered_since_;
  std::uint64_t stored_then_ = 0;
  std::string trouble_;
  std::thread thread_;
};

}  // namespace outbox::kafka
