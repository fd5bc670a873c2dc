#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmEvent(ConfirmedRows rows, KeptRows&) override {
    const std::lock_guard lock(outbox->mutex);
    for (const ConfirmedRow row : rows) outbox->Forget(row.row_id.number());
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("confirms-by-id-alone"))
