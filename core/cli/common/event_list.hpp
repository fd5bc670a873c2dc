// The rows of an outbox as commands read them: with the topic that the configuration makes of a row, by the id that the application
// knows, or whole.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/common/command.hpp"

namespace outbox::cli {

// As storage::Session::List. Where topics are made by the record section, events of all topics come, whatever query.topic is.
[[nodiscard]] Status ListEvents(const Outbox& outbox, const Query& query,
                                const std::function<bool(const Record&)>& found);

// Of captured rows: the outbox's own id of the event that consumers know by `id`. It looks at failed events and dead letters, and
// then at the first kMostLookedAt rows of the outbox, as no index has these ids. Nothing = none was found.
inline constexpr std::size_t kMostLookedAt = 100'000;
[[nodiscard]] Result<std::optional<std::string>> FindCaptured(const Outbox& outbox, std::string_view id);

// The rows that `query` finds in the outbox, with everything that is in them, copied: at most query.max, and no more of them than
// about kMostBytes of payload, but at least one.
inline constexpr std::int64_t kMostBytes = std::int64_t{16} << 20;
[[nodiscard]] Result<storage::Batch> ReadRows(const Outbox& outbox, Query query);

}  // namespace outbox::cli
