#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmEvent(RowIds ids) override {
    for (const std::string_view id : ids)
      if (!outbox->rows.contains(std::stoull(std::string(id)))) throw Error(OUTBOX_BAD_DATA, "no such row");
    Good::ConfirmEvent(ids);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("confirm-needs-all"))
