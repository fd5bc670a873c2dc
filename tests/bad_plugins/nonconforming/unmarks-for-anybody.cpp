#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void Release(RowIds ids) override {
    for (const RowId& id : ids)
      if (const auto mark = outbox->marks.find(id.number()); mark != outbox->marks.end()) mark->second.relay.clear();
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("unmarks-for-anybody"))
