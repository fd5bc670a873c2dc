#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmFailed(Failures failures) override {
    const auto before = outbox->marks;
    Good::ConfirmFailed(failures);
    for (const Failure& failure : failures)
      if (const auto id = memory::ParseId(failure.row_id); failure.disposition == Disposition::kBlock)
        outbox->marks.at(*id) = before.at(*id);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("keeps-marks-of-blocked"))
