#include "cli/common/event_list.hpp"

#include <algorithm>

#include "publisher/publisher.hpp"
#include "record/shaper.hpp"

namespace outbox::cli {
namespace {

// Copies rows into a batch, the form from which records are made.
class Copies {
 public:
  void Add(const Event& event) { (void)rows_.Add(event); }
  [[nodiscard]] storage::Batch Take(const std::shared_ptr<storage::Store>& store) {
    outbox_batch filled{};
    filled.struct_size = sizeof filled;
    rows_.Finish(&filled);
    return {store, filled};
  }

 private:
  static outbox_reserve NoLimit() {
    outbox_reserve raw{};
    raw.struct_size = sizeof raw;
    raw.max_events = UINT32_MAX;
    raw.max_bytes = UINT64_MAX;
    return raw;
  }
  const outbox_reserve raw_ = NoLimit();
  const outbox::ReserveRequest limits_{raw_};
  BatchBuilder rows_{limits_};
};

std::string TopicOf(const Outbox& outbox, const Event& event) {
  Copies row;
  row.Add(event);
  publisher::PreparedBatch batch;
  batch.batch = row.Take(outbox.store);
  outbox.shaper->Shape(batch);
  return std::string(batch.Topic(0));
}

}  // namespace

Status ListEvents(const Outbox& outbox, const Query& query, const std::function<bool(const Record&)>& found) {
  if (outbox.shaper == nullptr) return outbox.session->List(query, found, outbox.call());
  Query of_any_topic = query;
  of_any_topic.topic = std::nullopt;
  const auto take = [&](const Record& record) {
    const std::string topic = TopicOf(outbox, record.event);
    Record shown = record;
    shown.event.topic = topic;
    return found(shown);
  };
  return outbox.session->List(of_any_topic, take, outbox.call());
}

Result<std::optional<std::string>> FindCaptured(const Outbox& outbox, std::string_view id) {
  constexpr std::uint32_t kPage = 500;
  std::optional<std::string> found;
  if (!outbox.id_column) return found;
  for (const std::uint32_t from : {OUTBOX_FROM_FAILED, OUTBOX_FROM_DEAD, OUTBOX_FROM_OUTBOX}) {
    std::optional<storage::OwnedRowId> last;
    for (std::size_t seen = 0, of_page = kPage; of_page == kPage && seen < kMostLookedAt && !found; seen += of_page) {
      of_page = 0;
      const std::optional<storage::OwnedRowId> after = last;
      Query query{.from = from, .max = kPage};
      if (after) query.after = after->View();
      const auto take = [&](const Record& record) {
        ++of_page;
        last = record.event.row_id;
        if (*outbox.id_column >= record.event.columns.size()) return true;
        const Bytes value = Maybe(record.event.columns[*outbox.id_column]);
        if (value && *value == id) found = record.event.event_id;
        return !found;
      };
      if (Status listed = outbox.session->List(query, take, outbox.call()); !listed.ok()) return listed;
    }
  }
  return found;
}

Result<storage::Batch> ReadRows(const Outbox& outbox, Query query) {
  std::int64_t bytes = 0;
  std::uint32_t count = 0;
  const auto measure = [&](const Record& record) {
    bytes += std::max<std::int64_t>(record.payload_size, 0);
    if (count > 0 && bytes > kMostBytes) return false;
    ++count;
    return true;
  };
  query.contents = false;
  if (Status listed = outbox.session->List(query, measure, outbox.call()); !listed.ok()) return listed;
  Copies rows;
  if (count == 0) return rows.Take(outbox.store);
  query.contents = true;
  query.max = count;
  const auto take = [&rows](const Record& record) {
    rows.Add(record.event);
    return true;
  };
  if (Status listed = outbox.session->List(query, take, outbox.call()); !listed.ok()) return listed;
  return rows.Take(outbox.store);
}

}  // namespace outbox::cli
