#include "cli/common/event_filter.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "cli/common/event_list.hpp"
#include "config/units.hpp"
#include "monitoring/log.hpp"
#include "util/uuid.hpp"

namespace outbox::cli {
namespace {

constexpr std::uint32_t kPage = 500;

// Parses a duration as in the configuration. Whole days, such as 7d, are accepted as well.
std::optional<Millis> ParseAge(std::string text) {
  std::int64_t factor = 1;
  if (!text.empty() && text.back() == 'd') {
    text.back() = 'h';
    factor = 24;
  }
  const auto parsed = config::ParseDuration(text);
  if (!parsed) return std::nullopt;
  return Millis(*parsed) * factor;
}

std::int64_t Micros(const std::string& age) {
  return std::chrono::duration_cast<std::chrono::microseconds>(ParseAge(age).value_or(Millis(0))).count();
}

// Returns a pattern for Query::topic that matches at least every topic that fnmatch matches with `pattern`. In
// Query::topic a star is the only wildcard and cannot be escaped. So an escaped star becomes a star, and so does a
// question mark, which may match a part of a UTF-8 character. A star takes the place of the first bracket expression
// and of everything after it.
std::string WidenPattern(const std::string& pattern) {
  std::string wide;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '[') return wide + '*';
    if (c == '\\' && i + 1 < pattern.size() && pattern[i + 1] != '*')
      wide += pattern[++i];
    else if (c == '\\')
      wide += '*';
    else
      wide += c == '?' ? '*' : c;
  }
  return wide;
}

// Returns true if the event's age passes the filters. An event of unknown age is neither older nor newer than any age.
bool HasAge(const EventFilter& s, std::int64_t now_us, std::int64_t since_us) {
  if (s.older_than.empty() && s.newer_than.empty()) return true;
  if (since_us == 0) return false;
  const std::int64_t age = now_us - since_us;
  return (s.older_than.empty() || age >= Micros(s.older_than)) && (s.newer_than.empty() || age <= Micros(s.newer_than));
}

bool Matches(const EventFilter& s, const Record& r, bool by_creation) {
  const auto holds = [&](const Bytes& text) { return text && text->find(*s.reason) != std::string_view::npos; };
  return (!s.topic || fnmatch(s.topic->c_str(), std::string(r.event.topic).c_str(), 0) == 0) &&
         (!s.type || r.event.event_type == *s.type) && (!s.reason || holds(r.reason) || holds(r.error)) &&
         HasAge(s, r.now_us, by_creation ? r.event.created_us : r.last_failed_us) &&
         (s.until_us == 0 || r.last_failed_us <= s.until_us);
}

class Walker {
 public:
  Walker(const Outbox& outbox, const EventFilter& filter, const Walk& walk)
      : outbox_(outbox), filter_(filter), walk_(walk) {}

  Status Run() {
    if (filter_.events.empty()) return Through(nullptr);
    for (const std::string& event : filter_.events) {
      if (Status status = Through(&event); !status.ok()) return status;
    }
    return {};
  }

 private:
  [[nodiscard]] bool Enough() const { return filter_.limit != 0 && found_ >= filter_.limit; }

  Status Through(const std::string* event) {
    const auto view = [](const auto& text) { return text ? Bytes(*text) : std::nullopt; };
    std::optional<storage::OwnedRowId> after = walk_.after;
    const std::string topic = filter_.topic ? WidenPattern(*filter_.topic) : "";
    for (;;) {
      Query query{.from = walk_.from, .key = view(filter_.key)};
      if (after) query.after = after->View();
      if (event != nullptr) query.event_id = *event;
      if (filter_.topic) query.topic = topic;
      query.max = walk_.contents ? 1 : kPage;
      query.contents = walk_.contents;
      std::uint32_t seen = 0;
      std::optional<storage::OwnedRowId> last;
      const auto take = [&](const Record& record) {
        ++seen;
        last = record.event.row_id;
        if (walk_.state && record.state != *walk_.state) return true;
        if (!Matches(filter_, record, walk_.by_creation)) return true;
        ++found_;
        walk_.found(record);
        return !Enough() && std::cout.good();
      };
      if (Status status = ListEvents(outbox_, query, take); !status.ok()) return status;
      if (Status status = walk_.page_done(); !status.ok()) return status;
      if (seen < query.max || Enough() || !std::cout) return {};  // A failed write ends the command.
      after = std::move(last);
    }
  }

  const Outbox& outbox_;
  const EventFilter& filter_;
  const Walk& walk_;
  std::uint64_t found_ = 0;
};

// Returns the event id of the first event that `query` finds in the outbox or among the dead letters, or nothing.
Result<std::optional<std::string>> FirstId(const Outbox& outbox, Query query) {
  std::optional<std::string> id;
  const auto take = [&](const Record& record) {
    id = record.event.event_id;
    return false;
  };
  query.max = 1;
  for (const std::uint32_t from : {OUTBOX_FROM_OUTBOX, OUTBOX_FROM_DEAD}) {
    query.from = from;
    if (Status status = ListEvents(outbox, query, take); !status.ok()) return status;
    if (id) break;
  }
  return id;
}

}  // namespace

int ResolveEventIds(const Outbox& outbox, const char* command, std::vector<std::string>& ids) {
  for (std::string& id : ids) {
    const std::optional<std::string> canonical = util::CanonicalUuid(id);
    if (canonical == id && !outbox.id_column) continue;
    auto known = FirstId(outbox, {.event_id = id});
    if (known.ok() && !*known) known = FindCaptured(outbox, canonical ? *canonical : id);
    if (!known.ok()) return Report(known.status());
    if (*known || canonical) {
      id = *known ? **known : *canonical;
      continue;
    }
    const auto of_key = FirstId(outbox, {.key = id});
    if (!of_key.ok()) return Report(of_key.status());
    const std::string shown = monitoring::Escape(id);
    std::cerr << "outbox-relay " << command << ": \"" << shown
              << "\" is not a UUID, and no event has it as its event id; give an event id such as "
                 "0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11. "
              << (*of_key ? "There are events with this key: outbox-relay explain --key " + shown
                          : "`outbox-relay find --key KEY` lists the event ids of a key")
              << std::endl;
    return kUsage;
  }
  std::set<std::string> seen;
  std::erase_if(ids, [&](const std::string& id) { return !seen.insert(id).second; });
  return kOk;
}

void AddEvents(Command& command, EventFilter& filter, const char* about) {
  command.Add("EVENT", filter.events, about).Value("");
}

void AddFilters(Command& command, EventFilter& filter) {
  AddCommonFilters(command, filter, "last failure");
  command.Add("--reason", filter.reason, "Only events whose reason or error contains TEXT").Value("TEXT");
}

void AddCommonFilters(Command& command, EventFilter& filter, const std::string& moment) {
  const auto age = [](const std::string& text) {
    return ParseAge(text) ? std::string() : "expected a whole number with ms, s, m, h or d, such as 90m or 7d";
  };
  command.Add("--topic", filter.topic, "Only events whose topic matches PATTERN, with the wildcards * and ?")
      .Value("PATTERN");
  command.Add("--type", filter.type, "Only events of this event type").Value("TYPE");
  command.Add("--key", filter.key, "Only events of this key").Value("KEY");
  const std::string start = "Only events whose " + moment + " is ";
  command.Add("--older-than", filter.older_than, start + "at least DURATION ago, such as 7d")
      .Value("DURATION")
      .Check(age);
  command.Add("--newer-than", filter.newer_than, start + "at most DURATION ago, such as 90m")
      .Value("DURATION")
      .Check(age);
}

Status WalkThrough(const Outbox& outbox, const EventFilter& filter, const Walk& walk) {
  return Walker(outbox, filter, walk).Run();
}

}  // namespace outbox::cli
