"""Twice a second, queries /readyz and /metrics of each relay and the waiting rows of the database."""

import contextlib
import http.client
import threading
import time

from metrics import parse_metrics
from servers import wait_until

PAUSE = 0.5  # seconds


def get(member, path):
    """Returns (status, body) of a relay's answer."""
    link = http.client.HTTPConnection("127.0.0.1", member.http, timeout=2)
    with contextlib.closing(link):
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read().decode()


def not_ready(cluster, seconds):
    """Waits until all relays are ready, `seconds` at most. Returns what those report that are still not ready then."""
    said = {}

    def look():
        said.clear()
        for member in cluster.members:
            try:
                status, text = get(member, "/readyz")
            except (OSError, http.client.HTTPException) as error:
                status, text = 0, repr(error)
            if status != 200 and not text.startswith("standby"):
                said[member.name] = text.strip()
        return not said

    with contextlib.suppress(TimeoutError):
        wait_until(look, seconds, "all relays are ready", interval=0.2)
    return [f"{name} is not ready {seconds} s after the last fault: {text}" for name, text in said.items()]


class Monitor:
    def __init__(self, cluster, journal):
        self._cluster, self._journal = cluster, journal
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(member,), daemon=True) for member in cluster.members]
        self._threads.append(threading.Thread(target=self._count, daemon=True))

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._ended.set()
        for thread in self._threads:
            thread.join(90)

    def _ask(self, member):
        while not self._ended.wait(PAUSE):
            asked = time.time()
            try:
                _, text = get(member, "/metrics")
                status, said = get(member, "/readyz")
            except (OSError, http.client.HTTPException):
                continue
            metrics = parse_metrics(text)
            self._journal.write(relay=member.name, asked=asked, answered=time.time(), ready=status == 200,
                                said=said.strip()[:200], backlog=metrics.get("outbox_relay_backlog_events"),
                                confirmed=metrics.get("outbox_relay_events_confirmed_total"))

    def _count(self):
        """Logs how many rows wait, and how long the oldest one has been seen to wait. Queries that fail are left out."""
        seen, link = {}, None
        database = self._cluster.database
        while not self._ended.wait(PAUSE):
            asked = time.time()
            try:
                link = link or database.connect_for_writing()
                cursor = link.cursor()
                cursor.execute(database.LOOK[0])
                cursor.execute("select id from outbox_event")
                ids = [row for row, in cursor.fetchall()]
                cursor.execute(database.LOOK[1])
            except database.error:
                link = cursor = None
                continue
            seen = {row: seen.get(row, asked) for row in ids}
            self._journal.write(asked=asked, answered=time.time(), rows=len(ids),
                                oldest=asked - min(seen.values(), default=asked))
