// Adapts a Sender of the embedding program to the publisher interface.
#pragma once

#include <memory>

#include "outbox/relay.hpp"
#include "publisher/publisher.hpp"

namespace outbox::embed {

// Returns a publisher that calls `sender` on a thread of its own. The destructor waits for that thread, so for a call
// of Send() that is running.
[[nodiscard]] std::unique_ptr<publisher::Publisher> MakeSenderPublisher(publisher::PublisherListener& listener,
                                                                        std::shared_ptr<Sender> sender);

}  // namespace outbox::embed
