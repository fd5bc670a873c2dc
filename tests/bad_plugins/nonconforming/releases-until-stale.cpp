#include "good.hpp"

namespace {

outbox_code OneByOne(outbox_session* s, const outbox_row_id* rows, std::size_t count, const outbox_call* call,
                     outbox_error* error) {
  for (std::size_t i = 0; i < count; ++i)
    if (const outbox_code code = TableOf<Good>("").release_events(s, rows + i, 1, call, error); code != OUTBOX_OK)
      return code;
  return OUTBOX_OK;
}

outbox_plugin Table() {
  outbox_plugin table = TableOf<Good>("releases-until-stale");
  table.release_events = OneByOne;
  return table;
}

}  // namespace

REGISTER_SINNER(Table())
