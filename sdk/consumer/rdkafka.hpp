// Owning pointers to librdkafka's objects.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

#include "outbox/detail/free_with.hpp"

namespace outbox::consumer {

using outbox::detail::FreeWith;

using ConfPtr = std::unique_ptr<rd_kafka_conf_t, FreeWith<rd_kafka_conf_destroy>>;
// Owns a client. Destroying it blocks until the threads of the client have ended.
using HandlePtr = std::unique_ptr<rd_kafka_t, FreeWith<rd_kafka_destroy>>;
using QueuePtr = std::unique_ptr<rd_kafka_queue_t, FreeWith<rd_kafka_queue_destroy>>;
using MessagePtr = std::unique_ptr<rd_kafka_message_t, FreeWith<rd_kafka_message_destroy>>;
using PartitionsPtr = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeWith<rd_kafka_topic_partition_list_destroy>>;
using HeadersPtr = std::unique_ptr<rd_kafka_headers_t, FreeWith<rd_kafka_headers_destroy>>;

}  // namespace outbox::consumer
