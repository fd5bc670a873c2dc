-- sqlite3 outbox.db < schema.sql
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS outbox_event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: a repeated confirm must not meet a new event
  event_id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  aggregate_id TEXT,
  event_type TEXT NOT NULL,
  topic TEXT NOT NULL,
  payload BLOB,
  headers TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  retry_at INTEGER,  -- ms since 1970; NULL = has not failed
  error TEXT,
  delivered INTEGER NOT NULL DEFAULT 0  -- 1 = and could not be removed: never reserved again, holds nobody back
);
CREATE INDEX IF NOT EXISTS outbox_key ON outbox_event (aggregate_id, id);
CREATE INDEX IF NOT EXISTS outbox_failed ON outbox_event (aggregate_id, id) WHERE retry_at IS NOT NULL;
