// Finds out which of the files that ssl.* properties name is unusable, and why. OpenSSL reports neither.
#pragma once

#include "kafka/rdkafka.hpp"
#include "util/status.hpp"

namespace outbox::kafka {

// Checks the files after librdkafka has refused `conf`. The status is ok if nothing is wrong with them. Errors:
// OUTBOX_BAD_CONFIG or kShortage, with the property and the file.
[[nodiscard]] Status TlsFileTrouble(const rd_kafka_conf_t* conf);

}  // namespace outbox::kafka
