"""The common part of the servers for tests. A server is one process, which can be stopped and started again."""

from .process import free_port, wait_until


class Server:
    """Use it as a context manager, or call start() and stop().

    A derived class defines `name`, start(), stop() and _answers(), which is true when the process accepts clients. It sets
    `port`, and start() sets `_process`.
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
    """A database server whose data is in a temporary folder, which is removed when the server is stopped.

    A derived class defines halt(mode). `stop_mode` is the mode in which stop() halts the server.
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
