#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmFailed(Failures failures) override {
    Begin({call().shard, outbox->shards[call().shard].token, call().timeout});
    Good::ConfirmFailed(failures);
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("never-fences"))
