"""What the drivers of database servers have in common."""

import functools

from servers.certificates import Authority


class ServerDatabase:
    """A database of `_server`, which is the test's own if `_own` is true: only then may the test stop it.

    A class says ask(sql), which returns rows as lines, connect(), and `_owner`, the user whom the server runs as.
    """

    place = "%s"
    READ_ONLY = "read-only"  # as the relay's log says it
    LOCK_ROWS = "select id from outbox_event for update"
    LOCK_SHARDS = "select shard from outbox_shard for update"

    def __init__(self, server, own):
        self._own = own
        self._server = server
        self.port = server.port
        if own:
            server.start()

    def close(self):
        if self._own:
            self._server.stop()

    def connect(self):
        raise NotImplementedError

    def ask(self, sql):
        raise NotImplementedError

    def numbers(self, sql):
        return [int(line) for line in self.ask(sql).split()]

    def start(self):
        self._server.start()

    def halt(self):
        self._server.halt("fast")

    def kill(self):
        """Kills every process of the server at once, as when the machine loses its power."""
        self._server.halt("kill")

    def hold(self, sql):
        """Returns a connection whose transaction has run `sql`."""
        link = self.connect()
        link.cursor().execute(sql)
        return link

    @property
    def _owner(self):
        raise NotImplementedError

    @functools.cached_property
    def _authority(self):
        return Authority(self._server.folder.path, self._owner)
