// Reads rows of an outbox for commands: with the topics that the configuration gives them, by the id that the
// application knows, or with all their contents.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/common/command.hpp"

namespace outbox::cli {

// Lists events like storage::Session::List. If the record section makes the topics, each event has the topic that is
// made for it; query.topic is ignored then, and events of all topics are listed.
[[nodiscard]] Status ListEvents(const Outbox& outbox, const Query& query,
                                const std::function<bool(const Record&)>& found);

// Finds a captured event by the id that consumers know. Returns the id by which the outbox knows it, or nothing. No
// index contains the former, so the search reads the failed events, then the dead letters, then the outbox, and no more
// than about kMostLookedAt rows of each.
inline constexpr std::size_t kMostLookedAt = 100'000;
[[nodiscard]] Result<std::optional<std::string>> FindCaptured(const Outbox& outbox, std::string_view id);

// Returns copies of the rows that `query` finds, with all their contents: at most query.max rows, and only as many as
// have about kMostBytes bytes of payload together, but at least one.
inline constexpr std::int64_t kMostBytes = std::int64_t{16} << 20;
[[nodiscard]] Result<storage::Batch> ReadRows(const Outbox& outbox, Query query);

}  // namespace outbox::cli
