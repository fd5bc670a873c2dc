// Compiles the C headers as C++17 and as C++20. The SDK's own C++ headers need C++20.
#include "outbox/ext/admin.h"
#include "outbox/ext/columns.h"
#include "outbox/ext/emit.h"
#include "outbox/ext/leases.h"
#include "outbox/ext/poison.h"
#include "outbox/ext/schema.h"
#include "outbox/ext/stats.h"
#include "outbox/ext/testing.h"
#include "outbox/ext/wakeup.h"
#include "outbox/plugin.h"

#if __cplusplus > 201703L
#include "outbox/adapter.hpp"
#endif

bool HeaderCompiles(const outbox_batch* batch) { return OUTBOX_HAS(outbox_batch, batch, owner); }
