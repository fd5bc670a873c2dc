"""The faults that the nemesis injects. A fault is a generator function that causes the fault, yields, and then undoes it.

It yields a Harm: what the fault affects, which relays can move no events while it lasts, and how many windows of events may
be duplicated by it.
"""

import contextlib
import dataclasses
import threading
from typing import List, Tuple

from servers import wait_until
from servers.tcp_proxy import DOWN, UP
from cluster import LEASE, RELAYS


@dataclasses.dataclass
class Harm:
    to: str
    strikes: int  # how many events may be duplicated, in windows of one relay
    stops: List[str] = dataclasses.field(default_factory=list)  # names of the relays that can move no events


@dataclasses.dataclass
class Fault:
    name: str
    inflict: object
    touches: str  # what it affects; two faults with the same value do not overlap
    weight: int
    seconds: Tuple[float, float]
    databases: Tuple[str, ...] = ("postgres", "mariadb", "mysql", "sqlite")
    asks: bool = False  # it needs a working database, both to begin and to end


FAULTS = []
SERVERS = ("postgres", "mariadb", "mysql")


def fault(touches, weight=2, seconds=(0.5, 6), **more):
    def register(function):
        name = function.__name__.replace("_", "-")
        FAULTS.append(Fault(name, contextlib.contextmanager(function), touches, weight, seconds, **more))
        return function

    return register


# Faults of a relay. `scene.victim` is the relay that the nemesis has chosen.

@fault("relay", weight=5)
def relay_killed(scene):
    scene.victim.kill()
    yield Harm(scene.victim.name, 1)
    scene.victim.start()


@fault("relay", weight=3, seconds=(0.1, 4))
def relay_stopped(scene):
    if scene.victim.stop() != 0:
        scene.complain(f"{scene.victim.name} was stopped and ended with {scene.victim.relay.returncode}")
    yield Harm(scene.victim.name, 0 if scene.alone else 1)
    scene.victim.start()


@fault("relay", weight=2, seconds=(0.3, 0.9 * LEASE))
def relay_paused_within_its_lease(scene):
    with scene.victim.paused():
        yield Harm(scene.victim.name, 1)


@fault("relay", weight=3, seconds=(1.1 * LEASE, 3 * LEASE))
def relay_paused_past_its_lease(scene):
    with scene.victim.paused():
        yield Harm(scene.victim.name, 1)


@fault("relay", weight=1, seconds=(0.1, 3))
def relays_all_killed(scene):
    for member in scene.members:
        member.kill()
    yield Harm("all relays", RELAYS)
    for member in scene.members:
        member.start()


# Faults of the network between one relay, or all of them, and one peer.

def _edges(scene):
    """Chooses a peer (database or broker) and the relays (one or all) for a fault. Returns the peer and [(relay, its
    proxy)]."""
    peer = "kafka" if not scene.database.networked or scene.dice.random() < 0.5 else "database"
    members = scene.members if scene.dice.random() < 0.3 else [scene.victim]
    return peer, [(member, getattr(member, peer)) for member in members]


def _harm(peer, edges, strikes=1, stops=False):
    to = f"{peer} of {', '.join(member.name for member, _ in edges)}"
    return Harm(to, strikes * len(edges), [member.name for member, _ in edges] if stops else [])


def _heal(edges):
    for _, proxy in edges:
        proxy.heal()


@fault("edge", weight=3, seconds=(0.1, 0.2))
def connections_reset(scene):
    peer, edges = _edges(scene)
    for _, proxy in edges:
        proxy.cut()
    yield _harm(peer, edges)


@fault("edge", weight=3, seconds=(1, 14))
def connections_refused(scene):
    peer, edges = _edges(scene)
    for _, proxy in edges:
        proxy.shut()
    yield _harm(peer, edges, stops=True)
    _heal(edges)


@fault("edge", weight=3, seconds=(1, 5))
def reset_after_some_bytes(scene):
    peer, edges = _edges(scene)
    bytes_passed = scene.dice.choice((50, 500, 3000, 20_000))
    for _, proxy in edges:
        proxy.reset_after(bytes_passed)
    yield _harm(peer, edges, strikes=int(5 * 10))  # a reconnect takes at least 100 ms
    _heal(edges)
    for _, proxy in edges:
        proxy.cut()


def _silent(scene, directions):
    peer, edges = _edges(scene)
    for _, proxy in edges:
        proxy.silence(directions=directions)
    yield _harm(peer, edges, strikes=4, stops=True)
    _heal(edges)


@fault("edge", weight=3, seconds=(1, 14))
def half_open(scene):
    yield from _silent(scene, (UP, DOWN))


@fault("edge", weight=3, seconds=(1, 12))
def answers_lost(scene):
    yield from _silent(scene, (DOWN,))


@fault("edge", weight=1, seconds=(1, 8))
def requests_lost(scene):
    yield from _silent(scene, (UP,))


@fault("edge", weight=2)
def latency(scene):
    peer, edges = _edges(scene)
    for _, proxy in edges:
        proxy.slow(delay=scene.dice.choice((0.005, 0.05, 0.4)))
    yield _harm(peer, edges, strikes=2)
    _heal(edges)


@fault("edge", weight=2)
def slow_link(scene):
    peer, edges = _edges(scene)
    for _, proxy in edges:
        proxy.slow(rate=scene.dice.choice((5_000, 50_000)), bite=scene.dice.choice((1, 100, 1400)))
    yield _harm(peer, edges, strikes=3)
    _heal(edges)


def _flap(edges, ended, up, down):
    while not ended.is_set():
        for _, proxy in edges:
            proxy.shut()
        ended.wait(down)
        _heal(edges)
        ended.wait(up)


@fault("edge", weight=2, seconds=(2, 8))
def flapping_link(scene):
    peer, edges = _edges(scene)
    ended = threading.Event()
    thread = threading.Thread(target=_flap, args=(edges, ended, scene.dice.uniform(0.1, 1), scene.dice.uniform(0.05, 0.5)))
    thread.start()
    yield _harm(peer, edges, strikes=int(8 / 0.15))
    ended.set()
    thread.join()


@fault("edge", weight=4, seconds=(1, 3))
def answer_to_produce_lost(scene):
    """The broker has stored the records, and the connection breaks before its answer reaches the relay."""
    victim, chosen = scene.victim, scene.dice.randint(1, 6)
    lost = []

    def lose(request):
        if request.error == 0 and len(victim.frames.requests) >= chosen and not lost:
            lost.append(request)
            return True
        return False

    victim.frames.reset(lose=lose)
    yield Harm(f"kafka of {victim.name}", 1)
    victim.frames.reset()


@fault("edge", weight=2, seconds=(1, 3))
def request_refused(scene):
    """Refuses one request, as a broker does that has too few replicas for a moment."""
    victim, chosen = scene.victim, scene.dice.randint(0, 6)
    victim.frames.reset(refuse=lambda number, request: 19 if number == chosen else None)
    yield Harm(f"kafka of {victim.name}", 1)
    victim.frames.reset()


# Faults of the database.

@fault("database", weight=3, seconds=(0.1, 12), databases=SERVERS)
def database_restarted(scene):
    mode = scene.dice.choice(scene.database.restart_modes())
    scene.database.halt_by(mode)
    yield Harm(f"database, {mode}", RELAYS, scene.names())
    scene.database.start()


@fault("database", weight=3, seconds=(0.1, 0.2), databases=SERVERS)
def sessions_ended(scene):
    for _ in range(scene.dice.randint(1, 3)):
        scene.database.kill_sessions()
    yield Harm("sessions of all relays", 3 * RELAYS)


@fault("database", weight=2, seconds=(1, 12), databases=SERVERS)
def database_read_only(scene):
    scene.database.read_only(True)
    yield Harm("database", RELAYS)
    scene.database.read_only(False)


@fault("database", weight=3, seconds=(0.5, 9))
def locks_held(scene):
    """Another session holds locks. That session may end together with the server."""
    sql = scene.dice.choice(scene.database.LOCKS)
    link = scene.database.hold(sql)
    yield Harm(sql, RELAYS)
    with contextlib.suppress(scene.database.error):
        link.close()


@fault("snapshot", weight=2, seconds=(3, 20), asks=True)
def snapshot_held(scene):
    link = scene.database.connect_for_writing()
    cursor = link.cursor()
    for sql in scene.database.SNAPSHOT:
        cursor.execute(sql)
    yield Harm("a reader", 0)
    with contextlib.suppress(scene.database.error):
        link.close()


@fault("held", weight=3, seconds=(2, 12), asks=True)
def writer_stays_open(scene):
    link = scene.database.connect_for_writing()
    transaction = scene.writers.open(link, scene.dice, scene.next_name(), 3, keys=scene.held_keys())
    yield Harm("a writer", 0)
    scene.writers.end(link, transaction, commit=scene.dice.random() < 0.7)
    with contextlib.suppress(scene.database.error):
        link.close()


@fault("held", weight=2, seconds=(2, 12), databases=SERVERS, asks=True)
def prepared_transaction_stays_open(scene):
    name = scene.next_name()
    link = scene.database.connect_for_writing()
    transaction = scene.writers.open(link, scene.dice, name, 3, keys=scene.held_keys(), prepared=name)
    scene.database.prepare(link, name)
    link.close()
    yield Harm("a prepared transaction", 0)
    commit = scene.dice.random() < 0.7
    scene.database.settle(name, commit)
    scene.writers.log_outcome(transaction, "committed" if commit else "rolled back")


@fault("database", weight=3, seconds=(1, 8), databases=("sqlite",))
def disk_full(scene):
    scene.database.fill_disk()
    yield Harm("the database's disk", RELAYS)
    scene.database.empty_disk()


# Faults of the broker.

@fault("broker", weight=2, seconds=(0.1, 8))
def broker_killed(scene):
    scene.broker.kill()
    yield Harm("broker", RELAYS * 2, scene.names())
    scene.broker.start()


@fault("broker", weight=2, seconds=(1, 14))
def broker_frozen(scene):
    scene.broker.pause()
    yield Harm("broker", RELAYS * 4, scene.names())
    scene.broker.resume()


@fault("broker", weight=2, seconds=(1, 6))
def writing_to_a_topic_forbidden(scene):
    with scene.broker.admin() as admin:
        admin.allow_reading_only(scene.topics.orders)
    yield Harm("topic orders", RELAYS * 4)
    with scene.broker.admin() as admin:
        admin.allow_all(scene.topics.orders)


@fault("broker", weight=2, seconds=(1, 6))
def limit_of_a_topic_lowered(scene):
    with scene.broker.admin() as admin:
        admin.alter_topic(scene.topics.orders, {"max.message.bytes": 500})
    yield Harm("topic orders", RELAYS * 12)
    with scene.broker.admin() as admin:
        admin.alter_topic(scene.topics.orders, {"max.message.bytes": 1_048_588})


@fault("broker", weight=2, seconds=(1, 5), asks=True)
def topic_deleted(scene):
    """The records of the topic are read before it is deleted, so that acknowledged records do not count as lost."""
    topic = scene.topics.payments
    scene.writers.withhold(topic)
    try:
        wait_until(lambda: not scene.writers.busy_with(topic) and not scene.waiting_for(topic), 10, f"no event for {topic} waits")
    except TimeoutError:
        scene.writers.resume(topic)
        raise
    scene.keep_records(topic)
    with scene.broker.admin() as admin:
        admin.delete_topic(topic)
    scene.writers.resume(topic)
    yield Harm("topic payments", RELAYS * 2)
    scene.make_topic(topic)
