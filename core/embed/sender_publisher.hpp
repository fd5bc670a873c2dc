// A Sender of somebody else's as a publisher of the engine's.
#pragma once

#include <memory>

#include "outbox/relay.hpp"
#include "publisher/publisher.hpp"

namespace outbox::embed {

// The sender is called on a thread of the publisher's own, which destroying waits for.
[[nodiscard]] std::unique_ptr<publisher::Publisher> MakeSenderPublisher(publisher::PublisherListener& listener,
                                                                        std::shared_ptr<Sender> sender);

}  // namespace outbox::embed
