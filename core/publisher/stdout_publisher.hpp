// One line of JSON for each event, to stdout or another descriptor: to try the relay without Kafka, or to feed
// another program through a pipe.
//
//   {"topic":"orders","key":"o-1","headers":{"trace":"7"},"payload":"{\"total\":3}","event_id":"…","event_type":"…"}
//
// An absent key is null and a tombstone's payload is null, the empty ones are "". What is not UTF-8 is written as
// {"base64":"…"}. An event counts as stored when the kernel has taken its line.
#pragma once

#include <unistd.h>

#include <memory>

#include "publisher/headers.hpp"
#include "publisher/publisher.hpp"

namespace outbox::publisher {

// The descriptor stays the caller's. Destroying ends the writing at once, between two lines if the reader keeps up.
[[nodiscard]] std::unique_ptr<Publisher> MakeStdoutPublisher(PublisherListener& listener, int fd = STDOUT_FILENO,
                                                             HeaderValues headers = HeaderValues::kAsText);

}  // namespace outbox::publisher
