// Brokers that may create topics by themselves (auto.create.topics.enable) do so for a client that requests a topic by
// name and allows it. The relay's producers never allow it: they query all topics that they know again and again, and
// would recreate a deleted topic. If an event needs a topic, it is requested once, through a client that is destroyed
// after the answer.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kafka/settings.hpp"

namespace outbox::kafka {

// Requests the topics, best effort: the caller has to query afterwards whether they exist.
void AskForCreation(const Settings& settings, const std::vector<std::string>& topics,
                    std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
