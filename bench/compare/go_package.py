"""The Go package github.com/fedotovmax/outbox, which this project began as, in a program around it that the user provides.

The program is not part of this tree: OUTBOX_GO_PACKAGE is its path. It is run as PROGRAM DSN BROKERS PROCESS_TIMEOUT. It
must create its sarama producer with acks=all, call outbox.New with Limit 100, Workers 10, Interval 5s and ReserveDuration
2m (the bounds of what Config allows, and the shortest interval), and stop at SIGTERM. The package reads its whole backlog
at every tick regardless of the limit, and confirms events one by one; rows that are done stay in the table.
"""

import contextlib
import os
import shutil

from rival import Rival, own_database, with_folder
from servers.process import Process

# The table of its README, except that the payload is text, as for the other rivals, which is cheaper than jsonb.
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
            return "no program for the package; set OUTBOX_GO_PACKAGE to its path (see bench/compare/go_package.py)"
        return None if shutil.which(program) else f"OUTBOX_GO_PACKAGE: {program} is not an executable program"

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
    """Raises the only limit that can be raised: how long a tick may take to reserve the backlog."""

    name = "Go package, ProcessTimeout 10m"
    process_timeout = "10m"
    about = {"ProcessTimeout": process_timeout}


def _program():
    return os.environ.get("OUTBOX_GO_PACKAGE")
