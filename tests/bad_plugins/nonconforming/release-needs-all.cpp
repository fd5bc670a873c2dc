#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void Release(RowIds ids) override {
    for (const RowId& id : ids)
      if (!outbox->rows.contains(id.number())) throw Error(OUTBOX_LEASE_LOST, "no such row");
    Good::Release(ids);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("release-needs-all"))
