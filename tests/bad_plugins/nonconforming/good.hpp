// The memory adapter as a base class: its source without its registration. Each nonconforming plugin derives from it
// and breaks one promise, which the file name of the plugin names.
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

// Calls the function of a good plugin with a request that `spoil` has changed. This makes violations possible that the
// C++ interface of the SDK prevents.
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
