"""Faults that only PostgreSQL has. The tests for every database are in test_database_faults.py."""

import contextlib
import os
import subprocess
import unittest

import psycopg2

from catalogue import faults
from fault_drivers import PostgresDatabase
from fault_scene import BACK, CAME_BACK, Scene
from servers import PostgresStandby, TemporaryFolder, unavailable, wait_until


class PostgresTest(unittest.TestCase):
    def database(self, own=False, kind=PostgresDatabase):
        made = kind(own)
        self.addCleanup(made.close)
        return made

    def by_a_role(self, scene):
        """Replaces the relay by one whose user is not a superuser and has all privileges that a relay needs. Returns the
        user."""
        user = f"mover_{scene.topic.partition('-')[2].replace('-', '')}"
        scene.database.run(f"create role {user} login; grant all on all tables in schema public to {user};"
                           f" grant all on all sequences in schema public to {user}")
        scene.relay = scene.relay_with(scene.database.options(user=user))
        scene.start()
        return user


class RefusalTest(PostgresTest):
    @faults(39)
    def test_right_withdrawn(self):
        scene = Scene(self, self.database())
        user = self.by_a_role(scene)
        scene.database.run(f"revoke delete on outbox_event from {user}")
        scene.wait_for_bad("permission denied for table outbox_event; grant .*delete")
        scene.database.run(f"grant delete on outbox_event to {user}")
        wait_until(lambda: scene.logged(BACK), 30, "the relay goes on")
        scene.finish(outages=1)

    @faults(40)
    def test_no_connection_left(self):
        scene = Scene(self, self.database())
        user = self.by_a_role(scene)
        scene.database.run(f"alter role {user} connection limit 0")
        scene.database.kill_sessions()
        scene.wait_for_bad(tries=3)
        scene.relay.wait_for_log("too many connections")
        scene.application.flow(20)
        scene.database.run(f"alter role {user} connection limit -1")
        scene.finish(outages=1)

    @faults(27)
    def test_recovery_takes_its_time(self):
        """Connections are refused with 57P03 until the recovery is complete."""
        database = self.database(own=True)
        scene = Scene(self, database).start()
        database.kill()
        database.recover()
        scene.wait_for_bad()
        scene.relay.wait_for_log("57P03|(not accepting connections|starting up)")
        database.recovered()
        scene.finish(outages=1, comes_back=True)

    @faults(26)
    def test_confirms_that_were_not_on_disk(self):
        """The server is killed before the last confirmations are on disk: their rows come back and are sent again."""
        database = self.database(own=True)
        database.run("alter system set wal_writer_delay = '10s'")
        database.run("select pg_reload_conf()")
        scene = Scene(self, database, lease="30s").start()
        scene.application.pause()
        scene.wait_until_empty()
        scene.application.commit(200)
        scene.wait_until_empty()
        database.kill()
        scene.wait_for_bad()
        database.start()
        scene.relay.wait_for_log(f".*({CAME_BACK}).*")
        scene.application.resume()
        scene.finish(outages=1, comes_back=True)


class DiskTest(PostgresTest):
    @faults(40)
    def test_disk_full(self):
        """The disk of the tables is full. A full disk of the write-ahead log would end the server."""
        database = self.database()
        folder = TemporaryFolder("tablespace", "postgres" if os.geteuid() == 0 else None)
        self.addCleanup(folder.remove)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,uid=postgres", "outbox-test", folder.path],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            unavailable(f"a small disk cannot be mounted on this machine: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", folder.path], check=True)
        scene = Scene(self, database)
        space = f"small_{os.getpid()}"
        database.run(f"create tablespace {space} location '{folder.path}'")
        database.run(f"alter table outbox_retry set tablespace {space}")
        scene.start()
        filler = folder.path / "filler"
        with open(filler, "wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))
        # The failure cannot be recorded, because it is the first one and needs disk space in the empty table.
        database.run("insert into outbox_event (topic, event_type, aggregate_id, payload)"
                     " values ('no such topic!', 'made', 'failing', '0')")
        scene.wait_for_bad("No space left on device")
        filler.unlink()
        wait_until(lambda: database.numbers("select attempts from outbox_retry") == [1], 30, "the failure is recorded")
        database.run("delete from outbox_event where topic = 'no such topic!'; delete from outbox_retry")
        scene.finish(outages=1, failures=1)
        database.run(f"alter table outbox_retry set tablespace pg_default; drop tablespace {space}")


class Replicated(PostgresDatabase):
    """A server with a synchronous replica, which has each transaction before its commit is answered."""

    def __init__(self, own):
        super().__init__(own)
        self._standby = PostgresStandby(self._server)
        self._standby.start()
        self.run("alter system set synchronous_standby_names = '*'")
        self._server.reload()

    def close(self):
        self._standby.stop()
        super().close()

    def fail_over(self):
        self._server.halt("kill")
        self._standby.set({"synchronous_standby_names": ""})
        self._standby.promote()
        self._server, self._standby = self._standby, self._server

    def _anywhere(self):
        ports = f"{self._server.port},{self._standby.port}"
        return f"host=127.0.0.1,127.0.0.1 port={ports} user=postgres dbname=postgres target_session_attrs=read-write"

    def options(self, port=None, **more):
        return {"connection": f"{self._anywhere()} connect_timeout=2"}

    def connect(self):
        return psycopg2.connect(self._anywhere())


class FailoverTest(PostgresTest):
    @faults(28)
    def test_a_replica_takes_over(self):
        """Failover to a replica that has all committed transactions: nothing is lost. It may lack the last confirmations,
        because those do not wait for it."""
        scene = Scene(self, self.database(own=True, kind=Replicated)).start()
        scene.database.fail_over()
        scene.finish(outages=1, comes_back=True)


if __name__ == "__main__":
    unittest.main()
