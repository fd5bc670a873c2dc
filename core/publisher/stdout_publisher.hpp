// A publisher that writes one line of JSON for each event to stdout or another descriptor. It is meant for trying the
// relay without Kafka, and for feeding another program through a pipe.
//
//   {"topic":"orders","key":"o-1","headers":{"trace":"7"},"payload":"{\"total\":3}","event_id":"…","event_type":"…"}
//
// An absent key or payload is null, an empty one is "". Bytes that are not UTF-8 are written as {"base64":"…"}. An
// event counts as acknowledged when the kernel has accepted its whole line.
#pragma once

#include <unistd.h>

#include <memory>

#include "publisher/headers.hpp"
#include "publisher/publisher.hpp"

namespace outbox::publisher {

// Makes the publisher. The caller keeps ownership of `fd`. The destructor stops writing at once: between two lines if
// the reader of the descriptor keeps up, otherwise possibly inside a line.
[[nodiscard]] std::unique_ptr<Publisher> MakeStdoutPublisher(PublisherListener& listener, int fd = STDOUT_FILENO,
                                                             HeaderValues headers = HeaderValues::kAsText);

}  // namespace outbox::publisher
