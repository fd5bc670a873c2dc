// The base of the nonconforming plugins: the memory adapter without its registration as a plugin. Each nonconforming
// plugin derives from Good and breaks one promise, which the file name of the plugin describes.
#pragma once

#include "outbox/adapter.hpp"

#undef OUTBOX_REGISTER_SHARED_ADAPTER
#define OUTBOX_REGISTER_SHARED_ADAPTER(...)
#include "memory.cpp"  // NOLINT(bugprone-suspicious-include)

namespace {

using namespace outbox;  // NOLINT(google-build-using-namespace)
using outbox::memory::Outbox;

struct Good : outbox::memory::Adapter {
  explicit Good(std::shared_ptr<Outbox> shared) : Adapter(shared), outbox(std::move(shared)) {}
  std::shared_ptr<Outbox> outbox;
};

template <class A>
outbox_plugin TableOf(const char* name) {
  return *outbox::detail::PluginTable<A, Outbox>(name, "1.0.0",
                                                 OUTBOX_CAN_SHARE | OUTBOX_CAN_ORDER_KEYS | OUTBOX_CAN_FENCE |
                                                     OUTBOX_CAN_DEAD_LETTER | OUTBOX_ROW_IDS_ARE_NUMBERS);
}

// Calls reserve_new_events of the base with a request that `spoil` has changed. A plugin that does so can break
// promises that the C++ interface of the SDK enforces.
template <void (*spoil)(outbox_reserve&)>
outbox_code SpoiledReserve(outbox_session* s, const outbox_reserve* ask, const outbox_call* call, outbox_batch* batch,
                           outbox_error* error) {
  outbox_reserve spoiled = *ask;
  spoil(spoiled);
  return TableOf<Good>("").reserve_new_events(s, &spoiled, call, batch, error);
}
template <void (*spoil)(outbox_reserve&)>
outbox_plugin SpoiledTable(const char* name) {
  outbox_plugin table = TableOf<Good>(name);
  table.reserve_new_events = SpoiledReserve<spoil>;
  return table;
}

// Inserts the events after `change` has modified them. Drops events for which `change` returns false.
template <class F>
void InsertChanged(Good& adapter, Events events, F change) {
  std::vector<outbox_event> changed;
  for (Event e : events)
    if (change(e)) changed.push_back(ToRaw(e));
  adapter.memory::Adapter::Insert({changed.data(), changed.size()});
}

}  // namespace

#define REGISTER_SINNER(...)                                             \
  extern "C" OUTBOX_EXPORT const outbox_plugin* outbox_plugin_v1(void) { \
    static const outbox_plugin table = __VA_ARGS__;                      \
    return &table;                                                       \
  }
