#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void EndEmit(bool) override { Good::EndEmit(true); }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("shows-uncommitted"))
