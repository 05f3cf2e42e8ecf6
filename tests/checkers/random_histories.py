"""Random histories of one object of any linear model: what real clients of a correct object could have seen,
and what only those of a broken one could."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from checkers.linear.operations import NEVER, UNKNOWN, Model, Operation
from tests.checkers.atomic_objects import CALLS, LOOKS, OBJECTS, READS, Effect

# Whose result is more than its argument.
OBSERVERS = READS | {"dequeue", "pop", "fetch-add", "cas", "miss", "acquire"}


@dataclass
class _Client:
    """A client, and the operation that it is in, if any."""

    process: int
    f: str = ""
    argument: Any = None
    invoked: int = -1
    effect: Effect = None
    witness: int | None = None


@dataclass
class _Simulation:
    rng: random.Random
    model: str
    crash: float
    unique: bool
    reads: float
    witnessed: bool
    clients: list[_Client]
    operations: list[Operation] = field(default_factory=list)
    rank: int = 0
    fresh: int = 0
    processes: int = 0
    log_index: int = 0
    # Crashed operations that are still to happen.
    late: list[_Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state, self.call = OBJECTS[self.model]
        self.processes = len(self.clients)
        calls = CALLS[self.model]
        some = self.rng.sample(calls[1:], self.rng.randint(0, len(calls) - 1))
        self.calls = [calls[0], *some]

    def run(self, length: int) -> list[Operation]:
        invoked = 0
        while invoked < length or any(client.f for client in self.clients):
            client = self.rng.choice(self.clients)
            if self.late and self.rng.random() < 0.1:
                self.happen(self.late.pop(self.rng.randrange(len(self.late))))
            if not client.f:
                if invoked < length:
                    self.invoke(client)
                    invoked += 1
            elif client.effect is not None:
                self.finish(client)
            elif self.rng.random() < self.crash or (not self.happen(client) and invoked == length):
                self.crashed(client)
        return sorted(self.operations, key=lambda operation: operation.invoked)

    def invoke(self, client: _Client) -> None:
        client.f = self.chosen(client)
        client.argument = self.argument(client.f)
        client.invoked = self.tick()
        client.effect = None

    def happen(self, client: _Client) -> bool:
        client.effect = self.call(self.state, client.f, client.argument, client.process)
        if client.effect is not None:
            self.state = client.effect[2]
            self.log_index += client.f not in READS
            client.witness = self.log_index if self.witnessed else None
        return client.effect is not None

    def finish(self, client: _Client) -> None:
        assert client.effect is not None
        f, result, _ = client.effect
        self.record(client, f, result, self.tick())
        client.f = ""

    def crashed(self, client: _Client) -> None:
        """It happens later, or never; but whoever holds a lock must not take it along."""
        if client.f == "release":
            self.happen(client)
        elif client.f != "acquire" and self.rng.random() < 0.5:
            self.late.append(replace(client))
        if client.f not in READS:
            self.record(client, client.f, UNKNOWN, NEVER)
        client.f = ""
        client.process = self.processes
        self.processes += 1

    def record(self, client: _Client, f: str, result: Any, returned: int) -> None:
        self.operations.append(
            Operation(
                f,
                client.argument,
                result,
                client.invoked,
                returned,
                index=client.invoked,
                process=client.process,
                completed=None if returned == NEVER else returned,
                witness=None if returned == NEVER else client.witness,
            )
        )

    def tick(self) -> int:
        self.rank += 1
        return self.rank

    def chosen(self, client: _Client) -> str:
        if self.model in ("mutex", "fenced-mutex"):
            return "release" if self.state[0] == client.process else "acquire"
        looks = LOOKS.get(self.model, ("read",))
        if self.rng.random() < self.reads:
            return self.rng.choice(looks)
        return self.rng.choice(self.calls)

    def argument(self, f: str) -> Any:
        if f in ("read", "get", "dequeue", "pop", "acquire", "release"):
            return None
        if f == "cas":
            expected = self.state if self.rng.random() < 0.7 else self.value()
            return expected, self.value()
        if f in ("contains", "remove"):
            return self.rng.randint(1, max(self.fresh, 3))
        if f == "add" and self.model == "counter":
            return self.rng.randint(-2, 3)
        return self.value()

    def value(self) -> Any:
        self.fresh += 1
        number = self.fresh if self.unique else self.rng.randint(1, 3)
        return f"{number}," if self.model == "kv" else number


def simulated(
    rng: random.Random,
    model: Model,
    clients: int,
    length: int,
    *,
    crash: float = 0.03,
    unique: bool = True,
    reads: float = 0.5,
    witnessed: bool = False,
) -> list[Operation]:
    """A valid history: `length` calls of an atomic object by concurrent clients, in order of invocation.

    crash:  how probable it is that a call crashes; crashed reads are left out
    unique: whether every value is written once, or one of three again and again
    reads:  how many of the calls look what is there (take it, from a queue or stack)
    witnessed: whether those that return tell their log indices
    """
    simulation = _Simulation(
        rng, model.name, crash, unique, reads, witnessed, [_Client(number) for number in range(clients)]
    )
    return simulation.run(length)


def corrupted(rng: random.Random, operations: Sequence[Operation]) -> list[Operation]:
    """The same history with one thing wrong; most often that makes it invalid."""
    damages = [_other_result, _other_result, _other_result, _moved, _moved, _lost, _crashed]
    rng.shuffle(damages)
    for damage in damages:
        damaged = damage(rng, list(operations))
        if damaged is not None:
            return damaged
    return list(operations)


def _other_result(rng: random.Random, operations: list[Operation]) -> list[Operation] | None:
    """One call returns what another of its kind did, or what nobody ever wrote."""
    seen = [at for at, op in enumerate(operations) if op.f in OBSERVERS and not op.crashed]
    if not seen:
        return None
    at = rng.choice(seen)
    op = operations[at]
    others = [other.result for other in operations if other.f == op.f and not other.crashed]
    match op.f:
        case "cas" | "miss":
            op = replace(op, f="miss" if op.f == "cas" else "cas")
        case "contains":
            op = replace(op, result=(op.argument, not op.result[1]))
        case "fetch-add":
            op = replace(op, result=(op.argument, rng.choice(others)[1] + rng.choice((0, 1))))
        case "acquire" if op.result is None:
            return None
        case _:
            op = replace(op, result=rng.choice([*others, _strange(op.result)]))
    operations[at] = op
    return operations


def _strange(result: Any) -> Any:
    match result:
        case frozenset():
            return result ^ {-7}
        case tuple():
            return (*result[1:], -7)
        case str():
            return result[1:]
        case None:
            return -7
    return result + 1


def _moved(rng: random.Random, operations: list[Operation]) -> list[Operation] | None:
    """One call was at another time, and brief."""
    at, then = rng.randrange(len(operations)), rng.randrange(len(operations))
    if at == then or operations[at].crashed:
        return None
    start, process = operations[then].invoked, operations[at].process
    own = [op for op in operations if op.process == process and op is not operations[at]]
    if any(op.invoked <= start < op.returned for op in own):
        return None
    moved = [replace(op, invoked=4 * op.invoked, returned=_four_times(op.returned)) for op in operations]
    moved[at] = replace(moved[at], invoked=4 * start + 1, returned=4 * start + 2)
    return sorted(moved, key=lambda op: op.invoked)


def _four_times(rank: int) -> int:
    return rank if rank == NEVER else 4 * rank


def _lost(rng: random.Random, operations: list[Operation]) -> list[Operation] | None:
    """One call that changed the object never was."""
    changes = [at for at, op in enumerate(operations) if op.f not in READS and not op.crashed]
    if not changes:
        return None
    del operations[rng.choice(changes)]
    return operations


def _crashed(rng: random.Random, operations: list[Operation]) -> list[Operation] | None:
    """One call never returned: that is always allowed, but may make another's absence visible."""
    # A process ends with the call that crashed.
    last = {op.process: at for at, op in enumerate(operations)}
    changes = [at for at in last.values() if operations[at].f not in READS | {"miss"}]
    if not changes:
        return None
    at = rng.choice(changes)
    operations[at] = replace(operations[at], result=UNKNOWN, returned=NEVER, completed=None)
    return operations


def planted(rng: random.Random, model: Model, operations: Sequence[Operation]) -> list[Operation]:
    """A valid history whose values are unique, made invalid beyond doubt about halfway.

    A taker gets what an earlier one got. A reader sees, again, what was since replaced by something else that
    was seen in between. The readers of counters and sets see what never was, and a lock is never released.
    """
    operations = list(operations)
    if model.name == "mutex":
        releases = [at for at, op in enumerate(operations) if op.f == "release"]
        del operations[releases[len(releases) // 2]]
        return operations
    sights = [at for at, op in enumerate(operations) if op.f in _SIGHTS and op.result not in (None, UNKNOWN)]
    for late in sights[len(sights) // 2 :]:
        op = operations[late]
        seen = [earlier for earlier in map(operations.__getitem__, sights) if earlier.returned < op.invoked]
        before = [earlier.result for earlier in seen if (earlier.f in READS) == (op.f in READS)]
        if not before:
            continue
        if model.name in ("counter", "set"):
            impossible = 10**9 if model.name == "counter" else op.result | {-7}
        elif op.f in ("read", "get"):
            impossible = next((result for result in before if result != before[-1]), None)
        elif op.f == "fetch-add":
            impossible = (op.argument, rng.choice(before)[1])
        else:
            impossible = rng.choice(before)
        if impossible is not None:
            operations[late] = replace(op, result=impossible)
            return operations
    raise ValueError("the history has too little to see")


# Whose results tell what state the object was in.
_SIGHTS = frozenset({"read", "get", "dequeue", "pop", "fetch-add", "acquire"})


def small(rng: random.Random, model: Model) -> list[Operation]:
    """Up to eight calls, often with something wrong."""
    operations = simulated(
        rng,
        model,
        clients=rng.randint(1, 6),
        length=rng.randint(3, 8),
        crash=rng.choice((0.0, 0.1, 0.3)),
        unique=rng.random() < 0.5,
        reads=rng.choice((0.3, 0.5, 0.7)),
        witnessed=rng.random() < 0.5,
    )
    while operations and rng.random() < 0.6:
        operations = corrupted(rng, operations)
    return operations
