#include "good.hpp"

namespace {
void Spoil(outbox_reserve& ask) { ask.in_hand = nullptr; }
}  // namespace

REGISTER_SINNER(SpoiledTable<Spoil>("forgets-in-hand"))
