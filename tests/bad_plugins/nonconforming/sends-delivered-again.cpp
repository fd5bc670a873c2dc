#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    {
      const std::lock_guard lock(outbox->mutex);
      std::erase_if(outbox->failed, [](const auto& one) { return one.second.delivered; });
    }
    Good::ReserveNewEvents(request, batch);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("sends-delivered-again"))
