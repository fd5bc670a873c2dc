#include "outbox.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

namespace outbox::memory {

Outbox::Outbox(const std::string& options, const outbox_host*) : random_(std::random_device{}()) {
  const auto json = nlohmann::json::parse(options, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw Error(OUTBOX_BAD_CONFIG, "options: expected a JSON object");
  for (const auto& [key, value] : json.items()) {
    if (key != "reserve")
      throw Error(OUTBOX_BAD_CONFIG, "options: unknown key '" + key + "'; the only one is 'reserve'");
    if (value != "shard" && value != "rows")
      throw Error(OUTBOX_BAD_CONFIG, "options: 'reserve' is " + value.dump() + ", expected: \"shard\" or \"rows\"");
    reserve = value == "rows" ? Reserve::kRows : Reserve::kShard;
  }
}

std::int64_t ToMicros(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

Event ToEvent(RowNumber id, const Row& row, std::uint32_t attempts) {
  return {id,          row.event_id,          row.key, row.event_type, row.topic, row.payload,
          row.headers, ToMicros(row.created), attempts};
}

std::map<std::string_view, RowNumber> Outbox::FirstFailed() const {
  std::map<std::string_view, RowNumber> first;
  for (const auto& [id, f] : failed)
    if (const Row& row = rows.at(id); row.key && !f.delivered) first.try_emplace(*row.key, id);
  return first;
}

std::uint32_t Outbox::ShardOf(RowNumber id, const Row& row) const {
  const std::size_t hash = row.key ? std::hash<std::string>{}(*row.key) : std::hash<RowNumber>{}(id);
  return static_cast<std::uint32_t>(hash % shards.size());
}

std::string Outbox::NewEventId() {
  const std::uint64_t high = random_(), low = random_();
  char uuid[37];
  std::snprintf(uuid, sizeof uuid, "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
                (high >> 16) & 0xFFFF, high & 0xFFF, 0x8000 | ((low >> 48) & 0x3FFF), low & 0xFFFFFFFFFFFF);
  return uuid;
}

}  // namespace outbox::memory
