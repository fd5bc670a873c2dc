// Where events go. The engine's shell drives one publisher per shard; kafka and stdout implement it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/store.hpp"
#include "publish/report.hpp"
#include "status.hpp"

namespace outbox::publish {

// Why an event cannot be sent whatever state the broker is in.
struct Refusal {
  std::string reason;  // short machine word, stored in outbox_retry: "too_large", "bad_headers", "unknown_topic"
  std::string text;    // for people; no payload
};

// One event made ready on the reader's thread.
struct Prepared {
  Lane lane = 0;
  std::uint32_t headers_at = 0;    // in PreparedBatch::packed_headers
  std::uint32_t headers_size = 0;  // 0 = the row has none of its own
  std::int32_t refusal = -1;       // index into PreparedBatch::refusals; < 0 = may be sent
};

struct PreparedBatch {
  plugins::Batch batch;
  std::vector<Prepared> events;  // one for each of batch
  std::string packed_headers;    // core/publish/headers.hpp
  std::vector<Refusal> refusals;
  // Everything read before this batch must be resolved first: a topic's partition count has changed.
  bool drain_first = false;
};

// Called on any thread, also from inside the publisher's own methods; must not block and not call back.
class PublisherListener {
 public:
  virtual ~PublisherListener() = default;
  virtual void OnReports(std::span<const Report> reports) = 0;
  // Every record handed over under an earlier epoch has been reported, or never will be.
  virtual void OnReset(std::uint32_t epoch) = 0;
  // The producer can send nothing more until Reset (a fatal error of the client library).
  virtual void OnProducerFailed(const std::string& why) = 0;
  virtual void OnBrokerState(bool up, const std::string& why) = 0;
};

class Publisher {
 public:
  virtual ~Publisher() = default;

  // [reader] Finds the lane of each event and judges what can be judged before sending. May block for as long as
  // `timeout` to learn about topics. OUTBOX_UNAVAILABLE: the broker does not answer; nothing is anybody's fault.
  [[nodiscard]] virtual Status Prepare(PreparedBatch& batch, Millis timeout) = 0;
  // [any] Ends a blocked Prepare soon; it stays cancelled.
  virtual void Cancel() = 0;

  // [engine] Hands records over in order, under `epoch`; never blocks. Each gets exactly one report, or falls under
  // OnReset. When one cannot be handed over, it and the rest are reported kUnknown: a hole must not arise. The
  // payloads stay where they are: the batch must live until every record is reported or reset.
  virtual void Publish(const PreparedBatch& batch, std::span<const Outgoing> records, std::uint32_t epoch) = 0;

  // [engine] Drops what is not sent, gives up what is in flight, starts anew under `epoch`; answers by OnReset.
  virtual void Reset(std::uint32_t epoch) = 0;

  // [any] For reports with kRefused.
  [[nodiscard]] virtual Refusal Explain(std::int32_t error) const = 0;
};

}  // namespace outbox::publish
