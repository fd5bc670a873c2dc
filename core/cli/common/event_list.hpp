// Reads rows of an outbox for commands: with the topics that the configuration determines, by the id that the
// application knows, or with all their contents.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/common/command.hpp"

namespace outbox::cli {

// Lists events like storage::Session::List. If the record section determines the topic, each event is listed with that
// topic; query.topic is then ignored, and events of all topics are listed.
[[nodiscard]] Status ListEvents(const Outbox& outbox, const Query& query,
                                const std::function<bool(const Record&)>& found);

// Finds a captured event by the id that consumers know. Returns the event id that the outbox has assigned to it, or
// nothing. No index contains the id that consumers know, so the search reads the failed events, then the dead letters,
// then the outbox, and at most about kMostLookedAt rows of each.
inline constexpr std::size_t kMostLookedAt = 100'000;
[[nodiscard]] Result<std::optional<std::string>> FindCaptured(const Outbox& outbox, std::string_view id);

// Returns copies of the rows that `query` finds, with all their contents. The result has at most query.max rows and
// about kMostBytes bytes of payload, but the first row is included even if it is larger.
inline constexpr std::int64_t kMostBytes = std::int64_t{16} << 20;
[[nodiscard]] Result<storage::Batch> ReadRows(const Outbox& outbox, Query query);

}  // namespace outbox::cli
