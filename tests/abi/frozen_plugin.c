/* A plugin in plain C, built with the frozen headers of version 1.0. It returns three events and owns their memory. */
#include <string.h>

#include "outbox/ext/leases.h"
#include "outbox/plugin.h"

static int the_store;
static int released;

static outbox_code Open(const outbox_host* host, const char* options, size_t size, outbox_store** store,
                        outbox_error* error) {
  (void)error;
  host->log(host->ctx, OUTBOX_LOG_INFO, options, size);
  *store = (outbox_store*)&the_store;
  return OUTBOX_OK;
}
static void Close(outbox_store* store) { (void)store; }
static outbox_code Connect(outbox_store* store, const outbox_call* call, outbox_session** session,
                           outbox_error* error) {
  (void)call;
  (void)error;
  *session = (outbox_session*)store;
  return OUTBOX_OK;
}
static void Disconnect(outbox_session* session) { (void)session; }

static void Release(outbox_batch* batch) {
  (void)batch;
  ++released;
}
static outbox_bytes Bytes(const char* text) {
  outbox_bytes bytes;
  bytes.data = text;
  bytes.size = strlen(text);
  return bytes;
}
static outbox_row_id RowId(const char* text) {
  outbox_row_id id;
  id.bytes = Bytes(text);
  id.number = 0;
  return id;
}
static outbox_code Reserve(outbox_session* session, const outbox_reserve* ask, const outbox_call* call,
                           outbox_batch* batch, outbox_error* error) {
  static const char* const ids[] = {"1", "2", "3"};
  static outbox_event events[3];
  size_t i;
  (void)session;
  (void)call;
  (void)error;
  batch->count = 0;
  for (i = 0; i < 3 && batch->count < ask->max_events; ++i) {
    outbox_event* e = &events[batch->count];
    const outbox_row_id id = RowId(ids[i]);
    if (ask->is_outstanding(ask->ctx, &id)) continue;
    memset(e, 0, sizeof *e);
    e->row_id = id;
    e->event_id = e->aggregate_id = Bytes(ids[i]);
    e->event_type = e->topic = e->payload = Bytes("frozen");
    e->attempts = 7;
    ++batch->count;
  }
  batch->event_size = sizeof(outbox_event);
  batch->events = events;
  batch->token = 5;
  batch->lease_left_ms = ask->reserve_ms;
  batch->more = 0;
  batch->arena_bytes = sizeof events;
  batch->release = Release;
  return OUTBOX_OK;
}
static outbox_code Confirm(outbox_session* session, const outbox_row* rows, size_t count, const outbox_call* call,
                           uint8_t* kept, outbox_error* error) {
  (void)session;
  (void)call;
  if (count != 3 || released != 1) {
    strcpy(error->message, "expected three rows and one released batch");
    return OUTBOX_INTERNAL;
  }
  kept[1] = rows[1].event_id.size == 1;
  return OUTBOX_OK;
}
static outbox_code Failed(outbox_session* session, const outbox_failure* failures, size_t count,
                          const outbox_call* call, outbox_error* error) {
  (void)session;
  (void)failures;
  (void)count;
  strcpy(error->message, "stale");
  strcpy(error->sqlstate, "40001");
  error->native_code = 1213;
  return call->token == 5 ? OUTBOX_OK : OUTBOX_LEASE_LOST;
}

static outbox_code Heartbeat(outbox_session* session, outbox_bytes relay_id, int64_t lease_ms, const outbox_call* call,
                             outbox_lease* lease, outbox_error* error) {
  (void)session;
  (void)relay_id;
  (void)call;
  (void)error;
  lease->shards_total = lease->live_relays = lease->owned_count = 1;
  lease->lease_left_ms = lease_ms;
  lease->owned[0].shard = 0;
  lease->owned[0].state = OUTBOX_SHARD_OWNED;
  lease->owned[0].token = 5;
  return OUTBOX_OK;
}
static outbox_code ReturnShards(outbox_session* session, outbox_bytes relay_id, const outbox_owned_shard* shards,
                                size_t count, uint32_t deregister, const outbox_call* call, outbox_error* error) {
  (void)session;
  (void)relay_id;
  (void)shards;
  (void)count;
  (void)deregister;
  (void)call;
  (void)error;
  return OUTBOX_OK;
}
static const void* Extension(const char* id) {
  static const outbox_leases_v1 leases = {sizeof leases, Heartbeat, ReturnShards};
  return strcmp(id, OUTBOX_LEASES_V1) == 0 ? &leases : NULL;
}

static const outbox_plugin table = {sizeof table, OUTBOX_ABI_MINOR, "frozen", "1.0.0", OUTBOX_CAN_SHARE, Open, Close,
                                    Connect,      Disconnect,       Reserve,  Confirm, Failed,           NULL, NULL,
                                    Extension};
const outbox_plugin* outbox_plugin_v1(void) { return &table; }
