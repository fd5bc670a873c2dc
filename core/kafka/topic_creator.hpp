// Makes brokers create topics. A broker that may create topics by itself (auto.create.topics.enable) does so for a
// client that requests the metadata of a topic by name and allows its creation. The relay's producers never allow the
// creation of topics: they query all topics that they know again and again, and would recreate a deleted topic. If an
// event needs a missing topic, the relay requests the topic once, through a client that is destroyed after the answer.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kafka/settings.hpp"

namespace outbox::kafka {

// Requests the topics, for at most `timeout`. Does not report success: the caller has to query afterwards whether the
// topics exist.
void AskForCreation(const Settings& settings, const std::vector<std::string>& topics,
                    std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
