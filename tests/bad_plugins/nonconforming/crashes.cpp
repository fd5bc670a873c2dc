#include <cstdlib>

#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) override {
    if (rows.size() > 1000) std::abort();
    Good::ConfirmEvent(rows, kept);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("crashes"))
