#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void Release(RowIds ids) override {
    Good::Release(ids);
    std::erase_if(outbox->marks, [](const auto& one) { return one.second.relay.empty(); });
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("clears-released-tokens"))
