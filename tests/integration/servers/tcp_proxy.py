"""Stands between clients and a server on loopback, and can fall silent: it then passes nothing on and closes nothing,
as a network in which the peer has vanished. Nobody gets a FIN or a reset, and what is sent is acknowledged."""

import contextlib
import itertools
import socket
import threading

from .process import free_port


class TcpProxy:
    """Use as a context manager, or close() it."""

    def __init__(self, upstream_port, port=None):
        self.port = port or free_port()
        self._upstream_port = upstream_port
        self._passed = threading.Lock()
        self._silent_after = None  # answers of a new connection that still pass; None = all
        self._links = []
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def silence(self, after=0):
        """Falls silent on all connections; on new ones after so many answers, where an answer is what came at once."""
        with self._passed:
            self._silent_after = after
            for link in self._links:
                link.silent = True

    def heal(self):
        """New connections work. One that fell silent stays so to its end."""
        with self._passed:
            self._silent_after = None

    def close(self):
        for one in [self._listener, *self._sockets]:
            # shutdown wakes the threads that read; close alone would not
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    @staticmethod
    def _start(run, *arguments):
        threading.Thread(target=run, args=arguments, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream_port))
            except OSError:
                client.close()
                continue
            self._sockets += [client, server]
            self._serve(client, server)

    def _serve(self, client, server):
        with self._passed:
            link = _Link(self._silent_after)
            self._links.append(link)
        self._start(self._pass, link, client, server, itertools.repeat(None))
        self._start(self._pass, link, server, client, itertools.count(1))

    def _pass(self, link, source, target, answers):
        with contextlib.suppress(OSError):
            for answer in answers:
                data = source.recv(1 << 16)
                with self._passed:
                    silent = link.silent
                    if answer and answer == link.silent_after:
                        link.silent = True
                if silent and not data:
                    return  # the other side never hears of the end
                if not data:
                    break
                if not silent:
                    target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Link:
    def __init__(self, silent_after):
        self.silent_after = silent_after
        self.silent = silent_after == 0
