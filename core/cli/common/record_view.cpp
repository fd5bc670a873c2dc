#include "cli/common/record_view.hpp"

#include "cli/common/time_format.hpp"
#include "engine/settings.hpp"
#include "monitoring/log.hpp"
#include "publisher/event_line.hpp"
#include "util/format.hpp"

namespace outbox::cli {
namespace {

using monitoring::Escape;
using util::Json;

Json Time(std::int64_t micros) { return micros == 0 ? Json() : Json(Moment(micros)); }

std::string Shown(const Bytes& bytes, const char* absent) { return bytes ? Escape(*bytes) : absent; }

// Returns the label for the time of the last failure. A dead letter was given up at that time.
const char* LastWord(const Record& record) { return record.state == OUTBOX_STATE_DEAD ? "died" : "last failed"; }

}  // namespace

Json ToJson(const Bytes& bytes) {
  std::string text;
  publisher::AppendJson(bytes, text);
  return Json::Parse(text);
}

const char* StateWord(std::int32_t state) {
  switch (state) {
    case OUTBOX_STATE_WAITING:
      return "waiting";
    case OUTBOX_STATE_RETRYING:
      return "retrying";
    case OUTBOX_STATE_BLOCKED:
      return "blocked";
    case OUTBOX_STATE_DEAD:
      return "dead";
    case OUTBOX_STATE_DELIVERED:
      return "undeletable";
    default:
      return "absent";
  }
}

bool IsLeftToOperator(const Record& record) {
  return record.state == OUTBOX_STATE_DELIVERED &&
         record.next_try_us - record.last_failed_us > engine::kNotByItself / 2;
}

Json ToJson(const Record& record, bool contents) {
  const Event& e = record.event;
  Json json =
      Json::Object({{"state", StateWord(record.state)},
                    {"event_id", ToJson(e.event_id)},
                    {"row_id", ToJson(e.row_id.ToText())},
                    {"topic", ToJson(e.topic)},
                    {"key", ToJson(e.aggregate_id)},
                    {"type", ToJson(e.event_type)},
                    {"attempts", e.attempts},
                    {"created_at", Time(e.created_us)},
                    {"first_failed_at", Time(record.first_failed_us)},
                    {record.state == OUTBOX_STATE_DEAD ? "died_at" : "last_failed_at", Time(record.last_failed_us)},
                    {"next_try_at", IsLeftToOperator(record) ? Json() : Time(record.next_try_us)},
                    {"reason", ToJson(record.reason)},
                    {"error", ToJson(record.error)},
                    {"payload_size", record.payload_size < 0 ? Json() : Json(record.payload_size)}});
  if (contents) {
    json.Set("headers", ToJson(e.headers));
    json.Set("payload", ToJson(e.payload));
  }
  return json;
}

std::string HeadLine() {
  return fmt::format("{:<24}  {:<36}  {:>8}  {:<16}  {:<20}  {}", "LAST FAILED", "EVENT", "ATTEMPTS", "REASON", "TOPIC",
                     "KEY");
}

std::string Line(const Record& record) {
  const Event& e = record.event;
  return fmt::format("{:<24}  {:<36}  {:>8}  {:<16}  {:<20}  {}", Moment(record.last_failed_us), Escape(e.event_id),
                     e.attempts, Shown(record.reason, "-"), Escape(e.topic), Shown(e.aggregate_id, "(no key)"));
}

std::string Paragraph(const Record& record, bool contents) {
  const Event& e = record.event;
  std::string text;
  const auto add = [&text](const char* name, const std::string& value) {
    text += fmt::format("{:<13} {}\n", name, value);
  };
  add("event", Escape(e.event_id));
  add("state", StateWord(record.state));
  add("row", Escape(e.row_id.ToText()));
  add("topic", Escape(e.topic));
  add("key", Shown(e.aggregate_id, "(none)"));
  add("type", Escape(e.event_type));
  add("attempts", std::to_string(e.attempts));
  add("created", Moment(e.created_us));
  if (record.reason) {
    add("first failed", Moment(record.first_failed_us));
    add(LastWord(record), Moment(record.last_failed_us));
    if (IsLeftToOperator(record))
      add("next try", "not automatic; `outbox-relay unblock` retries the removal");
    else if (record.state == OUTBOX_STATE_RETRYING || record.state == OUTBOX_STATE_DELIVERED)
      add("next try", Moment(record.next_try_us));
    add("reason", Escape(*record.reason));
    add("error", Shown(record.error, "-"));
  }
  add("payload size", record.payload_size < 0 ? "(no payload)" : std::to_string(record.payload_size));
  if (contents) {
    add("headers", Shown(e.headers, "(none)"));
    add("payload", Shown(e.payload, "(none)"));
  }
  return text;
}

}  // namespace outbox::cli
