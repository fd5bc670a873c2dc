#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) override {
    for (const ConfirmedRow row : rows)
      if (!outbox->rows.contains(row.row_id.number())) throw Error(OUTBOX_BAD_DATA, "no such row");
    Good::ConfirmEvent(rows, kept);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("confirm-needs-all"))
