#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    const auto before = outbox->marks;
    Good::ReserveNewEvents(request, batch);
    for (const auto& [id, mark] : before)
      if (mark.relay == request.relay_id()) outbox->marks.at(id).until = mark.until;
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("keeps-old-ends"))
