// Which of the files that ssl.* properties name cannot be used, and why: OpenSSL says neither.
#pragma once

#include "kafka/rdkafka.hpp"
#include "util/status.hpp"

namespace outbox::kafka {

// To be asked after librdkafka has refused `conf`. OUTBOX_BAD_CONFIG or kShortage, with the property and the file; ok: there
// is nothing wrong with the files.
[[nodiscard]] Status TlsFileTrouble(const rd_kafka_conf_t* conf);

}  // namespace outbox::kafka
