#include <thread>

#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    std::unique_lock lock(outbox->mutex);
    auto seen = outbox->marks;
    lock.unlock();
    std::this_thread::sleep_for(Millis(1));
    lock.lock();
    outbox->marks.swap(seen);
    lock.unlock();
    Good::ReserveNewEvents(request, batch);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("marks-what-it-saw"))
