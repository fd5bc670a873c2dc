#include "kafka/topic_cache.hpp"

#include <algorithm>
#include <utility>

#include "kafka/topic_limits.hpp"
#include "outbox/record_rules.hpp"
#include "util/log.hpp"

namespace outbox::kafka {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

// kRefusalKept is the time that a refusal or a limit is kept after its first use. kUnusedKept is the time that an
// unused answer is kept.
constexpr auto kRefusalKept = 1s;
constexpr auto kUnusedKept = 10s;
// kMaxWait is the longest time that the reader waits for answers. Usually the broker answers within milliseconds, and
// no event has to be read again because of a missing answer. After a wait, the reader does not wait again for kWaitRest
// times as long, because each wait delays the events of other topics.
constexpr auto kMaxWait = 50ms;
constexpr auto kWaitRest = 9;
// Once the cache holds this many topics, it evicts expired entries of topics without partitions. Topic names come from
// rows, so entries for missing topics could otherwise accumulate without limit.
constexpr std::size_t kManyTopics = 1000;

}  // namespace

TopicCache::TopicCache(Surroundings surroundings, const Settings& settings, std::shared_ptr<spdlog::logger> logger)
    : is_down_(std::move(surroundings.is_down)),
      user_limit_(MaxMessageBytes(settings)),
      refresh_interval_(TopicRefreshInterval(settings)),
      logger_(logger),
      next_refresh_(Clock::now() + refresh_interval_),
      asker_(std::move(surroundings.producer), settings, std::move(surroundings.asker), std::move(logger)) {}

Status TopicCache::Look(std::span<const std::string_view> names, Clock::time_point allowed, std::vector<Topic*>& found,
                        bool& moved) {
  auto now = Clock::now();
  TakeOver(std::exchange(later_, {}));
  TakeOver(asker_.TakeAnswers(now));
  TakeInvalidated();
  if (now >= next_refresh_) RefreshAll(now);
  std::vector<std::string> wanted;
  for (const std::string_view name : names) {
    const auto known = topics_.find(name);
    if (known == topics_.end() || (!known->second.asked && known->second.until <= now)) wanted.emplace_back(name);
  }
  if (!wanted.empty()) {
    Forget(now);
    AskFor(wanted, allowed);
    Await([&] { return std::ranges::none_of(wanted, [&](const auto& name) { return topics_[name].asked; }); },
          [this](std::vector<TopicAnswer> answers) { TakeOver(std::move(answers)); });
    now = Clock::now();
  }

  found.clear();
  std::size_t unknown = 0;
  for (const std::string_view name : names) {
    Topic& topic = topics_.find(name)->second;
    topic.used = now;
    if (!IsKnown(topic, now)) {
      ++unknown;
      found.push_back(nullptr);
      continue;
    }
    if (std::exchange(topic.unused, false) && topic.refusal) topic.until = now + kRefusalKept;
    found.push_back(&topic);
  }
  if (unknown > 0 && asker_.cancelled()) return {OUTBOX_CANCELLED, "cancelled"};
  // This error stops reading while the broker is unavailable. Without the error, the relay would read the whole table:
  // as long as no topic is known, a read finds no event that can be sent.
  if (unknown > 0 && unknown == names.size() && (lanes()->topics.empty() || is_down_() || asker_.Silent()))
    return {OUTBOX_UNAVAILABLE, asker_.Trouble()};
  moved = std::exchange(moved_, false);
  return {};
}

void TopicCache::AskFor(const std::vector<std::string>& names, Clock::time_point allowed) {
  std::vector<TopicAsker::Question> questions;
  for (const std::string& name : names) {
    if (auto bad = BadTopicName(name)) {
      Refuse(name, {"bad_topic", *std::move(bad)});
      continue;
    }
    Topic& topic = topics_[name];
    topic.asked = true;
    questions.push_back({name, topic.refusal && topic.refusal->reason == kUnknownTopic});
  }
  const auto left = std::chrono::duration_cast<milliseconds>(allowed - Clock::now());
  if (!questions.empty()) asker_.Look(std::move(questions), left);
}

template <class Done, class Take>
void TopicCache::Await(Done done, Take take) {
  const auto begun = Clock::now();
  if (begun < next_wait_) return;
  const auto end = begun + kMaxWait;
  auto now = begun;
  for (; now < end && !done() && !asker_.cancelled(); now = Clock::now()) take(asker_.TakeAnswers(end));
  next_wait_ = now + kWaitRest * (now - begun);
}

void TopicCache::TakeOver(std::vector<TopicAnswer> answers) {
  using To = TopicAnswer::To;
  const auto now = Clock::now();
  for (TopicAnswer& answer : answers) {
    if (answer.to == To::kRefreshFailed) {
      next_refresh_ = now + refresh_interval_ / 30;
      continue;
    }
    Topic& topic = topics_[answer.name];
    if (answer.to == To::kLimit) {
      topic.asked_limit = false;
      topic.unused_limit = true;
      TakeLimit(topic, answer);
      topic.limit_until = now + kUnusedKept;
      continue;
    }
    if (answer.to == To::kLook) topic.asked = false;
    if (answer.refusal) {
      Refuse(answer.name, *std::move(answer.refusal));
      topic.unused = true;
      topic.until = now + kUnusedKept;
    } else if (answer.partitions > 0) {
      SetPartitions(answer.name, answer.partitions);
      TakeLimit(topic, answer);
    } else {
      topic.until = now;
    }
  }
}

void TopicCache::TakeLimit(Topic& topic, const TopicAnswer& answer) {
  if (!answer.asked_limit) return;
  topic.limit_until = Clock::now() + kRefusalKept;
  if (!answer.limit && topic.max_bytes != 0) return;
  std::uint64_t limit = answer.limit.value_or(kLimitWhereUnknown);
  if (user_limit_ != 0) limit = std::min(limit, user_limit_);
  topic.max_bytes = limit;
  smallest_limit_ = std::min(smallest_limit_, limit);
}

void TopicCache::RefreshAll(Clock::time_point now) {
  std::vector<std::string> names;
  for (auto& [name, topic] : topics_) {
    if (topic.refusal || topic.lanes.empty()) continue;
    // A topic that no event has named for refresh_interval_ is queried only when an event names it again.
    if (topic.used + refresh_interval_ < now)
      topic.until = now;
    else
      names.push_back(name);
  }
  next_refresh_ = now + refresh_interval_;
  if (!names.empty()) asker_.Refresh(std::move(names));
}

void TopicCache::SetPartitions(const std::string& name, std::size_t count) {
  Topic& topic = topics_[name];
  topic.refusal.reset();
  topic.until = Clock::time_point::max();
  if (topic.lanes.size() == count) return;
  if (!topic.lanes.empty()) {
    moved_ = true;
    util::LogWarning(*logger_, "topic {} has {} partitions now, not {}: keys move to other partitions", name, count,
                     topic.lanes.size());
  }
  auto lanes = std::make_shared<Lanes>(*this->lanes());
  const auto known = std::find(lanes->topics.begin(), lanes->topics.end(), name);
  const auto index = static_cast<std::uint32_t>(known - lanes->topics.begin());
  if (known == lanes->topics.end()) lanes->topics.push_back(name);
  // The lanes of removed partitions keep their numbers. A removed partition that comes back gets a new lane.
  topic.lanes.resize(std::min(count, topic.lanes.size()));
  while (topic.lanes.size() < count) {
    const auto partition = static_cast<std::int32_t>(topic.lanes.size());
    topic.lanes.push_back(static_cast<publisher::Lane>(lanes->targets.size()));
    lanes->targets.push_back({index, partition});
  }
  const std::lock_guard lock(mutex_);
  lanes_ = std::move(lanes);
}

void TopicCache::Refuse(const std::string& name, publisher::Refusal refusal) {
  Topic& topic = topics_[name];
  topic.refusal = std::move(refusal);
  topic.until = Clock::now() + kRefusalKept;
}

std::optional<std::uint64_t> TopicCache::FreshLimit(std::string_view name, Topic& topic) {
  if (topic.limit_until <= Clock::now() && !topic.asked_limit) {
    topic.asked_limit = true;
    asker_.AskLimit(std::string(name));
    // The number of partitions must not change within a batch, so answers of all other kinds are taken over later.
    Await([&topic] { return !topic.asked_limit; },
          [this](std::vector<TopicAnswer> answers) {
            for (TopicAnswer& answer : answers) {
              if (answer.to == TopicAnswer::To::kLimit)
                TakeOver({std::move(answer)});
              else
                later_.push_back(std::move(answer));
            }
          });
  }
  if (topic.asked_limit) return {};
  if (std::exchange(topic.unused_limit, false)) topic.limit_until = Clock::now() + kRefusalKept;
  return topic.max_bytes;
}

void TopicCache::TakeInvalidated() {
  std::vector<std::string> invalidated;
  std::vector<Size> sizes;
  {
    const std::lock_guard lock(mutex_);
    invalidated.swap(invalidated_);
    sizes.swap(sizes_);
  }
  for (const auto& [name, bytes, stored] : sizes) {
    const auto known = topics_.find(name);
    if (known == topics_.end()) continue;
    std::uint64_t& refused = known->second.refused_bytes;
    if (stored && bytes >= refused) refused = 0;  // the limit was raised
    if (!stored && (refused == 0 || bytes < refused)) refused = bytes;
  }
  for (const std::string& name : invalidated) {
    const auto known = topics_.find(name);
    if (known != topics_.end()) known->second.until = Clock::time_point::min();
  }
}

void TopicCache::Forget(Clock::time_point now) {
  if (topics_.size() < kManyTopics) return;
  std::erase_if(topics_, [now](const auto& topic) {
    return topic.second.lanes.empty() && !topic.second.asked && topic.second.until <= now;
  });
}

void TopicCache::Invalidate(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (std::find(invalidated_.begin(), invalidated_.end(), name) == invalidated_.end()) invalidated_.push_back(name);
}

void TopicCache::NoteSize(const std::string& name, std::uint64_t bytes, bool stored) {
  if (stored) asker_.NoteStored();
  const std::lock_guard lock(mutex_);
  sizes_.push_back({name, bytes, stored});
}

std::shared_ptr<const Lanes> TopicCache::lanes() const {
  const std::lock_guard lock(mutex_);
  return lanes_;
}

}  // namespace outbox::kafka
