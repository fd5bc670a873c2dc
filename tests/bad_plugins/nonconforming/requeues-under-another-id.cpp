#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  std::uint64_t Requeue(RowIds ids) override {
    const std::uint64_t moved = Good::Requeue(ids);
    if (moved > 0) outbox->rows.rbegin()->second.event_id = outbox->NewEventId();
    return moved;
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("requeues-under-another-id"))
