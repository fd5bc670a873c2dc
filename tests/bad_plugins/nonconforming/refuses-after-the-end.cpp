#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmFailed(Failures failures) override {
    std::erase_if(outbox->marks, [](const auto& one) { return one.second.until <= memory::Clock::now(); });
    Good::ConfirmFailed(failures);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("refuses-after-the-end"))
