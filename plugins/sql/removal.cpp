#include "sql/removal.hpp"

namespace outbox::sql {
namespace {

constexpr const char* kStillThere = "the delete was carried out, and the row is still there";

}  // namespace

std::uint64_t RemoveDelivered(std::span<const DeliveredRow> rows, const RemovalSteps& steps) {
  if (rows.empty() || !steps.has_time()) return 0;
  std::vector<std::uint8_t> kept;
  try {
    kept = steps.remove(rows);
  } catch (const Error& error) {
    if (error.code != OUTBOX_REFUSED) throw;
    if (rows.size() == 1) {
      steps.postpone(rows, error.what());
      return 0;
    }
    const std::size_t half = rows.size() / 2;
    const std::uint64_t first = RemoveDelivered(rows.first(half), steps);
    return first + RemoveDelivered(rows.subspan(half), steps);
  }
  std::vector<DeliveredRow> gone, there;
  for (std::size_t i = 0; i < rows.size(); ++i) (kept[i] == 0 ? gone : there).push_back(rows[i]);
  if (!gone.empty()) steps.forget(gone);
  if (!there.empty()) steps.postpone(there, kStillThere);
  return gone.size();
}

}  // namespace outbox::sql
