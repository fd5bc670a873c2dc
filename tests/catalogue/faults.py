"""The catalogue: every fault that somebody running the relay may meet, by number.

A test says in its name which faults it is for: `test_restarted_b26` in Python, `[b26]` in a TEST_CASE. Where the name
says something else already, of a case of the contract or a scenario of the simulation, it stands in `also`.
`note` says why there is no test, or what the tests leave open.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Fault:
    number: int
    what: str
    also: tuple = ()
    note: str = ""


DESIGN = "Cannot arise: "
OPEN = "Not tested: "

GROUPS = {
    "The relay's process": [
        Fault(1, "killed at any moment",
              ("simulation/relays-come-and-go", "contract/lease/expired-lease-is-taken-by-another")),
        Fault(2, "stopped for longer than its lease, then woken", ("simulation/paused",)),
        Fault(3, "the machine is suspended, and moves on with a clock that stood still",
              note=OPEN + "no machine is suspended in a test. Leases are measured by CLOCK_BOOTTIME, which goes on "
                   "meanwhile, and judged by the database. What follows is fault 2."),
        Fault(4, "no memory left"),
        Fault(5, "a call into a plugin or a library does not return"),
        Fault(6, "asked to stop with everything full, or with every peer dead"),
        Fault(7, "no room for the log", note="The relay writes no other file."),
        Fault(8, "no file descriptors left"),
        Fault(9, "next to no processor time"),
        Fault(10, "clocks of relays and database differ by minutes",
              ("simulation/clocks", "contract/lease/lease-ends-by-itself")),
        Fault(11, "a clock is set forward or back while it runs", ("simulation/clocks",)),
        Fault(12, "an old and a new version side by side",
              note="There is one version of the tables so far. Another one is refused, and plugins of before are taken."),
        Fault(13, "started while the database or Kafka is down"),
        Fault(14, "a wrong configuration"),
        Fault(15, "half a configuration is loaded anew", note=DESIGN + "a configuration is read once, at the start."),
    ],
    "The network": [
        Fault(16, "a connection is reset in the middle of a message"),
        Fault(17, "a peer vanishes and nobody tells"),
        Fault(18, "requests arrive, answers do not", ("simulation/broker", "simulation/database")),
        Fault(19, "slow answers, a byte at a time"),
        Fault(20, "a peer that takes little per second"),
        Fault(21, "bits flip on the way",
              note="Without TLS neither database's protocol has a checksum, so that what was altered cannot be noticed. "
                   "Kafka's batches have one."),
        Fault(22, "connections refused; a host's address changes"),
        Fault(23, "up and down all the time"),
        Fault(24, "cut off from the database, not from Kafka", ("simulation/database",)),
        Fault(25, "cut off from Kafka, not from the database", ("simulation/broker",)),
    ],
    "PostgreSQL": [
        Fault(26, "a session is ended, the server restarted"),
        Fault(27, "the server recovers and takes nobody yet"),
        Fault(28, "failover to a replica",
              note="To one that lagged behind, what is lost is the database's: docs/guarantees.md."),
        Fault(29, "the server becomes read-only"),
        Fault(30, "deadlock or serialization failure"),
        Fault(31, "locks of others, statements that take too long"),
        Fault(32, "a plan by which more rows are read than were asked for", ("contract/reserve/never-more-than-asked",)),
        Fault(33, "rows in another order than asked for", ("contract/reserve/ascending-per-key",)),
        Fault(34, "two readers share the rows of a key", ("contract/failed/followers-of-a-failed-key-wait",)),
        Fault(35, "a transaction stays open and keeps all deleted rows"),
        Fault(36, "transaction numbers run out",
              note="Reading takes none, a confirm takes one for all that it deletes."),
        Fault(37, "time stands still within a transaction", ("contract/lease/lease-ends-by-itself",),
              note="Leases are computed from clock_timestamp()."),
        Fault(38, "a row commits late, below ids that were sent",
              ("contract/visibility/late-commit-is-returned-first", "simulation/late-commits")),
        Fault(39, "table renamed, column gone, right withdrawn while it runs"),
        Fault(40, "no connection left, disk full"),
        Fault(41, "a pooler that changes sessions between statements",
              note=OPEN + "by hand with PgBouncer 1.18: in session mode all is well, in transaction mode nothing is sent "
                   "and the log says why. Debian's package starts a service, so no test asks for it."),
        Fault(42, "the connection for notifications is dead"),
    ],
    "MySQL and MariaDB": [
        Fault(43, "locks on gaps hold up the application's inserts"),
        Fault(44, "a lock wait that undoes one statement only"),
        Fault(45, "deadlock"),
        Fault(46, "MySQL and MariaDB speak differently"),
        Fault(47, "snapshot isolation refuses a changed record",
              note=DESIGN + "it is about REPEATABLE READ; the relay's sessions read committed, which is verified."),
        Fault(48, "a cluster refuses the commit of a confirm", ("simulation/database",),
              note="No test runs a cluster. A confirm that failed is repeated as it is."),
        Fault(49, "idle sessions closed, sessions killed"),
        Fault(50, "a message above max_allowed_packet", ("contract/confirm/ten-thousand-at-once",),
              note="An event must fit: docs/databases.md."),
        Fault(51, "the server becomes read-only"),
        Fault(52, "a binary log of statements"),
        Fault(53, "odd character sets, collations, modes and zones", ("contract/values/keys-differ-by-every-byte",)),
    ],
    "SQLite": [
        Fault(54, "another writer has the lock"),
        Fault(55, "a reading transaction that cannot become a writing one",
              note="The relay's writing transactions begin as such."),
        Fault(56, "a reader keeps the write-ahead log from being reset"),
        Fault(57, "disk full, file read-only",
              note="A file that becomes read-only stays writable for who has it open; at the start it is told."),
        Fault(58, "the file is missing"),
        Fault(59, "the file is replaced while it is open"),
        Fault(60, "the file is on a network file system", note=OPEN + "do not, says docs/databases.md."),
        Fault(61, "VACUUM and changes of the schema while it runs"),
        Fault(62, "the host's clock jumps, and there is no other", ("simulation/clocks",)),
    ],
    "Kafka": [
        Fault(63, "a broker is restarted, a leader changes", ("simulation/broker",),
              note="The tests' Kafka is one node; that it leads no more is said in its name."),
        Fault(64, "not enough replicas, before or after the append", ("simulation/broker",)),
        Fault(65, "stored, and the answer is lost", ("simulation/broker",)),
        Fault(66, "stored, and the answer comes after the time for it", ("simulation/broker",)),
        Fault(67, "the older half of what waits times out, the younger is sent", ("simulation/broker",),
              note="The relay's client lets nothing time out; the mutant message-timeout is caught for it."),
        Fault(68, "one record refused for good, later ones of its key on the way", ("simulation/poison-blocks",)),
        Fault(69, "retries that change the order"),
        Fault(70, "the producer fails for good", ("simulation/broker",)),
        Fault(71, "no such topic, or no more"),
        Fault(72, "an event that is too large"),
        Fault(73, "wrong password, certificate run out"),
        Fault(74, "one topic is forbidden"),
        Fault(75, "the client's queue is full",
              note="It is sized by the relay's window, and cannot be configured to be smaller."),
        Fault(76, "the broker's disk is full; the broker throttles"),
        Fault(77, "a broker that is frozen and thaws, again and again"),
        Fault(78, "a request of an old producer arrives after the new one's", ("simulation/broker",)),
        Fault(79, "a leader changes, and another partition sees things twice",
              note=OPEN + "the tests' Kafka is one node. The promise allows it: a broker that failed over is a fault."),
        Fault(80, "more partitions than before"),
        Fault(81, "another partitioner than other producers'"),
    ],
    "Data and plugins": [
        Fault(82, "any byte, nothing, empty, large",
              ("contract/values/bytes-are-bytes", "contract/values/absent-is-not-empty", "contract/values/keys-are-kept",
               "contract/values/large-payload-comes-whole")),
        Fault(83, "headers that are none"),
        Fault(84, "a topic's name that is none, or somebody else's"),
        Fault(85, "an event that always fails", ("simulation/poison-blocks", "simulation/poison-dies")),
        Fault(86, "names of tables that are SQL"),
        Fault(87, "a plugin's file that is none"),
        Fault(88, "a plugin that throws"),
        Fault(89, "a plugin or an event that ends the process", ("simulation/killers",)),
        Fault(90, "a plugin that does not return", ("contract/threads/timeout-bounds-the-call",)),
        Fault(91, "a plugin that answers what cannot be"),
        Fault(92, "a plugin that is unloaded while its threads live", ("contract/library/loads-with-rtld-now-local",),
              note="Plugins stay loaded. CI runs the tests in C++ under AddressSanitizer with its search for leaks."),
        Fault(93, "nothing for long, then very much"),
        Fault(94, "the table is emptied, ids begin anew"),
    ],
}
