#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void Release(RowIds ids) override {
    for (const std::string_view text : ids)
      if (!outbox->rows.contains(std::stoull(std::string(text)))) throw Error(OUTBOX_LEASE_LOST, "no such row");
    Good::Release(ids);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("release-needs-all"))
