// The events of an outbox as their records show them: with the topic that the configuration makes of a row.
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

}  // namespace outbox::cli
