"""The common part of the drivers of database servers."""

import functools

from servers.certificates import Authority


class ServerDatabase:
    """A database of `_server`. If `_own` is true, the server belongs to the test; only then may the test stop it.

    A derived class defines ask(sql), which returns rows as lines, connect(), and `_owner`, the user as whom the server
    runs.
    """

    place = "%s"
    READ_ONLY = "read-only"  # a part of the error in the relay's log
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
        """Kills every process of the server at once, as a power failure does."""
        self._server.halt("kill")

    def hold(self, sql):
        """Returns a connection whose transaction has executed `sql`."""
        link = self.connect()
        link.cursor().execute(sql)
        return link

    @property
    def _owner(self):
        raise NotImplementedError

    @functools.cached_property
    def _authority(self):
        return Authority(self._server.folder.path, self._owner)
