#include "good.hpp"

namespace {
void Spoil(outbox_reserve& ask) { ask.sweep = 0; }
}  // namespace

REGISTER_SINNER(SpoiledTable<Spoil>("never-sweeps"))
