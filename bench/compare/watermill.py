"""Watermill's Forwarder (Go), which polls outbox topics in PostgreSQL and publishes to Kafka. Its program is
rivals/watermill/main.go, whose dependencies are pinned by go.mod and go.sum; --fetch builds it.

An application would write events with watermill's own publisher. Here a trigger on a view writes the same rows, so that
events are inserted with the same statement as for all rivals. Watermill deletes no rows; it stores the position up to which
it has published.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

from rival import Rival, cache, own_database, with_folder
from servers.process import Process, Unavailable

SOURCES = pathlib.Path(__file__).with_name("rivals") / "watermill"
VERSIONS = dict(re.findall(r"^\tgithub.com/ThreeDotsLabs/(\S+) v(\S+)$", (SOURCES / "go.mod").read_text(encoding="ascii"),
                           re.MULTILINE))

# The rows are those that forwarder.Publisher on top of sql.Publisher writes: a JSON envelope with the payload in base64.
# The outbox topic of an event depends only on its key, which keeps the order of the key.
VIEW = """
create view outbox_event as select 0 as id, '' as topic, '' as event_type, '' as aggregate_id, '' as payload where false;
create function write_event() returns trigger language plpgsql as $$
declare outbox text := 'watermill_outbox_' || abs(hashtext(new.aggregate_id)) % {topics};
begin
    execute format('insert into %I (uuid, payload, metadata, transaction_id)
                    values ($1, $2, ''{{}}'', pg_current_xact_id())', outbox) using gen_random_uuid(), json_build_object(
        'destination_topic', new.topic, 'uuid', gen_random_uuid(),
        'payload', replace(encode(convert_to(new.payload, 'UTF8'), 'base64'), E'\\n', ''),
        'metadata', json_build_object('aggregate_id', new.aggregate_id, 'event_type', new.event_type));
    return new;
end $$;
create trigger write_event instead of insert on outbox_event for each row execute function write_event();
"""
IS_BEHIND = """
select exists (
    select from watermill_outbox_{number} event, watermill_offsets_outbox_{number} position
    where event.transaction_id >= position.last_processed_transaction_id
      and (event.transaction_id, event."offset") > (position.last_processed_transaction_id, position.offset_acked))
"""


class Watermill(Rival):
    """Composed as in the example of the documentation, with the library's defaults."""

    name = "watermill, defaults"
    topics, batch, poll = 1, 100, "1s"  # SubscribeBatchSize and PollInterval: defaults of watermill-sql
    about = {**VERSIONS, "settings": "defaults"}

    def __init__(self, outbox, bootstrap, folder):
        self._outbox = outbox
        self._log = folder / "watermill.log"
        self._command = [_program(), "run", outbox.application["dsn"], self.topics, bootstrap, self.batch, self.poll]
        self.tables = [f"watermill_outbox_{number}" for number in range(self.topics)]

    @classmethod
    def missing(cls):
        return None if _program().is_file() else "not built; run bench/compare/run --fetch"

    @classmethod
    def fetch(cls):
        if not shutil.which("go"):
            raise Unavailable("building it needs Go (go), which is not installed")
        print(f"building the program of {SOURCES} with Go, into {_program().parent}", file=sys.stderr)
        part = _program().with_suffix(f".{os.getpid()}")
        done = subprocess.run(["go", "build", "-mod=readonly", "-buildvcs=false", "-o", part, "."], cwd=SOURCES,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"go build failed: {done.stderr.strip()[-500:]}")
        part.rename(_program())

    @classmethod
    @contextlib.contextmanager
    def beside(cls, bootstrap):
        with own_database() as outbox:
            subprocess.run([_program(), "init", outbox.application["dsn"], str(cls.topics)], check=True)
            outbox.ask(VIEW.format(topics=cls.topics))
            with with_folder(cls, outbox, bootstrap) as rival:
                yield outbox, rival

    def rest(self):
        if self.process and self.process.stop() != 0:
            raise RuntimeError(self.log())
        self.process = None

    def work(self):
        self.process = Process(self._command, self._log)

    def has_confirmed(self):
        return not any(self._outbox.ask(IS_BEHIND.format(number=number))[0] for number in range(self.topics))


class WatermillTuned(Watermill):
    """Several concurrent forwarders, larger batches and a short poll interval.

    A forwarder waits for the acknowledgement of each record before it takes the next event, and two forwarders of one
    outbox topic exclude each other (NextOffsetQuery locks the position). Several events are therefore in flight only if
    they are in several outbox topics (Config.ForwarderTopic). SubscribeBatchSize is large because the comment in
    schema_adapter_postgresql.go says that small batches cost performance. PollInterval is not shorter because with 10 ms
    and 32 forwarders, polling took one and a half of two cores.
    """

    name = "watermill, tuned"
    topics, batch, poll = 16, 1000, "50ms"
    about = {**VERSIONS, "settings": {"forwarders": topics, "SubscribeBatchSize": batch, "PollInterval": poll}}


def _program():
    sources = hashlib.sha256(b"".join((SOURCES / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")))
    return cache() / f"watermill-{VERSIONS['watermill-sql/v4']}-{sources.hexdigest()[:12]}" / "forwarder"
