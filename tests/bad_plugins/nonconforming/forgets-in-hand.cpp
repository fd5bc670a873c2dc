#include "good.hpp"

namespace {
void Spoil(outbox_reserve& ask) { ask.is_outstanding = nullptr; }
}  // namespace

REGISTER_SINNER(SpoiledTable<Spoil>("forgets-in-hand"))
