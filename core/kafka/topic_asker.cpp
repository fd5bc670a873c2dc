#include "kafka/topic_asker.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "kafka/errors.hpp"
#include "kafka/topic_creator.hpp"
#include "kafka/topic_limits.hpp"
#include "util/log.hpp"
#include "util/thread.hpp"

namespace outbox::kafka {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

// The time that one query waits for its reply, at first and at most. It is short so that Cancel soon ends a query.
constexpr milliseconds kFirstSlice = 250ms;
constexpr milliseconds kMaxSlice = 1s;
constexpr milliseconds kAskAgain = 50ms;  // the pause after a query without a reply
// The number of queries after which a topic counts as missing: a topic that the broker creates by itself takes a moment
// to appear. For a topic that was missing when it was last queried, one query is enough.
constexpr int kLooksForNew = 3;
constexpr milliseconds kBetweenLooks = 100ms;
constexpr auto kSilentAfter = 1s;
// If more topics than this are to be queried, one query for the list of all topics replaces one query for each topic.
constexpr std::size_t kManyNames = 20;
constexpr auto kCreationAgain = 30s;
constexpr auto kCreationTimeout = 2s;
// Once the creation of this many topics has been requested, names whose last request is older than kCreationAgain are
// removed. Topic names come from rows, so names of missing topics could otherwise accumulate without limit.
constexpr std::size_t kManyCreations = 1000;

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

// Returns the id of a broker that leads a partition of the topics in the reply, because records will be sent to that
// broker anyway. If no such broker is known, returns any broker; -1 = the reply contains no broker.
std::int32_t BrokerFor(const rd_kafka_metadata_t& answer) {
  for (const rd_kafka_metadata_topic_t& topic : std::span(answer.topics, static_cast<std::size_t>(answer.topic_cnt))) {
    if (topic.partition_cnt > 0 && topic.partitions[0].leader >= 0) return topic.partitions[0].leader;
  }
  return answer.broker_cnt > 0 ? answer.brokers[0].id : -1;
}

// Interprets the broker's reply about the topic. Returns nothing if the topic may be in the process of being created.
std::optional<TopicAnswer> Understand(const rd_kafka_metadata_topic_t* said, const std::string& name) {
  if (said == nullptr) return {};
  TopicAnswer answer{.name = name};
  switch (said->err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      answer.refusal = ExplainError(said->err);
      answer.refusal->text = "\"" + name + "\": " + answer.refusal->text;
      return answer;
    default:
      // Partitions without a leader are counted too: their records wait for a leader.
      if (said->partition_cnt == 0) return {};
      answer.partitions = static_cast<std::size_t>(said->partition_cnt);
      return answer;
  }
}

}  // namespace

// ---- called by other threads ----

void TopicAsker::Look(std::vector<Question> questions, milliseconds allowed) {
  const std::lock_guard lock(mutex_);
  allowed_ = allowed;
  std::move(questions.begin(), questions.end(), std::back_inserter(questions_));
  Begin();
}

void TopicAsker::AskLimit(std::string name) {
  const std::lock_guard lock(mutex_);
  limits_.push_back(std::move(name));
  Begin();
}

void TopicAsker::Refresh(Names names) {
  const std::lock_guard lock(mutex_);
  refresh_ = std::move(names);
  Begin();
}

// Starts thread_ if it does not run yet, and wakes it. REQUIRES: the caller holds mutex_.
void TopicAsker::Begin() {
  if (!cancelled_ && !thread_.joinable()) thread_ = util::StartThread("kafka-topics", [this] { Run(); });
  asked_.notify_all();
}

std::vector<TopicAnswer> TopicAsker::TakeAnswers(Clock::time_point end) {
  std::unique_lock lock(mutex_);
  answered_.wait_until(lock, end, [this] { return cancelled_ || !answers_.empty(); });
  return std::exchange(answers_, {});
}

bool TopicAsker::Silent() const {
  const std::lock_guard lock(mutex_);
  return unanswered_since_ && Clock::now() - *unanswered_since_ >= kSilentAfter && stored_.load() == stored_then_;
}

std::string TopicAsker::Trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void TopicAsker::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  asked_.notify_all();
  answered_.notify_all();
}

bool TopicAsker::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

void TopicAsker::Stop() {
  Cancel();
  if (thread_.joinable()) thread_.join();
}

// ---- functions that run on thread_ ----

void TopicAsker::Run() {
  slice_ = kFirstSlice;
  for (;;) {
    Names limits, refresh;
    {
      std::unique_lock lock(mutex_);
      const auto asked = [this] { return cancelled_ || !questions_.empty() || !limits_.empty() || !refresh_.empty(); };
      auto next = Clock::time_point::max();
      for (const auto& [name, open] : open_) next = std::min(next, open.next_look);
      if (next == Clock::time_point::max())
        asked_.wait(lock, asked);
      else
        asked_.wait_until(lock, next, asked);
      if (cancelled_) return;
      for (Question& question : std::exchange(questions_, {}))
        open_.try_emplace(std::move(question.name)).first->second.known_missing = question.known_missing;
      limits.swap(limits_);
      refresh.swap(refresh_);
    }
    LookAtOpen();
    if (!limits.empty()) {
      std::vector<TopicAnswer> answers;
      for (std::string& name : limits) answers.push_back({.to = TopicAnswer::To::kLimit, .name = std::move(name)});
      AddLimits(answers);
      Post(std::move(answers));
    }
    if (!refresh.empty()) RefreshAll(refresh);
  }
}

void TopicAsker::LookAtOpen() {
  const auto now = Clock::now();
  Names due;
  for (const auto& [name, open] : open_)
    if (open.next_look <= now) due.push_back(name);
  if (due.empty()) return;
  Replies replies;
  if (const auto error = Ask(due, slice_, replies); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    slice_ = std::min(2 * slice_, kMaxSlice);
    for (const std::string& name : due) open_[name].next_look = Clock::now() + kAskAgain;
    return Unanswered(error, now);
  }
  Answered();
  broker_ = BrokerFor(*replies.raw.back());
  std::vector<TopicAnswer> answers;
  Names missing;
  for (const std::string& name : due) {
    const auto said = replies.said.find(name);
    if (said == replies.said.end()) continue;
    std::optional<TopicAnswer> answer = Understand(said->second, name);
    Open& open = open_[name];
    const bool last_look = ++open.looks >= (open.known_missing ? 1 : kLooksForNew);
    if (!answer && open.looks == 1) missing.push_back(name);
    if (!answer && last_look)
      answer = TopicAnswer{
          .name = name,
          .refusal = publisher::Refusal{kUnknownTopic, "the topic \"" + name + "\" does not exist; create it"}};
    open.next_look = Clock::now() + kBetweenLooks;
    if (!answer) continue;
    open_.erase(name);
    answers.push_back(std::move(*answer));
  }
  AddLimits(answers);
  Post(std::move(answers));
  AskForCreations(missing);
}

void TopicAsker::RefreshAll(const Names& names) {
  std::vector<TopicAnswer> answers;
  Replies replies;
  if (Ask(names, kMaxSlice, replies) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    answers.push_back({.to = TopicAnswer::To::kRefreshFailed});
    return Post(std::move(answers));
  }
  broker_ = BrokerFor(*replies.raw.back());
  for (const std::string& name : names) {
    const auto said = replies.said.find(name);
    const auto* const its = said == replies.said.end() ? nullptr : said->second;
    TopicAnswer answer = Understand(its, name).value_or(TopicAnswer{.name = name});
    answer.to = TopicAnswer::To::kRefresh;
    answers.push_back(std::move(answer));
  }
  AddLimits(answers);
  Post(std::move(answers));
}

rd_kafka_resp_err_t TopicAsker::Ask(const Names& names, milliseconds timeout, Replies& replies) {
  const auto end = Clock::now() + timeout;
  const std::shared_ptr<Producer> producer = producer_();
  const bool all = names.size() > kManyNames;
  std::vector<TopicPtr> topics;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (const std::string& name : names) {
    topics.emplace_back(rd_kafka_topic_new(producer->handle(), name.c_str(), nullptr));
    if (topics.back() == nullptr) return rd_kafka_last_error();
    // The query names one topic or asks for all topics. It must not ask for "the topics that this client knows": with
    // such a query librdkafka allows the broker to create topics, whatever allow.auto.create.topics says.
    if (!all || topics.size() == 1) {
      const rd_kafka_metadata_t* raw = nullptr;
      error = rd_kafka_metadata(producer->handle(), all ? 1 : 0, all ? nullptr : topics.back().get(), &raw,
                                static_cast<int>(Left(end).count()));
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) break;
      replies.raw.emplace_back(raw);
    }
    const rd_kafka_metadata_topic_t* const said = FindIn(replies.raw, name);
    replies.said.emplace(name, said);
    if (said != nullptr && said->partition_cnt > 0) producer->KeepTopic(name, std::move(topics.back()));
  }
  return replies.raw.empty() ? error : RD_KAFKA_RESP_ERR_NO_ERROR;
}

// Adds size limits to the answers: to answers that report partitions, and to answers to AskLimit.
void TopicAsker::AddLimits(std::vector<TopicAnswer>& answers) {
  Names names;
  for (const TopicAnswer& answer : answers)
    if (answer.partitions > 0 || answer.to == TopicAnswer::To::kLimit) names.push_back(answer.name);
  if (names.empty()) return;
  const std::shared_ptr<Producer> producer = producer_();
  const auto [limits, denied] = AskTopicLimits(producer->handle(), broker_, names, kMaxSlice);
  if (!denied.empty() && !std::exchange(warned_of_limits_, true)) {
    util::LogWarning(
        *logger_,
        "Kafka does not let the relay's user read max.message.bytes of topic {}, and perhaps of others: records and "
        "requests above it are detected only when the broker refuses them. Grant the user DescribeConfigs on its "
        "topics",
        denied.front());
  }
  for (TopicAnswer& answer : answers) {
    answer.asked_limit = answer.partitions > 0 || answer.to == TopicAnswer::To::kLimit;
    if (const auto said = limits.find(answer.name); said != limits.end()) answer.limit = said->second;
  }
}

void TopicAsker::AskForCreations(const Names& names) {
  if (names.empty() || !MayCreateTopics(settings_)) return;
  const auto now = Clock::now();
  if (next_creation_.size() >= kManyCreations)
    std::erase_if(next_creation_, [now](const auto& next) { return next.second <= now; });
  Names due;
  for (const std::string& name : names) {
    Clock::time_point& next = next_creation_[name];
    if (next > now) continue;
    next = now + kCreationAgain;
    due.push_back(name);
  }
  if (!due.empty()) AskForCreation(settings_, due, kCreationTimeout);
}

void TopicAsker::Unanswered(rd_kafka_resp_err_t error, Clock::time_point asked) {
  const auto now = Clock::now();
  std::string why;
  {
    const std::lock_guard lock(mutex_);
    trouble_ = "Kafka does not answer: " + ErrorText(error);
    // A broker that stores records is available, even if it is slow.
    if (!unanswered_since_ || stored_.load() != stored_then_) {
      unanswered_since_ = asked;
      stored_then_ = stored_.load();
      reported_silent_ = asked;
    }
    if (now - reported_silent_ < allowed_) return;
    reported_silent_ = now;
    why = trouble_;
  }
  listener_.silent(why);
}

void TopicAsker::Answered() {
  slice_ = kFirstSlice;
  const std::lock_guard lock(mutex_);
  unanswered_since_.reset();
}

void TopicAsker::Post(std::vector<TopicAnswer> answers) {
  if (answers.empty()) return;
  const bool awaited = std::any_of(answers.begin(), answers.end(), [](const TopicAnswer& answer) {
    return answer.to == TopicAnswer::To::kLook || answer.to == TopicAnswer::To::kLimit;
  });
  {
    const std::lock_guard lock(mutex_);
    std::move(answers.begin(), answers.end(), std::back_inserter(answers_));
  }
  answered_.notify_all();
  if (awaited) listener_.answered();
}

}  // namespace outbox::kafka
