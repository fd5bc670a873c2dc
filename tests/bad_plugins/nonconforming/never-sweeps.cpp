#include "good.hpp"

namespace {
void Spoil(outbox_reserve& ask) { ask.mode = 0; }
}  // namespace

REGISTER_SINNER(SpoiledTable<Spoil>("never-sweeps"))
