"""A simulated control-plane node: the real replica, with a disk, a network and clocks that can break."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Protocol

import grpc
from mypy_extensions import mypyc_attr

from system.control_plane.registry import Registry
from system.control_plane.replica import Replica
from system.control_plane.state_machine import StateMachine
from system.pb.orchestrator_pb2 import ReadResponse
from system.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    Message,
    RequestVote,
    RequestVoteReply,
)
from system.raft.node import RaftConfig
from system.raft.records import Record
from system.simulation.disk import SimDisk
from system.simulation.draws import Draws
from system.simulation.knobs import MS, Knobs
from system.simulation.loop import VirtualLoop
from system.simulation.network import Network
from system.simulation.probes import Probes
from system.simulation.service import Service, call_error

HEARTBEAT_NS = 150 * MS
MAX_BATCH_BYTES = 1 << 20
OFFLINE_AFTER_S = 15.0
MESSAGE_BYTES, ENTRY_BYTES = 60, 120
KINDS = {
    RequestVote: "vote",
    RequestVoteReply: "vote-reply",
    AppendEntries: "append",
    AppendEntriesReply: "append-reply",
}
_NUMBERS = {kind: number for number, kind in enumerate(KINDS, start=1)}
NEVER = 1 << 62
# Every node applies the same commands: each is decoded once.
_decode = lru_cache(maxsize=4096)(json.loads)
# How long a boot takes, at least and at most.
BOOT_NS = (20 * MS, 120 * MS)


class Watching(Protocol):
    """Who is told of everything (checkers.inside.Watchdog)."""

    def note(self, node: str, time_ns: int, event: str, fields: dict[str, Any]) -> None: ...
    def durable(self, node: str, time_ns: int, records: Sequence[Record]) -> None: ...
    def sends_vote(self, node: str, time_ns: int, term: int, candidate: str) -> None: ...
    def sends_match(self, node: str, time_ns: int, term: int, index: int, entry_term: int | None) -> None: ...
    def waits(self, node: str, time_ns: int, timeout_ns: int) -> None: ...
    def stands_at(self, node: str, time_ns: int, applied_index: int) -> None: ...
    def still_owes(self, node: str, time_ns: int, asked_ns: int) -> None: ...
    def died(self, node: str, time_ns: int, why: str) -> None: ...
    def asked(self, time_ns: int) -> None: ...
    def answered(self) -> None: ...
    @property
    def committed(self) -> int: ...
    def is_deposed(self, node: str) -> bool: ...
    def has_read(self, node: str, time_ns: int, applied_index: int, committed: int) -> None: ...
    def calm(self, since_ns: int, now_ns: int, healthy: int, bound_ns: int) -> None: ...
    def object(self, kind: str, message: str, time_ns: int, node: str = "") -> None: ...


class World(Protocol):
    """What a node needs of its cluster. trace: folds a step into the run's hash."""

    loop: VirtualLoop
    network: Network
    watching: Watching | None
    keeps_events: bool
    nodes: tuple[str, ...]
    cluster_id: str

    def trace(self, node: int, what: int, number: int) -> None: ...
    def asks(self) -> None: ...
    def peer(self, name: str) -> SimNode: ...
    def sends(self, node: SimNode, to: str, kind: str, message: Message) -> None: ...
    def ended(self, node: SimNode, why: str) -> None: ...
    def leads(self, node: str, term: int) -> None: ...


@mypyc_attr(allow_interpreted_subclasses=True)
class SimNode:
    """events: what each boot wrote to its event log, where the cluster keeps them."""

    def __init__(self, world: World, name: str, number: int, seed: int, knobs: Knobs) -> None:
        self.world = world
        self.loop = world.loop
        self.name = name
        self.number = number
        self.disk = SimDisk(world.loop, seed, world.cluster_id, name, knobs)
        self.replica: Replica | None = None
        self.paused = False
        self.boot = 0
        self.events: list[list[dict[str, Any]]] = []
        self._seed = seed
        self._knobs = knobs
        self.usual_rate = 1.0 + (knobs.drift[number] if number < len(knobs.drift) else 0.0)
        self._rate = self.usual_rate
        # The clock's last change of rate, by the loop's time and by its own.
        self._rated_ns = self._rated_local_ns = 0
        self._lags_ns = [int(ms * MS) for ms in knobs.lag_samples_ms]
        self._draws = Draws(seed, "node", name)
        self._peers = {node: node for node in world.nodes}
        self._service: Service | None = None
        self._inbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        # By number: when it came, and whom to tell.
        self._unanswered: dict[int, tuple[int, Callable[[Any], None]]] = {}
        self._requests = 0
        # When the timer goes off by the loop's time, and what it is set for by the node's own.
        self._timer_ns = self._armed_ns = NEVER
        # Since when it has been leading; None: it is not.
        self.led_since_ns: int | None = None
        self._probes = Probes(self, world.watching, knobs.election_ms) if world.watching else None

    @property
    def listens(self) -> bool:
        return self.replica is not None

    def local_ns(self) -> int:
        """The node's own monotonic clock."""
        return self._rated_local_ns + int((self.loop.now_ns - self._rated_ns) * self._rate)

    def skew(self, share: float) -> None:
        """From now on the clock goes faster than usual by this share, or slower."""
        self._rated_local_ns, self._rated_ns = self.local_ns(), self.loop.now_ns
        self._rate = self.usual_rate * (1.0 + share)
        if self.replica is not None:
            self._timer_ns = self._armed_ns = NEVER
            self._arm()

    def still_harmed(self) -> list[str]:
        harms = {
            "is stopped": self.paused,
            "has a slow disk": self.disk.slow != 1.0,
            "has a failing disk": self.disk.fails,
            "has a wrong clock": self._rate != self.usual_rate,
        }
        return [f"{self.name} {harm}" for harm, lasts in harms.items() if lasts]

    # Up and down.

    def start(self) -> None:
        """Raises WalError for a log that must not be used."""
        recovered, _ = self.disk.recover()
        self.boot += 1
        self.paused = False
        self.disk.start(self._on_synced, self._on_records, self._on_sync_failed)
        self._log: list[dict[str, Any]] = []
        if self.world.keeps_events:
            self.events.append(self._log)
        knobs = self._knobs
        low_ns, high_ns = (bound * MS for bound in knobs.election_ms)
        timeouts = Draws(self._seed, "election-timeout", self.name, self.boot)
        self.replica = Replica(
            RaftConfig(
                node_id=self.name,
                voters=self.world.nodes,
                heartbeat_ns=HEARTBEAT_NS,
                election_min_ns=low_ns,
                election_max_ns=high_ns,
                max_batch_entries=knobs.max_batch,
                max_batch_bytes=MAX_BATCH_BYTES,
            ),
            recovered,
            self.disk,
            self,
            self,
            machine=StateMachine(_decode),
            draw_election_timeout_ns=lambda: timeouts.between(low_ns, high_ns),
            now_ns=self.local_ns(),
        )
        self._host(self.replica)

    def _host(self, replica: Replica) -> None:
        """Everything around the replica."""
        driver = SimpleNamespace(replica=replica)
        gate: Any = SimpleNamespace(driver=driver)
        self.registry = Registry(gate, OFFLINE_AFTER_S, lambda: self.local_ns() / 1e9)
        self._service = Service(self.name, self.boot, replica, self.registry, self._peers)
        self._timer_ns = self._armed_ns = NEVER
        self.do(_nothing)

    def crash(self, *, lose_unsynced: bool) -> int:
        """kill -9, or the machine's end. Returns how many bytes are lost."""
        self.world.trace(self.number, 9, self.boot)
        self.replica = self._service = None
        self.paused = False
        self._inbox.clear()
        self.led_since_ns = None
        gone, self._unanswered = self._unanswered, {}
        for _, reply in gone.values():
            if self.world.watching is not None:
                self.world.watching.answered()
            reply(call_error(grpc.StatusCode.UNAVAILABLE, "the connection was reset"))
        return self.disk.crash(lose_unsynced=lose_unsynced)

    def close(self) -> None:
        """The run is over. Idempotent."""
        watching, replica, now_ns = self.world.watching, self.replica, self.loop.now_ns
        if watching is not None and replica is not None:
            watching.stands_at(self.name, now_ns, replica.applied_index)
            if self._unanswered and not self.paused:
                asked_ns, _ = next(iter(self._unanswered.values()))
                watching.still_owes(self.name, now_ns, asked_ns)
        self.disk.close()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """What came in meanwhile is there at once, one connection's messages in no order with another's."""
        if not self.paused:
            return
        self.paused = False
        if self._probes is not None:
            self._probes.resumed()
        waiting, self._inbox = self._inbox, []
        for place in range(len(waiting) - 1, 0, -1):
            other = self._draws.below(place + 1)
            waiting[place], waiting[other] = waiting[other], waiting[place]
        for callback, args in waiting:
            self.loop.at(self.loop.now_ns, callback, *args)
        self._wake()

    def _wake(self) -> None:
        """Timers that have become due meanwhile go off."""
        self._timer_ns, self._armed_ns = self.loop.now_ns, 0
        self.loop.at(self._timer_ns, self._on_timer, self.boot, self._timer_ns)

    # What comes in.

    def receive(self, src: str, message: Message) -> None:
        replica = self.replica
        if replica is None:
            return
        if self.paused:
            self._inbox.append((self.receive, (src, message)))
            return
        self.world.trace(self.number, _NUMBERS[type(message)], message.term)
        if self._probes is not None:
            self._probes.heard(src, message)
        self._take_message(replica, src, message)

    def serve(self, method: str, request: Any, reply: Callable[[Any], None]) -> None:
        if self.replica is None:
            reply(call_error(grpc.StatusCode.UNAVAILABLE, "the connection was refused"))
            return
        if self.paused:
            self._inbox.append((self.serve, (method, request, reply)))
            return
        self.world.trace(self.number, 5, len(method))
        self.world.asks()
        self._requests += 1
        number, boot = self._requests, self.boot
        self._unanswered[number] = self.loop.now_ns, reply
        watching = self.world.watching
        committed = watching.committed if watching is not None else 0

        def answer(response: Any) -> None:
            waiting = self._unanswered.pop(number, None)
            if waiting is None:
                if watching is not None and self.replica is not None and self.boot == boot:
                    watching.object(
                        "answered-twice", f"it answers one {method} twice", self.loop.now_ns, self.name
                    )
                return
            if watching is not None:
                watching.answered()
                if isinstance(response, ReadResponse):
                    watching.has_read(self.name, self.loop.now_ns, response.applied_index, committed)
            waiting[1](response)

        self._take_request(method, request, answer)

    def _on_synced(self, mark: int) -> None:
        if self.paused:
            self._inbox.append((self._on_synced, (mark,)))
            return
        replica = self.replica
        if replica is not None:
            self.world.trace(self.number, 6, mark)
            self._take_durable(replica, mark)

    def _take_message(self, replica: Replica, src: str, message: Message) -> None:
        self.do(replica.on_message, src, message)

    def _take_request(self, method: str, request: Any, answer: Callable[[Any], None]) -> None:
        assert self._service is not None
        self.do(self._service.serve, method, request, answer)

    def _take_durable(self, replica: Replica, mark: int) -> None:
        self.do(replica.on_durable, mark)

    def _on_records(self, records: Sequence[Record]) -> None:
        if self.world.watching is not None:
            self.world.watching.durable(self.name, self.loop.now_ns, records)

    def _on_sync_failed(self) -> None:
        """As the real process: it ends at once, and nothing more leaves it."""
        self.crash(lose_unsynced=False)
        self.world.ended(self, "the log cannot be written any more")

    def _on_timer(self, boot: int, due_ns: int) -> None:
        replica = self.replica
        if due_ns != self._timer_ns or boot != self.boot or replica is None or self.paused:
            return  # another was set since, or nobody is there
        self._timer_ns = self._armed_ns = NEVER
        if self.local_ns() < replica.next_deadline_ns:
            self._arm()
            return
        self.world.trace(self.number, 7, self.boot)
        self.do(replica.on_time)
        if self._probes is not None:
            self._probes.timer_fired()

    def do(self, hand_over: Callable[..., Any], *what: Any) -> None:
        """One input, and all that follows from it at once."""
        replica = self.replica
        assert replica is not None
        now_ns = self.local_ns()
        try:
            hand_over(now_ns, *what)
            replica.flush(now_ns)
        except Exception as error:
            self._die(error)
            return
        if self.replica is replica:
            self._arm()

    def _die(self, error: BaseException) -> None:
        """Any exception ends a real node on the spot."""
        if self.world.watching is not None:
            self.world.watching.died(self.name, self.loop.now_ns, f"{type(error).__name__}: {error}")
        if self.replica is not None:
            self.crash(lose_unsynced=False)
        self.world.ended(self, str(error))

    def _arm(self) -> None:
        """One lazy timer: it is set anew only for what is due earlier; what is due later finds it firing for
        nothing."""
        assert self.replica is not None
        deadline_ns = self.replica.node.next_deadline_ns
        if deadline_ns < self._armed_ns:
            self._armed_ns = deadline_ns
            due_ns = self._timer_ns = self._loop_ns(deadline_ns)
            self.loop.at(due_ns + self._late_ns(), self._on_timer, self.boot, due_ns)

    def _loop_ns(self, local_ns: int) -> int:
        """When, by the loop's time, the node's own clock will show this."""
        return self._rated_ns + int((local_ns - self._rated_local_ns) / self._rate) + 1

    def _late_ns(self) -> int:
        """How late the next timer goes off."""
        return self._lags_ns[self._draws.below(len(self._lags_ns))] if self._lags_ns else 0

    # What goes out: the replica's transport, and its event log.

    def send(self, to: str, message: Message) -> None:
        world = self.world
        if self.replica is None:
            return  # it crashed in the middle of what it had to say
        kind = KINDS[type(message)]
        size_bytes = MESSAGE_BYTES
        if isinstance(message, AppendEntries):
            size_bytes += ENTRY_BYTES * len(message.entries)
        elif self._probes is not None:
            self._watch_promise(self._probes, to, message)
        world.network.send(self.name, to, size_bytes, kind, world.peer(to).receive, self.name, message)
        world.sends(self, to, kind, message)

    def _watch_promise(self, probes: Probes, to: str, message: Message) -> None:
        if isinstance(message, AppendEntriesReply):
            if message.success:
                probes.acknowledges(message.term, message.match_index)
        elif isinstance(message, RequestVoteReply) and not message.pre_vote:
            (probes.votes if message.vote_granted else probes.refuses)(message.term, to)

    def write(self, event: str, **fields: Any) -> None:
        now_ns = self.loop.now_ns
        if self.world.watching is not None:
            self.world.watching.note(self.name, now_ns, event, fields)
        if event == "role":
            self.led_since_ns = now_ns if fields["role"] == "leader" else None
            if self._probes is not None:
                self._probes.changed_role(fields["role"])
            if fields["role"] == "leader":
                self.world.leads(self.name, fields["term"])
        if self.world.keeps_events:
            if event == "boot":
                fields = {
                    "pid": 1000 * (self.number + 1) + self.boot,
                    "cluster": self.world.cluster_id,
                } | fields
            head = {"v": 1, "node": self.name, "boot": self.boot, "seq": len(self._log)}
            self._log.append({**head, "time_ns": now_ns, "event": event, **fields})

    def flush(self) -> None:
        """What was noted is on record at once."""

    def status(self) -> dict[str, Any] | None:
        """As Observer.status has it."""
        if self.replica is None or self.paused:
            return None
        status = self.replica.status()
        return {
            "node": self.name,
            "boot": self.boot,
            "term": status.term,
            "role": status.role.value,
            "leader": status.leader_id,
            "commit_index": status.commit_index,
            "applied_index": status.applied_index,
            "last_log_index": status.last_log_index,
        }


def _nothing(now_ns: int) -> None:
    """What a node is handed that has only just started."""


def ledger_term(node: SimNode, index: int) -> int | None:
    """The term of an entry in the node's log in memory."""
    return node.replica.node.log.term_at(index) if node.replica is not None else None


def terms(node: SimNode) -> list[int]:
    log = node.replica.node.log if node.replica is not None else None
    return [] if log is None else [entry.term for entry in log.slice(1, log.last_index)]
