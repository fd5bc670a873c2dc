// Asks the broker about topics, on a thread of its own: whoever reads events waits for no answer.
//
// It asks through the producer that is current: no connection of its own, and what the answer tells librdkafka is there when
// the first record of the topic is handed over.
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

// What is known of a topic from now on.
struct TopicAnswer {
  enum class To : std::uint8_t {
    kLook,     // what Look has asked: partitions, or a refusal
    kLimit,    // what AskLimit has asked
    kRefresh,  // of Refresh; neither partitions nor a refusal: it has to be looked for when an event names it again
    kRefreshFailed,  // of Refresh: nobody answers; without a name
  };
  To to = To::kLook;
  std::string name = {};
  std::size_t partitions = 0;
  std::optional<publisher::Refusal> refusal = {};
  bool asked_limit = false;
  std::optional<std::uint64_t> limit = {};  // max.message.bytes, if the broker says it
};

class TopicAsker {
 public:
  using CurrentProducer = std::function<std::shared_ptr<Producer>()>;
  struct Listener {
    std::function<void()> answered;                      // there are answers of Look or AskLimit
    std::function<void(const std::string& why)> silent;  // nobody has answered for as long as that may take
  };
  // The thread begins with the first question.
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
    bool known_missing = false;  // it was not there when it was last looked for
  };
  // Each question gets one answer, however long that takes. `allowed`: who does not answer for so long is silent.
  void Look(std::vector<Question> questions, std::chrono::milliseconds allowed);
  void AskLimit(std::string name);
  void Refresh(std::vector<std::string> names);

  // The answers since the last call. Waits for some until `end`, or until Cancel.
  [[nodiscard]] std::vector<TopicAnswer> TakeAnswers(Clock::time_point end);
  // For a second nobody has answered a question, nor stored a record.
  [[nodiscard]] bool Silent() const;
  [[nodiscard]] std::string Trouble() const;  // why a question got no answer
  void NoteStored() { stored_.fetch_add(1, std::memory_order_relaxed); }

  // Nothing is asked any more; a question that is under way ends within a second or two.
  void Cancel();
  [[nodiscard]] bool cancelled() const;
  // Cancel, and the thread has ended. No questions may be asked at the same time.
  void Stop();

 private:
  using Names = std::vector<std::string>;
  // A topic that is looked for.
  struct Open {
    int looks = 0;
    bool known_missing = false;
    Clock::time_point next_look;
  };
  // What brokers have said of topics by name; nullptr = the answer has nothing of it.
  struct Replies {
    std::vector<MetadataPtr> raw;
    std::unordered_map<std::string, const rd_kafka_metadata_topic_t*> said;
  };

  void Begin();
  void Run();
  void LookAtOpen();
  void RefreshAll(const Names& names);
  // Asks for as many of the names as there is time for; an error if for none.
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

  // Of the thread.
  std::unordered_map<std::string, Open> open_;
  std::unordered_map<std::string, Clock::time_point> next_creation_;
  std::chrono::milliseconds slice_;
  std::int32_t broker_ = -1;  // whom to ask for limits
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
