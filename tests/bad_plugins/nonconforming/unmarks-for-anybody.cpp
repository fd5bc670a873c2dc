#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void Release(RowIds ids) override {
    for (const std::string_view text : ids)
      if (const auto id = memory::ParseId(text); id && outbox->marks.contains(*id)) outbox->marks.at(*id).relay.clear();
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("unmarks-for-anybody"))
