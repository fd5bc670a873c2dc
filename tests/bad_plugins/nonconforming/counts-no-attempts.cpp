#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmFailed(Failures failures) override {
    Good::ConfirmFailed(failures);
    for (auto& [id, failed] : outbox->failed) failed.attempts = 1;
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("counts-no-attempts"))
