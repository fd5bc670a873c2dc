#include "kafka/may_produce.hpp"

#include <algorithm>
#include <string>

#include "kafka/producer.hpp"

namespace outbox::kafka {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kQuestion{200};

milliseconds Left(Clock::time_point end) {
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(end - Clock::now()));
}

}  // namespace

bool HasProducerId(std::string_view statistics) {
  const auto at = statistics.find("\"idemp_state\"");
  return at != std::string_view::npos && statistics.substr(at, 40).find("\"Assigned\"") != std::string_view::npos;
}

Status TryToProduce(const Settings& settings, const std::shared_ptr<spdlog::logger>& logger, milliseconds timeout) {
  const auto end = Clock::now() + timeout;
  const auto made = Producer::Make(settings, kBatchBytes, logger, /*gate=*/nullptr, /*watched=*/true);
  if (!made.ok()) return made.status();
  Producer& producer = **made;
  {
    // An answer to a metadata request makes librdkafka request its producer id at once instead of after half a second.
    const rd_kafka_metadata_t* raw = nullptr;
    rd_kafka_metadata(producer.handle(), 0, nullptr, &raw, static_cast<int>(std::min(timeout, kQuestion).count()));
    const MetadataPtr answer(raw);
  }
  while (Left(end) > milliseconds(0)) {
    const EventPtr event = producer.NextEvent(Left(end));
    const auto type = rd_kafka_event_type(event.get());
    if (type == RD_KAFKA_EVENT_STATS && HasProducerId(rd_kafka_event_stats(event.get()))) return {};
    if (type != RD_KAFKA_EVENT_ERROR || rd_kafka_event_error_is_fatal(event.get()) == 0) continue;
    const bool denied = rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    return {denied ? OUTBOX_REFUSED : OUTBOX_UNAVAILABLE, settings.Clean(rd_kafka_event_error_string(event.get()))};
  }
  return {OUTBOX_UNAVAILABLE, "no producer id within " + std::to_string(timeout.count()) + " ms"};
}

}  // namespace outbox::kafka
