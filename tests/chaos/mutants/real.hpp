// The storage plugin that is spoiled, and its parts.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "outbox/ext/admin.h"
#include "outbox/ext/leases.h"
#include "outbox/ext/stats.h"

namespace outbox::chaos {

// The next of the same file name in OUTBOX_PLUGIN_PATH; ends the process where there is none.
const outbox_plugin& RealPlugin();

template <class Extension>
const Extension& RealExtension(const char* id) {
  return *static_cast<const Extension*>(RealPlugin().get_extension(id));
}

// The lease of each shard that somebody owns: shard to token.
std::map<std::uint32_t, std::uint64_t> LivingTokens(outbox_session* session, const outbox_call* call);

std::vector<outbox_event> EventsOf(const outbox_batch& batch);
// Puts these in the place of the batch's own, which live as long as the batch does.
void Replace(outbox_batch& batch, std::vector<outbox_event> events);

}  // namespace outbox::chaos
