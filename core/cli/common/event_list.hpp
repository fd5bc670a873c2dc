// The events of an outbox as their records show them: with the topic that the configuration makes of a row.
#pragma once

#include <functional>

#include "cli/common/command.hpp"

namespace outbox::cli {

// As storage::Session::List. Where topics are made by the record section, events of all topics come, whatever query.topic is.
[[nodiscard]] Status ListEvents(const Outbox& outbox, const Query& query,
                                const std::function<bool(const Record&)>& found);

}  // namespace outbox::cli
