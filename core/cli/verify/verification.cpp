#include "cli/verify/verification.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <limits>
#include <set>
#include <unordered_map>
#include <utility>

#include "cli/common/event_list.hpp"
#include "cli/common/kafka_admin.hpp"
#include "cli/common/shaping.hpp"
#include "cli/verify/record_comparison.hpp"
#include "config/template.hpp"
#include "config/units.hpp"
#include "monitoring/log.hpp"
#include "publisher/headers.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

using namespace std::chrono_literals;

// Approximate limit, in bytes, for the records that are in memory at once. Because of this limit, rows are compared in
// passes.
constexpr std::size_t kPassBytes = std::size_t{128} << 20;
constexpr std::uint32_t kPage = 1000;
constexpr auto kPatience = 30s;
constexpr std::uint64_t kMostShown = 5;
// A record's timestamp may be this much earlier than the time at which its row was made, because clocks differ.
constexpr std::int64_t kClocksDifferMs = 3'600'000;

struct Expected {
  StoredRecord record;
  storage::OwnedRowId row_id;  // The row id of the captured row.
  std::string event_id;        // The event id of the captured row; "" if the relay has delivered it.
  std::uint32_t found = 0;     // The number of stored records that are equal to `record`.
  bool differs = false;
};

struct Totals {
  std::uint64_t rows = 0, refused = 0, same = 0, different = 0, missing = 0, copies = 0, removed = 0;
  std::string first_refusal, differences;  // Texts for the output. Only the first few differences are included.
};

StoredRecord ToStored(const publisher::PreparedBatch& batch, std::size_t i) {
  const publisher::RecordContent content = batch.Content(i);
  StoredRecord record;
  record.topic = content.event.topic;
  record.partition = batch.shaped[i].partition;
  const auto owned = [](const Bytes& bytes) { return bytes ? std::optional(std::string(*bytes)) : std::nullopt; };
  record.key = owned(content.event.aggregate_id);
  record.value = owned(content.event.payload);
  record.timestamp_ms = content.timestamp_ms;
  publisher::HeaderReader reader(content.packed_headers);
  for (publisher::Header h; reader.Next(h);) record.headers.emplace_back(h.name, owned(h.value));
  return record;
}

std::size_t SizeOf(const StoredRecord& record) {
  std::size_t size = 200 + record.key.value_or("").size() + record.value.value_or("").size();
  for (const auto& [name, value] : record.headers) size += 64 + name.size() + value.value_or("").size();
  return size;
}

class Verification {
 public:
  explicit Verification(const VerifyRequest& request) : request_(request) {}

  int Run() {
    if (Status prepared = Prepare(); !prepared.ok()) return Report(prepared);
    Status done = CapturedRows();
    if (done.ok() && !request_.prefix.empty()) done = DeliveredRecords();
    if (!done.ok()) return Report(done);
    return Conclude();
  }

 private:
  Status Prepare() {
    auto outbox = OpenOutbox(request_.config);
    if (!outbox.ok()) return outbox.status();
    outbox_ = std::make_unique<Outbox>(std::move(*outbox));
    if (outbox_->config.publisher.type != "kafka")
      return {OUTBOX_BAD_CONFIG, "/publisher/type must be \"kafka\": the connector's records are read from Kafka"};
    const auto columns = outbox_->session->DescribeColumns(outbox_->call());
    if (!columns.ok()) return columns.status();
    if (columns->empty())
      return {OUTBOX_BAD_CONFIG,
              "/storage/options has no \"capture\": --verify compares the captured copies of rows, so set \"capture\": "
              "\"trigger\" and run: outbox-relay migrate"};
    auto shaper = MakeShaper(outbox_->config, *columns, ShaperFor::kAnyRow);
    if (!shaper.ok()) return shaper.status();
    shaper_ = std::move(*shaper);
    if (Status found = FindIdHeader(*columns); !found.ok()) return found;
    if (!request_.prefix.empty() && !outbox_->config.record.topic.value_or("").starts_with(request_.prefix))
      return {OUTBOX_BAD_CONFIG,
              "/record/topic does not begin with the prefix \"" + request_.prefix +
                  "\": in a rehearsal the relay's topics are the connector's with this prefix; add the "
                  "prefix to /record/topic"};
    if (request_.remove_delivered)
      if (Status alone = RequireNoRelay(); !alone.ok()) return alone;
    const kafka::Settings settings = kafka::ToSettings(outbox_->config);
    const auto cluster = Cluster::Open(settings);
    if (!cluster.ok()) return cluster.status();
    const auto seen = (*cluster)->Look(10s);
    if (!seen) return {OUTBOX_UNAVAILABLE, "no answer from Kafka: " + (*cluster)->trouble().text};
    partitions_ = seen->partitions;
    auto reader = TopicReader::Open(settings);
    if (!reader.ok()) return reader.status();
    reader_ = std::move(*reader);
    return {};
  }

  Status FindIdHeader(const std::vector<Column>& columns) {
    const auto id =
        std::find_if(columns.begin(), columns.end(), [](const Column& c) { return c.role == OUTBOX_ROLE_ID; });
    if (id != columns.end() && outbox_->config.record.headers)
      for (const auto& [name, text] : *outbox_->config.record.headers) {
        const auto parsed = config::Template::Parse(text);
        if (id_header_.empty() && parsed.ok() && parsed->OnlyColumn() != nullptr && *parsed->OnlyColumn() == id->name)
          id_header_ = name;
      }
    if (!id_header_.empty()) return {};
    return {OUTBOX_BAD_CONFIG,
            "/record/headers has no header whose value is only the column of the event's id, such as \"id\": \"{id}\"; "
            "stored records are found by this header"};
  }

  Status RequireNoRelay() {
    const auto stats = outbox_->session->ReadStats(outbox_->call());
    if (!stats.ok()) return stats.status();
    if (stats->live_relays == 0) return {};
    return {OUTBOX_BAD_CONFIG,
            "a relay is running on this outbox; stop it first (or wait until its lease has expired), so that it "
            "does not send what the connector has sent"};
  }

  // Compares the captured rows in passes. Each pass reads rows up to kPassBytes and then reads the topics once.
  Status CapturedRows() {
    std::optional<storage::OwnedRowId> after;
    for (bool more = true; more;) {
      std::size_t bytes = 0;
      expected_.clear();
      oldest_ms_ = std::numeric_limits<std::int64_t>::max();
      while (bytes < kPassBytes) {
        const auto page = Page(after, bytes);
        if (!page.ok()) return page.status();
        more = *page;
        if (!more) break;
      }
      if (expected_.empty()) break;
      if (Status compared = Compare(oldest_ms_ - kClocksDifferMs); !compared.ok()) return compared;
      if (request_.remove_delivered && totals_.different == 0)
        if (Status removed = Remove(); !removed.ok()) return removed;
    }
    return {};
  }

  // Reads the next page of captured rows. Returns false if there are no more rows.
  Result<bool> Page(std::optional<storage::OwnedRowId>& after, std::size_t& bytes) {
    Query query{.from = OUTBOX_FROM_OUTBOX, .max = kPage};
    if (after) query.after = after->View();
    auto rows = ReadRows(*outbox_, query);
    if (!rows.ok()) return rows.status();
    if (rows->empty()) return false;
    publisher::PreparedBatch batch;
    batch.batch = std::move(*rows);
    after = ToRowId(batch.batch[batch.batch.size() - 1].row_id);
    shaper_->Shape(batch);
    for (std::size_t i = 0; i < batch.batch.size(); ++i) Expect(batch, i, bytes);
    return true;
  }

  void Expect(const publisher::PreparedBatch& batch, std::size_t i, std::size_t& bytes) {
    ++totals_.rows;
    const outbox_event& row = batch.batch[i];
    if (const std::int32_t refusal = batch.shaped[i].refusal; refusal >= 0) {
      const publisher::Refusal& why = batch.refusals[static_cast<std::size_t>(refusal)];
      if (totals_.refused++ == 0)
        totals_.first_refusal = fmt::format("row {}: {}: {}", ToRowId(row.row_id).ToText(), why.reason, why.text);
      return;
    }
    if (row.created_us != 0) oldest_ms_ = std::min(oldest_ms_, row.created_us / 1000);
    Add({ToStored(batch, i), ToRowId(row.row_id), std::string(View(row.event_id))}, bytes);
  }

  void Add(Expected expected, std::size_t& bytes) {
    StoredRecord& record = expected.record;
    if (record.topic.starts_with(request_.prefix)) record.topic = record.topic.substr(request_.prefix.size());
    const auto partitions = partitions_.find(record.topic);
    if (record.partition < 0 && record.key && partitions != partitions_.end()) {
      const std::string& key = *record.key;
      record.partition =
          rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), partitions->second, nullptr, nullptr);
    }
    bytes += SizeOf(record);
    const std::string* const found = HeaderOf(record, id_header_);
    std::string id = found == nullptr ? std::string() : *found;
    expected_.emplace(std::move(id), std::move(expected));
  }

  // Reads the topics and compares the stored records with the expected ones that have the same event id.
  Status Compare(std::int64_t since_ms) {
    std::map<std::string, int> topics;
    for (const auto& [id, expected] : expected_)
      if (const auto known = partitions_.find(expected.record.topic); known != partitions_.end()) topics.insert(*known);
    const auto found = [this](const StoredRecord& stored) {
      if (const std::string* id = HeaderOf(stored, id_header_)) Judge(stored, *id);
      return true;
    };
    if (Status read = reader_->Read(topics, std::max<std::int64_t>(since_ms, 0), kPatience, found); !read.ok())
      return read;
    for (const auto& [id, expected] : expected_) {
      totals_.same += expected.found > 0 && !expected.differs ? 1 : 0;
      totals_.different += expected.differs ? 1 : 0;
      totals_.missing += expected.found == 0 && !expected.differs ? 1 : 0;
      totals_.copies += expected.found > 1 ? expected.found - 1 : 0;
    }
    return {};
  }

  void Judge(const StoredRecord& stored, const std::string& id) {
    const auto [first, last] = expected_.equal_range(id);
    for (auto one = first; one != last; ++one) {
      Expected& expected = one->second;
      // The connector writes the records of another table to other topics, which are not read here. So a record with
      // this id whose topic is not the expected one is reported as a difference.
      const auto difference = FindDifference(expected.record, stored);
      if (!difference) {
        ++expected.found;
        continue;
      }
      if (!std::exchange(expected.differs, true) && shown_++ < kMostShown)
        totals_.differences +=
            fmt::format("event {}: the {} differs from the record at {} [{}] offset {}\n{}", monitoring::Escape(id),
                        difference->part, stored.topic, stored.partition, stored.offset, Dump(*difference));
    }
  }

  // Removes the captured rows of this pass whose records are in Kafka.
  Status Remove() {
    std::vector<outbox_row> rows;
    for (const auto& [id, expected] : expected_)
      if (expected.found > 0) rows.push_back({Raw(expected.row_id), Raw(expected.event_id)});
    for (std::size_t i = 0; i < rows.size(); i += kPage) {
      const auto part = std::span(rows).subspan(i, std::min<std::size_t>(kPage, rows.size() - i));
      std::vector<std::uint8_t> kept;
      if (Status removed = outbox_->session->ConfirmEvent(part, kept, outbox_->call()); !removed.ok()) return removed;
      totals_.removed += part.size() - static_cast<std::size_t>(std::count(kept.begin(), kept.end(), 1));
    }
    return {};
  }

  // Compares the records that the relay has delivered to topics of its own with the connector's records.
  Status DeliveredRecords() {
    const auto since = config::ParseDuration(request_.since);
    const std::int64_t now_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    std::map<std::string, int> rehearsed;
    for (const auto& [topic, partitions] : partitions_)
      if (topic.starts_with(request_.prefix)) rehearsed.emplace(topic, partitions);
    if (rehearsed.empty()) return {OUTBOX_BAD_CONFIG, "no topic begins with the prefix \"" + request_.prefix + '"'};
    expected_.clear();
    oldest_ms_ = now_ms;
    std::size_t bytes = 0;
    const auto take = [&](StoredRecord stored) {
      oldest_ms_ = std::min(oldest_ms_, stored.timestamp_ms);
      ++totals_.rows;
      // The timestamp is not compared here: it is either the time at which the relay sent the record, or the value of a
      // column, which was already compared for the captured rows.
      stored.timestamp_ms = 0;
      stored.offset = -1;
      Add({std::move(stored), {}, ""}, bytes);
      return bytes < kPassBytes;
    };
    if (Status read = reader_->Read(rehearsed, now_ms - since->count(), kPatience, take); !read.ok()) return read;
    return Compare(oldest_ms_ - kClocksDifferMs);
  }

  int Conclude() {
    const Totals& t = totals_;
    const std::uint64_t compared = t.same + t.different;
    const auto records = [](std::uint64_t count) { return fmt::format("{} record{}", count, count == 1 ? "" : "s"); };
    std::cout << fmt::format("{} compared with the connector's: {} the same, {} different\n", records(compared), t.same,
                             t.different);
    if (t.missing > 0) std::cout << fmt::format("{} not found in the connector's topics (yet)\n", records(t.missing));
    if (t.copies > 0)
      std::cout << fmt::format("{} stored more than once: the connector has sent them again\n", records(t.copies));
    if (t.refused > 0)
      std::cout << fmt::format("{} row{} cannot be made into records; the first one is {}\n", t.refused,
                               t.refused == 1 ? "" : "s", monitoring::Escape(t.first_refusal));
    std::cout << t.differences;
    if (t.different > kMostShown) std::cout << fmt::format("and {} more that differ\n", t.different - kMostShown);
    if (request_.remove_delivered && t.different == 0)
      std::cout << fmt::format("{} captured row{} removed: the records are in the topics\n", t.removed,
                               t.removed == 1 ? "" : "s");
    if (request_.remove_delivered && t.different > 0)
      std::cout << "because records differ, the remaining captured rows were not removed; correct /record first\n";
    std::cout << std::flush;
    if (compared == 0) {
      std::cerr
          << "outbox-relay import: nothing was compared: "
          << (t.rows == 0
                  ? "no row is captured; the trigger copies rows that are inserted after `migrate`"
                  : "none of the records was found in the topics; check that this is the connector's Kafka, and that "
                    "the connector runs")
          << std::endl;
    }
    return compared > 0 && t.different == 0 ? kOk : kFailure;
  }

  const VerifyRequest& request_;
  std::unique_ptr<Outbox> outbox_;
  std::shared_ptr<const record::Shaper> shaper_;
  std::unique_ptr<TopicReader> reader_;
  std::string id_header_;
  std::map<std::string, int> partitions_;                    // The number of partitions of every topic.
  std::unordered_multimap<std::string, Expected> expected_;  // The expected records of this pass, by event id.
  std::int64_t oldest_ms_ = 0;
  std::uint64_t shown_ = 0;
  Totals totals_;
};

}  // namespace

int Verify(const VerifyRequest& request) {
  if (!config::ParseDuration(request.since)) {
    std::cerr << "outbox-relay import: --since \"" << request.since
              << "\" is not valid; expected a duration such as 30m or 24h" << std::endl;
    return kUsage;
  }
  return Verification(request).Run();
}

}  // namespace outbox::cli
