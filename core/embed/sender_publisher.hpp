// Adapts a Sender of the embedding program to the publisher interface.
#pragma once

#include <memory>

#include "outbox/relay.hpp"
#include "publisher/publisher.hpp"

namespace outbox::embed {

// Returns a publisher that calls `sender` on a thread of its own. The publisher's destructor waits for that thread, and
// so for a running call of Send().
[[nodiscard]] std::unique_ptr<publisher::Publisher> MakeSenderPublisher(publisher::PublisherListener& listener,
                                                                        std::shared_ptr<Sender> sender);

}  // namespace outbox::embed
