#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void Insert(Events events) override {
    InsertChanged(*this, events, [](Event& e) {
      e.payload = e.payload.value_or("");
      return true;
    });
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("null-is-empty"))
