#include <thread>

#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmEvent(ConfirmedRows, KeptRows&) override {
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("hangs"))
