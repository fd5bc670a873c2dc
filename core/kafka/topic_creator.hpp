// Brokers that are set to create topics by themselves (auto.create.topics.enable) do so for a client that asks for a topic by
// name and allows it. The relay's producers never allow it: they ask again and again for all topics that they know, and would
// bring a deleted one back. An event that needs a topic asks once, through a client that ends with the answer.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kafka/settings.hpp"

namespace outbox::kafka {

// Best effort: whether the topics are there is to be seen afterwards.
void AskForCreation(const Settings& settings, const std::vector<std::string>& topics,
                    std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
