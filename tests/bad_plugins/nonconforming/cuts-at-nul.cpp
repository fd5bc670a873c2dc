#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void Insert(Events events) override {
    InsertChanged(*this, events, [](Event& e) {
      if (e.payload) e.payload = e.payload->substr(0, e.payload->find('\0'));
      return true;
    });
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("cuts-at-nul"))
