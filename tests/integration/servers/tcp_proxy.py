"""Stands between clients and a server on loopback, and makes bad weather: it falls silent, resets, delays, drips.

Silent, it passes nothing on and closes nothing, as a network in which the peer has vanished: nobody gets a FIN or a reset,
and what is sent is acknowledged.
"""

import contextlib
import itertools
import socket
import struct
import threading
import time

from .process import free_port

UP, DOWN = "up", "down"  # to the server, to the client
BITE = 1 << 16


class TcpProxy:
    """Use as a context manager, or close() it."""

    def __init__(self, upstream_port, port=None):
        self.port = port or free_port()
        self._upstream_port = upstream_port
        self._passed = threading.Lock()
        self._links = set()
        self.swallowed = 0  # bytes, while it was silent
        self.used_up = 0    # connections that were reset after so many bytes
        self.accepted = []  # when each connection came, by time.monotonic()
        self._calm()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _calm(self):
        self._shut = False
        self._silent = ()          # directions
        self._silent_after = None  # answers of a new connection that still pass; None = all
        self._reset_after = None   # bytes that pass through a new connection, in both directions together
        self._delay, self._rate, self._bite = 0.0, None, BITE

    def silence(self, after=0, directions=(UP, DOWN)):
        """Falls silent on all connections; on new ones after so many answers, where an answer is what came at once."""
        with self._passed:
            self._silent, self._silent_after = directions, after
            for link in self._links:
                link.silent = directions

    def cut(self):
        """Resets all connections; new ones work."""
        with self._passed:
            links, self._links = self._links, set()
        for link in links:
            link.reset()

    def shut(self):
        """Resets all connections and ends each new one at once."""
        self._shut = True
        self.cut()

    def reset_after(self, count):
        """Resets all connections, and each new one when so many bytes have passed through it."""
        self._reset_after = count
        self.cut()

    def slow(self, delay=0.0, rate=None, bite=BITE):
        """Passes on at most `bite` bytes at once, each `delay` seconds later, at most `rate` bytes a second."""
        self._delay, self._rate, self._bite = delay, rate, bite

    def heal(self):
        """New connections work. One that fell silent stays so to its end."""
        with self._passed:
            self._calm()

    def close(self):
        # shutdown wakes the threads that read; close alone would not
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    @staticmethod
    def _start(run, *arguments):
        threading.Thread(target=run, args=arguments, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(time.monotonic())
            try:
                if self._shut:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self._upstream_port))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._passed:
                link = _Link(client, server, self._silent, self._silent_after, self._reset_after)
                self._links.add(link)
            self._serve(link)

    def _serve(self, link):
        self._start(self._pass, link, UP, link.client, link.server, itertools.repeat(None))
        self._start(self._pass, link, DOWN, link.server, link.client, itertools.count(1))

    def _pass(self, link, direction, source, target, answers):
        with contextlib.suppress(OSError):
            for answer in answers:
                data = source.recv(self._bite)
                with self._passed:
                    silent = direction in link.silent
                    if answer and answer == link.silent_after:
                        link.silent = link.then_silent
                if silent and not data:
                    return  # the other side never hears of the end
                if not data:
                    break
                if silent:
                    self.swallowed += len(data)
                    continue
                if self._delay or self._rate:
                    time.sleep(self._delay + (len(data) / self._rate if self._rate else 0))
                if not self._spend(link, data, target):
                    return
        self._ended(link)

    def _spend(self, link, data, target):
        """Passes the data on; False = that was the connection's last."""
        if link.left is not None and len(data) >= link.left:
            target.sendall(data[:link.left])
            with self._passed:
                self._links.discard(link)
                self.used_up += 1
            link.reset()
            return False
        if link.left is not None:
            link.left -= len(data)
        target.sendall(data)
        return True

    def _ended(self, link):
        with self._passed:
            self._links.discard(link)
        link.close()


class _Link:
    def __init__(self, client, server, directions, silent_after, left):
        self.client, self.server = client, server
        self.silent = directions if silent_after == 0 else ()
        self.then_silent, self.silent_after = directions, silent_after
        self.left = left
        self.ended = False

    def close(self):
        self.ended = True
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def reset(self):
        """Both sides get an RST instead of a FIN, at once."""
        self.ended = True
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A thread that reads holds the socket open, so that close alone would send nothing.
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RD)
            one.close()
