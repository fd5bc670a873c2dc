#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void Insert(Events events) override {
    InsertChanged(*this, events, [](Event& e) { return e.aggregate_id.has_value(); });
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("loses-null-keys"))
