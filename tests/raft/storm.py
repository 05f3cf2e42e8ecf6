"""A storm: a cluster in simulated time under random faults, everything drawn from one seed.

Messages are late, lost, doubled and reordered; disks are slow; nodes crash and lose what was not synced, are
paused, and are cut off, one way or both; leaders more often than others. Clients retry under the same
(client, sequence) at whichever node. Then all is mended, and the cluster has to come back.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from system.control_plane.replica import Applied, NotLeader, ReadDone, Replica
from system.raft.log import EntryKind
from system.raft.messages import Message
from system.raft.node import RaftConfig, State
from tests.raft.judge import BrokenError, Judge, Op
from tests.raft.stage import MS, Actor

STORM_NS = 4_000 * MS
CALM_NS = 3_500 * MS
FAULTS = ("cut", "one-way", "crash", "crash-all", "pause")


@dataclass(frozen=True)
class Weather:
    """How bad it gets. Probabilities are per message."""

    latency_ns: int
    sync_ns: int
    loss: float
    double: float
    straggle: float
    faults: tuple[str, ...]

    @staticmethod
    def draw(rng: Random) -> Weather:
        return Weather(
            latency_ns=rng.choice([1, 10, 30]) * MS,
            sync_ns=rng.choice([1, 5, 60]) * MS,
            loss=rng.choice([0.0, 0.01, 0.1]),
            double=rng.choice([0.0, 0.05]),
            straggle=rng.choice([0.0, 0.05]),
            faults=tuple(fault for fault in FAULTS if rng.random() < 0.6) or FAULTS,
        )


class Node:
    """An actor and what the storm does to it. generation: tells whether something belongs to a past boot."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.generation = 0
        self.paused = False
        self.syncing = False
        self.timer_ns = 0
        self.backlog: list[Callable[[], None]] = []


class Storm:
    def __init__(self, seed: int, voters: int, replica_class: type[Replica] = Replica) -> None:
        self.rng = Random(f"{seed}/storm/{voters}")
        self.weather = Weather.draw(self.rng)
        self.now_ns = 0
        self.calm = False
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.cuts: list[tuple[str, str]] = []
        names = tuple("abcde"[:voters])
        self.nodes = {name: Node(self._actor(name, names, replica_class)) for name in names}
        self.judge = Judge({name: node.actor for name, node in self.nodes.items()})
        self.clients = [Client(self, f"c{number}") for number in range(4)]

    def run(self) -> Judge:
        """Raises BrokenError where the cluster did wrong, or did not come back."""
        for name in self.nodes:
            self._start(name)
        for client in self.clients:
            self.after(0, client.go_on)
        self.after(self.rng.randrange(1000) * MS, self._next_fault)
        self.after(STORM_NS, self._mend_all)
        while self._queue and self._queue[0][0] <= STORM_NS + CALM_NS:
            self.now_ns, _, action = heapq.heappop(self._queue)
            action()
        self._check_recovery()
        self.judge.check_end()
        return self.judge

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now_ns + delay_ns, self._count, action))

    def input(self, name: str, hand_over: Callable[[Replica], object]) -> None:
        """Hands something to a node's replica, now, or once the node goes on."""
        node = self.nodes[name]
        if not node.actor.up:
            return
        if node.paused:
            node.backlog.append(lambda: self.input(name, hand_over))
            return
        hand_over(node.actor.replica)
        node.actor.replica.flush(self.now_ns)
        self._sync_soon(name)
        self._arm_timer(name)

    def leader(self) -> str | None:
        leading = [
            (node.actor.replica.node.current_term, name)
            for name, node in self.nodes.items()
            if node.actor.up and node.actor.replica.node.state is State.LEADER
        ]
        return max(leading)[1] if leading else None

    def _actor(self, name: str, names: tuple[str, ...], replica_class: type[Replica]) -> Actor:
        # Where votes take longer than timeouts differ, split votes never end.
        prompt = self.weather.latency_ns + self.weather.sync_ns <= 10 * MS
        election_max_ns = self.rng.choice([310, 600] if prompt else [600]) * MS
        rng = Random(f"{self.rng.random()}/{name}")
        config = RaftConfig(
            name,
            names,
            election_max_ns=election_max_ns,
            max_batch_entries=self.rng.choice([1, 3, 64]),
            max_inflight=self.rng.choice([4, 64]),
        )
        return Actor(
            config,
            self._send,
            lambda: rng.randint(config.election_min_ns, config.election_max_ns),
            replica_class=replica_class,
            on_event=lambda event, fields: self.judge.on_event(name, event, fields),
        )

    def _send(self, src: str, to: str, message: Message) -> None:
        rng, weather = self.rng, self.weather
        copies = 1
        if not self.calm:
            copies = 0 if rng.random() < weather.loss else 2 if rng.random() < weather.double else 1
        for _ in range(copies):
            delay_ns = int(weather.latency_ns * rng.uniform(0.5, 1.5))
            if not self.calm and rng.random() < weather.straggle:
                delay_ns += rng.randrange(1000) * MS
            self.after(delay_ns, lambda: self._deliver(src, to, message))

    def _deliver(self, src: str, to: str, message: Message) -> None:
        if (src, to) not in self.cuts:
            self.input(to, lambda replica: replica.on_message(self.now_ns, src, message))

    def _sync_soon(self, name: str) -> None:
        node = self.nodes[name]
        if node.syncing or not node.actor.disk.written:
            return
        node.syncing = True
        mark, generation = node.actor.disk.mark, node.generation
        delay_ns = int(self.weather.sync_ns * self.rng.uniform(0.2, 2.0))
        self.after(delay_ns, lambda: self._synced(name, mark, generation))

    def _synced(self, name: str, mark: int, generation: int) -> None:
        node = self.nodes[name]
        if node.generation != generation:
            return
        node.syncing = False
        node.actor.disk.sync(mark)
        self.input(name, lambda replica: replica.on_durable(self.now_ns, mark))
        self._sync_soon(name)

    def _arm_timer(self, name: str) -> None:
        """One lazy timer a node: a firing that is no longer the newest does nothing."""
        node = self.nodes[name]
        due_ns, generation = node.actor.replica.next_deadline_ns, node.generation
        if due_ns == node.timer_ns:
            return
        node.timer_ns = due_ns

        def fire() -> None:
            if node.generation == generation and node.timer_ns == due_ns:
                node.timer_ns = 0
                self.input(name, lambda replica: replica.on_time(self.now_ns))

        self.after(max(due_ns - self.now_ns, 0), fire)

    def _start(self, name: str) -> None:
        node = self.nodes[name]
        if node.actor.up:
            return
        node.timer_ns = 0
        node.actor.start(self.now_ns)
        self._arm_timer(name)

    def _crash(self, name: str) -> None:
        node = self.nodes[name]
        node.generation += 1
        node.syncing = node.paused = False
        node.backlog.clear()
        node.actor.crash()

    def _pause(self, name: str) -> None:
        self.nodes[name].paused = True

    def _resume(self, name: str) -> None:
        node = self.nodes[name]
        node.paused = False
        backlog, node.backlog = node.backlog, []
        self.rng.shuffle(backlog)
        for action in backlog:
            action()

    def _next_fault(self) -> None:
        """One fault for a while, then the next; they may overlap."""
        if self.calm:
            return
        fault = self.rng.choice(self.weather.faults)
        names = list(self.nodes)
        target = self.leader() if self.rng.random() < 0.75 else None
        target = target or self.rng.choice(names)
        length_ns = self.rng.choice([50, 400, 1500, 1500]) * MS
        others = [name for name in names if name != target]
        if fault == "cut":
            self._cut([(target, o) for o in others] + [(o, target) for o in others], length_ns)
        elif fault == "one-way":
            self._cut([(target, o) for o in others] or [(o, target) for o in others], length_ns)
        elif fault == "pause":
            self._pause(target)
            self.after(length_ns, lambda: self._resume(target))
        else:
            for name in names if fault == "crash-all" else [target]:
                self._crash(name)
                self.after(self.rng.randrange(500) * MS, lambda name=name: self._start(name))  # type: ignore[misc]
        self.after(self.rng.randrange(1200) * MS, self._next_fault)

    def _cut(self, ways: list[tuple[str, str]], length_ns: int) -> None:
        self.cuts += ways

        def mend() -> None:
            self.cuts = [way for way in self.cuts if way not in ways]

        self.after(length_ns, mend)

    def _mend_all(self) -> None:
        self.calm = True
        self.cuts.clear()
        for name, node in self.nodes.items():
            self._resume(name)
            if not node.actor.up:
                self._start(name)
        for client in self.clients:
            client.stop_at_ns = STORM_NS + CALM_NS - 1_500 * MS

    def _check_recovery(self) -> None:
        applied = [node.actor.replica.applied_index for node in self.nodes.values()]
        if len(set(applied)) != 1 or not self.judge.committed or applied[0] != len(self.judge.committed):
            raise BrokenError("liveness", f"applied {applied} of {len(self.judge.committed)} in the end")
        for client in self.clients:
            if client.op is not None or client.last_done_ns < STORM_NS:
                raise BrokenError("liveness", f"{client.name} got no answer after the storm")


class Client:
    """One session, one operation at a time. Asks again, under the same sequence, until it has an answer."""

    TIMEOUT_NS = 250 * MS

    def __init__(self, storm: Storm, name: str) -> None:
        self.name = name
        self.op: Op | None = None
        self.last_done_ns = 0
        self.stop_at_ns = STORM_NS + CALM_NS
        self._storm, self._rng = storm, storm.rng
        self._sequence = 0
        self._silent: str | None = None
        self._opened = False
        self._attempt = 0
        # Who mostly reads stays with a leader that is cut off, as long as that answers.
        self._reads = self._rng.choice([0.1, 0.5, 0.95])
        # A third of the clients stay with one node, whatever it knows.
        self._pinned = self._rng.choice(list(storm.nodes)) if self._rng.random() < 0.34 else None
        self._target = self._pinned or self._rng.choice(list(storm.nodes))

    def go_on(self) -> None:
        storm = self._storm
        if storm.now_ns >= self.stop_at_ns:
            return
        kind = "session" if not self._opened else "read" if self._rng.random() < self._reads else "append"
        self._sequence += 1
        self.op = Op(kind, self._rng.choice(["x", "y"]), storm.now_ns)
        if kind == "append":
            self.op.value = f"{self.name}-{self._sequence}"
        if kind != "session":
            storm.judge.ops.append(self.op)
        self._ask()

    def _ask(self) -> None:
        self._attempt += 1
        op, attempt, storm = self.op, self._attempt, self._storm
        assert op is not None

        def answered(outcome: Any) -> None:
            storm.after(self._rng.randrange(1, 5) * MS, lambda: self._on_answer(attempt, outcome))

        def hand_over(replica: Replica) -> None:
            if op.kind == "read":
                query = lambda machine, index: list(machine.lists.get(op.key, ()))  # noqa: E731
                replica.read(storm.now_ns, query, answered)
            else:
                kind, command = self._command(op)
                replica.submit(storm.now_ns, kind, json.dumps(command).encode(), answered)

        target = self._target
        storm.after(self._rng.randrange(1, 5) * MS, lambda: storm.input(target, hand_over))
        storm.after(self.TIMEOUT_NS, lambda: self._on_answer(attempt, None))

    def _command(self, op: Op) -> tuple[EntryKind, dict[str, Any]]:
        if op.kind == "session":
            return EntryKind.SESSION, {"client": self.name}
        command = {"client": self.name, "seq": self._sequence, "op": "append", "key": op.key}
        return EntryKind.COMMAND, {**command, "value": op.value}

    def _on_answer(self, attempt: int, outcome: Any) -> None:
        op, storm = self.op, self._storm
        if attempt != self._attempt or op is None:
            return
        match outcome:
            case ReadDone(value, applied_index):
                op.value, op.index = value, applied_index
            case Applied(_, "applied" | "duplicate", result):
                op.index = result["index"]
            case Applied(_, how):
                raise BrokenError("sessions", f"{self.name}: {how} is no answer to {op}")
            case _:
                self._ask_elsewhere(outcome)
                return
        self._silent = None
        op.completed_ns = self.last_done_ns = storm.now_ns
        self._opened = True
        self.op = None
        storm.after(self._rng.randrange(20, 150) * MS, self.go_on)

    def _ask_elsewhere(self, outcome: Any) -> None:
        """Where a refusal points to, but not to a node that has just given no answer."""
        storm = self._storm
        if outcome is None:
            self._silent = self._target
        hint = outcome.leader_id if isinstance(outcome, NotLeader) else None
        if hint is None or hint == self._silent:
            hint = self._rng.choice([n for n in storm.nodes if n != self._silent] or list(storm.nodes))
        self._target = storm.leader() or hint if storm.calm else self._pinned or hint
        self._attempt += 1
        storm.after(20 * MS, self._ask)
