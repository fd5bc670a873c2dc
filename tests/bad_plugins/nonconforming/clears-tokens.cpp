#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmFailed(Failures failures) override {
    Good::ConfirmFailed(failures);
    std::erase_if(outbox->marks, [](const auto& one) { return one.second.relay.empty(); });
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("clears-tokens"))
