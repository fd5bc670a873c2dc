#include "kafka/broker_troubles.hpp"

#include <algorithm>
#include <span>

#include "util/log.hpp"

namespace outbox::kafka {
namespace {

using namespace std::chrono_literals;

// The age at which a problem counts as lasting. A broker that is being restarted is available again before its problem
// reaches this age, or is no longer part of the metadata.
constexpr auto kLasting = 3s;
constexpr auto kBetweenChecks = 1s;
// The interval between checks once all problems are logged. It is longer than kBetweenChecks, because a request to a
// broker that does not answer delays the reports of other brokers.
constexpr auto kBetweenLaterChecks = 5s;
constexpr auto kTimeout = 300ms;

}  // namespace

void BrokerTroubles::Take(const ConnectionError& error) {
  const auto [known, added] = troubles_.try_emplace(error.broker, Trouble{error, Clock::now()});
  if (!added) known->second.error = error;
}

void BrokerTroubles::Answered(std::int32_t broker) {
  if (const auto known = troubles_.find(broker); known != troubles_.end()) End(known);
}

void BrokerTroubles::End(std::map<std::int32_t, Trouble>::iterator trouble) {
  if (trouble->second.logged)
    util::LogInfo(*logger_, "broker {} at {} is available again", trouble->first, trouble->second.error.address);
  troubles_.erase(trouble);
}

bool BrokerTroubles::Compare(const Producer& producer) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(producer.handle(), 0, nullptr, &raw, kTimeout / 1ms);
  const MetadataPtr answer(raw);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const std::span<const rd_kafka_metadata_broker_t> brokers(answer->brokers,
                                                            static_cast<std::size_t>(answer->broker_cnt));
  brokers_ = std::max<std::size_t>(1, brokers.size());
  std::erase_if(troubles_, [&](const auto& trouble) {
    return std::none_of(brokers.begin(), brokers.end(), [&](const rd_kafka_metadata_broker_t& broker) {
      return broker.id == trouble.first &&
             std::string(broker.host) + ":" + std::to_string(broker.port) == trouble.second.error.address;
    });
  });
  return true;
}

std::optional<std::string> BrokerTroubles::Check(const Producer& producer) {
  const auto now = Clock::now();
  if (troubles_.empty()) all_.reset();
  if (troubles_.empty() || now < next_check_) return all_;
  const bool all_logged =
      std::all_of(troubles_.begin(), troubles_.end(), [](const auto& t) { return t.second.logged; });
  next_check_ = now + (all_logged ? kBetweenLaterChecks : kBetweenChecks);
  // If no broker answers, nothing is known about individual brokers.
  if (!Compare(producer)) return all_;
  all_.reset();
  std::vector<std::int32_t> ids;
  for (const auto& [id, trouble] : troubles_) ids.push_back(id);
  for (const std::int32_t id : Reach(producer.handle(), ids, kTimeout)) Answered(id);

  std::size_t lasting = 0;
  for (auto& [id, trouble] : troubles_) {
    if (now - trouble.since < kLasting) continue;
    ++lasting;
    if (lasting == brokers_) all_ = Describe(trouble.error);
    if (!std::exchange(trouble.logged, true))
      util::LogWarning(*logger_, "{}; events for its partitions wait, and so do later events of the shard",
                       Describe(trouble.error));
  }
  return all_;
}

std::string BrokerTroubles::Lasting() const {
  std::string text;
  for (const auto& [id, trouble] : troubles_) {
    if (trouble.logged) text += (text.empty() ? "" : "; ") + Describe(trouble.error);
  }
  return text;
}

}  // namespace outbox::kafka
