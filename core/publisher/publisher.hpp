// The interface of publishers, which send events. Each shard runner owns one; core/kafka, core/publisher (stdout) and
// core/embed implement it.
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

// The reason why an event cannot be sent, whatever state the broker is in.
struct Refusal {
  std::string reason;  // Short word for programs, stored in outbox_retry: "too_large", "bad_headers", "unknown_topic".
  std::string text;    // Explanation for people. Contains no payload.
};

// The results of Prepare() for one event. Written by the reader thread.
struct Prepared {
  Lane lane = 0;
  std::uint32_t headers_at = 0;    // Offset in PreparedBatch::packed_headers, in bytes.
  std::uint32_t headers_size = 0;  // Size of the packed headers in bytes; 0 = the row has no headers of its own.
  std::int32_t refusal = -1;       // Index into PreparedBatch::refusals; < 0 = the event may be sent.
  bool doubtful = false;  // True if the broker has refused a similar event before; the event is then sent as a trial.
  bool waits = false;     // True if the topic is not known yet; the event must be prepared again after OnTopicsKnown().
};

// A row that the configuration has turned into a record (core/record). Topic, key and value replace those of the row.
// The headers are all headers of the record, including those that the relay adds.
struct Shaped {
  outbox_bytes topic{}, key{}, value{};  // Views into the batch or PreparedBatch::shaped_bytes.
  std::uint32_t headers_at = 0;          // Offset in PreparedBatch::packed_headers, in bytes.
  std::uint32_t headers_size = 0;        // Size of the packed headers in bytes.
  std::int64_t timestamp_ms = 0;         // Milliseconds since 1970; 0 = the time of sending.
  std::int32_t partition = -1;           // Number of the partition; < 0 = the key determines it.
  std::int32_t refusal = -1;             // Index into PreparedBatch::refusals; < 0 = not refused.
};

// The content of one record as it is sent. Its members are views into the batch.
struct RecordContent {
  Event event;                      // Its aggregate_id is the key of the record, its payload is the value.
  std::string_view packed_headers;  // See core/publisher/headers.hpp.
  bool relay_headers = true;        // True if the record has event_id and event_type before the packed headers.
  std::int64_t timestamp_ms = 0;    // Milliseconds since 1970; 0 = the time of sending.
};

// A batch of events and the data that is needed to send them. The reader thread fills the object, which does not change
// afterwards. The object lives until no event needs its payload any more, because payloads are not copied.
struct PreparedBatch {
  storage::Batch batch;
  std::vector<Prepared> events;  // One for each event of `batch`.
  std::vector<Shaped> shaped;    // One for each event of `batch`; empty = rows become records unchanged.
  std::string shaped_bytes;      // INVARIANT: does not change once `shaped` points into it.
  std::string packed_headers;    // See core/publisher/headers.hpp.
  std::vector<Refusal> refusals;
  // True if every event that was read before this batch must be resolved before an event of this batch is sent, because
  // the number of partitions of a topic has changed.
  bool drain_first = false;

  [[nodiscard]] std::string_view Topic(std::size_t i) const {
    return View(shaped.empty() ? batch[i].topic : shaped[i].topic);
  }
  // Returns the content of the record without the headers of the row, which Prepare() packs. Outgoing::Content()
  // includes the headers of the row.
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
  // Adds a refusal and sets `refusal`, a member of Prepared or Shaped, to its index.
  void Refuse(std::int32_t& refusal, Refusal why) {
    refusal = static_cast<std::int32_t>(refusals.size());
    refusals.push_back(std::move(why));
  }
};

// One record to be sent. REQUIRES: the batch lives until the record is reported or covered by OnReset().
struct Outgoing {
  const PreparedBatch* batch;
  std::uint32_t index;  // Index of the event in the batch.
  std::uint32_t event;  // The engine's number for the event, which the report of the record contains.
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

// Receives the reports of a publisher. Thread: any; the publisher may also call it from within its own methods.
// REQUIRES: an implementation neither blocks nor calls the publisher.
class PublisherListener {
 public:
  virtual ~PublisherListener() = default;
  // Reports the outcome of records that were passed to Publish().
  virtual void OnReports(std::span<const Report> reports) = 0;
  // Reports that Reset(epoch) is complete: every record that was passed to the same stream under an earlier epoch has
  // been reported, or will never be reported.
  virtual void OnReset(std::uint32_t epoch) = 0;
  // Reports that the producer of the main stream cannot send anything until Reset(), because of a fatal error of the
  // client library. If a refusal is the cause, this call comes before the report of the refusal.
  virtual void OnProducerFailed(const std::string& why) = 0;
  // Reports that the producer of the main stream must be replaced by Reset(), although nothing is wrong with the
  // broker.
  virtual void OnProducerOutdated(const std::string& why) { OnProducerFailed(why); }
  // Reports that the broker has become available (`up`) or unavailable. `why` gives the reason.
  virtual void OnBrokerState(bool up, const std::string& why) = 0;
  // Reports that some brokers cannot be reached while others can, so that records for their partitions get no answer.
  // `why` gives the reason; it is empty once all brokers can be reached.
  virtual void OnBrokersUnreachable(const std::string& /*why*/) {}
  // Reports that more is known about topics than before: events with Prepared::waits can now be read and prepared
  // again.
  virtual void OnTopicsKnown() {}
};

// Sends the events of one shard. The shard runner owns it. It has two streams of records, which report.hpp describes.
class Publisher {
 public:
  virtual ~Publisher() = default;

  // Finds the lane of each event, and refuses the events that are known to be unacceptable. Does not query the broker
  // itself: an event whose topic is not known yet gets Prepared::waits, and OnTopicsKnown() follows. A broker that has
  // not answered for `timeout` is reported as unavailable. Thread: reader.
  //
  // Errors: OUTBOX_UNAVAILABLE if no event can be sent until the broker answers; no event is then charged an attempt.
  // OUTBOX_CANCELLED after Cancel().
  [[nodiscard]] virtual Status Prepare(PreparedBatch& batch, Millis timeout) = 0;
  // Cancels Prepare(). From now on Prepare() never waits for the broker: it returns OUTBOX_CANCELLED instead of
  // waiting. Thread: any.
  virtual void Cancel() = 0;

  // Sends the records under `epoch`, and keeps the order of the records of each lane. Never blocks. Each record gets
  // exactly one report, or is covered by OnReset(). If a record cannot be handed to the client library, this record and
  // all records after it are reported as kUnknown, because a stream must have no gaps. Payloads are not copied. Thread:
  // engine.
  //
  // If IsTrial(epoch), each record is sent in a request of its own, so that a refusal concerns only this record.
  // REQUIRES: no two trials in flight have the same key, and no trial has a key with a record in flight in the main
  // stream.
  virtual void Publish(std::span<const Outgoing> records, std::uint32_t epoch) = 0;

  // Restarts the stream to which `epoch` belongs: drops the records that are not sent, gives up those in flight, and
  // begins again under `epoch`. OnReset() reports the end of the reset. The engine may reset both streams at the same
  // time. Thread: engine.
  virtual void Reset(std::uint32_t epoch) = 0;

  // Explains the error of a report whose outcome is kRefused. Thread: any.
  [[nodiscard]] virtual Refusal Explain(std::int32_t error) const = 0;
};

// Makes the publisher of one shard. REQUIRES: the listener outlives the publisher.
using PublisherFactory = std::function<Result<std::unique_ptr<Publisher>>(PublisherListener& listener)>;

}  // namespace outbox::publisher
