#include "good.hpp"

namespace {
void Spoil(outbox_reserve& ask) { ask.max_bytes *= 1000; }
}  // namespace

REGISTER_SINNER(SpoiledTable<Spoil>("ignores-bytes"))
