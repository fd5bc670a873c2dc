#include "kafka/topic_cache.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "kafka/errors.hpp"
#include "kafka/topic_creator.hpp"
#include "kafka/topic_limits.hpp"
#include "outbox/record_rules.hpp"
#include "util/log.hpp"

namespace outbox::kafka {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr auto kRefusalKept = 1s;
// One question waits so long at most, so that Cancel ends a call soon.
constexpr milliseconds kFirstSlice = 250ms;
constexpr milliseconds kMaxSlice = 1s;
constexpr const char* kUnknownTopic = "unknown_topic";
// A topic that the broker creates by itself takes a moment to appear. One that was not there in all of these looks is looked
// for once a second, without a pause: the events of other topics wait for that.
constexpr int kLooksForNew = 3;
constexpr milliseconds kBetweenLooks = 100ms;
// Rows choose names, so names that lead nowhere must not pile up.
constexpr std::size_t kManyTopics = 1000;
// More names than this are looked for in the list of all topics: one question instead of one for each.
constexpr std::size_t kManyNames = 20;
constexpr auto kCreationAgain = 30s;
constexpr auto kCreationTimeout = 2s;

milliseconds Left(Clock::time_point deadline) {
  return std::max(0ms, std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
}

const rd_kafka_metadata_topic_t* FindIn(const rd_kafka_metadata_t& answer, const std::string& name) {
  const std::span topics(answer.topics, static_cast<std::size_t>(answer.topic_cnt));
  const auto found = std::find_if(topics.begin(), topics.end(), [&](const auto& t) { return name == t.topic; });
  return found == topics.end() ? nullptr : &*found;
}

const rd_kafka_metadata_topic_t* FindIn(const std::vector<MetadataPtr>& answers, const std::string& name) {
  for (const MetadataPtr& answer : answers) {
    if (const auto* said = FindIn(*answer, name)) return said;
  }
  return nullptr;
}

// A broker that records will go to anyway, else any.
std::int32_t BrokerFor(const rd_kafka_metadata_t& answer) {
  for (const rd_kafka_metadata_topic_t& topic : std::span(answer.topics, static_cast<std::size_t>(answer.topic_cnt))) {
    if (topic.partition_cnt > 0 && topic.partitions[0].leader >= 0) return topic.partitions[0].leader;
  }
  return answer.broker_cnt > 0 ? answer.brokers[0].id : -1;
}

}  // namespace

TopicCache::TopicCache(CurrentProducer producer, const Settings& settings, std::shared_ptr<spdlog::logger> logger)
    : producer_(std::move(producer)),
      settings_(settings),
      user_limit_(MaxMessageBytes(settings)),
      refresh_interval_(TopicRefreshInterval(settings)),
      logger_(std::move(logger)),
      next_refresh_(Clock::now() + refresh_interval_) {}

Status TopicCache::Look(std::span<const std::string_view> names, Clock::time_point deadline, std::vector<Topic*>& found,
                        bool& moved) {
  const auto now = Clock::now();
  TakeInvalidated();
  if (now >= next_refresh_) RefreshAll(now);
  Names wanted;
  for (const std::string_view name : names) {
    const auto known = topics_.find(name);
    if (known == topics_.end() || known->second.until <= now) wanted.emplace_back(name);
  }
  if (!wanted.empty()) {
    Forget(now);
    if (Status learned = Learn(std::move(wanted), deadline); !learned.ok()) return learned;
  }
  found.clear();
  for (const std::string_view name : names) {
    found.push_back(&topics_.find(name)->second);
    found.back()->used = now;
  }
  moved = std::exchange(moved_, false);
  return {};
}

Status TopicCache::Learn(Names names, Clock::time_point deadline) {
  Names usable;
  std::erase_if(names, [&](const std::string& name) {
    const auto bad = BadTopicName(name);
    if (bad) Refuse(name, {"bad_topic", *bad});
    return bad.has_value();
  });
  milliseconds slice = kFirstSlice;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  std::unordered_map<std::string, int> looks;
  while (!names.empty()) {
    if (!Pause(0ms)) return {OUTBOX_CANCELLED, "cancelled"};
    const milliseconds left = Left(deadline);
    if (left == 0ms) return {OUTBOX_UNAVAILABLE, "Kafka does not answer: " + ErrorText(error)};
    Answers answers;
    error = Ask(names, std::min(slice, left), answers);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      slice = std::min(2 * slice, kMaxSlice);
      if (!Pause(std::min(50ms, left))) return {OUTBOX_CANCELLED, "cancelled"};
      continue;
    }
    broker_ = BrokerFor(*answers.raw.back());
    Names missing;
    std::erase_if(names, [&](const std::string& name) {
      const auto said = answers.said.find(name);
      if (said == answers.said.end()) return false;
      const bool settled = Take(said->second, name);
      if (settled && !topics_[name].refusal) usable.push_back(name);
      const bool last_look = ++looks[name] == (IsMissing(name) ? 1 : kLooksForNew);
      if (!settled && last_look) {
        Refuse(name, {kUnknownTopic, "the topic \"" + name + "\" is not there; create it"});
      }
      if (!settled && looks[name] == 1) missing.push_back(name);
      return settled || last_look;
    });
    AskForCreations(missing, Left(deadline));
    if (!names.empty() && !Pause(std::min(kBetweenLooks, Left(deadline)))) return {OUTBOX_CANCELLED, "cancelled"};
  }
  if (!usable.empty()) AskLimits(usable, std::min(kMaxSlice, Left(deadline)));
  return {};
}

bool TopicCache::IsMissing(const std::string& name) const {
  const auto known = topics_.find(name);
  return known != topics_.end() && known->second.refusal && known->second.refusal->reason == kUnknownTopic;
}

void TopicCache::RefreshAll(Clock::time_point now) {
  Names names;
  for (auto& [name, topic] : topics_) {
    if (topic.refusal) continue;
    // Of a topic without events nobody is asked, until an event names it again.
    if (topic.used + refresh_interval_ < now)
      topic.until = now;
    else
      names.push_back(name);
  }
  next_refresh_ = now + refresh_interval_;
  if (names.empty()) return;
  Answers answers;
  if (Ask(names, kMaxSlice, answers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    next_refresh_ = now + refresh_interval_ / 30;
    return;
  }
  std::erase_if(names, [&](const std::string& name) {
    const auto said = answers.said.find(name);
    if (said != answers.said.end() && Take(said->second, name)) return topics_[name].refusal.has_value();
    topics_[name].until = now;
    return true;
  });
  broker_ = BrokerFor(*answers.raw.back());
  AskLimits(names, kMaxSlice);
}

rd_kafka_resp_err_t TopicCache::Ask(const Names& names, milliseconds timeout, Answers& answers) {
  const auto end = Clock::now() + timeout;
  const std::shared_ptr<Producer> producer = producer_();
  const bool all = names.size() > kManyNames;
  std::vector<TopicPtr> topics;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (const std::string& name : names) {
    topics.emplace_back(rd_kafka_topic_new(producer->handle(), name.c_str(), nullptr));
    if (topics.back() == nullptr) return rd_kafka_last_error();
    // Never a question about "the topics that this client knows": in that one librdkafka allows the broker to create topics,
    // whatever allow.auto.create.topics says.
    if (!all || topics.size() == 1) {
      const rd_kafka_metadata_t* raw = nullptr;
      error = rd_kafka_metadata(producer->handle(), all ? 1 : 0, all ? nullptr : topics.back().get(), &raw,
                                static_cast<int>(Left(end).count()));
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) break;
      answers.raw.emplace_back(raw);
    }
    const rd_kafka_metadata_topic_t* const said = FindIn(answers.raw, name);
    answers.said.emplace(name, said);
    if (said != nullptr && said->partition_cnt > 0) producer->KeepTopic(name, std::move(topics.back()));
  }
  return answers.raw.empty() ? error : RD_KAFKA_RESP_ERR_NO_ERROR;
}

void TopicCache::AskForCreations(const Names& names, milliseconds timeout) {
  if (!MayCreateTopics(settings_)) return;
  const auto now = Clock::now();
  Names due;
  for (const std::string& name : names) {
    Topic& topic = topics_[name];
    if (topic.next_creation > now) continue;
    topic.next_creation = now + kCreationAgain;
    due.push_back(name);
  }
  if (!due.empty()) AskForCreation(settings_, due, std::min<milliseconds>(timeout, kCreationTimeout));
}

bool TopicCache::Take(const rd_kafka_metadata_topic_t* said, const std::string& name) {
  if (said == nullptr) return false;
  switch (said->err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: {
      publisher::Refusal refusal = ExplainError(said->err);
      refusal.text = "\"" + name + "\": " + refusal.text;
      Refuse(name, std::move(refusal));
      return true;
    }
    default:
      // A partition without a leader is there all the same; its records wait for the leader.
      if (said->partition_cnt == 0) return false;
      SetPartitions(name, static_cast<std::size_t>(said->partition_cnt));
      return true;
  }
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
  // Lanes of partitions that are gone stay numbered; if the partition comes back it gets a new one.
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

void TopicCache::AskLimits(const Names& names, milliseconds timeout) {
  const std::shared_ptr<Producer> producer = producer_();
  const auto [limits, denied] = AskTopicLimits(producer->handle(), broker_, names, timeout);
  if (!denied.empty() && !std::exchange(warned_of_limits_, true)) {
    util::LogWarning(
        *logger_,
        "Kafka does not let the relay's user read max.message.bytes of topic {}, and perhaps of others: records and "
        "requests above it are noticed only when the broker refuses them. Grant the user DescribeConfigs on its "
        "topics",
        denied.front());
  }
  for (const std::string& name : names) {
    Topic& topic = topics_[name];
    topic.limit_until = Clock::now() + kRefusalKept;
    const auto said = limits.find(name);
    if (said == limits.end() && topic.max_bytes != 0) continue;
    std::uint64_t limit = said != limits.end() ? said->second : kLimitWhereUnknown;
    if (user_limit_ != 0) limit = std::min(limit, user_limit_);
    topic.max_bytes = limit;
    smallest_limit_ = std::min(smallest_limit_, limit);
  }
}

std::uint64_t TopicCache::FreshLimit(std::string_view name, Topic& topic, Clock::time_point deadline) {
  if (topic.limit_until <= Clock::now()) AskLimits({std::string(name)}, std::min(kMaxSlice, Left(deadline)));
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
  std::erase_if(topics_, [now](const auto& topic) { return topic.second.lanes.empty() && topic.second.until <= now; });
}

void TopicCache::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  cancel_.notify_all();
}

bool TopicCache::Pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !cancel_.wait_for(lock, time, [this] { return cancelled_; });
}

void TopicCache::Invalidate(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (std::find(invalidated_.begin(), invalidated_.end(), name) == invalidated_.end()) invalidated_.push_back(name);
}

void TopicCache::NoteSize(const std::string& name, std::uint64_t bytes, bool stored) {
  const std::lock_guard lock(mutex_);
  sizes_.push_back({name, bytes, stored});
}

std::shared_ptr<const Lanes> TopicCache::lanes() const {
  const std::lock_guard lock(mutex_);
  return lanes_;
}

}  // namespace outbox::kafka
