"""outbox-relay from the build folder with its default configuration, as in the other measurements."""

import contextlib

from rival import Rival, outbox_with_table


class Ours(Rival):
    name = "outbox-relay"
    settings = {}
    about = {"settings": "defaults"}

    def __init__(self, outbox, relay):
        self._outbox = outbox
        self._relay = relay
        self.process = None

    @classmethod
    @contextlib.contextmanager
    def beside(cls, bootstrap):
        with outbox_with_table(bootstrap, cls.settings) as (outbox, relay):
            yield outbox, cls(outbox, relay)

    def rest(self):
        if self.process and self._relay.stop() != 0:
            raise RuntimeError(self.log())
        self.process = None

    def work(self):
        self.process = self._relay.start()

    def has_confirmed(self):
        return self._outbox.is_empty()

    def log(self):
        return self._relay.log()


class OursWithWakeUp(Ours):
    """With a wake-up at each commit. The trigger that sends it is created by `migrate`, and costs the application's
    transactions some time."""

    name = "outbox-relay, wake_up"
    settings = {"wake_up": True}
    about = {"settings": settings}
