/* outbox.wakeup/1: notifies the relay that rows may have been committed, so that it polls at once. It is only a hint:
 * the relay continues to poll, and finds the rows even if a notification is lost.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_WAKEUP_H
#define OUTBOX_EXT_WAKEUP_H
#include "../plugin.h"
#define OUTBOX_WAKEUP_V1 "outbox.wakeup/1"

/* The functions of outbox.wakeup/1.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Waits until rows may have been committed. The relay calls it on a session that is used for nothing else. It returns
   * OUTBOX_OK if the relay should poll now, OUTBOX_TIMEOUT if the call's timeout expired without a notification (which
   * is not an error), and OUTBOX_CANCELLED after cancel(). A notification that arrives between two calls must end the
   * next call at once. Thread: [session] */
  outbox_code (*wait)(outbox_session*, const outbox_call*, outbox_error*);
} outbox_wakeup_v1;
#endif
