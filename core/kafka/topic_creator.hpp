// Requests topics that brokers may create. A broker that may create topics by itself (auto.create.topics.enable) does
// so for a client that requests a topic by name and allows its creation. The relay's producers never allow it: they
// query all topics that they know again and again, and would recreate a deleted topic. If an event needs a topic, the
// relay requests the topic once, through a client that is destroyed after the answer.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kafka/settings.hpp"

namespace outbox::kafka {

// Requests the topics without reporting success: the caller has to query afterwards whether they exist.
void AskForCreation(const Settings& settings, const std::vector<std::string>& topics,
                    std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
