"""An application that commits orders together with their events, and continues during every fault.

Its table `orders` shows what was committed, even if the answer to a commit was lost: an order that is in the table must be
in the topic, and an order that is not in the table must not be in the topic.
"""

import collections
import contextlib
import random
import threading
import time

from servers import wait_until

KEYS = 5
PAUSE = 0.003  # seconds between two transactions


class Application:
    """`database.connect()` returns a DB-API connection with transactions; `database.error` is the exception that its calls
    raise."""

    TABLE = "create table orders (number bigint primary key)"

    def __init__(self, database, topic, seed=1):
        self._database = database
        self._topic = topic
        self._dice = random.Random(seed)
        self._numbers = 0
        self._drawn = threading.Lock()
        self._flowing = threading.Event()
        self._paused = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.commits = 0  # transactions whose commit was answered

    def start(self):
        self._flowing.set()
        self._thread.start()

    def pause(self):
        """Pauses the application. Returns when it has no open transaction."""
        self._paused.clear()
        self._flowing.clear()
        wait_until(lambda: self._paused.is_set() or not self._thread.is_alive(), 60, "the application has paused")

    def resume(self):
        self._flowing.set()

    def stop(self):
        self._stopping = True
        self._flowing.set()
        if self._thread.ident is None:
            return
        self._thread.join(60)
        if self._thread.is_alive():
            raise TimeoutError("the application has not returned from a database call for 60 s")

    def flow(self, transactions=20):
        """Waits until the application has committed that many more transactions."""
        goal = self.commits + transactions
        wait_until(lambda: self.commits >= goal or not self._thread.is_alive(), 60, f"{transactions} transactions are committed")
        if not self._thread.is_alive():
            raise RuntimeError("the application has ended")

    def order(self, link, key=None):
        """Inserts one order with its event; the caller commits. Returns its number."""
        with self._drawn:
            self._numbers += 1
            number = self._numbers
        cursor = link.cursor()
        place = self._database.place
        cursor.execute(f"insert into orders (number) values ({place})", (number,))
        cursor.execute("insert into outbox_event (topic, event_type, aggregate_id, payload) "
                       f"values ({place}, 'ordered', {place}, {place})",
                       (self._topic, key or f"key-{number % KEYS}", str(number)))
        cursor.close()
        return number

    def commit(self, count=1, key=None):
        """Commits orders over a separate connection, independently of the application's thread. Returns their numbers."""
        link = self._database.connect()
        try:
            numbers = [self.order(link, key or "by-hand") for _ in range(count)]
            link.commit()
        finally:
            link.close()
        return numbers

    def _work(self):
        link = None
        while not self._stopping:
            if not self._flowing.is_set():
                self._paused.set()
                self._flowing.wait()
                continue
            try:
                link = link or self._database.connect()
                for _ in range(self._dice.randint(1, 4)):
                    self.order(link)
                if self._dice.random() < 0.15:
                    link.rollback()
                else:
                    link.commit()
                    self.commits += 1
            except self._database.error:
                self._close(link)
                link = None
            time.sleep(PAUSE)
        self._close(link)

    def _close(self, link):
        with contextlib.suppress(self._database.error):
            if link:
                link.close()

    def judge(self, test, records, twice=False):
        """Asserts that the records are exactly the committed orders, in order per key. Only with `twice` may an order
        arrive more than once."""
        orders = self._database.numbers("select number from orders order by number")
        arrived = [int(record.payload) for record in sorted(records, key=lambda r: (r.partition, r.offset))]
        lost, ghosts = sorted(set(orders) - set(arrived)), sorted(set(arrived) - set(orders))
        test.assertEqual((lost, ghosts), ([], []), "lost, ghosts")
        again = {number: times for number, times in collections.Counter(arrived).items() if times > 1}
        test.assertEqual(again if not twice else {}, {}, "arrived more than once, which this fault does not explain")
        lines = collections.defaultdict(list)
        for record in records:
            if int(record.payload) not in lines[record.key]:
                lines[record.key].append(int(record.payload))
        for key, numbers in lines.items():
            test.assertEqual(numbers, sorted(numbers), f"order of {key}")
