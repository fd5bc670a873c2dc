#include "good.hpp"

namespace {
void Spoil(outbox_reserve& ask) {
  const std::string_view id = View(ask.relay_id);
  ask.relay_id = Raw(id.substr(0, id.rfind('#')));
}
}  // namespace

REGISTER_SINNER(SpoiledTable<Spoil>("marks-by-name"))
