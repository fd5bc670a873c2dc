"""The Go package github.com/fedotovmax/outbox, which this project began as, in a program of one's own around it.

The program is not part of this tree: OUTBOX_GO_PACKAGE names it. It is run as PROGRAM DSN BROKERS PROCESS_TIMEOUT, makes its
sarama producer with acks=all, and calls outbox.New with Limit 100, Workers 10, Interval 5s, ReserveDuration 2m: the ends of
what Config allows, and the shortest interval. It stops at SIGTERM. The package reads its whole backlog at every tick
whatever the limit, and confirms event by event; rows that are done stay in the table.
"""

import contextlib
import os
import shutil

from rival import Rival, own_database, with_folder
from servers.process import Process

# As its README has it, but for the payload: text, as the other rivals' is, and cheaper than jsonb
TABLE = """
create table events (
    id uuid primary key default gen_random_uuid(), aggregate_id varchar(100) not null, event_topic varchar(100) not null,
    event_type varchar(100) not null, payload text not null,
    status varchar not null default 'new' check (status in ('new', 'done')),
    created_at timestamp default now(), reserved_to timestamp default null);
create view outbox_event as select 0 as id, event_topic as topic, event_type, aggregate_id, payload from events
"""


class GoPackage(Rival):
    name = "Go package, example"
    process_timeout = "2s"
    about = {"ProcessTimeout": process_timeout}
    tables = ("events",)
    keeps_order = False

    def __init__(self, outbox, bootstrap, folder):
        self._outbox = outbox
        self._command = [_program(), outbox.application["dsn"], bootstrap, self.process_timeout]
        self._log = folder / "go.log"

    @classmethod
    def missing(cls):
        program = _program()
        if not program:
            return "no program around it (OUTBOX_GO_PACKAGE, see bench/compare/go_package.py)"
        return None if shutil.which(program) else f"no program {program} (OUTBOX_GO_PACKAGE)"

    @classmethod
    @contextlib.contextmanager
    def beside(cls, bootstrap):
        with own_database() as outbox:
            outbox.hold(TABLE).close()
            with with_folder(cls, outbox, bootstrap) as rival:
                yield outbox, rival

    def rest(self):
        if self.process:
            self.process.stop()
        self.process = None

    def work(self):
        self.process = Process(self._command, self._log)

    def has_confirmed(self):
        return not self._outbox.ask("select exists (select 1 from events where status <> 'done')")[0]


class GoPackageUnlimited(GoPackage):
    """The one limit that can be lifted: how long a tick may take to reserve what waits."""

    name = "Go package, ProcessTimeout 10m"
    process_timeout = "10m"
    about = {"ProcessTimeout": process_timeout}


def _program():
    return os.environ.get("OUTBOX_GO_PACKAGE")
