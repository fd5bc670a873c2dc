/* Compiled as every C standard that the contract promises. Each header must compile without any other. */
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

int HeaderCompiles(const outbox_batch* batch);
int HeaderCompiles(const outbox_batch* batch) { return OUTBOX_HAS(outbox_batch, batch, owner); }
