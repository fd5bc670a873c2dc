#include "tests/simulation/writers.hpp"

#include <algorithm>

namespace outbox::simulation {

void Writers::Next() {
  if (begun_ >= parts_.scenario.events) return;
  Begin();
  const Time pause =
      random_.Below(10) == 0 ? random_.Between(0, kSecond) : random_.Between(0, parts_.scenario.writers_pause_us);
  parts_.world.After(pause, [this] { Next(); });
}

void Writers::Begin() {
  const Scenario& s = parts_.scenario;
  const auto count = static_cast<std::uint32_t>(1 + random_.Below(4));
  begun_ += count;
  std::vector<int> keys;
  for (std::uint32_t i = 0; i < count; ++i) {
    const int key = random_.Below(1000) < static_cast<std::uint64_t>(s.no_key * 1000)
                        ? kNoKey
                        : static_cast<int>(random_.Below(static_cast<std::uint64_t>(s.keys)));
    const bool again = std::find(keys.begin(), keys.end(), key) != keys.end();
    if (!parts_.chances.Happens(Chance::kRow, 1)) continue;
    // Inserting the row means waiting for the lock of its key, so the row is left out.
    if (key != kNoKey && s.writers_serialise && locked_.contains(key) && !again) continue;
    keys.push_back(key);
    if (key != kNoKey && s.writers_serialise) locked_.insert(key);
  }
  const bool roll_back = parts_.chances.Happens(Chance::kRollBack, s.roll_back);
  const bool long_open = parts_.chances.Happens(Chance::kLongOpen, s.long_open);
  const Time stays = random_.Between(0, long_open ? 2 * kSecond : 5 * kMillisecond);
  if (!parts_.chances.Happens(Chance::kTransaction, 1)) {
    for (const int key : keys) locked_.erase(key);
    return;
  }
  ++open_;
  // With the mutant id-reuse there is one writer at a time, so ids are taken at the commit.
  std::vector<Row> rows;
  if (s.mutant != Mutant::kIdReuse) rows = Insert(keys);
  parts_.world.After(stays, [this, keys, rows, roll_back]() mutable {
    if (parts_.scenario.mutant == Mutant::kIdReuse) rows = Insert(keys);
    End(rows, keys, roll_back);
  });
}

std::vector<Row> Writers::Insert(const std::vector<int>& keys) {
  const Scenario& s = parts_.scenario;
  std::vector<Row> rows;
  RowId id = 0;
  for (const int key : keys) {
    id = rows.empty() ? parts_.store.TakeId() : s.mutant == Mutant::kIdReuse ? id + 1 : parts_.store.TakeId();
    const std::uint64_t spread = key == kNoKey ? id : static_cast<std::uint64_t>(key) * 0x9e3779b97f4a7c15u >> 32;
    Fate fate{.key = key,
              .spread = spread,
              .shard = ShardOf(spread, parts_.store.leases.shards()),
              .poison = Poison::kNone,
              .id = id};
    const auto poison = static_cast<Poison>(1 + random_.Below(s.poison_kinds));
    if (parts_.chances.Happens(Chance::kPoison, s.poison)) fate.poison = poison;
    if (parts_.chances.Happens(Chance::kKiller, s.killer)) fate.poison = Poison::kKiller;
    if (parts_.chances.Happens(Chance::kRefusedConfirm, s.refused_confirm)) fate.stays = Stays::kRefused;
    if (parts_.chances.Happens(Chance::kIgnoredConfirm, s.ignored_confirm)) fate.stays = Stays::kIgnored;
    rows.push_back({id, parts_.ledger.Written(fate), key});
    parts_.history.Say("writer inserts {}{}", parts_.ledger.Name(rows.back().event),
                       fate.poison == Poison::kNone ? "" : ", which is poison");
  }
  return rows;
}

void Writers::End(const std::vector<Row>& rows, const std::vector<int>& keys, bool roll_back) {
  --open_;
  for (const int key : keys) locked_.erase(key);
  if (rows.empty()) return;
  for (const Row& row : rows)
    parts_.history.Say("writer {} {}", roll_back ? "rolls back" : "commits", parts_.ledger.Name(row.event));
  if (!roll_back) return parts_.store.Commit(rows);
  for (const Row& row : rows) parts_.ledger.RolledBack(row.event);
}

}  // namespace outbox::simulation
