-- Creates the outbox: sqlite3 outbox.db < schema.sql
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS outbox_event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- Ids are never reused, so a repeated confirm cannot remove a new event.
  event_id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  aggregate_id TEXT,
  event_type TEXT NOT NULL,
  topic TEXT NOT NULL,
  payload BLOB,
  headers TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  retry_at INTEGER,  -- When a failed event is due again, in ms since 1970 UTC; NULL = the event has not failed.
  error TEXT,
  -- 1 = the event was delivered, but its row could not be removed. It is never reserved again and holds back no row.
  delivered INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS outbox_key ON outbox_event (aggregate_id, id);
CREATE INDEX IF NOT EXISTS outbox_failed ON outbox_event (aggregate_id, id) WHERE retry_at IS NOT NULL;
