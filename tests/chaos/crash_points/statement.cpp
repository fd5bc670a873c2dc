#include "statement.hpp"

#include <array>
#include <utility>

#include "points.hpp"

namespace outbox::crash_points {
namespace {

// For each statement, a piece of SQL that identifies it. If several pieces match, the first one counts. An operation of
// several statements is identified by its most important one. PostgreSQL records retries and dead letters with the same
// statement.
constexpr std::array<std::pair<std::string_view, Statement>, 16> kMarks = {{
    {"(relay_id, expires) values", Statement::kLeaseTaken},
    {" set expires = ", Statement::kRenew},
    {"state = 'free' where owner = ", Statement::kReturn},
    {"suspect_owners = case", Statement::kMark},
    {" set suspect = null", Statement::kUnmark},
    {"jsonb_object_keys", Statement::kFailure},
    {"died_at, reason, error)", Statement::kDead},
    {"remove_at, first_failed, last_failed, reason, error)", Statement::kFailure},
    {"select m.shards,", Statement::kRead},
    {"m.shards * 4", Statement::kRead},
    {"e.id = any($1) order by e.id) v", Statement::kLateRead},
    {" e where e.id in (", Statement::kLateRead},
    {"read uncommitted;", Statement::kGapLook},
    {"with settled as (delete from", Statement::kConfirm},
    {"delete e from (values", Statement::kConfirm},
    {"_event\" where id between ?1 and ?", Statement::kConfirm},
}};

thread_local Statement under_way = Statement::kOther;

void PassStep(std::size_t step) {
  if (under_way != Statement::kOther) Pass(Point(3 * static_cast<std::size_t>(under_way) + step));
}

}  // namespace

Statement Recognise(std::string_view sql) {
  for (const auto& [mark, statement] : kMarks)
    if (sql.find(mark) != std::string_view::npos) return statement;
  return Statement::kOther;
}

void Begin(Statement statement) {
  under_way = statement;
  PassStep(0);
}

void Sent() { PassStep(1); }

void Answered() {
  PassStep(2);
  Forget();
}

void Forget() { under_way = Statement::kOther; }

bool UnderWay() { return under_way != Statement::kOther; }

}  // namespace outbox::crash_points
