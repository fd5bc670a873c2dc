#include "sql/poison_marks.hpp"

namespace outbox::sql {
namespace {

constexpr const char* kHeld = " where shard = :shard and token = :token and owner is not null";
constexpr const char* kWasLost = "select cast(lost as [text]) from {shard}";
// suspect_owners is assigned first: MySQL evaluates assignments from left to right, and each of them reads the values
// that earlier ones have assigned.
constexpr const char* kMark = R"(update {shard} set
  suspect_owners = case when suspect = :row then suspect_owners + case when suspect_token = token then 0 else 1 end else 1 end,
  suspect_token = token, suspect = :mark)";
constexpr const char* kOwners = "select cast(suspect_owners as [text]) from {shard}";
constexpr const char* kForget = "update {shard} set suspect = null, lost = 0";

}  // namespace

Error NotLeased(const Call& call) {
  return {OUTBOX_LEASE_LOST, "shard " + std::to_string(call.shard) + " is not leased under this token"};
}

std::string PoisonMarks::In(const char* sql) const { return dialect_.In(tables_, sql) + kHeld; }

bool PoisonMarks::WasLost(Statements& db, const Call& call) const {
  const Rows rows = db.Run({In(kWasLost), {std::to_string(call.shard), std::to_string(call.token)}});
  if (rows.empty()) throw NotLeased(call);
  return ToNumber(rows[0][0]) != 0;
}

std::uint32_t PoisonMarks::Mark(Statements& db, const Call& call, const std::optional<RowId>& row) const {
  const std::string shard = std::to_string(call.shard), token = std::to_string(call.token);
  const Statement change =
      row ? Statement{In(kMark), {row->ToText(), row->ToText(), shard, token}} : Statement{In(kForget), {shard, token}};
  const Rows owners = db.RunTogether({change, {In(kOwners), {shard, token}}}).back();
  if (owners.empty()) throw NotLeased(call);
  return static_cast<std::uint32_t>(ToNumber(owners[0][0]));
}

}  // namespace outbox::sql
