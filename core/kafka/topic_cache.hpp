// What is known of the topics that rows name: is it there, may we write, how many partitions, how large a record.
//
// Whoever reads events asks nobody: what is not known is asked for by TopicAsker, on its own thread, and taken over here when
// events are next looked at. It lives longer than any producer.
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

// INVARIANT: one whose `until` lies ahead has a refusal or lanes. A new one has neither, and is asked for.
struct Topic {
  std::optional<publisher::Refusal> refusal;  // nothing may be sent to it
  std::vector<publisher::Lane> lanes;         // by partition
  std::uint64_t max_bytes = 0;                // of a record batch with one record in it
  std::uint64_t refused_bytes = 0;            // such a batch was refused as too large; 0 = none was
  Clock::time_point limit_until;              // do not refuse by that limit later without asking again
  std::size_t next_partition = 0;             // for records without a key
  Clock::time_point until;                    // ask again from then on
  Clock::time_point used;                     // when an event last named it
  bool asked = false, asked_limit = false;    // and not answered
  // The answer has not been used: it is kept for longer, as the events that it is for have to be read again.
  bool unused = false, unused_limit = false;
};

// Where lanes lead to. Grows only; a copy of the pointers is a consistent view for the engine's thread.
struct Lanes {
  struct Target {
    std::uint32_t topic;
    std::int32_t partition;
  };
  std::vector<Target> targets;
  std::vector<std::string> topics;
};

class TopicCache {
 public:
  struct Surroundings {
    TopicAsker::CurrentProducer producer;
    TopicAsker::Listener asker;     // on its thread
    std::function<bool()> is_down;  // the broker is known not to answer. [reader]
  };
  TopicCache(Surroundings surroundings, const Settings& settings, std::shared_ptr<spdlog::logger> logger);

  // [reader] Finds each of the names, in their order; pointers stay good until the next call. nullptr: nothing is known of the
  // topic yet, and it is asked for; the asker's listener hears of the answer. Waits for what is asked for the first time, but
  // shortly, and at most a tenth of the time. `moved`: a topic has another number of partitions than when it was last looked
  // at. `allowed`: a broker that does not answer for so long is silent. OUTBOX_UNAVAILABLE: nothing is known of any of them,
  // and the broker does not answer, or nothing is known of any topic yet. OUTBOX_CANCELLED.
  [[nodiscard]] Status Look(std::span<const std::string_view> names, Clock::time_point allowed,
                            std::vector<Topic*>& found, bool& moved);
  // [reader] The limit of a topic of the last Look, as it is now: for whom the known one, which may be minutes old, is too
  // small. Nothing: it is asked for, as by Look.
  [[nodiscard]] std::optional<std::uint64_t> FreshLimit(std::string_view name, Topic& topic);
  // [any]
  void Cancel() { asker_.Cancel(); }
  // [any] The same, and nobody uses the producer any more. REQUIRES: nobody reads.
  void Stop() { asker_.Stop(); }
  // [any] The broker has said something that does not fit what is known of the topic: ask again.
  void Invalidate(const std::string& name);

  // [any] A record batch of this size, with one record in it, was refused by the topic as too large, or was stored.
  void NoteSize(const std::string& name, std::uint64_t bytes, bool stored);
  // [any] A record was stored, so the broker is there, however slowly it answers questions.
  void NoteStored() { asker_.NoteStored(); }
  // [any] Why a question has got no answer.
  [[nodiscard]] std::string Trouble() const { return asker_.Trouble(); }

  [[nodiscard]] std::shared_ptr<const Lanes> lanes() const;  // [any]
  // [reader] Of all topics seen.
  [[nodiscard]] std::uint64_t smallest_limit() const { return smallest_limit_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  void AskFor(const std::vector<std::string>& names, Clock::time_point allowed);
  // Gives answers to `take` until done() holds, for as long as may be waited.
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
  Clock::time_point next_wait_;     // for answers
  std::vector<TopicAnswer> later_;  // they came in the middle of a batch
  // [reader] Partitions were added, and no call has said so yet: one that fails for another topic must not lose it.
  bool moved_ = false;

  mutable std::mutex mutex_;
  std::vector<std::string> invalidated_;
  std::vector<Size> sizes_;
  std::shared_ptr<const Lanes> lanes_ = std::make_shared<Lanes>();

  TopicAsker asker_;
};

}  // namespace outbox::kafka
