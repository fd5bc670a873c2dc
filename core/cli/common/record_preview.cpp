#include "cli/common/record_preview.hpp"

#include <charconv>
#include <iostream>
#include <optional>

#include "cli/common/event_list.hpp"
#include "cli/common/record_view.hpp"
#include "cli/common/shaping.hpp"
#include "cli/common/time_format.hpp"
#include "monitoring/log.hpp"
#include "outbox/base64.hpp"
#include "outbox/text.hpp"
#include "publisher/headers.hpp"
#include "util/format.hpp"
#include "util/json.hpp"

namespace outbox::cli {
namespace {

using publisher::PreparedBatch;
using util::Json;

std::string Shown(const Bytes& bytes) {
  if (!bytes) return "(none)";
  if (IsUtf8(*bytes)) return monitoring::Escape(*bytes);
  std::string text = "base64 ";
  AppendBase64(*bytes, text);
  return text;
}

std::optional<std::int64_t> NumberIn(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Json LineOf(const PreparedBatch& batch, std::size_t i) {
  const publisher::Shaped& shaped = batch.shaped[i];
  Json line = Json::Object({{"row_id", ToRowId(batch.batch[i].row_id).ToText()}});
  if (shaped.refusal >= 0) {
    const publisher::Refusal& why = batch.refusals[static_cast<std::size_t>(shaped.refusal)];
    line.Set("refused", Json::Object({{"reason", why.reason}, {"error", why.text}}));
    return line;
  }
  const publisher::RecordContent record = batch.Content(i);
  Json headers = Json::Array();
  publisher::HeaderReader reader(record.packed_headers);
  for (publisher::Header h; reader.Next(h);)
    headers.Append(Json::Object({{"name", ToJson(h.name)}, {"value", ToJson(h.value)}}));
  line.Set("topic", ToJson(record.event.topic));
  line.Set("partition", shaped.partition < 0 ? Json() : Json(std::int64_t{shaped.partition}));
  line.Set("key", ToJson(record.event.aggregate_id));
  line.Set("value", ToJson(record.event.payload));
  line.Set("headers", std::move(headers));
  line.Set("timestamp", record.timestamp_ms == 0 ? Json() : Json(record.timestamp_ms));
  return line;
}

std::string ParagraphOf(const PreparedBatch& batch, std::size_t i) {
  const publisher::Shaped& shaped = batch.shaped[i];
  std::string text;
  const auto add = [&text](const char* name, const std::string& value) {
    text += fmt::format("{:<13} {}\n", name, value);
  };
  add("row", monitoring::Escape(ToRowId(batch.batch[i].row_id).ToText()));
  if (shaped.refusal >= 0) {
    const publisher::Refusal& why = batch.refusals[static_cast<std::size_t>(shaped.refusal)];
    add("refused", fmt::format("{}: {}", why.reason, monitoring::Escape(why.text)));
    return text;
  }
  const publisher::RecordContent record = batch.Content(i);
  add("topic", Shown(record.event.topic));
  add("partition", shaped.partition < 0 ? "by the key" : std::to_string(shaped.partition));
  add("key", Shown(record.event.aggregate_id));
  add("timestamp", record.timestamp_ms == 0 ? "when it is sent" : Moment(record.timestamp_ms * 1000));
  publisher::HeaderReader reader(record.packed_headers);
  for (publisher::Header h; reader.Next(h);)
    add("header", fmt::format("{} = {}", monitoring::Escape(h.name), Shown(h.value)));
  add("value", Shown(record.event.payload));
  return text;
}

}  // namespace

Status ShowRecords(const PreviewRequest& request, const Outbox& outbox) {
  const auto columns = outbox.session->DescribeColumns(outbox.call());
  if (!columns.ok()) return columns.status();
  const auto shaper = MakeShaper(outbox.config, *columns, ShaperFor::kAnyRow);
  if (!shaper.ok()) return shaper.status();
  storage::OwnedRowId after;
  Query query{.from = OUTBOX_FROM_OUTBOX};
  if (const auto number = NumberIn(request.row); number && outbox.store->NumbersRows()) {
    if (*number != INT64_MIN) query.after = *number - 1;
    if (*number != INT64_MAX) query.before = *number + 1;
  } else if (request.row != kAllRows) {
    query.event_id = request.row;
  }
  for (std::uint32_t left = request.row == kAllRows ? request.limit : 1; left > 0;) {
    query.max = left;
    auto rows = ReadRows(outbox, query);
    if (!rows.ok()) return rows.status();
    if (rows->empty()) break;
    PreparedBatch batch;
    batch.batch = std::move(*rows);
    (*shaper)->Shape(batch);
    for (std::size_t i = 0; i < batch.batch.size(); ++i)
      std::cout << (request.json ? LineOf(batch, i).Dump() : ParagraphOf(batch, i)) << '\n';
    left -= static_cast<std::uint32_t>(batch.batch.size());
    if (left == 0) return {};
    after = ToRowId(batch.batch[batch.batch.size() - 1].row_id);
    query.after = after.View();
  }
  if (request.row == kAllRows) return {};
  return {OUTBOX_BAD_DATA, "no row of the outbox has the id " + request.row + "; rows of delivered events are removed"};
}

}  // namespace outbox::cli
