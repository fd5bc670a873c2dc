"""Relays that are wrong on purpose. The checks that a correct relay passes must catch each of them.

`MUTANTS[name]` has the `binary` (None for the relay itself) and the `env` for servers.Relay.
"""

import dataclasses
import os

from servers.relay import environment, find_binary

# What has to happen in addition to writing before the error shows.
NOTHING = "nothing"
CRASH = "relays that are killed"
LATE = "transactions that commit after a later one of another key"
REFUSAL = "an event that is refused while others of its key wait"
POISON = "an event that can never be delivered"
LATE_DEAD_LETTER = "a relay that ends before its dead letter is written, after a later event of the key has arrived"
RESET = "requests that are refused or get no answer, while others of their keys wait"
TAKEOVER = "a relay that is paused past its lease, or cut off from its database"
STANDBY = "a second relay"


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    means: str  # engine: a separate program; client: interposes librdkafka; storage: interposes the storage plugin
    wrong: str
    needs: str
    breaks: str  # the finding that the checker must report

    @property
    def _folder(self):
        for folder in find_binary().parents:
            if (folder / "tests" / "chaos" / "outbox-relay-mutants").is_file():
                return folder / "tests" / "chaos"
        raise FileNotFoundError("no tests/chaos/outbox-relay-mutants beside the relay: build with -Dmutants=true")

    @property
    def binary(self):
        return self._folder / "outbox-relay-mutants" if self.means == "engine" else None

    @property
    def env(self):
        env = {"OUTBOX_MUTANT": self.name}
        if self.means == "client":
            env["LD_PRELOAD"] = str(self._folder / "outbox-mutant-client.so")
        if self.means == "storage":
            plugins = {**os.environ, **environment(find_binary())}.get("OUTBOX_PLUGIN_PATH", "")
            env["OUTBOX_PLUGIN_PATH"] = f"{self._folder / 'mutants'}:{plugins}"
        return env


MUTANTS = {mutant.name: mutant for mutant in (
    Mutant("optimistic-dead-letter", "engine", "a key goes on before its dead letter is committed", LATE_DEAD_LETTER, "order"),
    Mutant("restart-in-report-order", "engine", "after a reset, events are sent in the order of their reports", RESET, "order"),
    Mutant("every-report-is-good", "client", "a record that was not stored counts as delivered", RESET, "loss"),
    Mutant("not-idempotent", "client", "a request overtakes one that was refused", RESET, "order"),
    Mutant("confirm-before-ack", "storage", "a row is deleted when it is read", CRASH, "loss"),
    Mutant("id-cursor-only", "storage", "reads return only rows above the last id", LATE, "order"),
    Mutant("cuts-at-nul", "storage", "a payload ends at its first zero byte", NOTHING, "integrity"),
    Mutant("stale-reads", "storage", "a row that was confirmed is read again", NOTHING, "duplicates without a fault"),
    Mutant("failures-vanish", "storage", "an event that failed counts as delivered", POISON, "loss"),
    Mutant("failed-to-the-end", "storage", "an event that failed is moved behind the others of its key", REFUSAL, "order"),
    Mutant("two-owners", "storage", "a relay delivers shards that others own", STANDBY, "duplicates without a fault"),
    Mutant("lease-ignored", "storage", "a relay goes on after its lease was lost", TAKEOVER,
           "duplicates long after the fault"),
)}
