"""A proxy between clients and a server on the loopback interface that simulates a bad network: it can stop passing data on,
reset connections, delay data, and limit the rate.

A silent connection passes nothing on and is not closed, as if the peer had disappeared from the network, except that the
kernel still acknowledges what is sent. Neither side gets a FIN or a reset.
"""

import contextlib
import itertools
import socket
import struct
import threading
import time

from .process import free_port

UP, DOWN = "up", "down"  # directions: to the server, to the client
BITE = 1 << 16


class TcpProxy:
    """Use it as a context manager, or call close()."""

    def __init__(self, upstream_port, port=None):
        self.port = port or free_port()
        self._upstream_port = upstream_port
        self._passed = threading.Lock()
        self._links = set()
        self.swallowed = 0  # bytes that were dropped by silent connections
        self.used_up = 0    # connections that reset_after() has reset
        self.accepted = []  # times of all connections, by time.monotonic()
        self._calm()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _calm(self):
        self._shut = False
        self._silent = ()          # directions in which new connections are silent
        self._silent_after = None  # answers that a new connection passes before it is silent; None: it is never silent
        self._reset_after = None   # bytes in both directions after which a new connection is reset; None: it is never reset
        self._delay, self._rate, self._bite = 0.0, None, BITE

    def silence(self, after=0, directions=(UP, DOWN)):
        """Makes all connections silent, and each new one after `after` answers. What is received at once counts as one
        answer."""
        with self._passed:
            self._silent, self._silent_after = directions, after
            for link in self._links:
                link.silent = directions

    def cut(self):
        """Resets all connections. New ones are not affected."""
        with self._passed:
            links, self._links = self._links, set()
        for link in links:
            link.reset()

    def shut(self):
        """Resets all connections and closes each new one at once."""
        self._shut = True
        self.cut()

    def reset_after(self, count):
        """Resets all connections, and each new one when `count` bytes have passed through it."""
        self._reset_after = count
        self.cut()

    def slow(self, delay=0.0, rate=None, bite=BITE):
        """Passes on at most `bite` bytes at once, each after `delay` seconds, and at most `rate` bytes per second."""
        self._delay, self._rate, self._bite = delay, rate, bite

    def heal(self):
        """Ends all effects for new connections. A connection that is silent stays silent."""
        with self._passed:
            self._calm()

    def close(self):
        # shutdown() wakes the thread that accepts connections; close() alone would not.
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
                    return  # the other side does not get the end of the connection
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
        """Passes the data on, up to the limit of reset_after(). Returns False if that is reached and the connection was
        reset."""
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
        """Closes both sides at once with an RST instead of a FIN."""
        self.ended = True
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A thread that reads keeps the socket open, so close() alone would send nothing.
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RD)
            one.close()
