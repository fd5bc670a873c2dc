#include "sql/leases.hpp"

#include "sql/sql_template.hpp"

namespace outbox::sql {
namespace {

// Returns true if a third of the lease has passed. So a relay that sends a heartbeat every 250 ms writes only once in
// several seconds. Also returns true if more time is left than the whole of `lease`.
bool RenewalDue(Millis left, Millis lease) { return left * 3 < lease * 2 || left > lease; }

// This query returns one row for each shard of the relay, or one row with NULLs if the relay has none.
constexpr const char* kLook = R"(
select cast(m.shards as [text]),
  cast((select count(*) from {relay} r where r.relay_id <> t.me and r.expires > t.at) as [text]),
  cast((select [left] from {relay} r where r.relay_id = t.me) as [text]),
  cast((select count(*) from {shard} s
        where not exists (select 1 from {relay} r where r.relay_id = s.owner and r.expires > t.at)) as [text]),
  cast((select count(*) from {relay} r where r.relay_id <> t.me and r.expires > t.at and t.stem <> ''
        and [namesake]) as [text]),
  cast(s.shard as [text]), cast(s.token as [text]), s.state
from {meta} m cross join (select cast(:me as [text]) as me, cast(:stem as [text]) as stem, [now] as at[dual]) t left join {shard} s on s.owner = t.me
order by s.shard)";

// A relay whose row is gone has lost all its shards. A second statement checks whether the row still exists, because
// not every database reports how many rows an UPDATE matched.
constexpr const char* kRenew = "update {relay} set expires = [later] where relay_id = :me";
constexpr const char* kStillThere = "select relay_id from {relay} where relay_id = :me";

// The statements of a turn (see leases.hpp). The row of a dead relay is deleted when its shards are freed, so that a
// late renewal by that relay finds no row.
constexpr const char* kLock = "select 1 from {meta}[lock]";
constexpr const char* kForget = "delete from {relay} where relay_id = :me";
constexpr const char* kJoin = "insert into {relay} (relay_id, expires) values (:me, [later])";
constexpr const char* kDropDead = "delete from {relay} where expires <= [now] and relay_id <> :me";
constexpr const char* kFree = R"(
update {shard} set owner = null, state = 'free', lost = 1
where owner is not null and not exists (select 1 from {relay} r where r.relay_id = owner))";
// The number of shards is limited by a derived table, because MySQL cannot read the table that it changes in an
// ordinary subquery, and accepts no expression as a LIMIT.
constexpr const char* kTake = R"(
update {shard} set owner = :me, token = token + 1, state = 'owned'
where shard in (select f.shard from (
    select shard, row_number() over (order by shard) as place,
      (select count(*) from {shard} where owner = :mine and state = 'owned') as mine
    from {shard} where owner is null) f
  where f.place <= [share] - f.mine))";
// Chooses the shards to hand over, at most the surplus. A later turn does not replace the chosen shards by others. The
// relay finishes the outstanding events of these shards and then releases the shards.
constexpr const char* kHandOver = R"(
update {shard} set state = 'leaving'
where shard in (select f.shard from (
    select shard, row_number() over (order by shard desc) as place, count(*) over () as mine
    from {shard} where owner = :me and state = 'owned') f
  where f.place <= f.mine - [share]))";
constexpr const char* kOwned = R"(
select cast(m.shards as [text]), cast((select count(*) from {relay}) as [text]), cast(s.shard as [text]),
  cast(s.token as [text]), s.state
from {meta} m left join {shard} s on s.owner = :me order by s.shard)";
constexpr const char* kShare =
    "((select shards from {meta}) + (select count(*) from {relay}) - 1) [div] (select count(*) from {relay})";

constexpr const char* kReturn =
    "update {shard} set owner = null, state = 'free' where owner = :me and shard = :shard and token = :token";

constexpr const char* kHolders = R"(
select cast(s.shard as [text]), cast(s.token as [text]), s.owner, cast([left] as [text]),
  cast((select count(*) from {relay} l where l.expires > t.at) as [text])
from {shard} s cross join (select [now] as at[dual]) t left join {relay} r on r.relay_id = s.owner order by s.shard)";

}  // namespace

std::string Leases::In(const char* sql) const { return dialect_.In(tables_, Fill(sql, {{"[share]", kShare}})); }

struct Leases::Look {
  // The time `lease.left` is that of this relay's row, and is valid only if the relay is registered.
  Lease lease;
  bool registered;
  long long free;
  std::uint32_t kept;  // number of shards that this relay owns and is not asked to release
};

void Leases::AddShards(const Rows& rows, std::size_t column, Lease& lease) {
  for (const Row& row : rows) {
    if (!row[column]) continue;
    const bool leaving = row[column + 2] == "leaving";
    lease.owned.push_back({static_cast<std::uint32_t>(ToNumber(row[column])),
                           static_cast<std::uint32_t>(leaving ? OUTBOX_SHARD_RELEASE : OUTBOX_SHARD_OWNED),
                           static_cast<std::uint64_t>(ToNumber(row[column + 1]))});
  }
}

Leases::Look Leases::LookAround(Statements& db, const std::string& relay) const {
  // A relay id is NAME#INCARNATION, and all incarnations have the same length. An id without a # has no name, because
  // npos + 1 is 0.
  const Rows rows = db.Run({In(kLook), {relay, relay.substr(0, relay.rfind('#') + 1)}});
  if (rows.empty()) throw Error(OUTBOX_BAD_CONFIG, std::string("the meta table is empty; ") + kMigrate);
  Look look{.lease = {}, .registered = rows[0][2].has_value(), .free = ToNumber(rows[0][3]), .kept = 0};
  look.lease.shards_total = static_cast<std::uint32_t>(ToNumber(rows[0][0]));
  look.lease.live_relays = static_cast<std::uint32_t>(ToNumber(rows[0][1])) + 1;
  look.lease.left = Millis(ToNumber(rows[0][2]));
  look.lease.namesakes = static_cast<std::uint32_t>(ToNumber(rows[0][4]));
  AddShards(rows, 5, look.lease);
  for (const outbox_owned_shard& shard : look.lease.owned) look.kept += shard.state == OUTBOX_SHARD_OWNED ? 1 : 0;
  return look;
}

Lease Leases::Heartbeat(Statements& db, const std::string& relay, Millis lease) const {
  Look look = LookAround(db, relay);
  const std::uint32_t total = look.lease.shards_total, live = look.lease.live_relays;
  const std::uint32_t share = (total + live - 1) / live;
  // If every shard has a live owner, and no relay owns more than one shard, a further relay gets no shard, so it does
  // not register. A relay with a live namesake registers in any case, so that the namesake can report it.
  if (look.lease.owned.empty() && look.free == 0 && live > total && look.lease.namesakes == 0) {
    look.lease.left = Millis(0);
    return look.lease;
  }
  const auto turn = [&] {
    Lease got = Turn(db, relay, lease);
    got.namesakes = look.lease.namesakes;
    return got;
  };
  if (!look.registered || (look.free > 0 && look.kept < share) || look.kept > share) return turn();
  if (!RenewalDue(look.lease.left, lease)) return look.lease;
  if (db.RunTogether({{In(kRenew), {std::to_string(lease.count()), relay}}, {In(kStillThere), {relay}}}).back().empty())
    return turn();
  look.lease.left = lease;
  return look.lease;
}

Lease Leases::Turn(Statements& db, const std::string& relay, Millis lease) const {
  const Rows rows = db.RunTogether({{In(kLock), {}},
                                    {In(kForget), {relay}},
                                    {In(kJoin), {relay, std::to_string(lease.count())}},
                                    {In(kDropDead), {relay}},
                                    {In(kFree), {}},
                                    {In(kTake), {relay, relay}},
                                    {In(kHandOver), {relay}},
                                    {In(kOwned), {relay}}})
                        .back();
  Lease got;
  got.left = lease;
  got.shards_total = static_cast<std::uint32_t>(ToNumber(rows.at(0)[0]));
  got.live_relays = static_cast<std::uint32_t>(ToNumber(rows[0][1]));
  AddShards(rows, 2, got);
  return got;
}

void Leases::Return(Statements& db, const std::string& relay, std::span<const outbox_owned_shard> shards,
                    bool deregister) const {
  std::vector<Statement> steps;
  for (const outbox_owned_shard& one : shards)
    steps.push_back({In(kReturn), {relay, std::to_string(one.shard), std::to_string(one.token)}});
  if (deregister) steps.push_back({In(kForget), {relay}});
  if (!steps.empty()) (void)db.RunTogether(steps);
}

void Leases::Read(Statements& db, Statistics& stats) const {
  const Rows rows = db.Run({In(kHolders), {}});
  stats.shards_total = static_cast<std::uint32_t>(rows.size());
  for (const Row& row : rows) {
    ShardHolder& holder = stats.holders.emplace_back();
    holder.shard = static_cast<std::uint32_t>(ToNumber(row[0]));
    holder.token = static_cast<std::uint64_t>(ToNumber(row[1]));
    stats.live_relays = static_cast<std::uint32_t>(ToNumber(row[4]));
    // The shard has no owner, or its owner deregistered without releasing it. (The row of a dead relay is deleted in
    // the same transaction that frees its shards.)
    if (!row[3]) continue;
    holder.relay_id = row[2];
    holder.expires_in = Millis(ToNumber(row[3]));
    stats.shards_owned += holder.expires_in.count() > 0 ? 1 : 0;
  }
}

}  // namespace outbox::sql
