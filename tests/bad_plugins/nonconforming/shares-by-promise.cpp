#include "good.hpp"

namespace {

outbox_plugin Table() {
  outbox_plugin table = TableOf<Good>("shares-by-promise");
  table.release_events = nullptr;
  table.get_extension = [](const char* id) {
    return id == std::string_view(OUTBOX_LEASES_V1) ? nullptr : TableOf<Good>("").get_extension(id);
  };
  return table;
}

}  // namespace

REGISTER_SINNER(Table())
