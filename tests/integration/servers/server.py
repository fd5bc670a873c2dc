"""What the servers of tests have in common: one process, which starts, takes clients, stops and may start again."""

from .process import free_port, wait_until


class Server:
    """Use as a context manager, or start() and stop().

    A class says `name`, start(), stop() and _answers(), which is true when the running process takes clients. It sets
    `port`, and in start() `_process`.
    """

    name = ""
    start_timeout = 120  # seconds
    _process = None

    @property
    def pid(self):
        return self._process.pid

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_until_ready(self, interval=0.02):
        wait_until(self._is_ready, self.start_timeout, f"{self.name} on port {self.port} takes connections", interval)

    def _is_ready(self):
        if self._process.returncode is not None:
            raise RuntimeError(f"{self.name} ended with {self._process.returncode}:\n{self._process.log_tail()}")
        return self._answers()

    def _answers(self):
        raise NotImplementedError

    def start(self):
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError


class DatabaseServer(Server):
    """A database with its data in a temporary folder, which is removed when the server is stopped.

    A class says halt(mode), and in `stop_mode` how it halts for the last time.
    """

    stop_mode = "kill"

    def __init__(self, folder):
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = free_port()
        self.data = folder.path / "data"

    def halt(self, mode="fast"):
        raise NotImplementedError

    def restart(self, mode="fast"):
        self.halt(mode)
        self.start()

    def stop(self):
        try:
            self.halt(self.stop_mode)
        finally:
            self.folder.remove()
