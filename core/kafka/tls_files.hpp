// Finds out which of the files that ssl.* properties name is unusable, and why. OpenSSL reports neither.
#pragma once

#include "kafka/rdkafka.hpp"
#include "util/status.hpp"

namespace outbox::kafka {

// Checks the files that `conf` names, after librdkafka has refused `conf`. Returns OK if none of the files has a
// problem. Errors: OUTBOX_BAD_CONFIG or kShortage; the text names the property and the file.
[[nodiscard]] Status TlsFileTrouble(const rd_kafka_conf_t* conf);

}  // namespace outbox::kafka
