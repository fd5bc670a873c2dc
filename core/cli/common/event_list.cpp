#include "cli/common/event_list.hpp"

#include "publisher/publisher.hpp"
#include "record/shaper.hpp"

namespace outbox::cli {
namespace {

std::string TopicOf(const Outbox& outbox, const Event& event) {
  outbox_reserve raw{};
  raw.struct_size = sizeof raw;
  raw.max_events = 1;
  raw.max_bytes = UINT64_MAX;
  const outbox::ReserveRequest limits{raw};
  BatchBuilder builder(limits);
  (void)builder.Add(event);
  outbox_batch filled{};
  filled.struct_size = sizeof filled;
  builder.Finish(&filled);
  publisher::PreparedBatch batch;
  batch.batch = storage::Batch(outbox.store, filled);
  outbox.shaper->Shape(batch);
  return std::string(batch.Topic(0));
}

}  // namespace

Status ListEvents(const Outbox& outbox, const Query& query, const std::function<bool(const Record&)>& found) {
  if (outbox.shaper == nullptr) return outbox.session->List(query, found, outbox.call());
  Query whole = query;
  whole.topic = std::nullopt;
  whole.contents = true;  // the columns come with them
  const auto take = [&](const Record& record) {
    const std::string topic = TopicOf(outbox, record.event);
    Record shown = record;
    shown.event.topic = topic;
    if (!query.contents) shown.event.payload = shown.event.headers = std::nullopt;
    return found(shown);
  };
  return outbox.session->List(whole, take, outbox.call());
}

Result<std::optional<std::string>> FindCaptured(const Outbox& outbox, std::string_view id) {
  constexpr std::uint32_t kPage = 200;
  std::optional<std::string> found;
  if (!outbox.id_column) return found;
  for (const std::uint32_t from : {OUTBOX_FROM_FAILED, OUTBOX_FROM_DEAD, OUTBOX_FROM_OUTBOX}) {
    std::string after;
    for (std::size_t seen = 0, before = kPage; before == kPage && seen < kMostLookedAt && !found;) {
      before = 0;
      Query query{.from = from, .max = kPage, .contents = true};
      const std::string start = after;
      if (!start.empty()) query.after = start;
      const auto take = [&](const Record& record) {
        ++seen;
        ++before;
        after = record.event.row_id;
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

}  // namespace outbox::cli
