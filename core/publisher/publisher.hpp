// Where events go. The engine's shell drives one publisher per shard; kafka and stdout implement it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "publisher/report.hpp"
#include "storage/store.hpp"
#include "util/status.hpp"

namespace outbox::publisher {

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
  bool doubtful = false;           // the broker has refused the like of it before, so it should go as a trial
  bool waits = false;              // its topic is not known yet: it cannot be judged before OnTopicsKnown
};

// What a row has become where the configuration says how records are made (core/record): topic, key and value take the place of
// the row's own, and `headers` those of all headers, the relay's included.
struct Shaped {
  outbox_bytes topic{}, key{}, value{};  // in the batch, or in PreparedBatch::shaped_bytes
  std::uint32_t headers_at = 0;          // in PreparedBatch::packed_headers
  std::uint32_t headers_size = 0;
  std::int64_t timestamp_ms = 0;  // since 1970, 0 = when it is sent
  std::int32_t partition = -1;    // < 0 = by the key
  std::int32_t refusal = -1;      // index into PreparedBatch::refusals; < 0 = none
};

// One record as it is to be sent. Views into the batch.
struct RecordContent {
  Event event;                      // the key is its aggregate_id, the value its payload
  std::string_view packed_headers;  // core/publisher/headers.hpp
  bool relay_headers = true;        // event_id and event_type come before these
  std::int64_t timestamp_ms = 0;    // since 1970, 0 = when it is sent
};

struct PreparedBatch {
  storage::Batch batch;
  std::vector<Prepared> events;  // one for each of batch
  std::vector<Shaped> shaped;    // likewise; empty = rows are records as they are
  std::string shaped_bytes;      // INVARIANT: does not change once `shaped` points into it
  std::string packed_headers;    // core/publisher/headers.hpp
  std::vector<Refusal> refusals;
  // Everything read before this batch must be resolved first: a topic's partition count has changed.
  bool drain_first = false;

  [[nodiscard]] std::string_view Topic(std::size_t i) const {
    return View(shaped.empty() ? batch[i].topic : shaped[i].topic);
  }
  // Without the row's own headers, which Prepare packs: see Outgoing::Content().
  [[nodiscard]] RecordContent Content(std::size_t i) const {
    RecordContent content{ToEvent(batch[i]), {}};
    if (shaped.empty()) return content;
    const Shaped& s = shaped[i];
    content.event.topic = View(s.topic);
    content.event.aggregate_id = Maybe(s.key);
    content.event.payload = Maybe(s.value);
    content.packed_headers = std::string_view(packed_headers).substr(s.headers_at, s.headers_size);
    content.relay_headers = false;
    content.timestamp_ms = s.timestamp_ms;
    return content;
  }
  void Refuse(std::int32_t& refusal, Refusal why) {
    refusal = static_cast<std::int32_t>(refusals.size());
    refusals.push_back(std::move(why));
  }
};

// One record to be sent. The batch must live until it is reported or reset.
struct Outgoing {
  const PreparedBatch* batch;
  std::uint32_t index;  // into the batch
  std::uint32_t event;  // comes back in the report
  [[nodiscard]] const Prepared& prepared() const { return batch->events[index]; }
  [[nodiscard]] Lane lane() const { return prepared().lane; }
  [[nodiscard]] RecordContent Content() const {
    RecordContent content = batch->Content(index);
    if (content.relay_headers)
      content.packed_headers =
          std::string_view(batch->packed_headers).substr(prepared().headers_at, prepared().headers_size);
    return content;
  }
};

// Called on any thread, also from inside the publisher's own methods; must not block and not call back.
class PublisherListener {
 public:
  virtual ~PublisherListener() = default;
  virtual void OnReports(std::span<const Report> reports) = 0;
  // Every record handed over to the stream of `epoch` under an earlier epoch has been reported, or never will be.
  virtual void OnReset(std::uint32_t epoch) = 0;
  // The producer of the main stream can send nothing more until Reset (a fatal error of the client library). Comes before
  // the report of a refusal that is its cause.
  virtual void OnProducerFailed(const std::string& why) = 0;
  // The producer of the main stream must be replaced by Reset; nothing is wrong with the broker.
  virtual void OnProducerOutdated(const std::string& why) { OnProducerFailed(why); }
  virtual void OnBrokerState(bool up, const std::string& why) = 0;
  // Some brokers cannot be reached while others can, and why: records for their partitions get no answer. Empty: all can.
  virtual void OnBrokersUnreachable(const std::string& /*why*/) {}
  // More is known of topics than when an event was prepared that waits.
  virtual void OnTopicsKnown() {}
};

class Publisher {
 public:
  virtual ~Publisher() = default;

  // [reader] Finds the lane of each event and judges what can be judged before sending. Asks nobody: an event of a topic that
  // is not known yet waits, and OnTopicsKnown follows. OUTBOX_UNAVAILABLE: no event can go until the broker answers;
  // nothing is anybody's fault. `timeout`: a broker that does not answer for so long is reported as unavailable.
  [[nodiscard]] virtual Status Prepare(PreparedBatch& batch, Millis timeout) = 0;
  // [any] No event need wait for the broker any more: Prepare answers OUTBOX_CANCELLED where one would.
  virtual void Cancel() = 0;

  // [engine] Hands records over under `epoch`, those of one lane in their order; never blocks. Each gets exactly one report,
  // or falls under OnReset. When one cannot be handed over, it and those that are not handed over yet are reported kUnknown: a
  // hole must not arise. The payloads stay where they are.
  //
  // Where IsTrial(epoch), each record is a request of its own: its refusal is its own fault, and concerns no other record.
  // The engine hands over no two records of one key there, and none whose key is under way in the main stream.
  virtual void Publish(std::span<const Outgoing> records, std::uint32_t epoch) = 0;

  // [engine] Drops what the stream of `epoch` has not sent, gives up what it has in flight, begins again under `epoch`;
  // answers by OnReset. The engine may reset both streams at the same time.
  virtual void Reset(std::uint32_t epoch) = 0;

  // [any] For reports with kRefused.
  [[nodiscard]] virtual Refusal Explain(std::int32_t error) const = 0;
};

// One publisher for each shard. The listener outlives the publisher.
using PublisherFactory = std::function<Result<std::unique_ptr<Publisher>>(PublisherListener& listener)>;

}  // namespace outbox::publisher
