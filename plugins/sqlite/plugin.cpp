#include "sqlite/adapter.hpp"

OUTBOX_REGISTER_SHARED_ADAPTER(outbox::sqlite::Adapter, outbox::sqlite::Config, "sqlite", OUTBOX_VERSION,
                               OUTBOX_CAN_SHARE | OUTBOX_CAN_ORDER_KEYS | OUTBOX_CAN_FENCE | OUTBOX_CAN_DEAD_LETTER |
                                   OUTBOX_CAN_FILL_SECRETS | OUTBOX_ROW_IDS_ARE_NUMBERS)
