#include "good.hpp"

namespace {
void Spoil(outbox_reserve& ask) { ask.max_events *= 10; }
}  // namespace

REGISTER_SINNER(SpoiledTable<Spoil>("ignores-limit"))
