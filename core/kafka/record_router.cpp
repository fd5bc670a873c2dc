#include "kafka/record_router.hpp"

#include <unordered_map>

#include "kafka/topic_limits.hpp"
#include "publisher/headers.hpp"

namespace outbox::kafka {

Status RecordRouter::Prepare(publisher::PreparedBatch& batch, Clock::time_point deadline) {
  std::vector<std::string_view> names;
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  std::vector<std::uint32_t> topic_of(batch.batch.size());
  for (std::size_t i = 0; i < batch.batch.size(); ++i) {
    const std::string_view name = batch.Topic(i);
    if (i > 0 && name == names[topic_of[i - 1]]) {
      topic_of[i] = topic_of[i - 1];
      continue;
    }
    const auto [number, is_new] = numbers.try_emplace(name, static_cast<std::uint32_t>(names.size()));
    if (is_new) names.push_back(name);
    topic_of[i] = number->second;
  }

  std::vector<Topic*> topics;
  if (Status looked = topic_cache_.Look(names, deadline, topics, batch.drain_first); !looked.ok()) return looked;
  batch.events.assign(batch.batch.size(), publisher::Prepared{});
  for (std::size_t i = 0; i < batch.events.size(); ++i) Judge(batch, i, topics[topic_of[i]]);
  return {};
}

void RecordRouter::Judge(publisher::PreparedBatch& batch, std::size_t i, Topic* known) {
  publisher::Prepared& prepared = batch.events[i];
  const auto refuse = [&](publisher::Refusal refusal) { batch.Refuse(prepared.refusal, std::move(refusal)); };
  if (!batch.shaped.empty() && batch.shaped[i].refusal >= 0) {
    prepared.refusal = batch.shaped[i].refusal;
    return;
  }
  prepared.waits = known == nullptr;
  if (prepared.waits) return;
  Topic& topic = *known;
  if (topic.refusal) return refuse(*topic.refusal);

  publisher::RecordContent record = batch.Content(i);
  const Event& event = record.event;
  if (record.relay_headers && event.headers) {
    prepared.headers_at = static_cast<std::uint32_t>(batch.packed_headers.size());
    const Status packed = publisher::PackHeaders(*event.headers, batch.packed_headers, headers_);
    if (!packed.ok()) return refuse({"bad_headers", packed.text()});
    prepared.headers_size = static_cast<std::uint32_t>(batch.packed_headers.size()) - prepared.headers_at;
    record.packed_headers = std::string_view(batch.packed_headers).substr(prepared.headers_at, prepared.headers_size);
  }
  const std::uint64_t size = BatchBytes(record);
  const std::optional<std::uint64_t> limit =
      size > topic.max_bytes ? topic_cache_.FreshLimit(event.topic, topic) : topic.max_bytes;
  prepared.waits = !limit;
  if (prepared.waits) return;
  if (size > *limit) {
    return refuse({"too_large", "the record has " + std::to_string(size) + " bytes (key, value and headers, before " +
                                    "compression), but the topic \"" + std::string(event.topic) +
                                    "\" accepts at most " + std::to_string(topic.max_bytes) +
                                    "; raise its max.message.bytes"});
  }
  prepared.doubtful = topic.refused_bytes > 0 && size >= topic.refused_bytes;
  const std::int32_t asked = batch.shaped.empty() ? -1 : batch.shaped[i].partition;
  if (asked >= 0 && static_cast<std::size_t>(asked) >= topic.lanes.size())
    return refuse({"bad_partition", "the row requests partition " + std::to_string(asked) + ", but the topic \"" +
                                        std::string(event.topic) + "\" has " + std::to_string(topic.lanes.size()) +
                                        " partitions, numbered from 0"});
  prepared.lane =
      topic.lanes[static_cast<std::size_t>(asked >= 0 ? asked : ChoosePartition(event.aggregate_id, topic))];
}

std::int32_t RecordRouter::ChoosePartition(const Bytes& key, Topic& topic) {
  const std::size_t count = topic.lanes.size();
  if (key) {
    // If the key is not null, librdkafka's function uses none of the arguments that are nullptr. An empty key counts as
    // a key.
    const outbox_bytes raw = Raw(key);
    return rd_kafka_msg_partitioner_murmur2_random(nullptr, raw.data, raw.size, static_cast<std::int32_t>(count),
                                                   nullptr, nullptr);
  }
  // Records without a key go to the partitions in turn, beginning at a random partition, so that several relays do not
  // begin at the same one.
  if (topic.next_partition == 0) topic.next_partition = 1 + random_() % count;
  return static_cast<std::int32_t>(topic.next_partition++ % count);
}

}  // namespace outbox::kafka
