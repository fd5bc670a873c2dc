// Facts about the topics that rows name: whether a topic exists, whether the user may write to it, its number of
// partitions, and the maximum size of a record.
//
// The reader thread sends no queries itself. TopicAsker queries missing facts on its own thread, and the cache takes
// over the answers when events are next prepared. The cache outlives each producer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kafka/topic_asker.hpp"
#include "publisher/publisher.hpp"

namespace outbox::kafka {

// The facts about one topic. INVARIANT: a topic whose `until` is in the future has a refusal or lanes. A new topic has
// neither, and is queried.
struct Topic {
  std::optional<publisher::Refusal> refusal;  // why nothing may be sent to the topic
  std::vector<publisher::Lane> lanes;         // by partition
  std::uint64_t max_bytes = 0;                // maximum size of a record batch with one record in it, in bytes
  // size of the smallest batch with one record that was refused as too large, in bytes; 0 = none was refused
  std::uint64_t refused_bytes = 0;
  Clock::time_point limit_until;   // after this time, a record is refused because of max_bytes only after a new query
  std::size_t next_partition = 0;  // grows with each record without a key; 0 = there was none yet
  Clock::time_point until;         // the topic is queried again after this time
  Clock::time_point used;          // when an event last named the topic
  bool asked = false, asked_limit = false;  // true while a question about the topic or its limit is not answered
  // True if the last refusal (unused) or the last limit (unused_limit) has not been used yet. An unused answer is kept
  // longer, because the events that need the answer have to be read again first.
  bool unused = false, unused_limit = false;
};

// The partition to which each lane leads. Lanes are added but never removed, and each addition makes a new object, so
// that the engine thread has a consistent view while it holds a pointer to one object.
struct Lanes {
  struct Target {
    std::uint32_t topic;
    std::int32_t partition;
  };
  std::vector<Target> targets;
  std::vector<std::string> topics;
};

// Owned by KafkaPublisher. A tag such as [reader] names the thread that may call a function.
class TopicCache {
 public:
  struct Surroundings {
    TopicAsker::CurrentProducer producer;
    TopicAsker::Listener asker;     // called on the thread of the asker
    std::function<bool()> is_down;  // [reader] returns true if it is known that no broker answers
  };
  TopicCache(Surroundings surroundings, const Settings& settings, std::shared_ptr<spdlog::logger> logger);

  // [reader] Sets `found` to the topics with these names, in this order. The pointers are valid until the next call.
  // nullptr means that the topic is not known yet and is being queried; the asker's listener is called when the answer
  // arrives. The call waits briefly for the answers to new queries, altogether for at most a tenth of the time. Sets
  // `moved` to true if the number of partitions of a topic has changed since the last call, otherwise to false. If no
  // broker answers until `allowed`, the listener's silent() is called. Errors: OUTBOX_UNAVAILABLE if none of the named
  // topics is known, and either the broker does not answer or no topic at all is known yet; OUTBOX_CANCELLED if a named
  // topic is not known after Cancel.
  [[nodiscard]] Status Look(std::span<const std::string_view> names, Clock::time_point allowed,
                            std::vector<Topic*>& found, bool& moved);
  // [reader] Returns the current size limit, in bytes, of a topic that the last call of Look has found; nothing = the
  // limit is being queried, and the asker's listener is called when the answer arrives. To be called if the known
  // limit, which may be minutes old, is too small for a record.
  [[nodiscard]] std::optional<std::uint64_t> FreshLimit(std::string_view name, Topic& topic);
  // [any] Ends all waiting. After this call, Look returns OUTBOX_CANCELLED instead of nullptr for a topic that is not
  // known.
  void Cancel() { asker_.Cancel(); }
  // [any] Does the same as Cancel, and waits until the asker no longer uses the producer. REQUIRES: no thread is
  // executing Look or FreshLimit.
  void Stop() { asker_.Stop(); }
  // [any] Makes the next call of Look query the topic again, because a broker's answer contradicts the known facts.
  void Invalidate(const std::string& name);

  // [any] Notes that the topic has stored a record batch of `bytes` bytes with one record in it or, if not `stored`,
  // has refused it as too large.
  void NoteSize(const std::string& name, std::uint64_t bytes, bool stored);
  // [any] Notes that a record was stored, so that the broker counts as available, however slowly it answers queries.
  void NoteStored() { asker_.NoteStored(); }
  // [any] Returns why the last unanswered query got no answer.
  [[nodiscard]] std::string Trouble() const { return asker_.Trouble(); }

  [[nodiscard]] std::shared_ptr<const Lanes> lanes() const;  // [any]
  // [reader] Returns the smallest max_bytes that any topic has had so far.
  [[nodiscard]] std::uint64_t smallest_limit() const { return smallest_limit_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  void AskFor(const std::vector<std::string>& names, Clock::time_point allowed);
  // Passes answers to take(answers) until done() is true or the time for waiting is over.
  template <class Done, class Take>
  void Await(Done done, Take take);
  void TakeOver(std::vector<TopicAnswer> answers);
  void TakeLimit(Topic& topic, const TopicAnswer& answer);
  [[nodiscard]] static bool IsKnown(const Topic& topic, Clock::time_point now) {
    return !topic.asked && topic.until > now;
  }
  void RefreshAll(Clock::time_point now);
  void SetPartitions(const std::string& name, std::size_t count);
  void Refuse(const std::string& name, publisher::Refusal refusal);
  void TakeInvalidated();
  void Forget(Clock::time_point now);

  struct Size {
    std::string topic;
    std::uint64_t bytes;
    bool stored;
  };

  const std::function<bool()> is_down_;
  const std::uint64_t user_limit_;  // message.max.bytes, 0 = none
  const std::chrono::milliseconds refresh_interval_;
  const std::shared_ptr<spdlog::logger> logger_;

  std::unordered_map<std::string, Topic, Hash, std::equal_to<>> topics_;
  std::uint64_t smallest_limit_ = ~std::uint64_t{0};
  Clock::time_point next_refresh_;
  Clock::time_point next_wait_;  // before this time the reader does not wait for answers
  // answers that arrived in the middle of a batch; the next call of Look takes them over
  std::vector<TopicAnswer> later_;
  // [reader] True if the number of partitions of a topic has changed and no call of Look has reported that change yet.
  // A call that fails because of another topic must not lose the change.
  bool moved_ = false;

  mutable std::mutex mutex_;
  std::vector<std::string> invalidated_;
  std::vector<Size> sizes_;
  std::shared_ptr<const Lanes> lanes_ = std::make_shared<Lanes>();

  TopicAsker asker_;
};

}  // namespace outbox::kafka
