// The C structs that the relay passes to a plugin. Each call of the plugin has a RawCall: it contains the shard, the
// token and the timeout of the call, and memory for an error text.
#pragma once

#include <algorithm>

#include "storage/store.hpp"

namespace outbox::storage {

struct RawCall {
  explicit RawCall(const Call& of)
      : call{sizeof call, of.shard, of.token, std::max<std::int64_t>(of.timeout.count(), 1)} {
    error.struct_size = sizeof error;
  }
  outbox_call call;
  outbox_error error{};
};

inline outbox_schema_options ToRaw(const SchemaOptions& options) {
  return {sizeof(outbox_schema_options),
          options.shards,
          options.payload.empty() ? outbox_bytes{nullptr, 0} : Raw(options.payload),
          options.wake_up ? 1U : 0U,
          options.rewrite_events ? 1U : 0U,
          options.remove_capture ? 1U : 0U};
}

}  // namespace outbox::storage
