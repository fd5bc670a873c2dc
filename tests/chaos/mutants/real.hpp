// Access to the real storage plugin behind a mutant, and to its batches.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "outbox/ext/admin.h"
#include "outbox/ext/leases.h"
#include "outbox/ext/stats.h"

namespace outbox::chaos {

// Returns the real plugin, which has the file name of this mutant and is in another folder of OUTBOX_PLUGIN_PATH. Ends
// the process if there is no such plugin.
const outbox_plugin& RealPlugin();

template <class Extension>
const Extension& RealExtension(const char* id) {
  return *static_cast<const Extension*>(RealPlugin().get_extension(id));
}

// Returns the current token of each shard that has an owner, by the number of the shard.
std::map<std::uint32_t, std::uint64_t> LivingTokens(outbox_session* session, const outbox_call* call);

std::vector<outbox_event> EventsOf(const outbox_batch& batch);
// Replaces the events of the batch. The original events live as long as the batch, so the new events may point to the
// bytes of the original ones.
void Replace(outbox_batch& batch, std::vector<outbox_event> events);

}  // namespace outbox::chaos
