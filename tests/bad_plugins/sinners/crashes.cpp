#include <cstdlib>

#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmEvent(RowIds ids) override {
    if (ids.size() > 1000) std::abort();
    Good::ConfirmEvent(ids);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("crashes"))
