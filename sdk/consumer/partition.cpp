#include "partition.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <typeinfo>

#include "view.hpp"

namespace outbox::consumer {
namespace {

// Returns the type of the exception that is being handled. Only the type is logged, because the text may quote a
// payload.
std::string ThrownType() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "something";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(type->name(), nullptr, nullptr, &status),
                                                         &std::free);
  return name ? name.get() : type->name();
}

}  // namespace

Partition::Partition(Context& context, TopicPartition partition)
    : context_(context),
      topic_partition_(std::move(partition)),
      queue_(rd_kafka_queue_get_partition(context.handle, topic_partition_.topic.c_str(), topic_partition_.partition)) {
  rd_kafka_queue_forward(queue_.get(), nullptr);
}

Partition::~Partition() { Stop(); }

void Partition::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Partition::AskToStop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  rd_kafka_queue_yield(queue_.get());
}

void Partition::Stop() {
  AskToStop();
  if (thread_.joinable()) thread_.join();
}

void Partition::Run() {
  while (!stopping_) {
    const std::size_t count = Fetch();
    for (std::size_t at = 0; at < count && !stopping_;) at += Settle(at);
    messages_.clear();
  }
}

std::size_t Partition::Fetch() {
  // Longest wait for a record, in milliseconds. The wait is limited because a call of rd_kafka_queue_yield() does not
  // end a wait that begins after that call.
  constexpr int kWake = 500;
  MessagePtr first(rd_kafka_consume_queue(queue_.get(), kWake));
  if (!first) return 0;
  messages_.push_back(std::move(first));
  if (const std::size_t more = context_.settings.batch_size - 1; more > 0) {
    std::vector<rd_kafka_message_t*> raw(more);
    const ssize_t got = rd_kafka_consume_batch_queue(queue_.get(), 0, raw.data(), raw.size());
    for (ssize_t i = 0; i < got; ++i) messages_.emplace_back(raw[static_cast<std::size_t>(i)]);
  }
  std::erase_if(messages_, [&](const MessagePtr& message) {
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
      context_.Log(LogLevel::kWarning, topic_partition_.topic + " [" + std::to_string(topic_partition_.partition) +
                                           "]: " + rd_kafka_err2str(message->err));
    return true;
  });
  records_.assign(messages_.size(), Record{});
  complete_.resize(messages_.size());
  for (std::size_t i = 0; i < messages_.size(); ++i) complete_[i] = Fill(*messages_[i], records_[i]) ? 1 : 0;
  return messages_.size();
}

std::size_t Partition::Settle(std::size_t at) {
  Record& record = records_[at];
  if (complete_[at] == 0) {
    ++context_.totals.missing_headers;
    return Refuse(record, context_.settings.missing_headers, "it has no header event_id or event_type") ? 1 : 0;
  }
  Watch(record);
  const auto route = context_.routes.find(record.event_type);
  if (route == context_.routes.end()) {
    ++context_.totals.unknown_type;
    return Refuse(record, context_.settings.unknown_type, "no handler for its event_type") ? 1 : 0;
  }
  if (route->second->batch) return SettleBatch(at, route->second);
  return SettleOne(record, *route->second) ? 1 : 0;
}

std::size_t Partition::SettleBatch(std::size_t at, const std::shared_ptr<const Route>& route) {
  std::size_t end = at + 1;
  for (; end < records_.size() && complete_[end] != 0; ++end) {
    const auto found = context_.routes.find(records_[end].event_type);
    if (found == context_.routes.end() || found->second != route) break;
    Watch(records_[end]);
  }
  const std::span<Record> records(&records_[at], end - at);
  const std::uint32_t most = context_.settings.max_attempts;
  bool alone = records.size() == 1 || most == 1;
  while (!alone && !stopping_) {
    bool threw = false;
    const Outcome outcome = Call(records, *route, threw);
    if (outcome.kind() == Outcome::Kind::kOk) {
      context_.totals.handled += records.size();
      Store(records.back());
      return records.size();
    }
    // In the last attempt the handler receives one record at a time, so that a bad record does not prevent the others
    // from being handled.
    const bool last_but_one = most > 0 && records.front().attempt + 1 >= most;
    alone = threw || outcome.kind() == Outcome::Kind::kReject || last_but_one;
    if (outcome.kind() == Outcome::Kind::kRetry) {
      for (Record& record : records) ++record.attempt;
      if (!threw && !Pause(outcome.after())) return records.size();
    }
  }
  for (Record& record : records)
    if (stopping_ || !SettleOne(record, *route)) break;
  return records.size();
}

bool Partition::SettleOne(Record& record, const Route& route) {
  while (!stopping_) {
    bool threw = false;
    const Outcome outcome = Call({&record, 1}, route, threw);
    if (outcome.kind() == Outcome::Kind::kOk) {
      ++context_.totals.handled;
      Store(record);
      return true;
    }
    const std::uint32_t most = context_.settings.max_attempts;
    const bool exhausted = most > 0 && record.attempt >= most;
    if (outcome.kind() == Outcome::Kind::kReject || exhausted) {
      ++context_.totals.rejected;
      return Refuse(record, context_.settings.rejected,
                    outcome.kind() == Outcome::Kind::kReject
                        ? "rejected: " + outcome.reason()
                        : "not handled in " + std::to_string(record.attempt) + " attempts");
    }
    const Millis pause = threw ? PauseAfter(record.attempt) : outcome.after();
    ++record.attempt;
    if (!Pause(pause)) return false;
  }
  return false;
}

Outcome Partition::Call(std::span<Record> records, const Route& route, bool& threw) {
  const std::size_t slot = context_.slots.Take();
  for (Record& record : records) record.slot = slot;
  Outcome outcome = Outcome::Retry(Millis(0));
  try {
    const Inside inside;
    outcome = route.batch ? route.batch(records) : route.one(records.front());
  } catch (...) {
    threw = true;
    ++context_.totals.threw;
    context_.Log(LogLevel::kWarning,
                 Place(records.front()) +
                     (records.size() > 1 ? " and " + std::to_string(records.size() - 1) + " more" : "") +
                     ": the handler threw " + ThrownType() + "; it will be called again");
  }
  context_.slots.GiveBack(slot);
  if (outcome.kind() == Outcome::Kind::kRetry) ++context_.totals.retried;
  return outcome;
}

bool Partition::Refuse(const Record& record, Policy policy, const std::string& reason) {
  if (policy == Policy::kStop) {
    context_.fail(Place(record) + ": " + reason);
    (void)Pause(Millis::max());
    return false;
  }
  for (std::uint32_t attempt = 1; policy == Policy::kDeadLetter; ++attempt) {
    const std::string failure = context_.dead_letters->Send(record, reason);
    if (failure.empty()) break;
    context_.Log(LogLevel::kError, Place(record) + ": cannot be copied to the dead letter topic; retrying: " + failure);
    if (!Pause(PauseAfter(attempt))) return false;
  }
  ++(policy == Policy::kSkip ? context_.totals.skipped : context_.totals.dead_lettered);
  context_.Log(
      LogLevel::kWarning,
      Place(record) + (policy == Policy::kSkip ? ": skipped, " : ": copied to the dead letter topic, ") + reason);
  Store(record);
  return true;
}

Millis Partition::PauseAfter(std::uint32_t attempt) const {
  const auto doubled = context_.settings.retry_backoff * (std::int64_t{1} << std::min(attempt - 1, 20U));
  return std::min<Millis>(doubled, context_.settings.max_retry_backoff);
}

bool Partition::Pause(Millis time) {
  std::unique_lock lock(mutex_);
  if (time == Millis::max()) {
    wake_.wait(lock, [&] { return stopping_.load(); });
    return false;
  }
  return !wake_.wait_for(lock, time, [&] { return stopping_.load(); });
}

void Partition::Watch(const Record& record) {
  if (context_.settings.sequence_header.empty() || !record.key || record.attempt > 1) return;
  const Bytes text = record.Header(context_.settings.sequence_header);
  std::int64_t number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc()) return;
  const Sequence::Finding finding = sequence_.See(*record.key, number);
  context_.totals.missing += finding.missing;
  context_.totals.late += finding.late ? 1 : 0;
  context_.totals.repeated += finding.repeated ? 1 : 0;
  if (finding.missing > 0 || finding.late)
    context_.Log(LogLevel::kWarning, Place(record) + (finding.late ? ": arrived after a later event of its key"
                                                                   : ": events of its key are missing before it"));
}

void Partition::Store(const Record& record) {
  const rd_kafka_resp_err_t error = rd_kafka_offset_store(record.raw->rkt, record.partition, record.offset);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    context_.Log(LogLevel::kDebug,
                 Place(record) + ": its offset cannot be stored for the next commit: " + rd_kafka_err2str(error));
}

}  // namespace outbox::consumer
