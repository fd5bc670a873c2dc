/* The smallest possible plugin: an outbox that is always empty, in plain C. The bad C plugins are variations of it. */
#include <string.h>

#include "outbox/plugin.h"

static outbox_code Open(const outbox_host* host, const char* options, size_t size, outbox_store** store,
                        outbox_error* error) {
  static int the_store;
  (void)host, (void)options, (void)size, (void)error;
  *store = (outbox_store*)&the_store;
  return OUTBOX_OK;
}
static void Close(outbox_store* store) { (void)store; }

static outbox_code Connect(outbox_store* store, const outbox_call* call, outbox_session** session,
                           outbox_error* error) {
  (void)call, (void)error;
  *session = (outbox_session*)store;
  return OUTBOX_OK;
}
static void Disconnect(outbox_session* session) { (void)session; }

static void ReleaseNothing(outbox_batch* batch) { (void)batch; }
static outbox_code Reserve(outbox_session* session, const outbox_reserve* ask, const outbox_call* call,
                           outbox_batch* batch, outbox_error* error) {
  (void)session, (void)ask, (void)call, (void)error;
  batch->event_size = sizeof(outbox_event);
  batch->release = ReleaseNothing;
  return OUTBOX_OK;
}
static outbox_code Confirm(outbox_session* session, const outbox_row* rows, size_t count, const outbox_call* call,
                           uint8_t* kept, outbox_error* error) {
  (void)session, (void)rows, (void)count, (void)call, (void)kept, (void)error;
  return OUTBOX_OK;
}
static outbox_code Failed(outbox_session* session, const outbox_failure* failures, size_t count,
                          const outbox_call* call, outbox_error* error) {
  (void)session, (void)failures, (void)count, (void)call;
  strcpy(error->message, "an empty outbox has no event that could fail");
  return OUTBOX_BAD_DATA;
}
static const void* Extension(const char* id) {
  (void)id;
  return NULL;
}

#define PLAIN_TABLE(name)                                                                                          \
  {                                                                                                                \
    sizeof(outbox_plugin), OUTBOX_ABI_MINOR, name, "1.0.0", 0, Open, Close, Connect, Disconnect, Reserve, Confirm, \
        Failed, NULL, NULL, Extension                                                                              \
  }
