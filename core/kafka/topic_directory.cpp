#include "kafka/topic_directory.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "kafka/errors.hpp"
#include "kafka/topic_limits.hpp"

namespace outbox::kafka {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr auto kRefusalKept = 1s;
// One question waits so long at most, so that Cancel ends a call soon.
constexpr milliseconds kFirstSlice = 250ms;
constexpr milliseconds kLongestSlice = 1s;
// A topic that the broker creates by itself takes a moment to appear.
constexpr int kLooksForNew = 3;
constexpr milliseconds kBetweenLooks = 100ms;
// Rows choose names, so names that lead nowhere must not pile up.
constexpr std::size_t kManyTopics = 1000;

milliseconds Left(Clock::time_point deadline) {
  return std::max(0ms, std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
}

const rd_kafka_metadata_topic_t* FindIn(const rd_kafka_metadata_t& answer, const std::string& name) {
  const std::span topics(answer.topics, static_cast<std::size_t>(answer.topic_cnt));
  const auto found = std::find_if(topics.begin(), topics.end(), [&](const auto& t) { return name == t.topic; });
  return found == topics.end() ? nullptr : &*found;
}

// A broker that records will go to anyway, else any.
std::int32_t BrokerFor(const rd_kafka_metadata_t& answer) {
  for (const rd_kafka_metadata_topic_t& topic : std::span(answer.topics, static_cast<std::size_t>(answer.topic_cnt))) {
    if (topic.partition_cnt > 0 && topic.partitions[0].leader >= 0) return topic.partitions[0].leader;
  }
  return answer.broker_cnt > 0 ? answer.brokers[0].id : -1;
}

}  // namespace

std::optional<std::string> BadTopicName(std::string_view name) {
  if (name.empty()) return "the topic is empty";
  if (name.size() > 249) return "the topic's name has " + std::to_string(name.size()) + " bytes, Kafka takes 249";
  const auto allowed = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (!std::all_of(name.begin(), name.end(), allowed)) {
    return "the topic's name holds something else than letters, digits, \".\", \"_\" and \"-\"";
  }
  if (name == "." || name == "..") return "a topic cannot be named \"" + std::string(name) + "\"";
  if (name.starts_with("__")) return "topics that begin with \"__\" are Kafka's own";
  return std::nullopt;
}

TopicDirectory::TopicDirectory(CurrentProducer producer, const Settings& settings,
                               std::shared_ptr<spdlog::logger> logger)
    : producer_(std::move(producer)),
      user_limit_(MaxMessageBytes(settings)),
      refresh_interval_(TopicRefreshInterval(settings)),
      logger_(std::move(logger)),
      next_refresh_(Clock::now() + refresh_interval_) {}

Status TopicDirectory::Look(std::span<const std::string_view> names, Clock::time_point deadline,
                            std::vector<Topic*>& found, bool& moved) {
  const auto now = Clock::now();
  TakeDoubts();
  if (now >= next_refresh_) RefreshAll(now, moved);
  Names wanted;
  for (const std::string_view name : names) {
    const auto known = topics_.find(name);
    if (known == topics_.end() || known->second.until <= now) wanted.emplace_back(name);
  }
  if (!wanted.empty()) {
    Forget(now);
    if (Status learned = Learn(std::move(wanted), deadline, moved); !learned.ok()) return learned;
  }
  found.clear();
  for (const std::string_view name : names) found.push_back(&topics_.find(name)->second);
  return {};
}

Status TopicDirectory::Learn(Names names, Clock::time_point deadline, bool& moved) {
  Names usable;
  std::erase_if(names, [&](const std::string& name) {
    const auto bad = BadTopicName(name);
    if (bad) Refuse(name, {"bad_topic", *bad});
    return bad.has_value();
  });
  milliseconds slice = kFirstSlice;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  for (int looks = 0; !names.empty();) {
    if (!Pause(0ms)) return {OUTBOX_CANCELLED, "cancelled"};
    const milliseconds left = Left(deadline);
    if (left == 0ms) return {OUTBOX_UNAVAILABLE, "Kafka does not answer: " + ErrorText(error)};
    MetadataPtr answer;
    error = Ask(names, std::min(slice, left), answer);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      slice = std::min(2 * slice, kLongestSlice);
      if (!Pause(std::min(50ms, left))) return {OUTBOX_CANCELLED, "cancelled"};
      continue;
    }
    ++looks;
    broker_ = BrokerFor(*answer);
    std::erase_if(names, [&](const std::string& name) {
      const bool settled = Take(FindIn(*answer, name), name, moved);
      if (settled && !topics_[name].refusal) usable.push_back(name);
      if (!settled && looks == kLooksForNew) {
        Refuse(name, {"unknown_topic", "the topic \"" + name + "\" is not there; create it"});
      }
      return settled || looks == kLooksForNew;
    });
    if (!names.empty() && !Pause(std::min(kBetweenLooks, Left(deadline)))) return {OUTBOX_CANCELLED, "cancelled"};
  }
  if (!usable.empty()) AskLimits(usable, std::min(kLongestSlice, Left(deadline)));
  return {};
}

void TopicDirectory::RefreshAll(Clock::time_point now, bool& moved) {
  Names names;
  for (const auto& [name, topic] : topics_) {
    if (!topic.refusal) names.push_back(name);
  }
  next_refresh_ = now + refresh_interval_;
  if (names.empty()) return;
  MetadataPtr answer;
  if (Ask(names, kLongestSlice, answer) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    next_refresh_ = now + refresh_interval_ / 30;
    return;
  }
  std::erase_if(names, [&](const std::string& name) {
    if (Take(FindIn(*answer, name), name, moved)) return topics_[name].refusal.has_value();
    topics_[name].until = now;
    return true;
  });
  broker_ = BrokerFor(*answer);
  AskLimits(names, kLongestSlice);
}

rd_kafka_resp_err_t TopicDirectory::Ask(const Names& names, milliseconds timeout, MetadataPtr& answer) {
  const std::shared_ptr<Producer> producer = producer_();
  std::vector<TopicPtr> topics;
  for (const std::string& name : names) {
    topics.emplace_back(rd_kafka_topic_new(producer->handle(), name.c_str(), nullptr));
    if (topics.back() == nullptr) return rd_kafka_last_error();
  }
  // For several names the question is about every topic this client has a handle of: one round trip.
  rd_kafka_topic_t* const only = names.size() == 1 ? topics.front().get() : nullptr;
  const rd_kafka_metadata_t* raw = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(producer->handle(), 0, only, &raw, static_cast<int>(timeout.count()));
  answer.reset(raw);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const rd_kafka_metadata_topic_t* const said = FindIn(*raw, names[i]);
    if (said != nullptr && said->partition_cnt > 0) producer->KeepTopic(names[i], std::move(topics[i]));
  }
  return error;
}

bool TopicDirectory::Take(const rd_kafka_metadata_topic_t* said, const std::string& name, bool& moved) {
  if (said == nullptr) return false;
  switch (said->err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: {
      publish::Refusal refusal = ExplainError(said->err);
      refusal.text = "\"" + name + "\": " + refusal.text;
      Refuse(name, std::move(refusal));
      return true;
    }
    default:
      // A partition without a leader is there all the same; its records wait for the leader.
      if (said->partition_cnt == 0) return false;
      SetPartitions(name, static_cast<std::size_t>(said->partition_cnt), moved);
      return true;
  }
}

void TopicDirectory::SetPartitions(const std::string& name, std::size_t count, bool& moved) {
  Topic& topic = topics_[name];
  topic.refusal.reset();
  topic.until = Clock::time_point::max();
  if (topic.lanes.size() == count) return;
  if (!topic.lanes.empty()) {
    moved = true;
    logger_->warn("topic {} has {} partitions now, not {}: keys move to other partitions", name, count,
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
    topic.lanes.push_back(static_cast<publish::Lane>(lanes->targets.size()));
    lanes->targets.push_back({index, partition});
  }
  const std::lock_guard lock(mutex_);
  lanes_ = std::move(lanes);
}

void TopicDirectory::Refuse(const std::string& name, publish::Refusal refusal) {
  Topic& topic = topics_[name];
  topic.refusal = std::move(refusal);
  topic.until = Clock::now() + kRefusalKept;
}

void TopicDirectory::AskLimits(const Names& names, milliseconds timeout) {
  const auto limits = AskTopicLimits(*producer_(), broker_, names, timeout);
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

std::uint64_t TopicDirectory::FreshLimit(std::string_view name, Topic& topic, Clock::time_point deadline) {
  if (topic.limit_until <= Clock::now()) AskLimits({std::string(name)}, std::min(kLongestSlice, Left(deadline)));
  return topic.max_bytes;
}

void TopicDirectory::TakeDoubts() {
  std::vector<std::string> doubts;
  {
    const std::lock_guard lock(mutex_);
    doubts.swap(doubts_);
  }
  for (const std::string& name : doubts) {
    const auto known = topics_.find(name);
    if (known != topics_.end()) known->second.until = Clock::time_point::min();
  }
}

void TopicDirectory::Forget(Clock::time_point now) {
  if (topics_.size() < kManyTopics) return;
  std::erase_if(topics_, [now](const auto& topic) {
    return topic.second.refusal && topic.second.lanes.empty() && topic.second.until <= now;
  });
}

void TopicDirectory::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  cancel_.notify_all();
}

bool TopicDirectory::Pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !cancel_.wait_for(lock, time, [this] { return cancelled_; });
}

void TopicDirectory::Doubt(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (std::find(doubts_.begin(), doubts_.end(), name) == doubts_.end()) doubts_.push_back(name);
}

std::shared_ptr<const Lanes> TopicDirectory::lanes() const {
  const std::lock_guard lock(mutex_);
  return lanes_;
}

}  // namespace outbox::kafka
