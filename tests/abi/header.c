/* This file is compiled under each promised C standard. Each header must compile without the others. */
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
